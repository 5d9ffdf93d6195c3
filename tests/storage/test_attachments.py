"""Files of mails: kept once per tenant and content, read from memory while there, gone when nobody needs them."""

from __future__ import annotations

import base64
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notifications.content import FileRef
from notifications.ports import RefusedFileError
from notifications.request import FileRequest
from providers.attachment_policy import AttachmentPolicy
from storage.attachments import PostgresFiles
from storage.session import Database
from tests.notifications.builders import NOW
from tests.storage.rows import Superuser

PDF = b"%PDF-1.7 " + bytes(5000)


@pytest.fixture
def files(db: Database) -> PostgresFiles:
    return PostgresFiles(db, AttachmentPolicy(max_total_bytes=20_000))


def a_file(name: str = "invoice.pdf", content: bytes = PDF, **more: str) -> FileRequest:
    return FileRequest(filename=name, content=base64.b64encode(content).decode(), **more)


async def test_what_was_kept_is_fetched_under_its_own_name(files: PostgresFiles, tenant: UUID) -> None:
    refs = await files.keep(tenant, [a_file(), a_file("copy.pdf"), a_file("a.txt", b"hello")])

    found = await files.fetch(tenant, refs)

    assert [(file.filename, file.content_type, file.content) for file in found] == [
        ("invoice.pdf", "application/pdf", PDF),
        ("copy.pdf", "application/pdf", PDF),
        ("a.txt", "text/plain", b"hello"),
    ]


async def test_one_content_is_one_row_however_often_it_is_kept(
    files: PostgresFiles, superuser: Superuser, tenant: UUID
) -> None:
    for _ in range(3):
        await files.keep(tenant, [a_file(), a_file("copy.pdf")])

    assert await superuser.count("attachments") == 1


async def test_another_process_reads_it_from_the_table(files: PostgresFiles, db: Database, tenant: UUID) -> None:
    refs = await files.keep(tenant, [a_file()])

    [file] = await PostgresFiles(db, AttachmentPolicy()).fetch(tenant, refs)

    assert file.content == PDF


async def test_a_process_that_has_it_does_not_ask_again(
    files: PostgresFiles, superuser: Superuser, tenant: UUID
) -> None:
    refs = await files.keep(tenant, [a_file()])
    await superuser.sql("delete from attachments")

    [file] = await files.fetch(tenant, refs)

    assert file.content == PDF


async def test_another_tenant_s_file_is_not_there(
    files: PostgresFiles, db: Database, superuser: Superuser, tenant: UUID
) -> None:
    refs = await files.keep(tenant, [a_file()])
    other = await superuser.add_tenant(uuid4())

    for reader in (files, PostgresFiles(db, AttachmentPolicy())):
        with pytest.raises(LookupError):
            await reader.fetch(other, refs)


async def test_a_file_that_is_gone_is_said_to_be(files: PostgresFiles, tenant: UUID) -> None:
    gone = FileRef(filename="a.pdf", content_type="application/pdf", cid=None, sha256="00" * 32)

    with pytest.raises(LookupError):
        await files.fetch(tenant, [gone])


@pytest.mark.parametrize(
    "wanted",
    [
        [FileRequest(filename="a.pdf", content="%%%")],
        [FileRequest(filename="a.pdf", path="a.pdf")],
        [a_file("run.exe")],
        [a_file(f"{number}.pdf", bytes(7000 + number)) for number in range(3)],
    ],
    ids=["not base64", "no root", "executable", "too much together"],
)
async def test_what_may_not_be_sent_is_refused_before_anything_is_written(
    files: PostgresFiles, superuser: Superuser, tenant: UUID, wanted: list[FileRequest]
) -> None:
    with pytest.raises(RefusedFileError):
        await files.keep(tenant, wanted)

    assert await superuser.count("attachments") == 0


async def test_a_file_by_path_is_read_when_it_is_kept(db: Database, tenant: UUID, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"first")
    files = PostgresFiles(db, AttachmentPolicy(root=tmp_path))
    refs = await files.keep(tenant, [FileRequest(filename="a.txt", path="a.txt")])
    (tmp_path / "a.txt").write_bytes(b"second")

    [file] = await files.fetch(tenant, refs)

    assert file.content == b"first"


async def test_retention_removes_what_nothing_can_name_any_more(superuser: Superuser, tenant: UUID) -> None:
    other = await superuser.add_tenant(uuid4())
    await superuser.enqueue(other, 1, due_at=NOW)
    await superuser.sql("update send_queue set notification_id = id_at(now() - interval '40 days')")
    for owner in (tenant, other):
        await superuser.sql(
            "insert into attachments (tenant_id, sha256, content, used_at)"
            " values ($1, 'old', 'x', now() - interval '40 days'), ($1, 'new', 'x', now())",
            owner,
        )

    await superuser.sql("set role outbound_dispatcher")
    await superuser.sql("select forget_files()")
    await superuser.sql("reset role")

    kept = await superuser.sql("select tenant_id, sha256 from attachments order by sha256")
    assert {(row["tenant_id"], row["sha256"]) for row in kept} == {(tenant, b"new"), (other, b"new"), (other, b"old")}
