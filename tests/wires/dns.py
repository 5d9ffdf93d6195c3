"""A DNS server on a random loopback port that knows what a test tells it: TXT records, over UDP.

async with dns_wire() as wire:
    wire.txt["s1._domainkey.example.com"] = "v=DKIM1; p=…"
    assert dkim.verify(mail, dnsfunc=wire.find_txt)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

_TTL_SECONDS = 60
_LONGEST_STRING = 255  # RFC 1035 §3.3: a longer text is several strings


class DnsWire:
    """What the server knows, by name without the dot at its end, and what it was asked."""

    hostname = "127.0.0.1"

    def __init__(self) -> None:
        self.port = 0
        self.txt: dict[str, str] = {}
        self.questions: list[str] = []

    def find_txt(self, name: bytes, timeout: float = 5) -> bytes | None:
        """Ask the server as dkimpy wants it asked (its `dnsfunc`); blocks, so not on the server's own loop."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [self.hostname]
        resolver.port = self.port
        try:
            [answer] = resolver.resolve(name.decode("ascii"), "TXT", lifetime=timeout)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return b"".join(answer.strings)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Answer from what is known: the text, or that there is no such name."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True)
        self.questions.append(name)
        text = self.txt.get(name.lower())
        if text is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.TXT:
            starts = range(0, len(text), _LONGEST_STRING)
            strings = " ".join(f'"{text[start : start + _LONGEST_STRING]}"' for start in starts)
            response.answer.append(dns.rrset.from_text(question.name, _TTL_SECONDS, "IN", "TXT", strings))
        return response


class _Server(asyncio.DatagramProtocol):
    def __init__(self, wire: DnsWire) -> None:
        self._wire = wire

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._wire.answer(dns.message.from_wire(data)).to_wire(), addr)


@asynccontextmanager
async def dns_wire() -> AsyncIterator[DnsWire]:
    """Serve on a random port."""
    wire = DnsWire()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Server(wire), local_addr=(wire.hostname, 0)
    )
    wire.port = transport.get_extra_info("sockname")[1]
    try:
        yield wire
    finally:
        transport.close()
