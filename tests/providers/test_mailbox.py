"""Addresses and names, as they come from events."""

from __future__ import annotations

import pytest

from providers.errors import InvalidAddressError
from providers.mailbox import MAX_DISPLAY_NAME, Mailbox, parse_address


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("Jane@Example.ORG", "Jane@example.org"),
        ("jane+tickets@example.org", "jane+tickets@example.org"),
        ("jane@bücher.example.org", "jane@xn--bcher-kva.example.org"),
    ],
)
def test_an_address_is_normalised_to_ascii_with_a_lower_case_domain(given: str, parsed: str) -> None:
    assert parse_address(given) == parsed


@pytest.mark.parametrize(
    "given",
    [
        "",
        "jane",
        "@example.org",
        "jane@",
        "jane@localhost",
        "jane@example.org, eve@example.org",
        "Jane <jane@example.org>",
        "jane@example.org\r\nRCPT TO:<eve@example.org>",
        "jane@example.org\n",
        "jane\x00@example.org",
        "ja ne@example.org",
        '"jane doe"@example.org',
        "jane@[127.0.0.1]",
        "zoë@example.org",
        "a" * 65 + "@example.org",
        "jane@exam\u202eple.org",
        "\ud800@example.org",
    ],
)
def test_what_is_not_one_plain_address_is_refused_without_being_quoted(given: str) -> None:
    with pytest.raises(InvalidAddressError) as refused:
        parse_address(given)

    assert "example.org" not in str(refused.value)
    assert refused.value.reason


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Jane Doe", "Jane Doe"),
        ("  Jane \r\n Doe\t", "Jane Doe"),
        ("Jane\x00\u202eDoe", "Jane Doe"),
        ("Zoë 鍵", "Zoë 鍵"),
        ("Jane \ud800", "Jane"),
        ("x" * 500, "x" * MAX_DISPLAY_NAME),
        ("support@bank.example", None),
        ("support\uff20bank.example", None),
        ("\u200b \r\n", "\u200b"),
        ("\r\n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_display_name_is_cleaned_and_one_that_is_an_address_is_dropped(given: str | None, kept: str | None) -> None:
    assert Mailbox(given, "jane@example.org").display_name == kept


@pytest.mark.parametrize(
    "addr_spec",
    ["", "jane", "a@b@c", "jane@example.org\r\n", "ja ne@example.org", "<jane@example.org>", ".j@example.org"],
)
def test_a_mailbox_cannot_be_made_of_anything_but_an_addr_spec(addr_spec: str) -> None:
    with pytest.raises(InvalidAddressError):
        Mailbox(None, addr_spec)


def test_a_mailbox_knows_its_parts() -> None:
    mailbox = Mailbox(None, "Jane@Example.org")

    assert (mailbox.local_part, mailbox.domain) == ("Jane", "example.org")
