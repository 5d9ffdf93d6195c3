"""What a user is told about their own account."""

from __future__ import annotations

from consumers.recipient import recipient_of
from events.envelope import CloudEvent
from events.user import UserVerificationRequested, UserVerified
from notifications.request import DirectoryChange, Effect, NotificationRequest


def on_verification_requested(event: CloudEvent[UserVerificationRequested]) -> list[Effect]:
    """Send the link that verifies an address to that address.

    The template `user-verification` gets, None where a value is unknown:
        verification: url, expires_at ("2026-11-25T02:00:00+00:00")
        recipient: name
    """
    user = event.data
    return [
        NotificationRequest(
            subtype="user-verification",
            recipient=recipient_of(user),
            data={
                "verification": {
                    "url": user.verification_url,
                    "expires_at": user.expires_at.isoformat() if user.expires_at else None,
                },
                "recipient": {"name": user.name},
            },
        )
    ]


def on_user_verified(event: CloudEvent[UserVerified]) -> list[Effect]:
    """Tell a user that their address is verified, and remember that it is.

    The template `user-verified` gets, None where a value is unknown (never for email):
        recipient: name, email
    """
    user = event.data
    return [
        NotificationRequest(
            subtype="user-verified",
            recipient=recipient_of(user),
            data={"recipient": {"name": user.name, "email": user.email}},
        ),
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
