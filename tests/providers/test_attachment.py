"""Base64 that is made once."""

from __future__ import annotations

import base64

from providers.attachment import Attachment, Base64Cache, base64_lines


def a_file(content: bytes) -> Attachment:
    return Attachment(filename="a.pdf", content=content, content_type="application/pdf")


def test_lines_are_those_of_the_standard_library_with_crlf() -> None:
    content = bytes(range(256)) * 3

    assert base64_lines(content) == base64.encodebytes(content).replace(b"\n", b"\r\n")
    assert base64_lines(b"") == b""


def test_equal_contents_are_encoded_once() -> None:
    cache = Base64Cache(max_bytes=1000)

    assert cache.lines(a_file(b"x" * 100)) is cache.lines(a_file(bytes(bytearray(b"x" * 100))))
    assert cache.encodings == 1


def test_the_least_recently_used_content_makes_room() -> None:
    cache = Base64Cache(max_bytes=300)
    first, second = cache.lines(a_file(b"1" * 60)), cache.lines(a_file(b"2" * 60))
    cache.lines(a_file(b"1" * 60))

    cache.lines(a_file(b"3" * 120))

    assert cache.lines(a_file(b"1" * 60)) is first
    assert cache.lines(a_file(b"2" * 60)) is not second


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = Base64Cache(max_bytes=10)

    assert cache.lines(a_file(b"x" * 100)) is not cache.lines(a_file(b"x" * 100))
    assert cache.encodings == 2
