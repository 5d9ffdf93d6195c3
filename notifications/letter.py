"""What a notification becomes as a letter: its template, whom it shows, what goes along with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from events.header_rules import allowed_headers
from notifications.address import canonical
from notifications.content import Addressing, Enclosed, FileRef, RenderedContent, RequestContent, Shown
from notifications.draft import MAX_NAME_CHARS, Draft
from notifications.ports import Templates
from notifications.sender_address import SenderAddress
from notifications.template import TemplateVersion
from notifications.threads import subject_key, tagged_subject, thread_headers
from providers.mailbox import clean_line, is_addr_spec
from providers.provider import Capability
from providers.tags import merge_tags

DEFAULT_LOCALE = "en"


def choose_template(drafted: Draft, system: Templates) -> TemplateVersion | None:
    """Return the template of a notification in its recipient's language."""
    locale = drafted.planned.request.recipient.locale or drafted.facts.locale
    return find_template(drafted.subtype.slug, locale, drafted.tenant.templates, system)


def find_template(
    name: str, locale: str | None, own: Mapping[tuple[str, str], TemplateVersion], system: Templates
) -> TemplateVersion | None:
    """Return the tenant's own template in a language, the tenant's, the system's in it, the system's.

    A tenant that wrote one template, in whatever language, means it for everybody; of several, none is more meant.
    """
    wanted = (locale or DEFAULT_LOCALE).replace("_", "-")
    locales = dict.fromkeys((wanted, wanted.partition("-")[0], DEFAULT_LOCALE))
    for candidate in locales:
        if (found := own.get((name, candidate))) is not None:
            return found
    written = [template for (owned, _), template in own.items() if owned == name]
    if len(written) == 1:
        return written[0]
    return next((found for candidate in locales if (found := system.find(name, candidate)) is not None), None)


def needs_of(enclosed: Enclosed) -> frozenset[Capability]:
    """Return what a mail needs of its provider beyond words."""
    if not enclosed.files:
        return frozenset()
    has_images = any(file.cid is not None for file in enclosed.files)
    return frozenset({Capability.ATTACHMENTS, *([Capability.INLINE_IMAGES] if has_images else [])})


def enclose(drafted: Draft, files: tuple[FileRef, ...], thread_domain: str | None = None) -> Enclosed:
    """Return what goes along: the files, and the tenant's labels and header fields with the event's own over them.

    With a `thread_domain` all mails about one thing are one conversation.
    """
    email, request = drafted.tenant.email, drafted.planned.request
    thread = thread_headers(drafted.tenant.id, subject_key(request.data), thread_domain)
    return Enclosed(
        files=files,
        tags=merge_tags(email.tags, request.extras.tags),
        headers=allowed_headers({**thread, **email.headers, **request.extras.headers}),
    )


def request_content(
    drafted: Draft, template: TemplateVersion, sender: SenderAddress | None, batch: Mapping[UUID, Draft]
) -> RequestContent:
    """Say what to render and for whom; the directory's name fills in for one the event leaves out.

    `batch` holds the notifications of the batch by id: a copy shows the recipient of what it is a copy of.
    """
    request = drafted.planned.request
    name = drafted.name
    person: dict[str, Any] = dict(request.data.get("recipient") or {})
    data = {
        **request.data,
        "recipient": person | {"name": name},
        "tenant": {"name": clean_line(drafted.tenant.name, MAX_NAME_CHARS), "slug": drafted.tenant.slug},
    }
    if drafted.tenant.branding:
        data["brand"] = dict(drafted.tenant.branding)
    if drafted.timezone:
        data["timezone"] = drafted.timezone
    to, cc = _display(drafted, batch)
    return RequestContent(
        addressing=Addressing(
            to_name=name,
            from_name=sender.from_.display_name if sender else drafted.tenant.name,
            reply_to=_reply_to(drafted, sender),
            key=drafted.event.event.key,
            expires_at=drafted.expires_at,
            actor_id=request.actor_id,
            to=to,
            cc=cc,
            timezone=request.recipient.timezone,
        ),
        template_name=template.name,
        template_locale=template.locale,
        template_version=template.version,
        data=data,
        enclosed=drafted.enclosed,
    )


def _display(drafted: Draft, batch: Mapping[UUID, Draft]) -> tuple[tuple[Shown, ...], tuple[Shown, ...]]:
    """Return what To and Cc show, where it is not just the recipient: only those who are written to."""
    first = drafted if drafted.planned.copy_of is None else batch.get(drafted.planned.copy_of)
    if first is None:
        return (), ()
    copies = (batch[id_] for id_ in first.planned.copies if id_ in batch)
    cc = tuple(copy.shown for copy in copies if _is_shown(copy) and copy.shown is not None)
    to = (first.shown,) if first is not drafted and _is_shown(first) and first.shown is not None else ()
    return to, tuple(shown for shown in cc if shown not in to)


def _is_shown(drafted: Draft) -> bool:
    """Only those are shown who get these words: not who hears of it in a digest."""
    return drafted.is_wanted and drafted.digest is None


def _reply_to(drafted: Draft, sender: SenderAddress | None) -> tuple[str, ...]:
    """Return where answers go: as the event says, else the tenant, else the sender's own."""
    own = [drafted.tenant.email.reply_to] if drafted.tenant.email.reply_to else []
    for wanted in (drafted.planned.request.extras.reply_to, own):
        if addresses := tuple(address for address in map(canonical, wanted) if address and is_addr_spec(address)):
            return addresses
    return tuple(mailbox.addr_spec for mailbox in sender.reply_to) if sender else ()


def rendered_content(request: RequestContent, *, subject: str, html: str, text: str) -> RenderedContent:
    """Return the words with the addressing they were asked for with."""
    return RenderedContent(
        addressing=request.addressing,
        subject=tagged_subject(subject, request.data),
        html=html,
        text=text,
        enclosed=request.enclosed,
    )
