"""Postgres and Redis state behind the ports of `notifications`: sessions, repositories, the limiter, migrations."""
