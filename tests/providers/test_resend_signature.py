"""Whether a webhook is genuine: published vectors, two official packages as oracles, and everything hostile."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.resend.webhook import BadSignatureError, is_usable_secret, verify
from tests.wires.resend import RESEND

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret, as long").decode()
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
BODY = b'{"type":"email.sent","data":{}}'
ID = "msg_1"


def signed(body: bytes = BODY, *, secret: str = SECRET, at: datetime = NOW, identifier: str = ID) -> dict[str, str]:
    """Headers as the official package makes them."""
    signature = standardwebhooks.Webhook(secret).sign(identifier, at, body.decode())
    return {"svix-id": identifier, "svix-timestamp": str(int(at.timestamp())), "svix-signature": signature}


def is_genuine(body: bytes, headers: dict[str, str], secrets: list[str], now: datetime = NOW) -> bool:
    try:
        return verify(body, headers, secrets, now) != ""
    except BadSignatureError:
        return False


def vectors() -> list[dict[str, str | bool | int]]:
    path = RESEND / "samples" / "svix-vectors.json"
    return json.loads(path.read_text())["vectors"] if path.exists() else []


def test_every_published_vector_is_judged_as_published() -> None:
    known = vectors()
    if not known:
        pytest.skip("the vectors are not beside this repository")

    judged = {
        vector["name"]: is_genuine(
            str(vector["body"]).encode(),
            {f"svix-{name}": str(vector[name]) for name in ("id", "timestamp", "signature")},
            [str(vector["secret"])],
            datetime.fromtimestamp(int(vector["now"]), UTC),
        )
        for vector in known
    }

    assert len(judged) == 20
    assert judged == {vector["name"]: vector["valid"] for vector in known}


def test_a_genuine_delivery_tells_its_id() -> None:
    assert verify(BODY, signed(), [SECRET], NOW) == ID


def test_header_names_are_of_either_family_in_any_case() -> None:
    headers = signed()

    assert is_genuine(BODY, {name.upper(): value for name, value in headers.items()}, [SECRET])
    assert is_genuine(BODY, {name.replace("svix", "webhook"): value for name, value in headers.items()}, [SECRET])
    assert is_genuine(BODY, headers | {"webhook-id": "msg_2"}, [SECRET])
    assert not is_genuine(BODY, headers | {"svix-id": "", "webhook-id": ID}, [SECRET])


def test_while_a_secret_is_rotated_either_side_may_be_ahead() -> None:
    old, new = signed(secret=SECRET), signed(secret=OTHER)
    both = old | {"svix-signature": f"{new['svix-signature']} {old['svix-signature']}"}

    assert is_genuine(BODY, both, [SECRET])
    assert is_genuine(BODY, both, [OTHER])
    assert is_genuine(BODY, new, [SECRET, OTHER])
    assert not is_genuine(BODY, new, [SECRET])


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_"], ["whsec_not base64"], ["whsec_é"]])
def test_a_secret_that_cannot_be_read_signs_nothing(secrets: list[str]) -> None:
    assert not any(map(is_usable_secret, secrets))
    assert not is_genuine(BODY, signed(), secrets)
    assert is_genuine(BODY, signed(), [*secrets, SECRET])


def test_a_secret_may_come_without_its_prefix_or_padding() -> None:
    unpadded = OTHER.rstrip("=")

    assert unpadded != OTHER
    assert is_genuine(BODY, signed(secret=OTHER), [unpadded])
    assert is_genuine(BODY, signed(), [SECRET.removeprefix("whsec_")])


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (300.5, False)]
)
def test_a_delivery_is_of_now_give_or_take_five_minutes(seconds: float, expected: bool) -> None:
    assert is_genuine(BODY, signed(), [SECRET], NOW + timedelta(seconds=seconds)) is expected


@pytest.mark.parametrize("timestamp", ["1764000000.0", "nan", "inf", "1e9", "-1", "", " 1", "٣", "9" * 13, "0x1"])
def test_a_timestamp_is_digits(timestamp: str) -> None:
    with pytest.raises(BadSignatureError, match="no timestamp"):
        verify(BODY, signed() | {"svix-timestamp": timestamp}, [SECRET], NOW)


def test_a_timestamp_is_signed_as_it_stands() -> None:
    assert not is_genuine(BODY, signed() | {"svix-timestamp": f"0{int(NOW.timestamp())}"}, [SECRET])


def test_an_id_cannot_borrow_from_the_text_behind_it() -> None:
    moved = signed(identifier=f"{ID}.{int(NOW.timestamp())}")

    assert not is_genuine(BODY, moved, [SECRET])


def test_the_bytes_are_what_is_signed_whatever_they_are() -> None:
    headers = signed('{"a": "ü"}'.encode())

    assert is_genuine('{"a": "ü"}'.encode(), headers, [SECRET])
    assert not is_genuine(b'{"a": "\xfc"}', headers, [SECRET])
    assert not is_genuine(b'{"a":"\xc3\xbc"}', headers, [SECRET])


def test_what_is_said_of_a_forgery_repeats_nothing_of_it() -> None:
    with pytest.raises(BadSignatureError) as caught:
        verify(b"jane@example.org", signed() | {"svix-signature": "v1,c2VjcmV0"}, [SECRET], NOW)

    assert str(caught.value) == "no signature is right"


PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=64)
SIGNATURE_PARTS = st.sampled_from(
    ["", "v1,", "v1,a", "v1,é", "v2,AAAA", "v1a,AAAA", "garbage", "v1,AAAA", ",", "v1,A=A="]
)


@settings(max_examples=150, deadline=None)
@given(body=st.text(), identifier=PRINTABLE, key=st.binary(min_size=1, max_size=64), noise=st.lists(SIGNATURE_PARTS))
def test_what_the_official_package_signs_is_genuine_whatever_stands_before_it(
    body: str, identifier: str, key: bytes, noise: list[str]
) -> None:
    data = body.encode("utf-8", "surrogatepass")
    if any("\ud800" <= letter <= "\udfff" for letter in body):
        return
    secret = f"whsec_{base64.b64encode(key).decode()}"
    headers = signed(data, secret=secret, identifier=identifier)
    headers["svix-signature"] = " ".join([*noise, headers["svix-signature"]])

    assert verify(data, headers, [secret], NOW) == identifier
    assert not is_genuine(data + b" ", headers, [secret])


def oracle_says(body: bytes, headers: dict[str, str]) -> bool:
    """What the two official packages say, which agree once the names are those of the stricter one."""
    named = {name.replace("svix", "webhook"): value for name, value in headers.items()}
    answers = set[bool]()
    for verifier in (svix.webhooks.Webhook(SECRET), standardwebhooks.Webhook(SECRET)):
        try:
            if isinstance(verifier, svix.webhooks.Webhook):
                verifier.verify(body, headers)
            else:
                verifier.verify(body, named, json_parse=False)
            answers.add(True)
        except (standardwebhooks.WebhookVerificationError, ValueError):
            # ValueError: they break on a part that is no signature; ours passes over it.
            answers.add(False)
    [answer] = answers
    return answer


@settings(max_examples=150, deadline=None)
@given(
    body=st.sampled_from([BODY, b"{}", b"\xff"]),
    identifier=st.sampled_from([ID, "msg_2", ""]),
    seconds=st.sampled_from([0, 200, 400, -200, -400]),
    timestamp=st.sampled_from(["", "x", "nan"]) | st.none(),
    prefix=st.sampled_from(["", "v2,AAAA ", "v1,AAAA "]),
    version=st.sampled_from(["v1", "v2"]),
    flip=st.booleans(),
)
def test_the_official_packages_judge_the_same(
    body: bytes, identifier: str, seconds: int, timestamp: str | None, prefix: str, version: str, flip: bool
) -> None:
    now = datetime.now(UTC)  # theirs is the real one
    at = now - timedelta(seconds=seconds)
    headers = signed(at=at)
    signature = headers["svix-signature"].removeprefix("v1,")
    signature = signature[:4] + ("A" if signature[4] != "A" else "B") + signature[5:] if flip else signature
    headers |= {"svix-id": identifier, "svix-signature": f"{prefix}{version},{signature}"}
    if timestamp is not None:
        headers["svix-timestamp"] = timestamp

    assert is_genuine(body, headers, [SECRET], now) is oracle_says(body, headers)


HOSTILE = st.text(st.characters(), max_size=40) | st.sampled_from(
    [ID, "v1,", "v1,AAAA", str(int(NOW.timestamp())), "\ud800"]
)
NAMES = st.sampled_from(
    [f"{family}-{name}" for family in ("svix", "Webhook") for name in ("id", "timestamp", "signature")]
)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(), headers=st.dictionaries(NAMES | HOSTILE, HOSTILE), secrets=st.lists(HOSTILE | st.just(SECRET)))
@example(body=b"", headers={"svix-id": ID, "svix-timestamp": "1", "svix-signature": "v1," * 100_000}, secrets=[SECRET])
@example(body=b"", headers=signed() | {"svix-signature": "v1,\ud800"}, secrets=[SECRET])
def test_a_forgery_is_one_error_and_never_another(body: bytes, headers: dict[str, str], secrets: list[str]) -> None:
    with pytest.raises(BadSignatureError):
        verify(body, headers, secrets, NOW)
