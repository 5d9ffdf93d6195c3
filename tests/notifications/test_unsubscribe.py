"""The one-click header pair and its token."""

from __future__ import annotations

from uuid import UUID

import pytest

from events.header_rules import allowed_headers
from notifications.unsubscribe import (
    InvalidTokenError,
    UnsubscribeToken,
    read_token,
    unsubscribe_headers,
    unsubscribe_url,
)
from providers.headers import fold

ID = UUID("01a20be1-1a98-8631-aac2-97a88bdb8a05")
KEYS = (b"new", b"old")
URL = "https://mail.example.com"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def token(keys: tuple[bytes, ...] = KEYS) -> str:
    return unsubscribe_url(URL, keys, ID).rpartition("/")[2]


def test_the_pair_is_that_of_rfc_8058_and_passes_the_header_rules() -> None:
    headers = unsubscribe_headers(URL, KEYS, ID)

    assert headers == {
        "List-Unsubscribe": f"<https://mail.example.com/u/{token()}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert allowed_headers(headers) == headers
    assert len(headers["List-Unsubscribe"]) <= 77
    assert fold("List-Unsubscribe", headers["List-Unsubscribe"]).count("\r\n") == 1


@pytest.mark.parametrize("url", [None, "http://mail.example.com", "https://bücher.example", "https://a b.example"])
def test_without_an_https_address_that_a_header_can_hold_there_is_neither(url: str | None) -> None:
    assert unsubscribe_headers(url, KEYS, ID) == {}


def test_a_mail_has_one_token_and_another_mail_another() -> None:
    assert token() == token()
    assert unsubscribe_url(URL, KEYS, UUID(int=ID.int + 1)).rpartition("/")[2] != token()


def test_a_token_says_which_notification_it_was_in() -> None:
    assert read_token(token(), KEYS) == UnsubscribeToken(notification_id=ID)


def test_a_token_of_an_older_key_is_read_for_as_long_as_the_key_is_there() -> None:
    old = token((b"old",))

    assert read_token(old, KEYS).notification_id == ID
    with pytest.raises(InvalidTokenError):
        read_token(old, (b"new",))


def test_every_other_letter_at_every_place_makes_it_invalid() -> None:
    good = token()
    for place in range(len(good)):
        for letter in ALPHABET:
            forged = good[:place] + letter + good[place + 1 :]
            if forged != good:
                with pytest.raises(InvalidTokenError):
                    read_token(forged, KEYS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        token()[:-1],
        token() + "A",
        token() + "=",
        f" {token()}",
        f"{token()}\n",
        "ü" * 40,
        "A" * 40,
        "\ud800" * 40,
    ],
)
def test_what_is_no_token_is_refused_with_the_one_error(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        read_token(text, KEYS)


def test_without_keys_nothing_is_valid() -> None:
    with pytest.raises(InvalidTokenError):
        read_token(token(), ())
