"""The files that mails carry: checked once, kept once per tenant and content, read again only when forgotten here."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from notifications.content import FileRef
from notifications.ports import RefusedFileError
from notifications.request import FileRequest
from providers.attachment import Attachment
from providers.attachment_policy import AttachmentPolicy, clean_filename
from providers.errors import InvalidMessageError
from storage.columns import columns
from storage.roles import Role
from storage.session import Database

_CACHE_BYTES = 64 * 1024 * 1024

_KEEP = """
insert into attachments (tenant_id, sha256, content) select * from unnest($1::uuid[], $2::bytea[], $3::bytea[])
on conflict (tenant_id, sha256) do update set used_at = now() where attachments.used_at < now() - interval '1 hour'"""

_FETCH = "select sha256, content from attachments where tenant_id = $1 and sha256 = any($2::bytea[])"


class PostgresFiles:
    """`FileIntake` and `KeptFiles` of notifications.ports over asyncpg, with the contents used last in memory."""

    def __init__(self, database: Database, policy: AttachmentPolicy) -> None:
        self._database = database
        self._policy = policy
        self._cached: OrderedDict[tuple[UUID, FileRef], Attachment] = OrderedDict()
        self._cached_bytes = 0

    async def keep(self, tenant_id: UUID, files: Sequence[FileRequest]) -> tuple[FileRef, ...]:
        """Check files, store their contents, and return how they are referred to; safe to repeat.

        Raises:
            RefusedFileError: when one of them, or all together, may not be sent, or cannot be read.
            UnavailableError: when Postgres is away.
        """
        try:
            # Off the loop: a folder may lie on a network, and decoding, looking through and hashing takes its time.
            attachments = await asyncio.to_thread(self._read_all, files)
        except InvalidMessageError as error:
            raise RefusedFileError(error.reason) from error
        contents = {attachment.sha256: attachment.content for attachment in attachments}
        async with self._database.tenants(Role.WORKER, (tenant_id,)) as connection:
            rows = [(tenant_id, digest, content) for digest, content in sorted(contents.items())]
            await connection.execute(_KEEP, *columns(rows, 3))
        refs = tuple(_ref(attachment) for attachment in attachments)
        for ref, attachment in zip(refs, attachments, strict=True):
            self._remember(tenant_id, ref, attachment)
        return refs

    async def fetch(self, tenant_id: UUID, files: Sequence[FileRef]) -> tuple[Attachment, ...]:
        """Return files with their contents.

        Raises:
            LookupError: when one of them is no longer kept.
            UnavailableError: when Postgres is away.
        """
        found = {file: attachment for file in files if (attachment := self._recall(tenant_id, file)) is not None}
        if missing := [file for file in files if file not in found]:
            hashes = sorted({bytes.fromhex(file.sha256) for file in missing})
            async with self._database.tenants(Role.WORKER, (tenant_id,), read_only=True) as connection:
                contents = dict(await connection.fetch(_FETCH, tenant_id, hashes))
            if len(contents) < len(hashes):
                raise LookupError("a file is no longer kept")
            for file in missing:
                found[file] = await asyncio.to_thread(_attachment, file, contents[bytes.fromhex(file.sha256)])
                self._remember(tenant_id, file, found[file])
        return tuple(found[file] for file in files)

    def _read_all(self, files: Sequence[FileRequest]) -> list[Attachment]:
        attachments = [self._read(file) for file in files]
        self._policy.check(attachments)
        return attachments

    def _read(self, file: FileRequest) -> Attachment:
        try:
            return self._checked(file)
        except InvalidMessageError as error:
            raise InvalidMessageError("attachments", f"{clean_filename(file.filename)}: {error.reason}") from error

    def _checked(self, file: FileRequest) -> Attachment:
        content = self._policy.read(file.path) if file.path is not None else _decoded(file.content or "")
        return self._policy.from_bytes(file.filename, content, file.content_type, file.cid)

    def _remember(self, tenant_id: UUID, file: FileRef, attachment: Attachment) -> None:
        if (tenant_id, file) in self._cached or len(attachment.content) > _CACHE_BYTES:
            return
        self._cached[tenant_id, file] = attachment
        self._cached_bytes += len(attachment.content)
        while self._cached_bytes > _CACHE_BYTES:
            self._cached_bytes -= len(self._cached.popitem(last=False)[1].content)

    def _recall(self, tenant_id: UUID, file: FileRef) -> Attachment | None:
        attachment = self._cached.get((tenant_id, file))
        if attachment is not None:
            self._cached.move_to_end((tenant_id, file))
        return attachment


def _ref(attachment: Attachment) -> FileRef:
    return FileRef(
        filename=attachment.filename,
        content_type=attachment.content_type,
        cid=attachment.cid,
        sha256=attachment.sha256.hex(),
    )


def _attachment(file: FileRef, content: bytes) -> Attachment:
    return Attachment(filename=file.filename, content=content, content_type=file.content_type, cid=file.cid)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMessageError("attachments", "content is not base64") from error
