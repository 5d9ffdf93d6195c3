"""`outbound suppressions`: added, looked at, removed, brought in and out as a file."""

from __future__ import annotations

import csv
import io
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.outbound.command import SECRET, Cli, Sql

ALICE = "alice@example.com"
NEVER = "2099-01-31"


@pytest.fixture
def sql(database: str) -> Sql:
    return Sql(database)


@pytest.fixture
def cli(database: str) -> Cli:
    return Cli({"DATABASE_URL": database, "OUTBOUND_SECRET_KEY": SECRET})


@pytest.fixture
def tenant(cli: Cli) -> UUID:
    return UUID(cli.json("tenants", "add", "Acme")["id"])


def listed(cli: Cli, *words: object) -> list[tuple[str, str, str]]:
    rows = cli.ndjson("suppressions", "list", *words)
    return sorted((row["address"], row["reason"], row["scope"]) for row in rows)


def test_an_address_is_added_in_its_canonical_form_shown_and_removed(cli: Cli, tenant: UUID) -> None:
    added = cli("suppressions", "add", " Alice@EXAMPLE.com", "--tenant", tenant, "--note", "asked by telephone")
    again = cli("suppressions", "add", ALICE, "--tenant", tenant, "--note", "asked by telephone")
    changed = cli("suppressions", "add", ALICE, "--tenant", tenant, "--expires", NEVER)

    assert (added.stdout, again.stdout, changed.stdout) == ("added\n", "stood there already\n", "changed\n")
    [row] = cli.ndjson("suppressions", "list")
    assert (row["address"], row["tenant_id"], row["reason"]) == (ALICE, str(tenant), "manual")
    assert (row["source"], row["expires_at"]) == ("operator", "2099-01-31T00:00:00.000Z")
    assert row["created_by"].startswith("cli:")
    assert cli("suppressions", "remove", ALICE, "--tenant", tenant).stdout == "1 removed\n"
    assert cli("suppressions", "list").stdout == "none\n"


def test_each_list_is_its_own(cli: Cli, tenant: UUID) -> None:
    cli.json("suppressions", "add", ALICE, "--tenant", tenant)
    cli.json("suppressions", "add", "bob@example.com", "--global", "--reason", "complaint")

    assert listed(cli, "--tenant", tenant) == [(ALICE, "manual", "all")]
    assert listed(cli, "--global") == [("bob@example.com", "complaint", "all")]
    assert len(listed(cli)) == 2
    assert listed(cli, "--reason", "complaint") == [("bob@example.com", "complaint", "all")]
    assert cli("suppressions", "remove", ALICE, "--global").exit_code == 1
    assert "global" in cli("suppressions", "list").stdout


def test_an_unsubscribing_may_be_about_one_kind_of_mail(cli: Cli, tenant: UUID) -> None:
    add = ("suppressions", "add", ALICE, "--tenant", tenant)
    cli.json(*add, "--reason", "unsubscribed", "--scope", "subtype:ticket-updated")
    cli.json(*add, "--reason", "unsubscribed")

    cli.json("suppressions", "remove", ALICE, "--tenant", tenant, "--scope", "all")

    assert listed(cli) == [(ALICE, "unsubscribed", "subtype:ticket-updated")]


def test_check_shows_what_concerns_an_address(cli: Cli, tenant: UUID) -> None:
    other = cli.json("tenants", "add", "Other")["id"]
    cli.json("suppressions", "add", ALICE, "--tenant", tenant)
    cli.json("suppressions", "add", ALICE, "--global", "--reason", "hard_bounce")

    everywhere = cli.json("suppressions", "check", "ALICE@example.com")
    for_other = cli.json("suppressions", "check", ALICE, "--tenant", other)
    of_bob = cli.json("suppressions", "check", "bob@example.com")

    assert [row["reason"] for row in everywhere["suppressions"]] == ["hard_bounce", "manual"]
    assert [row["tenant_id"] for row in for_other["suppressions"]] == [None]
    assert (everywhere["is_suppressed"], of_bob["is_suppressed"]) == (True, False)
    assert "hard_bounce" in cli("suppressions", "check", ALICE).stdout


def test_what_is_only_listed_until_yesterday_holds_nothing(cli: Cli, tenant: UUID) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    cli("suppressions", "import", "-", "--tenant", tenant, stdin=f"address,expires_at\n{ALICE},{yesterday}\n")

    assert cli.json("suppressions", "check", ALICE)["is_suppressed"] is False


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("add", ALICE), "either --tenant or"),
        (("add", ALICE, "--global", "--tenant", uuid4()), "either --tenant or"),
        (("add", "nobody", "--global"), "RFC 5321"),
        (("add", ALICE, "--global", "--reason", "dislike"), "dislike"),
        (("add", ALICE, "--global", "--scope", "category:tickets"), "less than all"),
        (("add", ALICE, "--global", "--reason", "unsubscribed", "--scope", "subtype:none"), "should be all"),
        (("add", ALICE, "--global", "--expires", "soon"), "should be a date"),
        (("add", ALICE, "--global", "--expires", "2001-01-01"), "past already"),
        (("add", ALICE, "--global", "--note", "a\nb"), "one line"),
        (("remove", ALICE, "--global", "--scope", "tickets"), "should be all"),
        (("list", "--global", "--tenant", uuid4()), "name one list"),
        (("export", "-"), "either --tenant or"),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(cli: Cli, sql: Sql, words: tuple[object, ...], problem: str) -> None:
    result = cli("suppressions", *words, COLUMNS="300")

    assert result.exit_code == 2
    assert problem in result.stderr
    assert sql("select from suppressions") == []


