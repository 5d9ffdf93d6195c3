"""What each fault of the network leaves in the ledger and at the far end, through a whole worker; a table by hand.

The first attempt of a mail meets the fault, and once that is in the ledger, the network is sound again.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.line.harness import Line, eventually
from tests.line.two_providers import API_KEY, attempts
from tests.wires import proxy as network
from tests.wires.proxy import Drip, Fault, HalfOpen, Pass, Refuse, Reset, Silence, Slow, fault_proxy
from tests.wires.resend import ResendWire, resend_wire
from tests.wires.smtp import SmtpWire

MAIL, REQUEST = network.smtp_mail, network.http_request
IMPATIENT = {"OUTBOUND_ATTEMPT_TIMEOUT_SECONDS": "1"}
SLOW_ONLY = (Slow, Drip)
QUICK = {"OUTBOUND_RETRY_BASE_SECONDS": "0.3", "OUTBOUND_UNCERTAIN_DELAY_SECONDS": "0.3"}


async def through(line: Line, far: tuple[str, int], fault: Fault, **environment: str) -> list[tuple[int, str, str]]:
    """Send one mail through a fault that ends with the first attempt, and return all attempts."""
    async with fault_proxy(*far) as proxy:
        await proxy.use(fault)
        where = {
            "EMAIL_HOST": proxy.hostname,
            "EMAIL_PORT": str(proxy.port),
            "RESEND_API_URL": f"http://{proxy.hostname}:{proxy.port}",
        }
        patience = {} if isinstance(fault, SLOW_ONLY) else IMPATIENT
        async with line.worker(**QUICK | where | patience | environment):
            await line.publish(line.ticket())

            async def tried() -> bool:
                return bool(await attempts(line))

            await eventually(tried, seconds=20)
            await proxy.use(Pass())
            [row] = await line.settled(1)
        assert row["status"] == "accepted"
    return await attempts(line)


@pytest.mark.parametrize(
    ("fault", "outcomes", "mails"),
    [
        (Slow(0.01), ["accepted"], 1),
        (Drip(0.0001), ["accepted"], 1),
        (Refuse(), ["not_sent", "accepted"], 1),
        (HalfOpen(), ["not_sent", "accepted"], 1),
        (Reset(network.anything), ["not_sent", "accepted"], 1),
        (Reset(network.behind(b"RCPT TO")), ["not_sent", "accepted"], 1),
        (Reset(MAIL), ["unknown", "accepted"], 1),
        # The one price of a lost reply: a second copy, under the same Message-ID, and flagged.
        (Reset(MAIL, after=True), ["unknown", "accepted"], 2),
        (Silence(MAIL), ["unknown", "accepted"], 1),
        (Silence(MAIL, after=True), ["unknown", "accepted"], 2),
    ],
    ids=str,
)
async def test_a_fault_before_the_relay_is_in_the_ledger(
    line: Line, wire: SmtpWire, fault: Fault, outcomes: list[str], mails: int
) -> None:
    found = await through(line, (wire.hostname, wire.port), fault)

    [row] = await line.notifications()
    assert [(provider, outcome) for _, provider, outcome in found] == [("smtp", outcome) for outcome in outcomes]
    assert len(wire.accepted) == mails
    assert ("uncertain" in [step["status"] for step in row["trail"]]) == ("unknown" in outcomes)


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        (Slow(0.01), ["accepted"]),
        (Refuse(), ["not_sent", "accepted"]),
        (HalfOpen(), ["unknown", "accepted"]),
        (Reset(network.anything), ["unknown", "accepted"]),
        (Reset(REQUEST), ["unknown", "accepted"]),
        (Reset(REQUEST, after=True), ["unknown", "accepted"]),
        (Silence(REQUEST, after=True), ["unknown", "accepted"]),
    ],
    ids=str,
)
async def test_a_fault_before_resend_is_in_the_ledger_and_arrives_once(
    line: Line, fault: Fault, outcomes: list[str]
) -> None:
    async with resend_wire() as resend:
        url = urlsplit(resend.base_url)
        found = await through(line, (url.hostname, url.port), fault, **over(resend))

        assert [(provider, outcome) for _, provider, outcome in found] == [("resend", outcome) for outcome in outcomes]
        assert len(resend.accepted) == 1


def over(resend: ResendWire) -> dict[str, str]:
    assert resend.base_url
    return {
        "EMAIL_PROVIDER": "resend",
        "RESEND_API_KEY": API_KEY,
        "RESEND_VERIFIED_DOMAINS": "outbound.example",
        "RESEND_RATE_PER_SECOND": "1000",
    }
