"""`outbound dev` keeps its promises, run as people run it: the real command, in an empty folder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest

from tests.acceptance.dev_command import (
    LIMIT_SECONDS,
    OUTBOUND,
    FirstRun,
    all_gone,
    environment,
    family,
    lines_until,
    running,
    sourced,
)
from tests.wires.sink import Sink

LABELS = {
    "ticket updated",
    "binary mode",
    "invoice issued",
    "legacy form",
    "verification requested",
    "address verified",
    "within the rate limit",
    "over the rate limit",
    "opted out",
    "no address",
    "nobody to tell",
    "duplicate",
    "undecodable",
    "unknown type",
    "unknown tenant",
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no embedded servers for Windows")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="outbound-dev-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def first(folder: Path) -> FirstRun:
    done = subprocess.run(
        [OUTBOUND, "dev", "--once", "--json"],
        cwd=folder,
        env=environment(EMAIL_USERNAME="somebody", EMAIL_PASSWORD="real-account", RESEND_API_KEY="re_real"),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return FirstRun(folder=folder, answer=json.loads(done.stdout), errors=done.stderr)


def words(event: dict[str, Any], user_id: str) -> list[str]:
    [one] = [notification for notification in event["notifications"] if notification["user_id"] == user_id]
    assert [step["version"] for step in one["history"]] == list(range(1, len(one["history"]) + 1))
    assert (one["history"][-1]["status"], one["history"][-1]["reason"]) == (one["status"], one["reason"])
    return [f"{step['status']}({step['reason']})" if step["reason"] else step["status"] for step in one["history"]]


def test_once_ends_when_every_demo_event_has_come_to_its_end(first: FirstRun) -> None:
    assert {event["label"] for event in first.answer["events"]} == LABELS
    assert "pending" not in first.answer["totals"]["outcomes"]
    assert set(first.answer["totals"]["statuses"]) == {"accepted", "skipped"}


@pytest.mark.parametrize(
    ("label", "user_id"),
    [
        ("ticket updated", "ada"),
        ("ticket updated", "cleo"),
        ("binary mode", "ben"),
        ("invoice issued", "cleo"),
        ("legacy form", "ada"),
        ("verification requested", "nia"),
        ("address verified", "hugo"),
        ("within the rate limit", "hugo"),
    ],
)
def test_all_three_families_and_all_three_wire_forms_become_mail(first: FirstRun, label: str, user_id: str) -> None:
    assert words(first.event(label), user_id)[-2:] == ["sending", "accepted"]


def test_what_is_over_the_rate_limit_waits_for_its_slot_and_is_sent(first: FirstRun) -> None:
    event = first.event("over the rate limit")

    assert words(event, "iris") == ["queued(rate)", "sending", "accepted"]


@pytest.mark.parametrize(
    ("label", "user_id", "end"),
    [
        ("ticket updated", "ben", "skipped(actor_is_recipient)"),
        ("opted out", "dora", "skipped(opted_out)"),
        ("no address", "emil", "skipped(no_address)"),
    ],
)
def test_who_gets_no_mail_has_a_reason(first: FirstRun, label: str, user_id: str, end: str) -> None:
    assert words(first.event(label), user_id) == [end]


@pytest.mark.parametrize(
    ("label", "outcome", "reason"),
    [
        ("duplicate", "duplicate", "duplicate"),
        ("nobody to tell", "skipped", "no_recipients"),
        ("undecodable", "dead_lettered", "undecodable"),
        ("unknown type", "dead_lettered", "unknown_type"),
        ("unknown tenant", "dead_lettered", "unknown_tenant"),
    ],
)
def test_an_event_that_leads_to_nothing_has_a_reason(first: FirstRun, label: str, outcome: str, reason: str) -> None:
    event = first.event(label)

    assert (event["outcome"], event["reason"], event["notifications"]) == (outcome, reason, [])
    assert first.answer["totals"]["reasons"][reason] == 1


def test_a_duplicate_is_the_same_event_under_another_entry(first: FirstRun) -> None:
    original, repeat = first.event("ticket updated"), first.event("duplicate")

    assert repeat["id"] == original["id"]
    assert repeat["entry_id"] != original["entry_id"]


def test_authentication_mail_goes_through_the_urgent_stream(first: FirstRun) -> None:
    streams = {event["label"]: event["stream"] for event in first.answer["events"]}

    assert streams["verification requested"] == streams["address verified"] == "outbound:events:urgent"
    assert streams["invoice issued"] == "outbound:events"


def test_every_accepted_mail_is_in_the_inbox_once(first: FirstRun) -> None:
    mails = first.mails()

    assert len(mails) == first.answer["inbox"] == first.answer["totals"]["statuses"]["accepted"] == 9
    assert len({mail["Message-ID"] for mail in mails}) == 9
    assert {mail["From"] for mail in mails} == {
        "Brightside IT <demo-brightside@outbound.example>",
        "Harbor Lights <demo-harbor@outbound.example>",
    }


def test_a_tenant_writes_with_its_own_template(first: FirstRun) -> None:
    subjects = [str(mail["Subject"]) for mail in first.mails()]

    assert "Brightside IT worked on #42: The printer on the second floor" in subjects


def test_what_it_leaves_behind_is_closed_to_others_and_holds_no_account(first: FirstRun) -> None:
    var = first.folder / "var"

    assert (var / "secret.key").stat().st_mode & 0o077 == 0
    assert not (var / "env").exists()
    log = (var / "worker.log").read_text()
    assert '"event": "worker.stopped"' in log
    assert "worker.not_deregistered" not in log, "it was cut off while it drained"
    assert "Traceback" not in log
    assert "customer.example" not in log + first.errors


async def counted(url: str, event_ids: Sequence[str]) -> tuple[int, int]:
    """How many of these events, and how many tenants, the database knows."""
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute("set role outbound_platform")
        events = "select count(*) from consumed_events where event_id = any($1::text[])"
        return await connection.fetchval(events, event_ids), await connection.fetchval("select count(*) from tenants")
    finally:
        await connection.close()


def test_a_restart_keeps_the_data_a_second_start_is_refused_and_ctrl_c_ends_it_cleanly(first: FirstRun) -> None:
    with running(first.folder) as (process, lines):
        second = subprocess.run(
            [OUTBOUND, "dev"], cwd=first.folder, env=environment(), capture_output=True, text=True, check=False
        )
        url = sourced(first.folder, 'command -v outbound >&2 && printf %s "$DATABASE_URL"')
        kept = asyncio.run(counted(url, [event["id"] for event in first.answer["events"]]))
        mode = (first.folder / "var" / "env").stat().st_mode
        pids = family(process.pid)
        lines_until(process, "duplicate")
        process.send_signal(signal.SIGINT)
        [*_, totals] = lines_until(process, "events, ")
        status = process.wait(LIMIT_SECONDS)

    assert totals.startswith("15 events, ")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.strip().endswith(f"(pid {process.pid})")
    assert second.stderr.count("\n") == 1
    assert kept == (11, 2)
    assert mode & 0o077 == 0
    assert any("http://127.0.0.1:" in line and "Inbox" in line for line in lines)
    assert status == 0
    assert len(pids) >= 6
    assert all_gone(pids)


def test_a_worker_that_dies_by_itself_is_reported_with_its_last_words(first: FirstRun) -> None:
    with running(first.folder) as (process, _):
        lines_until(process, "duplicate")
        listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        ours = family(process.pid)
        lines = [line.split(None, 1) for line in listed.splitlines()]
        [worker] = [
            int(pid) for pid, args in lines if int(pid) in ours and "guard.py" not in args and "outbound worker" in args
        ]
        os.kill(worker, signal.SIGKILL)
        output, _ = process.communicate(timeout=LIMIT_SECONDS)

    assert process.returncode == 1
    assert "The worker has ended by itself" in output
    assert '"event":' in output
    assert all_gone(ours)


def test_nothing_outlives_a_parent_that_is_killed_with_9(first: FirstRun) -> None:
    with running(first.folder) as (process, _):
        pids = family(process.pid)
        process.kill()

    assert all_gone(pids)


def test_once_says_so_when_the_given_relay_does_not_answer(empty_database: str, redis_url: str, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from datetime import timedelta; from pathlib import Path\n"
        "from outbound.dev.run import Options, run\n"
        "options = Options(folder=Path(sys.argv[1]), is_once=True, once_limit=timedelta(seconds=2))\n"
        "sys.exit(asyncio.run(run(options)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "var")],
        env=environment(DATABASE_URL=empty_database, REDIS_URL=redis_url, EMAIL_HOST="127.0.0.1", EMAIL_PORT="1"),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )

    [line] = [line for line in done.stdout.splitlines() if line.startswith("Not done within 2 s: ")]
    assert line.endswith("; the relay at EMAIL_HOST (127.0.0.1:1) does not answer: ConnectionRefusedError")
    assert done.returncode == 1


async def test_what_the_environment_names_is_not_started(
    folder: Path, empty_database: str, redis_url: str, tmp_path: Path
) -> None:
    async with Sink(tmp_path / "log") as sink:
        process = await asyncio.create_subprocess_exec(
            OUTBOUND,
            *("dev", "--folder", str(folder / "other")),
            env=environment(
                DATABASE_URL=empty_database,
                REDIS_URL=redis_url,
                EMAIL_HOST="127.0.0.1",
                EMAIL_PORT=str(sink.port),
                EMAIL_TLS="none",
                EMAIL_FROM="platform@given.example",
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_SECONDS):
            while b"invoice issued" not in (line := await process.stdout.readline()) or b"accepted" not in line:
                assert line
            process.send_signal(signal.SIGTERM)
            await process.stdout.read()
            status = await process.wait()

    assert status == 0
    assert sink.accepted >= 1
    assert not {"postgres", "valkey", "inbox"} & {path.name for path in (folder / "other").iterdir()}
