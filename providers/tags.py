"""Our own labels of a mail: merged for it, and as a provider that keeps tags gets them."""

from __future__ import annotations

from collections.abc import Iterable

from providers.correlation import tag_value
from providers.mailbox import clean_line
from providers.message import MAX_TAG, MAX_TAGS, OutboundMessage


def merge_tags(tenant: Iterable[str], call: Iterable[str]) -> tuple[str, ...]:
    """Return both as one list without repeats: the tenant's in their order, then those that the call adds.

    Each is cleaned like a subject: control, line-break and bidirectional characters become one space, and at most 128
    characters stay. What is empty then is left out, and so is what comes after the 71st: a label is no reason not to
    send. Upper and lower case differ.
    """
    cleaned = (clean_line(tag, MAX_TAG) for tag in (*tenant, *call))
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MAX_TAGS]


def labels(message: OutboundMessage) -> dict[str, str]:
    """Return the message's labels as tags: label-1, label-2 … in their order, each value in permitted characters.

    Numbered, so that none can take the place of a correlation tag, and no two have one name: webhooks bring tags back
    as an object.
    """
    return {f"label-{number}": tag_value(tag) for number, tag in enumerate(message.tags, start=1)}
