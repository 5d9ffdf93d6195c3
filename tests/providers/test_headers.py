"""Whatever is written into a name, a subject, an address, a header or a file name: the set of headers stays ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.attachment_policy import AttachmentPolicy
from providers.errors import InvalidAddressError, InvalidMessageError
from providers.headers import mailbox
from providers.mailbox import Mailbox, parse_address
from providers.mime import serialize
from tests.providers.mail_readers import READERS, Read, check_lines, unspaced
from tests.providers.messages import NOTIFICATION, a_message, searched

ALWAYS = [
    "date", "from", "to", "subject", "message-id", "x-outbound-id", "auto-submitted", "mime-version", "content-type",
]  # fmt: skip
ENCODED_BCC = "=?utf-8?q?a=0ABcc=3A_e=40x?="  # CVE-2024-6923
PADDED = "a@evil.example, pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad"  # gh-80222
COMMAS = "Doe, Zoë, of the department of very long names, and of commas, that are encoded"  # CVE-2025-1795
COMMENT = "(a comment that goes on (and on) and on \\) until it has to be folded somewhere near its end) x"  # gh-143935
HOSTILE = [
    ENCODED_BCC, PADDED, COMMAS, COMMENT, "=?utf-8?b?YQpCY2M6IGVAeA==?= tail", "a\r\nBcc: e@x", "a\n\nbody",
    "a\x00b\x7f",
    "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029", "right \u202eto left\u2066", "x" * 300, "word " * 70, 'quote " and \\',
    "alice@example.org]<bob@example.org>", "group: a, b;", "Zoë " * 40, "鍵" * 120, "🔑" * 60, "\ud800 lone", ": colon",
    "=?utf-8?q?=E2=82?= =?utf-8?q?=AC?=", "=? x ?=", "=?", ".", "-- \r\n.\r\n", "\u200b", "\t", "", "a\u00a0b\u3000c",
]  # fmt: skip
anything = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=150), st.text('=?utf8qbQB_@<>,;:()\\"\r\n \t', max_size=80)
)
every_reader = pytest.mark.parametrize("read", READERS)


def names(read: Read) -> list[str]:
    return sorted(read.header_names)


@every_reader
@searched
@example(subject=ENCODED_BCC, sender=ENCODED_BCC, reader=ENCODED_BCC)
@example(subject=PADDED, sender=PADDED, reader=PADDED)
@example(subject=COMMAS, sender=COMMAS, reader=COMMAS)
@example(subject=COMMENT, sender=COMMENT, reader=COMMENT)
@given(subject=anything, sender=anything, reader=anything)
def test_subject_and_names_come_back_and_add_nothing(
    read: Callable[[bytes], Read], subject: str, sender: str, reader: str
) -> None:
    from_, to, copy = (
        Mailbox(sender, "no@acme.example"),
        Mailbox(reader, "jane@example.org"),
        Mailbox(reader, "joe@example.org"),
    )
    message = a_message(subject=subject, from_=from_, to=(to,), cc=(copy,), reply_to=(from_, copy))

    content = serialize(message)

    check_lines(content)
    found = read(content)
    shown = [(unspaced(box.display_name), box.addr_spec) for box in (from_, to, copy)]
    assert names(found) == sorted([*ALWAYS, "cc", "reply-to"])
    assert unspaced(found.subject) == unspaced(message.subject)
    assert found.mailboxes == {
        "from": [shown[0]], "to": [shown[1]], "cc": [shown[2]], "reply-to": [shown[0], shown[2]],
    }  # fmt: skip


@every_reader
@searched
@example(address="alice@example.org)<bob@example.org>")  # CVE-2023-27043
@example(address="jane@d.org, evil@x.org")
@example(address="jane@bücher.example.org")
@example(address="zoë@example.org")
@example(address='"jane\r\nBcc: e"@example.org')
@given(
    address=st.one_of(
        st.emails(), st.text('ab.@,<>()[]":; \r\n\\ü', max_size=40).map(lambda text: f"{text}@example.org")
    )
)
def test_an_address_is_refused_or_the_only_one_in_its_header(read: Callable[[bytes], Read], address: str) -> None:
    try:
        accepted = parse_address(address)
    except InvalidAddressError:
        with pytest.raises(InvalidAddressError):
            Mailbox(None, address)
        return
    box = Mailbox("Jane", accepted)

    content = serialize(a_message(from_=box, to=(box,), rcpt_to=accepted, mail_from=accepted))

    check_lines(content)
    found = read(content)
    assert names(found) == sorted(ALWAYS)
    assert found.mailboxes == {"from": [("Jane", accepted)], "to": [("Jane", accepted)]}


@searched
@example(name="X-Foo: a\r\nBcc", value="e@x")
@example(name="X-Foo", value=ENCODED_BCC)
@example(name="X-Foo", value="a\x0bb")
@example(name="X-Foo", value="a\x7f")
@given(
    name=st.one_of(
        st.sampled_from(["X-Foo", "List-Id", "References", "Bcc", "From", "Content-Type"]), st.text(max_size=20)
    ),
    value=st.one_of(anything, st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=900)),
)
def test_a_header_is_refused_or_written_as_it_is(name: str, value: str) -> None:
    try:
        message = a_message(headers={name: value})
    except InvalidMessageError:
        return

    content = serialize(message)

    check_lines(content)
    for read in READERS:
        extra = [] if name.lower() == "auto-submitted" else [name.lower()]
        assert names(read(content)) == sorted([*ALWAYS, *extra])
    assert f"\r\n{name}: {value}\r\n".encode() in content.replace(b"\r\n ", b" ")


@every_reader
@searched
@example(filename="../../etc/pass\r\nwd.pdf")
@example(filename="a.pdf\x0b\x0c\x1c\x85\u2028")
@example(filename="=?utf-8?q?x=0Ay?=.pdf")
@example(filename='";\r\nBcc: e@x; x=".pdf')
@example(filename="鍵" * 200 + ".pdf")
@example(filename="a%20b*0*=c'd''e.pdf")
@given(filename=st.one_of(anything, anything.map(lambda stem: f"{stem}.pdf")))
def test_a_file_name_is_refused_or_comes_back_as_it_was_cleaned(read: Callable[[bytes], Read], filename: str) -> None:
    try:
        file = AttachmentPolicy().from_bytes(filename, b"%PDF \x00\xff")
        picture = AttachmentPolicy().from_bytes(f"{filename}.png", b"\x89PNG", cid="logo")
    except InvalidMessageError:
        return

    content = serialize(a_message(attachments=(file, picture)))

    check_lines(content)
    found = read(content)
    assert names(found) == sorted(ALWAYS)
    assert sorted(found.files) == sorted([(file.filename, file.content), (picture.filename, picture.content)])


@pytest.mark.parametrize("cid", ["a\r\nBcc: e@x", "a>b", "a\x0b", "a\u2028", "é", "a b"])
def test_a_cid_that_needs_care_is_refused(cid: str) -> None:
    with pytest.raises(InvalidMessageError):
        AttachmentPolicy().from_bytes("logo.png", b"\x89PNG", cid=cid)


@pytest.mark.parametrize("length", [77, 78, 500, 900])
def test_an_unsubscribe_address_of_any_length_stays_in_one_piece(length: int) -> None:
    url = f"<https://outbound.example/u/{'t' * (length - 29)}>"
    assert len(url) == length

    content = serialize(a_message(headers={"List-Unsubscribe": url}))

    check_lines(content)
    assert f"\r\nList-Unsubscribe: {url}\r\n".encode() in content


def test_cc_is_shown_in_its_own_header_only_and_there_is_no_header_for_bcc() -> None:
    content = serialize(a_message(rcpt_to="hidden@example.org", cc=(Mailbox("Joe", "joe@example.org"),)))

    head = content.partition(b"\r\n\r\n")[0]
    assert [line for line in head.split(b"\r\n") if b"joe@example.org" in line] == [b"Cc: Joe <joe@example.org>"]
    assert b"hidden" not in content
    assert b"bcc" not in content.lower()
    for read in READERS:
        assert names(read(content)) == sorted([*ALWAYS, "cc"])


def test_labels_and_tenant_are_in_no_header() -> None:
    message = a_message(tags=("spring-campaign",), user_id="user-17")

    content = serialize(message)

    assert str(message.tenant_id).encode() not in content
    assert b"spring" not in content
    assert b"user-17" not in content
    assert content.count(str(NOTIFICATION).encode()) == 2  # Message-ID and X-Outbound-Id


def test_hundreds_of_mailboxes_are_folded_after_their_commas() -> None:
    people = tuple(Mailbox(f"Person, number {number}", f"person{number}@example.org") for number in range(300))

    content = serialize(a_message(to=people))

    check_lines(content)
    for read in READERS:
        assert [addr for _, addr in read(content).mailboxes["to"]] == [person.addr_spec for person in people]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Jane Doe", "Jane Doe <j@example.org>"),
        ("Doe, Jane", '"Doe, Jane" <j@example.org>'),
        ('Jane "JD" \\', '"Jane \\"JD\\" \\\\" <j@example.org>'),
        ("Zoë", "=?utf-8?b?Wm/Dqw==?= <j@example.org>"),
        (ENCODED_BCC, f"=?utf-8?b?{'PT91dGYtOD9xP2E9MEFCY2M9M0FfZT00MHg/PQ=='}?= <j@example.org>"),
        (None, "j@example.org"),
    ],
)
def test_a_mailbox_is_written_plain_quoted_or_encoded(name: str | None, written: str) -> None:
    assert mailbox(Mailbox(name, "j@example.org")) == written


def test_a_long_file_name_is_not_folded_inside_its_quotes() -> None:
    name = "word " * 22 + "end.pdf"
    file = AttachmentPolicy().from_bytes(name, b"%PDF")

    assert f'\r\nContent-Disposition: attachment;\r\n filename="{name}"\r\n'.encode() in serialize(
        a_message(attachments=(file,))
    )
