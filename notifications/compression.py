"""How stored bytes are compressed: quickly, as every mail waits for it twice."""

from __future__ import annotations

import zlib

_LEVEL = 1
"""3 times smaller for a quarter of the time of the default level."""
_WINDOW_BITS = range(13, 16)


def compress(octets: bytes) -> bytes:
    """Return a zlib stream.

    The tables zlib works with are made to the measure of the input. Its own are 268 KB whatever comes, and fetching
    them into the caches costs three times as much as compressing a mail (65 and 20 us, to the same bytes).
    """
    bits = min(max(len(octets).bit_length(), _WINDOW_BITS[0]), _WINDOW_BITS[-1])
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, bits, bits - 7)
    return stream.compress(octets) + stream.flush()
