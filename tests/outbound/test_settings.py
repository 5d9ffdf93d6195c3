"""The configuration: names, order, and refusals that never show a value."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from outbound.settings import LEGACY, Settings, SettingsError, load, provider_config

SECRET = "hunter2-planted"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables = {str(field.validation_alias) for field in Settings.model_fields.values()} | set(LEGACY.values())
    for name in list(os.environ):
        if name.upper() in variables:
            monkeypatch.delenv(name)
    monkeypatch.setenv("OUTBOUND_SECRETS_DIR", str(tmp_path / "secrets"))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    return tmp_path / "secrets"


def test_nothing_set_is_a_configuration_that_sends_nothing() -> None:
    settings = load()

    assert settings.email_enable is False
    assert settings.email_provider == "smtp"
    assert settings.batch_size == 64
    assert settings.streams == ("outbound:events:urgent", "outbound:events")
    assert settings.uncertain_delay == timedelta(minutes=5)
    assert settings.worker_name


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load().batch_size = 1  # type: ignore[misc]  # that it cannot be done is the test


def test_units_are_in_the_names_and_durations_in_the_values() -> None:
    given = {
        "OUTBOUND_RETRY_BASE_SECONDS": "1.5",
        "OUTBOUND_MAX_AGE_HOURS": "2",
        "OUTBOUND_DELIVERIES_RETENTION_DAYS": "3",
        "OUTBOUND_DRAIN_SECONDS": "0",
    }
    settings = load(overrides=given)

    assert settings.retry_base == timedelta(seconds=1.5)
    assert settings.max_age == timedelta(hours=2)
    assert settings.deliveries_retention == timedelta(days=3)
    assert settings.drain == timedelta(0)


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEND_VERIFIED_DOMAINS", "A.example, b.example ,,")
    monkeypatch.setenv("OUTBOUND_STREAMS", "one,two")
    monkeypatch.setenv("OUTBOUND_SECRET_KEY", "new,old")
    settings = load()

    assert settings.resend_verified_domains == ("a.example", "b.example")
    assert settings.streams == ("one", "two")
    assert [key.get_secret_value() for key in settings.secret_key] == ["new", "old"]


@pytest.mark.parametrize(("primary", "legacy"), sorted(LEGACY.items()))
def test_a_legacy_name_is_understood(primary: str, legacy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(legacy, "2525")
    monkeypatch.setenv(primary, "")
    assert provider_config(load())[primary] == "2525"


def test_of_a_differing_pair_the_primary_name_wins_and_a_warning_names_both(
    monkeypatch: pytest.MonkeyPatch, secrets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SMTP_PASS", "legacy")
    (secrets / "email_password").write_text(f"{SECRET}\n")
    monkeypatch.setenv("EMAIL_HOST", "same.example")
    monkeypatch.setenv("SMTP_HOST", "same.example")
    with caplog.at_level(logging.WARNING):
        settings = load()

    assert settings.email_password is not None
    assert settings.email_password.get_secret_value() == SECRET
    [warning] = caplog.messages
    assert "EMAIL_PASSWORD" in warning
    assert "SMTP_PASS" in warning
    assert SECRET not in warning


def test_a_secret_file_fills_what_the_environment_leaves_empty(monkeypatch: pytest.MonkeyPatch, secrets: Path) -> None:
    (secrets / "email_password").write_text(f"{SECRET}\n")
    (secrets / "resend_api_key").write_text("\n")
    (secrets / "database_url").write_text("postgresql://file/x")
    monkeypatch.setenv("EMAIL_PASSWORD", "")
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment/x")
    settings = load()

    assert settings.email_password is not None
    assert settings.email_password.get_secret_value() == SECRET
    assert "RESEND_API_KEY" not in provider_config(settings)
    assert settings.database_url.get_secret_value() == "postgresql://environment/x"


def test_what_the_caller_gives_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://environment")
    settings = load(overrides={"REDIS_URL": "redis://caller", "EMAIL_HOST": ""})

    assert settings.redis_url.get_secret_value() == "redis://caller"
    assert settings.email_host is None


WRONG = {
    "EMAIL_PORT": SECRET,
    "EMAIL_TLS": SECRET,
    "EMAIL_ENABLE": SECRET,
    "EMAIL_PROVIDER": SECRET,
    "EMAIL_FALLBACK_PROVIDER": SECRET,
    "DATABASE_URL": f"mysql://u:{SECRET}@h/d",
    "REDIS_URL": f"memcached://{SECRET}",
    "OUTBOUND_PUBLIC_URL": f"ftp://{SECRET}",
    "OUTBOUND_BATCH_SIZE": "0",
    "OUTBOUND_BATCH_MAX": "1",
    "OUTBOUND_RETRY_BASE_SECONDS": SECRET,
    "OUTBOUND_DRAIN_SECONDS": "-1",
    "OUTBOUND_MAX_AGE_HOURS": "nan",
    "OUTBOUND_LOG_LEVEL": SECRET,
    "RESEND_RATE_PER_SECOND": "0",
}


@pytest.mark.parametrize(("variable", "value"), WRONG.items())
def test_a_wrong_value_is_refused_in_one_line_that_names_the_variable_and_not_the_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refusal:
        load()

    text = str(refusal.value)
    assert variable in text
    assert "\n" not in text
    assert SECRET not in text
    assert refusal.value.__cause__ is None


def test_a_wrong_value_under_a_legacy_name_is_refused_under_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PORT", "many")
    with pytest.raises(SettingsError, match=r"^SMTP_PORT: "):
        load()


def test_a_provider_cannot_be_its_own_fallback() -> None:
    with pytest.raises(SettingsError, match="EMAIL_FALLBACK_PROVIDER"):
        load(overrides={"EMAIL_FALLBACK_PROVIDER": "smtp"})


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL", "OUTBOUND_SECRET_KEY", "EMAIL_FROM"])
def test_a_needed_variable_that_is_missing_is_named(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} is not set$"):
        load(needs=[variable])


def test_secrets_do_not_show() -> None:
    given = {
        "EMAIL_PASSWORD": SECRET,
        "RESEND_API_KEY": SECRET,
        "RESEND_WEBHOOK_SECRET": SECRET,
        "OUTBOUND_SECRET_KEY": f"{SECRET},{SECRET}",
        "DATABASE_URL": f"postgresql://u:{SECRET}@h/d",
        "REDIS_URL": f"redis://:{SECRET}@h",
    }
    settings = load(overrides=given)

    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


@pytest.mark.parametrize(("tls", "port"), [("starttls", "587"), ("implicit", "465"), ("none", "25")])
def test_the_usual_port_follows_from_the_kind_of_tls(tls: str, port: str) -> None:
    assert provider_config(load(overrides={"EMAIL_TLS": tls}))["EMAIL_PORT"] == port


def test_providers_get_what_is_set_under_their_own_names() -> None:
    config = provider_config(load(overrides={"EMAIL_HOST": "mx.example", "OUTBOUND_CONNECTIONS": "4"}))

    assert {name: value for name, value in config.items() if name not in os.environ} == {
        "EMAIL_HOST": "mx.example",
        "EMAIL_PORT": "587",
        "EMAIL_TLS": "starttls",
        "OUTBOUND_SMTP_CONNECTIONS": "4",
        "RESEND_RATE_PER_SECOND": "2.0",
    }


def test_words_that_nobody_declared_reach_the_providers(monkeypatch: pytest.MonkeyPatch, secrets: Path) -> None:
    (secrets / "pigeon_key").write_text(f"{SECRET}\n")
    (secrets / "pigeon_loft").write_text("of the file")
    (secrets / "pigeon_photo").write_bytes(b"\xff\xd8")
    (secrets / "pigeon_log").write_text("x" * 100_000)
    (secrets / "pigeon_folder").mkdir()
    monkeypatch.setenv("PIGEON_LOFT", "of the environment")
    monkeypatch.setenv("PIGEON_NAME", "of the environment")
    monkeypatch.setenv("PIGEON_RING", "")
    settings = load(overrides={"PIGEON_NAME": "of the caller", "PIGEON_FOOD": ""})
    config = provider_config(settings)

    assert {name: value for name, value in config.items() if name.startswith("PIGEON_")} == {
        "PIGEON_KEY": SECRET,
        "PIGEON_LOFT": "of the environment",
        "PIGEON_NAME": "of the caller",
    }
    assert SECRET not in repr(config) + repr(settings) + settings.model_dump_json()
    assert "PIGEON_KEY" in repr(config)


def test_what_is_the_service_s_own_does_not_reach_the_providers(monkeypatch: pytest.MonkeyPatch, secrets: Path) -> None:
    (secrets / "outbound_secret_key").write_text(SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{SECRET}@h/d")
    monkeypatch.setenv("SMTP_PASS", SECRET)
    monkeypatch.setenv("EMAIL_PASSWORD", "the password")
    config = provider_config(load(overrides={"REDIS_URL": f"redis://:{SECRET}@h"}))

    assert config["EMAIL_PASSWORD"] == "the password"
    assert SECRET not in config.values()
    assert not {"DATABASE_URL", "REDIS_URL", "OUTBOUND_SECRET_KEY", "SMTP_PASS"} & set(config)
