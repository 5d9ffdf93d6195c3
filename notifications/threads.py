"""One conversation in a mail client for all mails about one ticket or invoice.

They all answer to a root that was never sent: a Message-ID made of what they are about. So nothing needs to be known of
earlier mails, whichever arrives first begins the conversation, and it does not matter that some providers choose the
Message-IDs of mails themselves. To a client these are opaque words (RFC 5322 §3.6.4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from providers.mailbox import clean_line

_NOUNS: Final = ("ticket", "invoice")
_TAGGED: Final = "ticket"
_MAX_NUMBER_CHARS: Final = 40
_DIGEST_HEX_DIGITS: Final = 32
_TENANT_LABEL: Final = re.compile(r"[^.]*\{tenant\}[^.]*\.")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+")


def thread_domain(*senders: str | None) -> str | None:
    """Return what root ids end in: the domain of the first sender that has one, without the tenant's own label.

    `senders` are the settings that mail is sent from: addresses, patterns with `{tenant}`, domains. Not the From of an
    attempt, because another provider may have another one, and a conversation goes on across a failover. A domain of
    the platform's own, because RFC 5322 §3.6.4 asks for one that its maker controls, and a filter that looks finds
    the domain it knows from the rest of the mail.
    """
    for sender in senders:
        domain = (sender or "").rpartition("@")[2].rstrip("> ").lower()
        domain = _TENANT_LABEL.sub("", domain, count=1)
        if _DOMAIN.fullmatch(domain) is not None:
            return domain
    return None


def subject_key(data: Mapping[str, Any]) -> str | None:
    """Return what a mail is about, such as `ticket/42`, from the words of its template; None where it begins no thread.

    Not the event's `subject`: that is the upstream's free choice and may differ between its events.
    """
    for noun in _NOUNS:
        about = data.get(noun)
        if isinstance(about, Mapping) and about.get("id"):
            return f"{noun}/{about['id']}"
    return None


def thread_headers(tenant_id: UUID, key: str | None, domain: str | None) -> dict[str, str]:
    """Return In-Reply-To and References of a mail about `key`, which is what `subject_key` returns; none for None.

    The root is `<ticket-HASH@DOMAIN>`: whatever an upstream calls its tickets, nothing of it stands in a header, and
    two tenants' tickets of one number are two conversations. Without a key, because a changed OUTBOUND_SECRET_KEY must
    not cut conversations in two, and there is nothing in it to hide from those who get the mail.
    """
    if key is None or domain is None:
        return {}
    digest = hashlib.sha256(tenant_id.bytes + key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_HEX_DIGITS]
    root = f"<{key.partition('/')[0]}-{digest}@{domain}>"
    return {"In-Reply-To": root, "References": root}


def tagged_subject(subject: str, data: Mapping[str, Any]) -> str:
    """Return a subject with the ticket's number before it, as `[T-42]`, unless the number is in it already.

    A number that could not be told from the rest of the subject (over 40 characters, brackets) is left out.
    """
    about = data.get(_TAGGED)
    number = about.get("number") if isinstance(about, Mapping) else None
    if not isinstance(number, str) or not number or clean_line(number, _MAX_NUMBER_CHARS) != number:
        return subject
    if "[" in number or "]" in number or re.search(rf"(?<![\w-]){re.escape(number)}(?![\w-])", subject, re.IGNORECASE):
        return subject
    return f"[{number}] {subject}"
