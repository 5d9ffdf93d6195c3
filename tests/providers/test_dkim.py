"""Our own DKIM signature, judged by dkimpy's verifier, with the key from a DNS server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from providers.errors import InvalidConfigError
from providers.mailbox import Mailbox
from providers.mime import serialize
from providers.receipt import Outcome
from providers.smtp import SmtpConfig, SmtpProvider
from providers.smtp.config import DkimConfig
from providers.smtp.dkim import DkimSigner
from tests.providers.messages import a_message, yes
from tests.providers.relay import a_provider
from tests.wires.dns import DnsWire, dns_wire
from tests.wires.smtp import Drop, SmtpWire, Step, smtp_wire

UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://example.com/u/" + "t" * 80 + ">",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}
A_MESSAGE = a_message(headers=UNSUBSCRIBE, reply_to=(Mailbox("Acme", "answers@acme.example.com"),))


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def config(key: rsa.RSAPrivateKey, tmp_path: Path) -> DkimConfig:
    path = tmp_path / "dkim.pem"
    path.write_bytes(pem(key))
    return DkimConfig(domain="example.com", selector="s1", key_file=path)


@pytest.fixture
async def zone(key: rsa.RSAPrivateKey) -> AsyncIterator[DnsWire]:
    async with dns_wire() as wire:
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        wire.txt["s1._domainkey.example.com"] = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        yield wire


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
async def provider(wire: SmtpWire, config: DkimConfig) -> AsyncIterator[SmtpProvider]:
    provider = a_provider(wire, dkim=config)
    yield provider
    await provider.aclose()


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def short_pem(prime1: int, prime2: int) -> bytes:
    """Write an RSA key (RFC 8017 A.1.2) that is too short for anybody's library to make."""
    numbers = [0, prime1 * prime2, 65537, 1, prime1, prime2, 1, 1, 1]
    octets = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    fields = b"".join(b"\x02%c%b" % (len(number), number) for number in octets)
    encoded = base64.b64encode(b"\x30%c%b" % (len(fields), fields))
    return b"-----BEGIN RSA PRIVATE KEY-----\n%b\n-----END RSA PRIVATE KEY-----\n" % encoded


async def is_valid(content: bytes, zone: DnsWire) -> bool:
    """Ask dkimpy in a thread: it asks the DNS server, which answers from this loop."""
    return await asyncio.to_thread(dkim.verify, content, dnsfunc=zone.find_txt)


def tags(content: bytes) -> dict[str, str]:
    name, _, value = content.partition(b"\r\nDate: ")[0].replace(b"\r\n ", b" ").decode().partition(":")
    assert name == "DKIM-Signature"
    pairs = (tag.partition("=") for tag in value.split(";"))
    return {tag.strip(): value.replace(" ", "") for tag, _, value in pairs}


async def test_a_mail_that_arrived_is_verified_with_the_key_in_the_dns(
    wire: SmtpWire, provider: SmtpProvider, zone: DnsWire
) -> None:
    receipt = await provider.send(A_MESSAGE, yes)

    [received] = wire.accepted
    assert receipt.outcome is Outcome.ACCEPTED
    assert received.content.endswith(serialize(A_MESSAGE))
    assert await is_valid(received.content, zone)
    assert zone.questions == ["s1._domainkey.example.com"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Hello Jane", b"Hello Mary"),
        (b"Subject: Ticket 42", b"Subject: Ticket 43"),
        (b"=One-Click", b"=Two-Clicks"),
        (b"example.com/u/", b"example.net/u/"),
        (b"Date: Tue, 24 Nov", b"Date: Wed, 25 Nov"),
        (b"X-Outbound-Id: 0", b"X-Outbound-Id: 1"),
        (b"\r\nSubject:", b"\r\nCc: one@example.net\r\nSubject:"),
        (b"\r\nSubject:", b"\r\nSubject: another one\r\nSubject:"),
        (b"\r\nTo:", b"\r\nTo: one@example.net\r\nTo:"),
        (b"\r\nFrom:", b"\r\nFrom: one@example.net\r\nFrom:"),
        (b"\r\nReply-To:", b"\r\nReply-To: one@example.net\r\nReply-To:"),
    ],
)
async def test_what_was_changed_or_added_on_the_way_is_found_out(
    config: DkimConfig, zone: DnsWire, before: bytes, after: bytes
) -> None:
    signed = DkimSigner.from_config(config).signed(serialize(A_MESSAGE), A_MESSAGE.date)
    assert before in signed

    assert not await is_valid(signed.replace(before, after, 1), zone)


async def test_what_relays_do_to_white_space_does_no_harm(config: DkimConfig, zone: DnsWire) -> None:
    signed = DkimSigner.from_config(config).signed(serialize(A_MESSAGE), A_MESSAGE.date)

    touched = signed.replace(b"Hello Jane\r\n", b"Hello  Jane \r\n").replace(
        b"Subject: Ticket 42", b"SUBJECT:  Ticket\r\n  42"
    )

    assert touched != signed
    assert await is_valid(b"Received: from here\r\n" + touched + b"\r\n\r\n", zone)


async def test_a_key_that_is_not_in_the_dns_verifies_nothing(config: DkimConfig, zone: DnsWire) -> None:
    zone.txt.clear()

    assert not await is_valid(DkimSigner.from_config(config).signed(serialize(A_MESSAGE), A_MESSAGE.date), zone)


