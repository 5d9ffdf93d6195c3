"""The `outbound` command."""

from outbound.cli.app import main

__all__ = ["main"]
