"""Files, copies, labels and header fields on the line: from the event to what arrives, over both providers."""

from __future__ import annotations

import base64
import email
import email.policy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.line.harness import Line
from tests.wires.resend import ResendWire, resend_wire
from tests.wires.smtp import SmtpWire

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40
ALICE = {"role": "client", "user_id": "u-1", "email": "alice@example.com", "name": "Alice"}
BOB = {"role": "cc", "user_id": "u-2", "email": "bob@example.com", "name": "Bob"}
CAROL = {"role": "bcc", "user_id": "u-3", "email": "carol@example.com", "name": "Carol"}


@pytest.fixture
async def resend() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


def over_resend(resend: ResendWire) -> dict[str, str]:
    return {
        "EMAIL_PROVIDER": "resend",
        "RESEND_API_KEY": "re_test_key",
        "RESEND_API_URL": resend.base_url,
        "RESEND_VERIFIED_DOMAINS": "outbound.example",
        "RESEND_RATE_PER_SECOND": "100",
    }


def invoice(line: Line, *people: dict[str, Any], **data: Any) -> dict[str, Any]:
    details = {"invoice_id": "i-1", "invoice_number": "2026-17", "amount": "10.00", "currency": "EUR"}
    event = line.ticket() | {"type": "invoice.issued.v1", "subject": "invoice/i-1", "source": "/billing"}
    return event | {"data": details | {"people": list(people or (ALICE,))} | data}


def by_content(**more: Any) -> dict[str, Any]:
    return {"filename": "invoice.pdf", "content": base64.b64encode(PDF).decode()} | more


def read(content: bytes) -> Any:
    return email.message_from_bytes(content, policy=email.policy.default)


async def test_a_file_arrives_byte_for_byte_over_smtp(line: Line, wire: SmtpWire) -> None:
    async with line.worker():
        await line.publish(invoice(line, attachments=[by_content()]))
        await line.settled(1)

    [received] = wire.accepted
    [file] = read(received.content).iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("invoice.pdf", "application/pdf")
    assert file.get_content() == PDF


async def test_the_same_file_arrives_byte_for_byte_over_resend(line: Line, resend: ResendWire) -> None:
    async with line.worker(**over_resend(resend)):
        await line.publish(invoice(line, attachments=[by_content()], tags=["monthly"]))
        await line.settled(1)

    [received] = resend.accepted
    [file] = received.mail["attachments"]
    assert (file["filename"], base64.b64decode(file["content"])) == ("invoice.pdf", PDF)


async def test_copies_are_notifications_of_their_own_and_a_hidden_one_shows_nowhere(line: Line, wire: SmtpWire) -> None:
    async with line.worker():
        await line.publish(invoice(line, ALICE, BOB, CAROL))
        rows = await line.settled(3)

    mails = {received.rcpt_to: read(received.content) for received in wire.accepted}
    assert set(mails) == {"alice@example.com", "bob@example.com", "carol@example.com"}
    assert len({row["id"] for row in rows}) == 3
    for mail in mails.values():
        assert [address.addr_spec for address in mail["To"].addresses] == ["alice@example.com"]
        assert [address.addr_spec for address in mail["Cc"].addresses] == ["bob@example.com"]
        assert b"carol" not in b"\n".join(f"{name}: {value}".encode() for name, value in mail.items())
    assert "Bob" in mails["bob@example.com"].get_body(("plain",)).get_content()


async def test_resend_gives_each_copy_a_mail_to_itself(line: Line, resend: ResendWire) -> None:
    async with line.worker(**over_resend(resend)):
        await line.publish(invoice(line, ALICE, BOB, CAROL))
        await line.settled(3)

    assert sorted(received.mail["to"][0] for received in resend.accepted) == [
        "alice@example.com",
        "bob@example.com",
        "carol@example.com",
    ]
    assert all(len(received.mail["to"]) == 1 and "cc" not in received.mail for received in resend.accepted)


async def test_a_copy_that_nobody_gets_is_not_shown(line: Line, wire: SmtpWire) -> None:
    await line.suppress("bob@example.com")

    async with line.worker():
        await line.publish(invoice(line, ALICE, BOB))
        await line.settled(2)

    [received] = wire.accepted
    assert read(received.content)["Cc"] is None


async def test_the_tenant_s_labels_and_fields_come_with_the_event_s_own(line: Line, wire: SmtpWire) -> None:
    await line.change(
        "insert into tenant_email_settings (tenant_id, reply_to_address, tags, custom_headers)"
        """ values ($1, 'desk@wonderland.example', '{gold}', '{"X-Team": "billing", "Bcc": "eve@example.com"}')""",
        line.tenant,
    )

    async with line.worker():
        await line.publish(
            invoice(line, headers={"X-Invoice": "2026-17", "x-team": "sales"}),
            invoice(line, reply_to=["a@example.org", "b@example.org"]),
        )
        await line.settled(2)

    own, other = sorted(
        (read(received.content) for received in wire.accepted), key=lambda mail: "X-Invoice" not in mail
    )
    assert (own["X-Invoice"], own["X-Team"], own["Reply-To"]) == ("2026-17", "sales", "desk@wonderland.example")
    assert own["Bcc"] is None
    assert [address.addr_spec for address in other["Reply-To"].addresses] == ["a@example.org", "b@example.org"]


