"""Resend: its SDK over one pooled client, and one table that reads its errors."""

from __future__ import annotations

from providers.resend.config import ResendConfig
from providers.resend.sender import ResendProvider

__all__ = ["ResendConfig", "ResendProvider"]
