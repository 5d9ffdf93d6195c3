"""What a tenant's mails look like: its name, logo and colour, and what stands under them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

DEFAULT_COLOR = "#1d4ed8"
MAX_NAME = 100
MAX_ADDRESS = 500
MAX_URL = 2_000
DEFAULT_BRAND: Mapping[str, str] = {
    "name": "",
    "logo_url": "",
    "logo_alt": "",
    "color": DEFAULT_COLOR,
    "on_color": "#ffffff",
    "address": "",
    "url": "",
}
"""`brand` as templates see it: "" where a tenant says nothing, for `name` its own. On `color` text is `on_color`."""
_COLOR = re.compile(r"#[0-9a-f]{6}")
_LIMITS = {"name": MAX_NAME, "logo_url": MAX_URL, "logo_alt": MAX_NAME, "address": MAX_ADDRESS, "url": MAX_URL}
_WHITE, _BLACK = "#ffffff", "#111827"
# Only what a URL is written with (RFC 3986 §2): nothing that ends an attribute, a line or a CSS value.
_URL = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+")


class BrandingError(ValueError):
    """A branding is not what it may be. The message names the field, not its value."""


def validated(given: Mapping[str, str]) -> dict[str, str]:
    """Return a branding as it is stored: what is given, in its normal form, and nothing that is empty.

    Raises:
        BrandingError: for an unknown field, a colour that is not #rrggbb, a link that is not https, or a length.
    """
    branding = {name: value.strip() for name, value in given.items() if value.strip()}
    for name, value in branding.items():
        if name == "color":
            branding[name] = value.lower()
            if not _COLOR.fullmatch(branding[name]):
                raise BrandingError("color is written #rrggbb")
        elif name not in _LIMITS:
            raise BrandingError(f"{name!r} is not a part of a branding: {', '.join(sorted({*_LIMITS, 'color'}))}")
        elif len(value) > _LIMITS[name]:
            raise BrandingError(f"{name} has at most {_LIMITS[name]} characters")
        elif name.endswith("url") and not _is_https(value):
            raise BrandingError(f"{name} is an https address")
        elif name != "address" and not value.isprintable():
            raise BrandingError(f"{name} is one line")
    return branding


def brand_of(stored: Mapping[str, str]) -> dict[str, str]:
    """Return `brand` for the templates; one that is not as it should be is left out: no mail fails for it."""
    brand = dict(DEFAULT_BRAND)
    for name, value in stored.items():
        try:
            brand |= validated({name: value})
        except (BrandingError, AttributeError):
            continue
    brand["on_color"] = text_color_on(brand["color"])
    return brand


def text_color_on(color: str) -> str:
    """Return white or near-black, whichever can be read better on a colour (WCAG 2.2, contrast ratio)."""
    luminance = _luminance(color)
    on_white = (_luminance(_WHITE) + 0.05) / (luminance + 0.05)
    on_black = (luminance + 0.05) / (_luminance(_BLACK) + 0.05)
    return _WHITE if on_white >= on_black else _BLACK


def _luminance(color: str) -> float:
    """Return the relative luminance, from 0 to 1 (WCAG 2.2)."""
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)  # noqa: PLR2004 - the definition
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _is_https(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return _URL.fullmatch(value) is not None and bool(parts.hostname) and parts.username is None