async def test_a_file_by_path_is_read_below_the_root_and_nowhere_else(
    line: Line, wire: SmtpWire, tmp_path: Path
) -> None:
    root = tmp_path / "files"
    root.mkdir()
    (root / "invoice.pdf").write_bytes(PDF)
    (tmp_path / "secret.txt").write_text("secret")

    async with line.worker(OUTBOUND_ATTACHMENT_ROOT=str(root)):
        for path in ("invoice.pdf", "../secret.txt", str(tmp_path / "secret.txt"), "https://example.org/x.pdf"):
            await line.publish(invoice(line, attachments=[{"filename": "invoice.pdf", "path": path}]))
        rows = await line.settled(4)

    assert (
        sorted((row["status"], row["reason"]) for row in rows) == [("accepted", None)] + [("failed", "attachment")] * 3
    )
    assert all(row["gates"]["detail"] for row in rows if row["reason"] == "attachment")
    [received] = wire.accepted
    [file] = read(received.content).iter_attachments()
    assert file.get_content() == PDF


@pytest.mark.parametrize(
    "file",
    [
        {"filename": "setup.exe", "content": base64.b64encode(b"MZ\x90\x00").decode()},
        {"filename": "invoice.pdf", "content": "not base64!"},
        {"filename": "invoice.pdf", "content": base64.b64encode(PDF).decode(), "content_type": "image/png"},
    ],
)
async def test_a_file_that_may_not_be_sent_fails_its_mails_visibly(
    line: Line, wire: SmtpWire, file: dict[str, str]
) -> None:
    async with line.worker():
        await line.publish(invoice(line, attachments=[file]), line.ticket())
        rows = await line.settled(2)

    assert sorted((row["status"], row["reason"]) for row in rows) == [("accepted", None), ("failed", "attachment")]
    assert len(wire.accepted) == 1


async def test_a_mail_that_waits_keeps_its_file_and_it_is_kept_once_for_all(line: Line, wire: SmtpWire) -> None:
    tenant = await line.add_tenant(rate=600, burst=1)
    people = [{"role": "client", "email": f"p{number}@example.com"} for number in range(5)]
    event = invoice(line, *people, attachments=[by_content()]) | {"tenantid": str(tenant)}

    async with line.worker():
        await line.publish(event)
        await line.settled(5)

    files = [next(iter(read(received.content).iter_attachments())).get_content() for received in wire.accepted]
    assert files == [PDF] * 5
    [kept] = await line.sql("select octet_length(content) as size from attachments")
    assert kept["size"] == len(PDF)


async def test_a_file_of_an_event_needs_either_content_or_path(line: Line) -> None:
    async with line.worker():
        await line.publish(invoice(line, attachments=[{"filename": "a.pdf"}]))
        [letter] = await line.dead_letters()

    assert letter["reason"] == "invalid_data"


async def test_all_mails_about_one_ticket_are_one_conversation(line: Line, wire: SmtpWire) -> None:
    async with line.worker():
        await line.publish(line.ticket("T-1"), line.ticket("T-1"), line.ticket("T-2"))
        await line.settled(3)

    mails = [read(received.content) for received in wire.accepted]
    roots = [mail["References"] for mail in mails]
    assert len(set(roots)) == 2
    assert all(mail["In-Reply-To"] == mail["References"] != mail["Message-ID"] for mail in mails)


@pytest.mark.parametrize(
    "header", [{"Bcc": "eve@example.com"}, {"X-A": "a\r\nBcc: eve@example.com"}, {"X-A": "Müller"}]
)
async def test_a_header_field_that_may_not_be_set_is_a_dead_letter(line: Line, header: dict[str, str]) -> None:
    async with line.worker():
        await line.publish(invoice(line, headers=header))
        [letter] = await line.dead_letters()

    assert letter["reason"] == "invalid_data"
    assert "headers" in letter["detail"]


async def test_an_address_that_somebody_would_rather_have_it_at_is_not_shown_to_others(
    line: Line, wire: SmtpWire
) -> None:
    for person in (ALICE, BOB):
        await line.change(
            "insert into user_notification_preferences (tenant_id, user_id, scope, slug, email)"
            " values ($1, $2, 'category', 'invoices', $3)",
            line.tenant,
            person["user_id"],
            f"private-{person['user_id']}@home.example",
        )

    async with line.worker():
        await line.publish(invoice(line, ALICE, BOB, CAROL))
        await line.settled(3)

    mails = {received.rcpt_to: received.content for received in wire.accepted}
    assert set(mails) == {"private-u-1@home.example", "private-u-2@home.example", "carol@example.com"}
    assert b"private-" not in mails["carol@example.com"]
    assert b"private-u-2" not in mails["private-u-1@home.example"]
