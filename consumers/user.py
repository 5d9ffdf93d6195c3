"""What a user is told about their own account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from consumers.recipient import Addressee, recipient_of
from events.envelope import CloudEvent
from events.user import UserInvited, UserPasswordResetRequested, UserVerificationRequested, UserVerified
from notifications.request import DirectoryChange, Effect, NotificationRequest


def on_verification_requested(event: CloudEvent[UserVerificationRequested]) -> list[Effect]:
    """Send the link that verifies an address to that address.

    The template `user-verification` gets, None where a value is unknown:
        verification: url, expires_at ("2026-11-25T02:00:00+00:00")
        recipient: name
    """
    user = event.data
    link = {"url": user.verification_url, "expires_at": _moment(user.expires_at)}
    return [_mail(user, "user-verification", {"verification": link})]


def on_password_reset_requested(event: CloudEvent[UserPasswordResetRequested]) -> list[Effect]:
    """Send the link that sets a new password to the address of its account.

    The template `password-reset` gets, None where a value is unknown:
        reset: url, expires_at ("2026-11-25T02:00:00+00:00")
        recipient: name, email
    """
    user = event.data
    link = {"url": user.reset_url, "expires_at": _moment(user.expires_at)}
    return [_mail(user, "password-reset", {"reset": link}, email=user.email)]


def on_user_invited(event: CloudEvent[UserInvited]) -> list[Effect]:
    """Send the link that makes an account somebody's to whom it is meant for. They are no user of ours yet.

    The template `user-invitation` gets, None where a value is unknown:
        invitation: url, expires_at ("2026-11-25T02:00:00+00:00")
        inviter: name
        recipient: name, email
    """
    user = event.data
    link = {"url": user.invitation_url, "expires_at": _moment(user.expires_at)}
    words = {"invitation": link, "inviter": {"name": user.inviter_name}}
    return [_mail(user, "user-invitation", words, email=user.email)]


def on_user_verified(event: CloudEvent[UserVerified]) -> list[Effect]:
    """Tell a user that their address is verified, and remember that it is.

    The template `user-verified` gets, None where a value is unknown (never for email):
        recipient: name, email
    """
    user = event.data
    return [
        _mail(user, "user-verified", {}, email=user.email),
        DirectoryChange(
            kind="user_upsert",
            values={
                "user_id": user.user_id,
                "email": user.email,
                "name": user.name,
                "locale": user.locale,
                "timezone": user.timezone,
                "email_verified": True,
            },
        ),
    ]


def _mail(user: Addressee, subtype: str, words: Mapping[str, Any], **about: str) -> NotificationRequest:
    return NotificationRequest(
        subtype=subtype, recipient=recipient_of(user), data={**words, "recipient": {"name": user.name} | about}
    )


def _moment(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
