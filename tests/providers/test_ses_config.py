"""What SES is told and what it says about wrong words; how it is found, and of how little it is made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from providers import registry
from providers.errors import InvalidConfigError
from providers.ses import SesProvider
from tests.house.tree import ROOT, modules, packages

COMPLETE = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "hunter2-secret",
    "AWS_SESSION_TOKEN": "hunter2-token",
    "SES_VERIFIED_DOMAINS": "Acme.example.com, *.tenants.example,",
}


def test_the_environment_s_words_make_a_complete_configuration() -> None:
    provider = SesProvider.from_config(COMPLETE)

    assert provider.validate_config() == []
    assert provider.account_rate is None
    assert SesProvider.from_config({**COMPLETE, "SES_RATE_PER_SECOND": "14"}).account_rate == 14
    assert "hunter2" not in repr(provider._config)
    assert SesProvider.from_config({"AWS_DEFAULT_REGION": "us-east-1"})._config.region == "us-east-1"


@pytest.mark.parametrize(
    ("domain", "may"),
    [
        ("ACME.example.com", True),
        ("sub.acme.example.com", False),
        ("example.com", False),
        ("one.tenants.example", True),
        ("a.b.tenants.example", True),
        ("tenants.example", False),
        ("eviltenants.example", False),
    ],
)
def test_it_may_send_from_what_is_listed(domain: str, may: bool) -> None:
    assert SesProvider.from_config(COMPLETE).may_send_from(domain) is may


@pytest.mark.parametrize(
    "missing", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SES_VERIFIED_DOMAINS"]
)
def test_it_says_what_it_lacks(missing: str) -> None:
    [sentence] = SesProvider.from_config({**COMPLETE, missing: ""}).validate_config()

    assert missing in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SES_RATE_PER_SECOND", "fast"),
        ("SES_RATE_PER_SECOND", "0"),
        ("SES_RATE_PER_SECOND", "nan"),
        ("SES_ENDPOINT_URL", "file:///etc/passwd"),
    ],
)
def test_a_wrong_word_is_named_without_its_value(name: str, value: str) -> None:
    with pytest.raises(InvalidConfigError) as refused:
        SesProvider.from_config({**COMPLETE, name: value})

    assert refused.value.setting == name
    assert value not in str(refused.value)


def test_without_its_library_the_provider_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "providers.ses")
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiobotocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiobotocore", None)

    with pytest.raises(InvalidConfigError, match=r"provider ses needs .*aiobotocore.*: pip install 'outbound\[ses\]'"):
        registry.load("ses")


def test_ses_is_one_source_file_and_one_entry_point() -> None:
    words = ("aiobotocore", "botocore", "sesv2", "providers.ses")
    sources = [
        path
        for path in modules()
        if path.parts[0] in packages() and any(word in (ROOT / path).read_text("utf-8") for word in words)
    ]
    entries = [line for line in (ROOT / "pyproject.toml").read_text("utf-8").splitlines() if "providers.ses" in line]

    assert sources == [Path("providers/ses.py")]
    assert entries == ['ses = "providers.ses:SesProvider"']
    assert [path.name for path in (ROOT / "tests" / "wires").glob("ses*")] == ["ses.py"]
