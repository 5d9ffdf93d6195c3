"""`outbound tenants`: added, changed, listed, audited."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from tests.outbound.command import Cli, Sql


@pytest.fixture
def sql(database: str) -> Sql:
    return Sql(database)


@pytest.fixture
def cli(database: str) -> Cli:
    return Cli({"DATABASE_URL": database})


def test_a_tenant_gets_an_id_and_a_slug_of_its_name(cli: Cli, sql: Sql) -> None:
    added = cli.json("tenants", "add", "  Wonderland PSA ")

    assert added == {"id": added["id"], "slug": "wonderland-psa", "name": "Wonderland PSA", "is_new": True}
    [row] = sql("select id, slug, name, is_active from tenants")
    assert tuple(row) == (UUID(added["id"]), "wonderland-psa", "Wonderland PSA", True)


def test_people_see_the_id_and_the_slug(cli: Cli) -> None:
    tenant = uuid4()

    assert cli("tenants", "add", "Acme", "--id", tenant).stdout == f"{tenant}  acme\n"


def test_the_same_id_again_changes_what_is_given(cli: Cli, sql: Sql) -> None:
    tenant = uuid4()
    cli.json("tenants", "add", "Acme", "--id", tenant, "--rate", 6, "--burst", 1)
    [[before]] = sql("select settings_version from tenants")

    changed = cli.json("tenants", "add", "Acme Ltd", "--id", tenant, "--rate", 90)

    assert changed == {"id": str(tenant), "slug": "acme", "name": "Acme Ltd", "is_new": False}
    [rate] = sql("select rate_limit_per_minute, rate_limit_burst from notification_settings")
    assert tuple(rate) == (90, 1)
    [[after]] = sql("select settings_version from tenants")
    assert after > before


def test_a_slug_changes_only_when_it_is_given(cli: Cli) -> None:
    tenant = uuid4()
    cli.json("tenants", "add", "Acme", "--id", tenant)

    assert cli.json("tenants", "add", "Acme", "--id", tenant, "--slug", "acme-eu")["slug"] == "acme-eu"


def test_a_slug_of_another_tenant_is_refused(cli: Cli, sql: Sql) -> None:
    cli.json("tenants", "add", "Acme")

    result = cli("tenants", "add", "ACME!", "--rate", 5)

    assert result.exit_code == 1
    assert "another tenant has the slug acme: choose one with --slug" in result.stderr
    assert len(sql("select from tenants")) == 1
    assert len(sql("select from audit_log")) == 1


def test_each_change_is_audited_with_who_made_it(cli: Cli, sql: Sql) -> None:
    tenant = uuid4()
    for name in ("Acme", "Acme Ltd"):
        cli.json("tenants", "add", name, "--id", tenant)

    added, changed = sql("select tenant_id, actor, action, subject, detail from audit_log order by id")
    assert (added["tenant_id"], added["action"], added["subject"]) == (tenant, "tenant.added", str(tenant))
    assert added["actor"].startswith("cli:")
    assert (changed["action"], json.loads(changed["detail"])["name"]) == ("tenant.changed", "Acme Ltd")


@pytest.mark.parametrize(
    "words",
    [
        ("",),
        ("a\nb",),
        ("x" * 201,),
        ("Acme", "--slug", "Not A Label"),
        ("Acme", "--rate", 0),
        ("Acme", "--burst", 0),
        ("Acme", "--id", "7"),
    ],
)
def test_what_cannot_be_a_tenant_is_wrong_usage(cli: Cli, words: tuple[object, ...]) -> None:
    assert cli("tenants", "add", *words).exit_code == 2


def test_all_are_listed_by_slug(cli: Cli) -> None:
    cli.json("tenants", "add", "Zoo")
    cli.json("tenants", "add", "Ark", "--rate", 6)

    listed = cli.ndjson("tenants", "list")

    assert [(row["slug"], row["rate_limit_per_minute"], row["is_enabled"]) for row in listed] == [
        ("ark", 6, True),
        ("zoo", None, True),
    ]
    table = cli("tenants", "list").stdout
    assert table.index("ark") < table.index("zoo")
