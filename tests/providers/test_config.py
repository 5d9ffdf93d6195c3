"""What the environment's words become, and what is said about wrong ones."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from providers import registry
from providers.errors import InvalidConfigError, UnknownProviderError
from providers.recording import RecordingProvider
from providers.resend import ResendConfig, ResendProvider
from providers.smtp import SmtpConfig, SmtpProvider
from providers.smtp.config import own_hostname


def test_smtp_is_configured_by_the_words_of_the_environment() -> None:
    config = SmtpConfig.from_mapping(
        {
            "EMAIL_HOST": "mail.example.com",
            "EMAIL_PORT": "2525",
            "EMAIL_USERNAME": "user",
            "EMAIL_PASSWORD": "secret",
            "EMAIL_TLS": "none",
            "OUTBOUND_SMTP_CONNECTIONS": "4",
            "OUTBOUND_SMTP_LOCAL_HOSTNAME": "me.example.com",
            "OUTBOUND_SMTP_DOMAINS": "Acme.example.com, other.example.com,",
        }
    )

    assert (config.hostname, config.port, config.username, config.password) == (
        "mail.example.com",
        2525,
        "user",
        "secret",
    )
    assert (config.tls, config.pool_size, config.local_hostname) == ("none", 4, "me.example.com")
    assert config.domains == {"acme.example.com", "other.example.com"}
    assert "secret" not in repr(config)


@pytest.mark.parametrize(("tls", "port"), [("", 587), ("starttls", 587), ("implicit", 465), ("none", 25)])
def test_the_port_follows_the_kind_of_tls_and_starttls_is_the_default(tls: str, port: int) -> None:
    config = SmtpConfig.from_mapping({"EMAIL_HOST": "mail.example.com", "EMAIL_TLS": tls, "EMAIL_PORT": ""})

    assert config.port == port
    assert config.local_hostname == own_hostname()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMAIL_TLS", "opportunistic"),
        ("EMAIL_PORT", "smtp"),
        ("EMAIL_PORT", "0"),
        ("EMAIL_PORT", "65536"),
        ("EMAIL_PORT", "٤٢"),
        ("OUTBOUND_SMTP_CONNECTIONS", "-1"),
    ],
)
def test_a_wrong_smtp_setting_is_named_without_its_value(name: str, value: str) -> None:
    with pytest.raises(InvalidConfigError) as refused:
        SmtpConfig.from_mapping({"EMAIL_HOST": "mail.example.com", name: value})

    assert refused.value.setting == name
    assert name in str(refused.value)
    assert value not in str(refused.value).removeprefix(name)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "EMAIL_HOST"),
        ({"EMAIL_HOST": "h.example.com", "EMAIL_USERNAME": "u"}, "EMAIL_PASSWORD"),
        ({"EMAIL_HOST": "h.example.com", "EMAIL_PASSWORD": "p"}, "EMAIL_USERNAME"),
    ],
)
def test_smtp_says_what_it_lacks(config: dict[str, str], problem: str) -> None:
    [sentence] = SmtpProvider.from_config(config).validate_config()

    assert problem in sentence


def test_smtp_may_send_from_the_configured_domains_or_from_all() -> None:
    some = SmtpProvider.from_config({"EMAIL_HOST": "h.example.com", "OUTBOUND_SMTP_DOMAINS": "a.example"})

    assert some.may_send_from("A.example")
    assert not some.may_send_from("b.example")
    assert SmtpProvider.from_config({"EMAIL_HOST": "h.example.com"}).may_send_from("b.example")


def test_resend_is_configured_by_the_words_of_the_environment() -> None:
    config = ResendConfig.from_mapping(
        {
            "RESEND_API_KEY": "re_x",
            "RESEND_API_URL": "http://127.0.0.1:9/",
            "RESEND_VERIFIED_DOMAINS": "Acme.example.com, b.example",
            "RESEND_DEFAULT_DOMAIN": "Ours.example",
        }
    )

    assert (config.api_key, config.base_url) == ("re_x", "http://127.0.0.1:9")
    assert config.sender_domains == {"acme.example.com", "b.example", "ours.example"}
    assert ResendConfig.from_mapping({"RESEND_API_KEY": "re_x"}).base_url == "https://api.resend.com"


def test_a_wrong_resend_url_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="RESEND_API_URL"):
        ResendConfig.from_mapping({"RESEND_API_URL": "file:///etc/passwd"})


def test_resend_says_what_it_lacks() -> None:
    provider = ResendProvider.from_config({})

    assert [sentence.split()[0] for sentence in provider.validate_config()] == ["RESEND_API_KEY", "Neither"]
    assert ResendConfig(api_key="re_x\n", default_domain="a.example").problems() == [
        "RESEND_API_KEY holds a character that no key has."
    ]


def test_every_declared_provider_can_be_loaded() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    declared = project["entry-points"][registry.GROUP]

    loaded = {name: EntryPoint(name, value, registry.GROUP).load() for name, value in declared.items()}

    assert set(loaded) >= {"smtp", "resend", "recording"}
    assert all(loaded[name].from_config({}).name == name for name in loaded)


def test_a_provider_of_another_distribution_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "somebody_elses-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody-elses\nVersion: 1.0\n", "utf-8")
    (installed / "entry_points.txt").write_text(
        f"[{registry.GROUP}]\nelsewhere = providers.recording:RecordingProvider\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert "elsewhere" in registry.known()
    assert isinstance(registry.load("elsewhere")({}), RecordingProvider)
    with pytest.raises(UnknownProviderError, match="elsewhere") as refused:
        registry.load("pigeon")
    assert refused.value.name == "pigeon"
