"""What may be attached, and what is refused, whatever it is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.attachment import MAX_FILENAME, Attachment
from providers.attachment_executables import REFUSED_EXTENSIONS
from providers.attachment_policy import AttachmentPolicy, clean_filename
from providers.attachment_types import TYPE_OF, extension_of
from providers.errors import InvalidMessageError
from tests.providers.messages import searched

POLICY = AttachmentPolicy()
PROGRAM = b"MZ\x90\x00" + bytes(60) + b"This program cannot be run in DOS mode."


def reason(error: pytest.ExceptionInfo[InvalidMessageError]) -> str:
    assert error.value.field == "attachments"
    return error.value.reason


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\jane\\invoice.pdf", "invoice.pdf"),
        ("a/b\\c.pdf", "c.pdf"),
        ("  two \t words\r\n.pdf", "two words .pdf"),
        ("inv\x00oi\u200bce\u202efdp.pdf", "invoicefdp.pdf"),
        ("lone \ud800 half.pdf", "lone half.pdf"),
        ("invoice.pdf. . ", "invoice.pdf"),
        ('what? a "file": <1|2>*.pdf', "what_ a _file__ _1_2__.pdf"),
        ("Zoe\u0308's Größe.pdf", "Zoë's Größe.pdf"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("x" * 300, "x" * MAX_FILENAME),
        ("a." + "x" * 300, ("a." + "x" * 300)[:MAX_FILENAME]),
        (".htaccess", ".htaccess"),
    ],
)
def test_a_file_name_is_the_last_part_of_its_path_cleaned_and_short(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


@pytest.mark.parametrize("given", ["", " ", "..", "a/", "\\", "\u200b", ". . ."])
def test_a_file_name_of_nothing_is_refused(given: str) -> None:
    with pytest.raises(InvalidMessageError, match="empty"):
        POLICY.from_bytes(given, b"")


@searched
@given(name=st.text(max_size=200))
def test_a_cleaned_file_name_is_clean_and_fit_for_an_attachment(name: str) -> None:
    try:
        cleaned = clean_filename(name)
    except InvalidMessageError:
        return

    assert clean_filename(cleaned) == cleaned
    assert len(cleaned) <= MAX_FILENAME
    assert Attachment(filename=cleaned, content=b"", content_type="application/octet-stream").filename == cleaned


@pytest.mark.parametrize(
    ("filename", "content_type", "agreed"),
    [
        ("a.pdf", None, "application/pdf"),
        ("A.PDF", "application/pdf", "application/pdf"),
        ("a.pdf", "Application/PDF", "application/pdf"),
        ("a.pdf", "application/octet-stream", "application/pdf"),
        ("a.pdf", "application/x-pdf", "application/pdf"),
        ("a.jpg", "image/jpg", "image/jpeg"),
        ("a.csv", "application/vnd.ms-excel", "text/csv"),
        ("a.csv", "text/csv; charset=utf-8", "text/csv; charset=utf-8"),
        ("a.csv", "application/csv; charset=utf-8", "text/csv; charset=utf-8"),
        ("a.log", "text/plain", "text/plain"),
        ("a.zip", "application/x-zip-compressed", "application/zip"),
        ("a.ics", "text/calendar; charset=utf-8; method=REQUEST", "text/calendar; charset=utf-8; method=REQUEST"),
        ("a.docx", None, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.odt", None, "application/vnd.oasis.opendocument.text"),
        ("a.tar.gz", "application/gzip", "application/gzip"),
        ("a.unknown", None, "application/octet-stream"),
        ("a.unknown", "application/octet-stream", "application/octet-stream"),
        ("README", "text/plain", "text/plain"),
        ("a.cad7", "application/x-cad", "application/x-cad"),
    ],
)
def test_the_content_type_is_the_one_that_the_extension_stands_for(
    filename: str, content_type: str | None, agreed: str
) -> None:
    assert POLICY.from_bytes(filename, b"x", content_type).content_type == agreed


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.pdf", "image/png"),
        ("a.png", "image/jpeg"),
        ("a.csv", "application/pdf"),
        ("a.txt", "text/html"),
        ("a.pdf", "application/x-msdownload"),
        ("a.docx", "application/zip"),
        ("a.eml", "message/rfc822"),  # a leaf that may not be written in base64 (RFC 2045 §6.4)
        ("a.unknown", "nonsense"),
        ("a.unknown", ""),
    ],
)
def test_an_extension_and_a_content_type_that_differ_are_refused(filename: str, content_type: str) -> None:
    with pytest.raises(InvalidMessageError, match="content type"):
        POLICY.from_bytes(filename, b"x", content_type)


def test_an_attachment_made_without_the_policy_has_an_agreed_type_too() -> None:
    assert Attachment(filename="a.jpg", content=b"", content_type="image/pjpeg").content_type == "image/jpeg"
    with pytest.raises(InvalidMessageError, match="agree"):
        Attachment(filename="a.pdf", content=b"", content_type="text/plain")


@pytest.mark.parametrize(
    "filename",
    [
        "a.exe", "A.EXE", "invoice.pdf.exe", "invoice.pdf            .exe", "a.exe.", "a.exe . .", "a.exe\u200b",
        "a.ex\u00ade", "fdp\u202eexe.exe", "a.\uff45\uff58\uff45", "a\uff0eexe", "a\u2024exe", "a.exe\u00a0",
        "a. exe", ".exe",
        "a.com", "a.bat", "a.cmd", "a.scr", "a.js", "a.jse", "a.vbs", "a.msi", "a.jar", "a.ps1", "a.hta", "a.html",
        "a.htm", "a.svg", "a.lnk", "a.iso", "a.img", "a.docm", "a.xlsm", "a.pptm", "a.url", "a.reg", "a.dll", "a.apk",
        "a.dmg", "a.sh", "a.py", "a.vhd", "a.pdf.appref-ms", "a.{3050F4D8-98B5-11CF-BB82-00AA00BDCE0B}",
    ],
)  # fmt: skip
def test_a_file_that_runs_when_it_is_opened_is_refused_however_it_is_written(filename: str) -> None:
    with pytest.raises(InvalidMessageError) as refused:
        POLICY.from_bytes(filename, b"x")

    assert "runs" in reason(refused)
    assert "exe" not in reason(refused)


@pytest.mark.parametrize(
    "filename", ["annual.exe.pdf", "www.example.com.pdf", "a.exe::$DATA", "executive", "node.js.txt"]
)
def test_a_dangerous_word_that_is_not_the_extension_is_no_reason(filename: str) -> None:
    assert POLICY.from_bytes(filename, b"x").content == b"x"


@pytest.mark.parametrize(
    "content_type", ["application/x-msdownload", "text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml"]
)
def test_a_content_type_that_runs_is_refused_where_the_extension_says_nothing(content_type: str) -> None:
    with pytest.raises(InvalidMessageError, match="runs"):
        POLICY.from_bytes("page", b"x", content_type)


@pytest.mark.parametrize(
    "content",
    [PROGRAM, b"\x7fELF\x02\x01\x01", b"#!/bin/sh\nrm -rf ~\n", b"\xcf\xfa\xed\xfe\x07", b"\xca\xfe\xba\xbe\x00",
     b"L\x00\x00\x00\x01\x14\x02\x00\x00", b"ITSF\x03\x00"],
)  # fmt: skip
@pytest.mark.parametrize("filename", ["invoice.pdf", "invoice", "invoice.unknown"])
def test_a_program_under_another_name_is_refused(filename: str, content: bytes) -> None:
    with pytest.raises(InvalidMessageError, match="program"):
        POLICY.from_bytes(filename, content)


def test_prose_that_begins_like_a_program_is_no_program() -> None:
    text = b"MZ-AB 123 is the number plate of a car from Mainz, and this is a text about it and others.\n"

    assert POLICY.from_bytes("plates.txt", text).content == text


def test_a_refused_kind_can_be_allowed_by_its_extension_and_no_other_with_it() -> None:
    policy = AttachmentPolicy(allow_extensions=frozenset({".EXE", "svg"}))

    assert policy.from_bytes("setup.exe", PROGRAM).content == PROGRAM
    assert policy.from_bytes("logo.svg", b"<svg/>").content_type == "image/svg+xml"
    with pytest.raises(InvalidMessageError, match="runs"):
        policy.from_bytes("setup.msi", b"x")
    with pytest.raises(InvalidMessageError, match="program"):
        policy.from_bytes("setup.pdf", PROGRAM)


def test_sizes_and_numbers_are_limited_exactly() -> None:
    policy = AttachmentPolicy(max_file_bytes=10, max_total_bytes=25, max_count=3)
    ten, five = policy.from_bytes("a.txt", b"x" * 10), policy.from_bytes("b.txt", b"x" * 5)
    larger = Attachment(filename="c.txt", content=b"x" * 11, content_type="text/plain")

    policy.check(())
    policy.check((ten, ten, five))
    with pytest.raises(InvalidMessageError, match="over 10 bytes"):
        policy.from_bytes("a.txt", b"x" * 11)
    with pytest.raises(InvalidMessageError, match="over 10 bytes"):
        policy.check((larger,))
    with pytest.raises(InvalidMessageError, match="over 25 bytes together"):
        policy.check((ten, ten, ten))
    with pytest.raises(InvalidMessageError, match="more than 3"):
        policy.check((five, five, five, five))


def test_the_defaults_are_seven_megabytes_a_file_and_ten_a_mail() -> None:
    assert (POLICY.max_file_bytes, POLICY.max_total_bytes) == (7 * 1024 * 1024, 10 * 1024 * 1024)
    assert POLICY.root is None


def test_no_refusal_repeats_what_was_given() -> None:
    for filename, content, content_type in [("secret.exe", b"x", None), ("secret.pdf", b"secret", "image/png")]:
        with pytest.raises(InvalidMessageError) as refused:
            POLICY.from_bytes(filename, content, content_type)
        assert "secret" not in str(refused.value)


def test_every_extension_of_the_table_gets_the_type_it_has_there() -> None:
    everything = AttachmentPolicy(allow_extensions=REFUSED_EXTENSIONS)

    for extension, content_type in TYPE_OF.items():
        if not content_type.startswith("message/"):
            assert everything.from_bytes(f"a.{extension}", b"x").content_type == content_type
        assert extension_of(f"a.{extension}") == extension
