"""Resend: its SDK over one pooled client, one table that reads its errors, and its webhooks."""

from __future__ import annotations

from providers.resend.config import ResendConfig
from providers.resend.sender import ResendProvider

__all__ = ["ResendConfig", "ResendProvider"]
