"""Files by path: from one folder, and from nowhere else."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from providers.attachment_policy import AttachmentPolicy
from providers.attachment_root import open_without_links
from providers.errors import InvalidMessageError

ELSEWHERE = "not a readable file below"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "2026").mkdir(parents=True)
    (folder / "2026" / "invoice.pdf").write_bytes(b"%PDF")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "files-of-others").mkdir()
    (tmp_path / "files-of-others" / "a.txt").write_bytes(b"secret")
    return folder


def refused(policy: AttachmentPolicy, path: str) -> str:
    with pytest.raises(InvalidMessageError) as error:
        policy.read(path)
    assert error.value.field == "attachments"
    assert error.value.__cause__ is None
    assert "secret" not in error.value.reason
    return error.value.reason


def test_a_file_below_the_root_is_read_by_either_kind_of_path(root: Path) -> None:
    policy = AttachmentPolicy(root=root)

    assert policy.read("2026/invoice.pdf") == b"%PDF"
    assert policy.read(str(root / "2026" / "invoice.pdf")) == b"%PDF"
    assert policy.read("2026/../2026/./invoice.pdf") == b"%PDF"


def test_without_a_root_no_path_is_read(root: Path) -> None:
    assert "no folder" in refused(AttachmentPolicy(), str(root / "2026" / "invoice.pdf"))


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt", "2026/../../secret.txt", "/etc/passwd", "../files-of-others/a.txt", "..", "missing.pdf", "",
        "2026/invoice.pdf/..", "2026/invoice.pdf/x", "a\x00b", "\ud800", "x" * 5000, "//etc/passwd", "~/secret.txt",
    ],
)  # fmt: skip
def test_what_lies_elsewhere_and_what_is_missing_have_one_refusal(root: Path, path: str) -> None:
    reason = refused(AttachmentPolicy(root=root), path)

    assert ELSEWHERE in reason or "not a regular file" in reason


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/a.pdf", "HTTP://169.254.169.254/latest", "file:///etc/passwd", "file:etc/passwd", "ftp://x/y",
        "data:text/plain,hello", " https://example.org", "s3://bucket/key", "http:\\\\example.org", "cid:logo",
    ],
)  # fmt: skip
def test_a_url_is_never_fetched(root: Path, path: str) -> None:
    assert "URL" in refused(AttachmentPolicy(root=root), path)
    assert "URL" in refused(AttachmentPolicy(), path)


def test_a_link_is_followed_inside_the_root_and_not_out_of_it(root: Path, tmp_path: Path) -> None:
    (root / "latest.pdf").symlink_to("2026/invoice.pdf")
    (root / "this-year").symlink_to(root / "2026")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to("..")
    (root / "round").symlink_to("round")
    (tmp_path / "alias").symlink_to(root)
    policy = AttachmentPolicy(root=tmp_path / "alias")

    assert policy.read("latest.pdf") == policy.read("this-year/invoice.pdf") == b"%PDF"
    assert policy.read(str(tmp_path / "alias" / "latest.pdf")) == b"%PDF"
    for path in ("out.txt", "up/secret.txt", "round"):
        assert ELSEWHERE in refused(policy, path)


def test_only_regular_files_are_read_and_a_pipe_does_not_hold_us_up(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))  # the whole path may be over the 107 octets of an address
        policy = AttachmentPolicy(root=root)

        assert "regular" in refused(policy, "pipe")
        assert "regular" in refused(policy, "2026")
        assert "regular" in refused(policy, ".")
        assert ELSEWHERE in refused(policy, "socket")
        assert ELSEWHERE in refused(policy, "device")


def test_a_device_below_the_root_is_refused() -> None:
    assert "regular" in refused(AttachmentPolicy(root=Path("/dev")), "zero")


def test_a_file_is_read_up_to_the_limit_and_refused_above_it(root: Path) -> None:
    (root / "ten.txt").write_bytes(b"x" * 10)
    (root / "eleven.txt").write_bytes(b"x" * 11)
    (root / "endless.txt").touch()
    os.truncate(root / "endless.txt", 10**13)  # a hole of 10 TB: reading it all would be the end of us
    policy = AttachmentPolicy(root=root, max_file_bytes=10)

    assert policy.read("ten.txt") == b"x" * 10
    assert "over 10 bytes" in refused(policy, "eleven.txt")
    assert "over 10 bytes" in refused(policy, "endless.txt")


def test_a_file_that_grows_while_it_is_read_stays_within_the_limit_or_is_refused(root: Path) -> None:
    growing, stop = root / "growing.txt", threading.Event()
    growing.touch()

    def grow() -> None:
        with growing.open("ab", buffering=0) as file:
            while not stop.is_set() and file.tell() < 4_000_000:
                file.write(b"x" * 1000)

    writer = threading.Thread(target=grow)
    writer.start()
    policy = AttachmentPolicy(root=root, max_file_bytes=200_000)
    try:
        for _ in range(200):
            try:
                assert len(policy.read("growing.txt")) <= 200_000
            except InvalidMessageError as error:
                assert "over 200000 bytes" in error.reason  # noqa: PT017 -- either is right
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("steps", [("this-year", "invoice.pdf"), ("2026", "copy.pdf")])
def test_a_link_that_takes_the_place_of_a_step_meanwhile_is_not_followed(root: Path, steps: tuple[str, ...]) -> None:
    (root / "this-year").symlink_to(root / "2026")
    (root / "2026" / "copy.pdf").symlink_to("invoice.pdf")

    with ExitStack() as stack:
        assert os.read(open_without_links(str(root), ("2026", "invoice.pdf"), stack), 99) == b"%PDF"
        with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
            open_without_links(str(root), steps, stack)


def test_no_descriptor_is_left_open(root: Path) -> None:
    policy = AttachmentPolicy(root=root)
    before = len(list(Path("/proc/self/fd").iterdir()))

    for path in ["2026/invoice.pdf", "missing", "2026", "../secret.txt"] * 5:
        try:
            policy.read(path)
        except InvalidMessageError:
            continue

    assert len(list(Path("/proc/self/fd").iterdir())) == before
