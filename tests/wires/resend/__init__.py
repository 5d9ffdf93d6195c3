"""Resend's API on loopback: state as documented, faults on demand, its OpenAPI document as judge."""

from __future__ import annotations

from tests.wires.resend.domains import Domain, Record
from tests.wires.resend.faults import Drop, Fault, Hang, Raw, Refuse, Slow
from tests.wires.resend.hooks import Event, Hooks
from tests.wires.resend.judge import OPENAPI, RESEND
from tests.wires.resend.mails import Mail
from tests.wires.resend.server import resend_wire, serving
from tests.wires.resend.team import Team
from tests.wires.resend.wire import Received, ResendWire

__all__ = [
    "OPENAPI",
    "RESEND",
    "Domain",
    "Drop",
    "Event",
    "Fault",
    "Hang",
    "Hooks",
    "Mail",
    "Raw",
    "Received",
    "Record",
    "Refuse",
    "ResendWire",
    "Slow",
    "Team",
    "resend_wire",
    "serving",
]
