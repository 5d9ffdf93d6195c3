"""SMTP: pooled connections, one tracked transaction per mail, and one table that reads the replies."""

from __future__ import annotations

from providers.smtp.config import SmtpConfig
from providers.smtp.sender import SmtpProvider

__all__ = ["SmtpConfig", "SmtpProvider"]
