"""Where a mail goes that comes again: chosen anew, unless it is bound to where it was."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.facts import TenantEmail
from notifications.status import Reason
from notifications.transition import Opens, Parks
from providers.choice import Choice
from tests.notifications.builders import a_tenant
from tests.notifications.waiting import Setting, retried, waiting

USUAL, SWAPPED, ALONE = Choice("smtp", "resend"), Choice("resend", "smtp"), Choice("smtp")
NOBODY: frozenset[str] = frozenset()
SMTP, RESEND, BOTH = frozenset({"smtp"}), frozenset({"resend"}), frozenset({"smtp", "resend"})


@pytest.mark.parametrize(
    ("provider", "tried_at", "pinned", "choice", "goes_to"),
    [
        (None, NOBODY, False, USUAL, "smtp"),
        (None, NOBODY, False, SWAPPED, "resend"),
        # tried where it is: a switch may still take it elsewhere, once
        ("smtp", SMTP, False, USUAL, "smtp"),
        ("smtp", SMTP, False, SWAPPED, "resend"),
        # it may have been accepted where it is
        ("smtp", SMTP, True, SWAPPED, "smtp"),
        ("resend", RESEND, True, USUAL, "resend"),
        ("resend", BOTH, True, USUAL, "resend"),
        # it has failed over, whether it was tried there already or not
        ("resend", SMTP, False, USUAL, "resend"),
        ("resend", BOTH, False, USUAL, "resend"),
        ("resend", BOTH, False, SWAPPED, "resend"),
        ("smtp", BOTH, False, SWAPPED, "smtp"),
        ("smtp", RESEND, False, SWAPPED, "smtp"),
        # it was only to go on, and nobody was asked yet
        ("resend", NOBODY, False, USUAL, "smtp"),
    ],
)
async def test_where_it_goes(
    provider: str | None, tried_at: frozenset[str], pinned: bool, choice: Choice, goes_to: str
) -> None:
    row: dict[str, Any] = {"provider": provider, "tried_at": tried_at, "is_pinned": pinned, "tries": len(tried_at)}

    reopened = await Setting(choice=choice).decide(retried(**row) if provider else waiting())

    assert isinstance(reopened.change.queue, Opens)
    assert reopened.change.queue.provider == goes_to
    assert reopened.mail is not None
    assert reopened.mail.may_move == (not pinned and tried_at <= {goes_to})


@pytest.mark.parametrize("pinned", [False, True])
async def test_what_is_bound_to_a_provider_that_is_gone_waits_for_it(pinned: bool) -> None:
    row = retried(provider="resend", tried_at=BOTH, is_pinned=pinned)

    change = (await Setting(choice=ALONE).decide(row)).change

    assert isinstance(change.queue, Parks)
    assert (change.queue.reason, change.queue.is_pinned) == (Reason.SENDER, pinned)


async def test_a_tenant_s_own_provider_does_not_call_back_what_has_failed_over() -> None:
    setting = Setting(choice=USUAL, tenant=a_tenant(email=TenantEmail(provider="resend")))

    free = await setting.decide(retried(provider="smtp"))
    bound = await setting.decide(retried(provider="smtp", tried_at=RESEND))

    assert free.mail is not None
    assert bound.mail is not None
    assert (free.mail.provider, bound.mail.provider) == ("resend", "smtp")
