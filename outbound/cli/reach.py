"""What to say about a server that cannot be reached: which one, where, and what may have been forgotten."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from outbound.env_file import env_file, exported
from outbound.settings import UNSET, Settings, SettingsError, load

_PORTS = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379}
_VARIABLES = {"Postgres": "DATABASE_URL", "Redis": "REDIS_URL"}
_DEV_FOLDER = Path("var")


def redis_trouble(settings: Settings, error: Exception) -> str:
    """Return `Redis at host:port: ConnectionError`."""
    return f"Redis at {address(settings.redis_url)}: {type(error).__name__}{hint('REDIS_URL', settings.redis_url)}"


def located(message: str) -> str:
    """Return a message that begins with a server's name (`Postgres: …`) with its host and port behind that name."""
    server, colon, rest = message.partition(":")
    variable = _VARIABLES.get(server)
    if variable is None or not colon:
        return message
    try:
        url = _url(load(), variable)
    except SettingsError:
        return message
    return f"{server} at {address(url)}:{rest}{hint(variable, url)}"


def missing(message: str) -> str:
    """Return what is wrong with the settings, with a hint where it is only that a file was not read."""
    name = message.removesuffix(" is not set")
    return message + hint(name, UNSET) if name in _VARIABLES.values() and name != message else message


def hint(variable: str, url: SecretStr) -> str:
    """Return ` (. var/env ?)` where such a file lies in this folder and says something else than we were told."""
    if not env_file(_DEV_FOLDER).is_file() or exported(_DEV_FOLDER).get(variable) in {None, url.get_secret_value()}:
        return ""
    return f" (. {env_file(_DEV_FOLDER)} ?)"


def address(url: SecretStr) -> str:
    """Return host and port of a server, never its user or password."""
    parts = urlsplit(url.get_secret_value())
    place = parts.netloc.rpartition("@")[2]
    if "@" not in parts.netloc and "@" in parts.path + parts.query + parts.fragment:
        # An unescaped / or # in a password: what stands before it is not a host.
        return "a place that is hard to read"
    if not place:
        return parts.path or "its local socket"
    return place if ":" in place.rpartition("]")[2] else f"{place}:{_PORTS[parts.scheme]}"


def _url(settings: Settings, variable: str) -> SecretStr:
    return settings.database_url if variable == "DATABASE_URL" else settings.redis_url
