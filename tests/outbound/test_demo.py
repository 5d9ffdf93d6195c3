"""The demo says what it means to say, and its parts hold without a server."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from events.wire import UnreadableEventError, decode
from notifications.render import Renderer
from outbound.dev.demo import DemoEvent, Published, demo_events, example_event, publish
from outbound.dev.demo_tenants import BRIGHTSIDE, HARBOR, TENANTS, create_tenants, own_template
from outbound.dev.process import AlreadyRunningError, ServerError
from outbound.dev.stack import exports, reserved, worker_environment
from outbound.dev.view import open_view, rows
from outbound.dev.watch import EventState, NotificationState, Watch, database_time, summary
from storage.roles import Role
from storage.session import open_database
from tests.notifications.sample_data import FULL

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
UNREADABLE = {"undecodable": "undecodable", "unknown type": "unknown_type"}
HISTORY = [
    {"version": 1, "status": "queued", "reason": "rate", "at": "2026-11-24T02:00:00+00:00"},
    {"version": 2, "status": "sending", "reason": None, "at": "2026-11-24T02:00:10+00:00"},
]
QUEUED = NotificationState(
    id="n1", subtype="ticket-updated", user_id="ada", status="sending", reason=None, history=HISTORY
)
EVENT = EventState(
    label="ticket updated", id="e1", type="ticket.updated.v1", tenant="demo", stream="s", entry_id="1-0",
    outcome="notifications", notifications=[QUEUED],
)  # fmt: skip


def entry(event: DemoEvent) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in event.fields.items()}


@pytest.mark.parametrize("event", demo_events(NOW), ids=lambda event: event.label)
def test_every_demo_event_is_readable_unless_it_is_there_to_be_refused(event: DemoEvent) -> None:
    if event.label in UNREADABLE:
        with pytest.raises(UnreadableEventError) as refusal:
            decode(entry(event))
        assert refusal.value.reason == UNREADABLE[event.label]
        return

    assert decode(entry(event)).id == event.id


def test_ids_belong_to_the_moment_so_that_a_restart_shows_fresh_results() -> None:
    first, again = ({event.id for event in demo_events(moment)} for moment in (NOW, NOW.replace(second=1)))

    assert not first & again
    assert all(id_.startswith("demo-20261124T020000-") for id_ in first)


def test_the_example_can_be_published_as_it_is() -> None:
    event = decode({b"data": json.dumps(example_event(NOW)).encode()})

    assert event.tenantid == BRIGHTSIDE.id


def test_the_tenants_own_template_keeps_to_the_rules() -> None:
    Renderer().check(own_template())


def test_the_tenants_own_template_has_the_systems_look_and_says_the_same_as_text() -> None:
    data = FULL["ticket-updated-client"] | {"tenant": {"name": "Brightside IT", "slug": "demo-brightside"}}

    mail = Renderer().render(own_template(), data)

    assert all(f'<{tag} style="' in mail.html for tag in ("h1", "p", "ul"))
    assert mail.subject == "Brightside IT worked on #T-42: Printer on fire"
    assert mail.text.startswith("Printer on fire\n\nHello Cleo, Ada changed your ticket.\n\n* ")
    assert mail.text.rstrip().endswith("This template is Brightside IT's own.")


async def test_tenants_are_created_once_however_often_the_demo_starts(database: str) -> None:
    async with open_database(database, {Role.API: 1, Role.PLATFORM: 1}) as opened:
        for _ in range(2):
            await create_tenants(opened)
        async with opened.everyone(Role.PLATFORM) as connection:
            tenants = await connection.fetch("select slug from tenants order by slug")
            users = await connection.fetchval("select count(*) from users")
            [wish] = await connection.fetch("select user_id, slug, is_enabled from user_notification_preferences")
            [template] = await connection.fetch("select tenant_id, name from tenant_email_templates where is_current")
            limits = await connection.fetch(
                "select rate_limit_per_minute, rate_limit_burst from notification_settings order by tenant_id"
            )

    assert [row["slug"] for row in tenants] == ["demo-brightside", "demo-harbor"]
    assert users == sum(len(tenant.people) for tenant in TENANTS)
    assert tuple(wish) == ("dora", "tickets", False)
    assert tuple(template) == (BRIGHTSIDE.id, "ticket-updated-client")
    assert [tuple(row) for row in limits] == [(None, None), HARBOR.limit]


async def test_what_nobody_has_consumed_yet_is_pending(database: str, redis_url: str) -> None:
    published = await publish(redis_url, ("urgent", "normal"), demo_events(NOW))
    async with open_database(database, {Role.PLATFORM: 1}) as opened:
        states = await Watch(opened, await database_time(opened), published).read()

    assert [state.outcome for state in states] == ["pending"] * len(published)
    assert not any(state.is_done for state in states)
    assert {one.stream for one in published if one.event.is_urgent} == {"urgent"}


async def test_what_somebody_else_published_is_shown_behind_our_own(database: str) -> None:
    ours = Published(event=demo_events(NOW)[0], stream="s", entry_id="7-0")
    async with open_database(database, {Role.API: 1, Role.PLATFORM: 1, Role.WORKER: 1}) as opened:
        await create_tenants(opened)
        since = await database_time(opened)
        async with opened.tenants(Role.WORKER, (BRIGHTSIDE.id,)) as connection:
            await connection.execute(
                "insert into consumed_events (tenant_id, source, event_id, stream, entry_id, type, outcome, repeats)"
                " values ($1, '/x', 'theirs', 's', '8-0', 'ticket.updated.v1', 'no_recipients', $2)",
                BRIGHTSIDE.id,
                '[{"stream": "s", "entry_id": "9-0"}]',
            )
        first, theirs, repeat = await Watch(opened, since, [ours]).read()

    assert (first.label, first.outcome) == ("ticket updated", "pending")
    assert (theirs.is_ours, theirs.id, theirs.outcome, theirs.reason) == (False, "theirs", "skipped", "no_recipients")
    assert (repeat.entry_id, repeat.outcome) == ("9-0", "duplicate")


def test_a_notification_that_waits_or_is_being_sent_is_not_done() -> None:
    accepted = replace(QUEUED, status="accepted")

    assert not EVENT.is_done
    assert replace(EVENT, notifications=[accepted]).is_done
    assert not replace(EVENT, outcome="pending", notifications=[]).is_done


def test_totals_count_a_reason_once_for_each_notification() -> None:
    dead = replace(EVENT, outcome="dead_lettered", reason="undecodable", notifications=[])
    totals: dict[str, Any] = summary([EVENT, dead], 0)["totals"]

    assert totals == {
        "events": 2,
        "notifications": 1,
        "outcomes": {"notifications": 1, "dead_lettered": 1},
        "statuses": {"sending": 1},
        "reasons": {"undecodable": 1, "rate": 1},
    }


def test_a_row_shows_the_whole_trail_and_no_escape_sequence_of_a_publisher() -> None:
    hostile = replace(QUEUED, user_id="\x1b[2Jada")
    [(_, label, tenant, recipient, trail, _)] = rows([replace(EVENT, notifications=[hostile])])

    assert (label, tenant, trail) == ("ticket updated", "demo", "queued(rate) → sending")
    assert "\x1b" not in recipient


def test_without_a_terminal_each_change_is_one_line() -> None:
    written = io.StringIO()
    with open_view(Console(file=written, width=40)) as view:
        view.show([replace(EVENT, outcome="pending", notifications=[])])
        for _ in range(2):
            view.show([EVENT])

    assert written.getvalue() == "ticket updated · demo · ada: queued(rate) → sending\n"


def test_in_a_terminal_there_is_one_table() -> None:
    written = io.StringIO()
    with open_view(Console(file=written, width=100, height=30, force_terminal=True)) as view:
        view.show([EVENT])

    assert "What became of it" in written.getvalue()
    assert "queued(rate) → sending" in written.getvalue()


def worker(given: dict[str, str], smtp_port: int | None) -> dict[str, str]:
    return worker_environment(
        given,
        database_url="postgresql://d",
        redis_url="redis://r",
        smtp_port=smtp_port,
        secret_key="made",
        health_port=1,
        secrets_folder=Path("/nowhere"),
    )


def test_with_the_inbox_nothing_of_a_real_account_reaches_the_worker() -> None:
    given = {"EMAIL_PASSWORD": "p", "SMTP_USER": "u", "RESEND_API_KEY": "k", "EMAIL_FALLBACK_PROVIDER": "resend"}
    found = worker(given | {"OTEL_SERVICE_NAME": "x"}, 2525)

    assert not {"EMAIL_PASSWORD", "SMTP_USER", "RESEND_API_KEY", "EMAIL_FALLBACK_PROVIDER"} & found.keys()
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_TLS"]) == ("127.0.0.1", "2525", "none")
    assert found["OTEL_SERVICE_NAME"] == "x"


def test_a_given_relay_is_used_as_it_is_given() -> None:
    given = {"EMAIL_HOST": "relay.example", "EMAIL_PASSWORD": "p", "EMAIL_FROM": "a@b.example", "EMAIL_ENABLE": "false"}
    found = worker(given, None)

    assert given.items() <= found.items()
    assert "EMAIL_TENANT_FROM_PATTERN" not in found
    assert "p" not in exports(given, found, Path("/nowhere")).split("=")


def test_the_lines_for_a_second_terminal_survive_any_character() -> None:
    found = worker({}, 2525) | {"OUTBOUND_SECRET_KEY": "a'b $c"}

    assert """export OUTBOUND_SECRET_KEY='a'"'"'b $c'""" in exports({}, found, Path("/nowhere")).splitlines()


def test_a_folder_is_taken_by_one_at_a_time(tmp_path: Path) -> None:
    with reserved(tmp_path / "var"), pytest.raises(AlreadyRunningError), reserved(tmp_path / "var"):
        pass


def test_a_folder_that_cannot_be_made_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ServerError, match="cannot be used"), reserved(tmp_path / "file" / "var"):
        pass