def test_a_tenant_that_is_not_there_has_no_list(cli: Cli) -> None:
    result = cli("suppressions", "add", ALICE, "--tenant", uuid4())

    assert result.exit_code == 1
    assert "there is no such tenant" in result.stderr


def test_without_the_secret_key_nothing_can_be_looked_up(cli: Cli) -> None:
    result = cli("suppressions", "list", OUTBOUND_SECRET_KEY="")

    assert result.exit_code == 2
    assert "OUTBOUND_SECRET_KEY" in result.stderr


def test_good_lines_of_a_file_are_imported_and_bad_ones_told_by_number(cli: Cli, tmp_path: Path, tenant: UUID) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(
        b"\xef\xbb\xbfEmail,Name,reason,scope,expires_at,note\r\n"
        b'Alice@example.com,A,unsubscribed,category:tickets,2099-01-31,"a, b"\r\n'
        b"\r\n"
        b"nobody,B,,,,\r\n"
        b"bob@example.com,B,dislike,,,\r\n"
        b"carol@example.com\r\n"
        b"d\xff@example.com\r\n"
        b"erin@example.com,E,,,soon,\r\n"
    )

    first = cli("suppressions", "import", file, "--tenant", tenant, "--reason", "complaint")
    second = cli("suppressions", "import", file, "--tenant", tenant, "--reason", "complaint")

    assert first.stdout == "2 added, 0 changed, 0 unchanged, 4 refused\n"
    assert second.stdout == "0 added, 0 changed, 2 unchanged, 4 refused\n"
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert [line.split(":")[0] for line in first.stderr.splitlines()] == [
        "line 4",
        "line 5",
        "line 7",
        "line 8",
        "outbound",
    ]
    assert listed(cli) == [(ALICE, "unsubscribed", "category:tickets"), ("carol@example.com", "complaint", "all")]


def test_a_file_without_a_header_is_addresses_first(cli: Cli, tenant: UUID) -> None:
    result = cli(
        "suppressions", "import", "-", "--tenant", tenant, "--json", stdin=f"{ALICE}\nbob@example.com,complaint\n"
    )

    assert (result.exit_code, result.stdout) == (0, '{"added":2,"changed":0,"unchanged":0,"refused":0}\n')
    assert listed(cli) == [(ALICE, "manual", "all"), ("bob@example.com", "complaint", "all")]


def test_more_than_one_batch_is_imported_and_every_line_audited(cli: Cli, sql: Sql, tenant: UUID) -> None:
    lines = "".join(f"user{number}@example.com\n" for number in range(1200))

    result = cli("suppressions", "import", "-", "--tenant", tenant, stdin=lines + lines)

    assert result.exit_code == 0
    [[rows]] = sql("select count(*) from suppressions where source = 'import'")
    [[audited]] = sql("select count(*) from audit_log where action = 'suppression.added'")
    assert (rows, audited) == (1200, 1200)


def test_an_export_is_for_its_owner_s_eyes_and_imports_as_the_same(cli: Cli, tmp_path: Path, tenant: UUID) -> None:
    file = tmp_path / "out.csv"
    file.write_text("older")
    file.chmod(0o644)
    add = ("suppressions", "add", ALICE, "--tenant", tenant)
    cli.json(*add, "--reason", "unsubscribed", "--scope", "category:tickets", "--expires", NEVER, "--note", 'a "b", c')
    cli.json("suppressions", "add", "bob@example.com", "--global")

    exported = cli("suppressions", "export", file, "--tenant", tenant)
    imported = cli.json("suppressions", "import", file, "--tenant", tenant)

    assert (exported.exit_code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    [row] = csv.DictReader(io.StringIO(file.read_text()))
    assert (row["address"], row["scope"], row["note"]) == (ALICE, "category:tickets", 'a "b", c')
    assert imported == {"added": 0, "changed": 0, "unchanged": 1, "refused": 0}
    assert (
        cli("suppressions", "export", "-", "--global").stdout.splitlines()[1].startswith("bob@example.com,manual,all,")
    )


def test_an_export_says_what_it_could_not_read(cli: Cli, tenant: UUID) -> None:
    cli.json("suppressions", "add", ALICE, "--tenant", tenant)

    result = cli("suppressions", "export", "-", "--tenant", tenant, OUTBOUND_SECRET_KEY="another-secret-key")

    assert result.exit_code == 1
    assert "not written: 1" in result.stderr
    assert "@" not in result.stdout


def test_a_file_that_cannot_be_read_or_written_is_named(cli: Cli, tmp_path: Path, tenant: UUID) -> None:
    for words in (("import", tmp_path / "none.csv"), ("export", tmp_path / "no" / "folder.csv")):
        result = cli("suppressions", *words, "--tenant", tenant)
        assert result.exit_code == 1
        assert "No such file or directory" in result.stderr
