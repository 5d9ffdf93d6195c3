"""Alembic's environment; the schema itself is SQL in `versions`."""