def test_the_fields_that_matter_are_signed_by_name(config: DkimConfig) -> None:
    signature = tags(DkimSigner.from_config(config).signed(serialize(A_MESSAGE), A_MESSAGE.date))

    assert (signature["c"], signature["a"], signature["d"], signature["s"]) == (
        "relaxed/relaxed",
        "rsa-sha256",
        "example.com",
        "s1",
    )
    assert signature["h"].split(":") == [
        *("from", "from", "to", "to", "cc", "subject", "subject", "date", "message-id", "reply-to", "reply-to"),
        *("mime-version", "content-type", "list-unsubscribe", "list-unsubscribe-post", "x-outbound-id"),
    ]


async def test_a_repeat_is_the_same_to_the_last_byte_as_it_is_signed_at_the_date_of_the_mail(
    wire: SmtpWire, provider: SmtpProvider
) -> None:
    wire.once(Step.DOT, Drop(accepted=True))
    lost = await provider.send(A_MESSAGE, yes)
    await provider.send(A_MESSAGE, yes)

    [first, repeated] = wire.accepted
    assert lost.outcome is Outcome.UNKNOWN
    assert first.content == repeated.content
    assert int(tags(first.content)["t"]) == int(A_MESSAGE.date.timestamp())


@pytest.mark.parametrize(
    ("address", "is_signed"),
    [
        ("noreply@example.com", True),
        ("noreply@EXAMPLE.com", True),
        ("noreply@acme.example.com", True),
        ("noreply@example.org", False),
        ("noreply@badexample.com", False),
        ("noreply@com", False),
    ],
)
async def test_only_mail_from_the_domain_or_below_it_is_signed(
    wire: SmtpWire, provider: SmtpProvider, address: str, is_signed: bool
) -> None:
    await provider.send(a_message(from_=Mailbox(None, address)), yes)

    [received] = wire.accepted
    assert received.content.startswith(b"DKIM-Signature:") == is_signed


async def test_many_mails_at_once_are_signed_alike(wire: SmtpWire, provider: SmtpProvider) -> None:
    receipts = await asyncio.gather(*(provider.send(A_MESSAGE, yes) for _ in range(20)))

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert len({received.content for received in wire.accepted}) == 1


def test_a_key_of_either_kind_of_pem_and_line_end_is_read(key: rsa.RSAPrivateKey, config: DkimConfig) -> None:
    signed = DkimSigner.from_config(config).signed(serialize(A_MESSAGE), datetime(2026, 1, 1, tzinfo=UTC))
    traditional = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    for content in (traditional, pem(key).replace(b"\n", b"\r\n"), b"a note\n" + pem(key)):
        config.key_file.write_bytes(content)
        again = DkimSigner.from_config(config).signed(serialize(A_MESSAGE), datetime(2026, 1, 1, tzinfo=UTC))

        assert again == signed


UNUSABLE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "words": lambda: b"canary",
    "no base64": lambda: b"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
    "no der": lambda: b"-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n",
    "cut": lambda: b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    "binary": lambda: bytes(range(256)) * 10,
    "elliptic": lambda: pem(ec.generate_private_key(ec.SECP256R1())),
    "encrypted": lambda: pem(rsa.generate_private_key(65537, 2048), b"password"),
    "short": lambda: short_pem(2**127 - 1, 2**89 - 1),
}


@pytest.mark.parametrize("kind", [*UNUSABLE, "no file"])
def test_a_key_that_cannot_be_used_is_named_by_its_variable_alone(config: DkimConfig, kind: str) -> None:
    provider = SmtpProvider(SmtpConfig(hostname="127.0.0.1", port=25, tls="none", dkim=config))
    words = {
        "EMAIL_HOST": "mail.example.com",
        "OUTBOUND_DKIM_DOMAIN": "Example.com",
        "OUTBOUND_DKIM_SELECTOR": "s1",
        "OUTBOUND_DKIM_KEY_FILE": str(config.key_file),
    }
    assert provider.validate_config() == []
    assert SmtpProvider.from_config(words).validate_config() == []

    if kind == "no file":
        config.key_file.unlink()
    else:
        config.key_file.write_bytes(UNUSABLE[kind]())

    with pytest.raises(InvalidConfigError) as refused:
        SmtpProvider.from_config(words)
    [problem] = provider.validate_config()
    assert refused.value.setting == "OUTBOUND_DKIM_KEY_FILE"
    assert problem == f"{refused.value}."
    assert ("1024 bits" in problem) == (kind == "short")
    assert "canary" not in problem
    assert str(config.key_file) not in problem
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"OUTBOUND_DKIM_DOMAIN": ""}, "OUTBOUND_DKIM_DOMAIN"),
        ({"OUTBOUND_DKIM_DOMAIN": "bücher.example"}, "OUTBOUND_DKIM_DOMAIN"),
        ({"OUTBOUND_DKIM_DOMAIN": "example.com; x=y"}, "OUTBOUND_DKIM_DOMAIN"),
        ({"OUTBOUND_DKIM_SELECTOR": ""}, "OUTBOUND_DKIM_SELECTOR"),
        ({"OUTBOUND_DKIM_SELECTOR": "s1; d=other.example"}, "OUTBOUND_DKIM_SELECTOR"),
        ({"OUTBOUND_DKIM_KEY_FILE": ""}, "OUTBOUND_DKIM_KEY_FILE"),
    ],
)
def test_a_signature_is_set_up_as_a_whole_or_not_at_all(changes: dict[str, str], setting: str) -> None:
    words = {
        "OUTBOUND_DKIM_DOMAIN": "example.com",
        "OUTBOUND_DKIM_SELECTOR": "s1",
        "OUTBOUND_DKIM_KEY_FILE": "dkim.pem",
    }

    with pytest.raises(InvalidConfigError) as refused:
        SmtpConfig.from_mapping({**words, **changes})

    assert refused.value.setting == setting
    assert SmtpConfig.from_mapping(dict.fromkeys(words, "")).dkim is None
