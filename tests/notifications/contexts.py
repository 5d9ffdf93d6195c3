"""What the handlers give to the templates, so that neither can drift away from the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consumers.routes import ROUTES
from notifications.request import NotificationRequest
from tests.events.samples import event_of


def contexts_of(samples: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the first context that each template gets from these events."""
    contexts: dict[str, dict[str, Any]] = {}
    for event_type, data in samples.items():
        for effect in ROUTES[event_type](event_of(event_type, data)):
            if isinstance(effect, NotificationRequest):
                contexts.setdefault(effect.subtype, dict(effect.data))
    return contexts
