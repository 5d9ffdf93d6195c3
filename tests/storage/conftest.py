"""The database as each role sees it."""

from tests.storage.fixtures import db, ledger, superuser, tenant, worker, workers

__all__ = ["db", "ledger", "superuser", "tenant", "worker", "workers"]
