"""Writing through the core of a mount, without a kernel: files that become datasets."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import stat
from collections.abc import Iterator

import pytest

from skyfs.mount.caller import Caller
from skyfs.mount.operations import Operations, Writing
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.tree import Tree

from .core import (
    CREATE,
    DATASET,
    FOLDER,
    NOTES,
    STRANGER,
    WRITER,
    Openers,
    close,
    core,
    create,
    names,
    read,
    refused,
    write,
)


@pytest.fixture
def openers() -> Openers:
    return Openers()


@pytest.fixture
def operations(empty: Repository, openers: Openers) -> Iterator[Operations]:
    with core(empty, openers) as operations:
        yield operations


@pytest.fixture
def replacing(empty: Repository, openers: Openers) -> Iterator[Operations]:
    with core(empty, openers, replace=True) as operations:
        yield operations


# -- a dataset -------------------------------------------------------------------------------------------


def test_a_dataset_appears_at_the_last_close(operations: Operations, empty: Repository) -> None:
    operations.mkdir(FOLDER, 0o755)
    number, handle = create(operations, DATASET)
    assert handle.direct, "the kernel must refuse shared mappings"
    operations.write(number, b'{"a": ', 0)
    operations.write(number, b"1}", 6)
    assert operations.getattr(DATASET, number)["st_size"] == 8
    assert refused(lambda: operations.getattr(DATASET, None, STRANGER)) == errno.ENOENT
    assert refused(lambda: operations.getattr(DATASET)) == errno.ENOENT
    assert refused(lambda: operations.open(DATASET, os.O_RDONLY, STRANGER)) == errno.ENOENT
    assert names(operations, FOLDER) == set()
    assert operations.getattr(DATASET, None, WRITER)["st_size"] == 8
    operations.flush(number, WRITER)
    assert names(operations, FOLDER) == {"exposure=903334.json"}
    assert operations.getattr(DATASET, None, STRANGER)["st_size"] == 8
    operations.release(number)
    assert empty.get("metrics", collections="r", instrument="HSC", exposure=903334) == {"a": 1}
    assert len(operations.handles) == 0


def test_nothing_is_stored_while_another_descriptor_may_be_written_to(
    operations: Operations, openers: Openers
) -> None:
    number, _ = create(operations, NOTES)
    openers.holding = True
    operations.flush(number, WRITER)  # of a shell that has moved its descriptor
    operations.write(number, b"one", 0)
    operations.flush(number, WRITER)
    assert refused(lambda: operations.getattr(NOTES)) == errno.ENOENT
    operations.write(number, b"two", 3)
    openers.holding = False
    operations.flush(number, WRITER)
    operations.release(number)
    assert read(operations, NOTES) == b"onetwo"


def test_a_file_that_was_opened_for_somebody_else_is_not_stored_empty(
    operations: Operations, openers: Openers
) -> None:
    number, _ = create(operations, NOTES)
    openers.anybody = True  # a process that is no descendant any more
    operations.flush(number, WRITER)
    operations.write(number, b"late", 0)
    close(operations, number, STRANGER)
    assert read(operations, NOTES) == b"late"


def test_who_cannot_be_looked_at_may_hold_a_descriptor(operations: Operations) -> None:
    unknown = Caller()
    number, _ = create(operations, NOTES, unknown)
    operations.write(number, b"x", 0)
    operations.flush(number, WRITER)
    assert refused(lambda: operations.getattr(NOTES)) == errno.ENOENT
    operations.release(number)
    assert read(operations, NOTES) == b"x", "release stores it"


def test_a_second_opener_writes_to_the_same_file(operations: Operations, openers: Openers) -> None:
    openers.parents[101] = WRITER.pid
    child = Caller(101, 1, 1)
    first, _ = create(operations, NOTES)
    operations.write(first, b"one", 0)
    second, _ = operations.open(NOTES, os.O_WRONLY | os.O_APPEND, child)
    operations.write(second, b"two", 0)
    close(operations, second, child)
    assert refused(lambda: operations.getattr(NOTES)) == errno.ENOENT, "the first one is still open"
    assert operations.read(first, 100, 0) == b"onetwo"
    close(operations, first)
    assert read(operations, NOTES) == b"onetwo"


def test_others_cannot_write_what_is_being_written(operations: Operations) -> None:
    number, _ = create(operations, NOTES)
    operations.write(number, b"mine", 0)
    assert refused(lambda: create(operations, NOTES, STRANGER)) == errno.EBUSY
    close(operations, number)
    assert read(operations, NOTES) == b"mine"


def test_an_empty_file_is_content(operations: Operations) -> None:
    write(operations, NOTES, b"")
    assert operations.getattr(NOTES)["st_size"] == 0
    number, _ = create(operations, "/r/summary.json")
    assert refused(lambda: close(operations, number)) == errno.EIO, "an empty file is no JSON"
    assert refused(lambda: operations.getattr("/r/summary.json")) == errno.ENOENT


def test_writes_go_anywhere_and_are_read_back(operations: Operations) -> None:
    number, _ = create(operations, NOTES)
    operations.write(number, b"world", 10)
    operations.write(number, b"hello", 0)
    assert operations.read(number, 100, 0) == b"hello\0\0\0\0\0world"
    operations.truncate(NOTES, 12, number)
    operations.truncate(NOTES, 14, number)
    operations.write(number, b"!", 13)
    assert operations.read(number, 3, 9) == b"\0wo"
    assert operations.read(number, 5, 14) == b""
    close(operations, number)
    assert read(operations, NOTES) == b"hello\0\0\0\0\0wo\0!"


@pytest.mark.parametrize("in_order", [True, False])
def test_the_digest_is_that_of_the_bytes(
    operations: Operations, empty: Repository, *, in_order: bool
) -> None:
    blocks = [bytes([one]) * 70_000 for one in range(4)]
    number, _ = create(operations, NOTES)
    for rank in range(4) if in_order else (2, 0, 3, 1):
        operations.write(number, blocks[rank], rank * 70_000)
    close(operations, number)
    stored = empty.resolve("notes", collections="r").locations[0]
    assert stored.sha256 == hashlib.sha256(b"".join(blocks)).digest()


def test_the_time_that_was_set_is_that_of_the_dataset(operations: Operations, empty: Repository) -> None:
    number, _ = create(operations, NOTES)
    operations.write(number, b"x", 0)
    operations.utimens(NOTES, None, 10**18 + 7)
    assert operations.getattr(NOTES, number)["st_mtime"] == 10**18 + 7
    close(operations, number)
    assert operations.getattr(NOTES)["st_mtime"] == 10**18 + 7
    assert empty.resolve("notes", collections="r").locations[0].mtime_ns == 10**18 + 7
    operations.utimens(NOTES, None, 10**18 + 8)
    assert operations.getattr(NOTES)["st_mtime"] == 10**18 + 8, "after it was stored"
    operations.utimens(NOTES, 1, None)
    assert operations.getattr(NOTES)["st_mtime"] == 10**18 + 8


def test_a_time_that_was_set_is_over_when_more_is_written(operations: Operations) -> None:
    number, _ = create(operations, NOTES)
    operations.utimens(NOTES, None, 5, number)
    operations.write(number, b"x", 0)
    close(operations, number)
    assert operations.getattr(NOTES)["st_mtime"] > 10**18


def test_permissions_are_remembered_until_it_is_stored(operations: Operations) -> None:
    number, _ = create(operations, NOTES)
    assert operations.getattr(NOTES, number)["st_uid"] == WRITER.uid
    operations.chmod(NOTES, 0o400)
    operations.chown(NOTES, -1, 55)
    found = operations.getattr(NOTES, number)
    assert (stat.S_IMODE(found["st_mode"]), found["st_uid"], found["st_gid"]) == (0o400, WRITER.uid, 55)
    close(operations, number)
    operations.chmod(NOTES, 0o777)
    operations.chown(NOTES, 7, 7)
    assert stat.S_IMODE(operations.getattr(NOTES)["st_mode"]) == 0o600


def test_extended_attributes_cannot_be_set(operations: Operations) -> None:
    write(operations, NOTES, b"x")
    assert refused(lambda: operations.setxattr(NOTES, "user.a", b"1", 0)) == errno.EOPNOTSUPP
    assert refused(lambda: operations.removexattr(NOTES, "security.x")) == errno.EOPNOTSUPP
    assert refused(lambda: operations.symlink("x", "/r/y")) == errno.EPERM


# -- refusals --------------------------------------------------------------------------------------------


def test_a_refused_dataset_leaves_nothing(
    operations: Operations, empty: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    write(operations, NOTES, b"x")
    before = snapshot(empty.root)
    number, _ = create(operations, "/r/summary.json")
    operations.write(number, b'{"a"', 0)
    assert refused(lambda: operations.flush(number, WRITER)) == errno.EIO
    assert refused(lambda: operations.write(number, b"x", 0)) == errno.ESTALE
    operations.release(number)
    assert snapshot(empty.root) == before
    assert names(operations, "/r") == {"notes"}
    refusal = operations.refusals()[-1]
    assert refusal.path == "/r/summary.json"
    assert "JSON" in refusal.reason
    assert refusal.time_ns > 10**18
    assert "JSON" in operations.getxattr("/r", "user.skyfs.refused").decode()
    assert operations.listxattr("/r") == ["user.skyfs.refused"]
    assert "JSON" in caplog.text


def test_what_is_refused_after_the_last_close_is_kept(operations: Operations) -> None:
    number, _ = create(operations, "/r/summary.json", Caller())
    operations.write(number, b"{", 0)
    operations.flush(number, WRITER)
    operations.release(number)
    assert [one.path for one in operations.refusals()] == ["/r/summary.json"]
    assert refused(lambda: operations.getattr("/r/summary.json")) == errno.ENOENT


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (f"{FOLDER}/exposure=1.json", errno.ENOENT),
        (f"{FOLDER}/exposure=903334.odd", errno.EINVAL),
        (f"{FOLDER}/exposure=903334.png", errno.EOPNOTSUPP),
        ("/r/photo/instrument=HSC/day_obs=20131102/exposure=903334.fits[1]", errno.EPERM),
        ("/t/notes", errno.EPERM),
        ("/.by-id/x", errno.EROFS),
        ("/top", errno.EINVAL),
        ("/r/%zz", errno.EINVAL),
        ("/locked/notes", errno.EPERM),
        ("/r/cube.zarr/zarr.json", errno.EPERM),
    ],
)
def test_what_can_be_refused_before_the_bytes_is(
    operations: Operations, empty: Repository, path: str, number: int
) -> None:
    write(operations, NOTES, b"x")
    empty.tag([empty.find("notes", collections="r")], "t")
    empty.put(b"x", "notes", run="locked")
    empty.lock("locked")
    before = snapshot(empty.root)
    assert refused(lambda: create(operations, path)) == number
    assert snapshot(empty.root) == before
    assert operations.refusals()[-1].path == path


def test_a_full_disk_is_said_to_be_full(operations: Operations, empty: Repository) -> None:
    number, _ = create(operations, NOTES)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert refused(lambda: operations.write(number, bytes(200_000), 0)) == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused(lambda: close(operations, number)) == errno.EFBIG
    assert refused(lambda: operations.getattr(NOTES)) == errno.ENOENT
    assert not list((empty.root / "data" / "r").glob("*"))


def test_what_is_open_when_the_mount_ends_is_discarded(empty: Repository, openers: Openers) -> None:
    operations = Operations(Tree(empty), writing=Writing(), processes=openers)
    before = snapshot(empty.root)
    number, _ = create(operations, NOTES)
    operations.write(number, b"half", 0)
    operations.close()
    assert snapshot(empty.root) == before
    assert operations.refusals()[-1].path == NOTES


# -- where a dataset exists --------------------------------------------------------------------------------


def test_a_dataset_is_not_written_over(operations: Operations) -> None:
    write(operations, NOTES, b"first")
    for flags in (os.O_WRONLY | os.O_TRUNC, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        assert refused(lambda flags=flags: operations.open(NOTES, flags, WRITER)) == errno.EEXIST  # type: ignore[misc]
    assert refused(lambda: create(operations, NOTES)) == errno.EEXIST
    assert refused(lambda: operations.truncate(NOTES, 0)) == errno.EEXIST
    assert read(operations, NOTES) == b"first"


def test_a_dataset_is_replaced_when_asked_for(replacing: Operations) -> None:
    write(replacing, NOTES, b"first")
    reader, _ = replacing.open(NOTES, os.O_RDONLY, STRANGER)
    number, _ = replacing.open(NOTES, CREATE, WRITER)
    replacing.write(number, b"second one", 0)
    assert read(replacing, NOTES) == b"first"
    assert replacing.getattr(NOTES, None, STRANGER)["st_size"] == 5
    assert replacing.getattr(NOTES, None, WRITER)["st_size"] == 10
    close(replacing, number)
    assert read(replacing, NOTES) == b"second one"
    assert refused(lambda: replacing.read(reader, 10, 0)) == errno.ESTALE
    replacing.release(reader)


def test_a_dataset_is_changed_in_its_middle(replacing: Operations) -> None:
    write(replacing, NOTES, b"0123456789")
    inode = replacing.getattr(NOTES)["st_ino"]
    number, _ = replacing.open(NOTES, os.O_RDWR, WRITER)
    assert replacing.getattr(NOTES, number)["st_ino"] == inode, "vim looks whether it is the same file"
    assert replacing.read(number, 4, 3) == b"3456"
    replacing.write(number, b"xy", 4)
    assert replacing.read(number, 100, 0) == b"0123xy6789"
    close(replacing, number)
    assert read(replacing, NOTES) == b"0123xy6789"
    replacing.truncate(NOTES, 5)
    assert read(replacing, NOTES) == b"0123x"
    number, _ = replacing.open(NOTES, os.O_WRONLY | os.O_APPEND, WRITER)
    replacing.write(number, b"!", 0)
    close(replacing, number)
    assert read(replacing, NOTES) == b"0123x!"


def test_a_dataset_that_was_only_opened_for_writing_stays(replacing: Operations, empty: Repository) -> None:
    write(replacing, NOTES, b"first")
    before = empty.find("notes", collections="r").id
    number, _ = replacing.open(NOTES, os.O_RDWR, WRITER)
    close(replacing, number)
    assert empty.find("notes", collections="r").id == before
    number, _ = replacing.open(NOTES, os.O_WRONLY, WRITER)
    replacing.utimens(NOTES, None, 77)  # touch
    close(replacing, number)
    assert empty.find("notes", collections="r").id == before
    assert replacing.getattr(NOTES)["st_mtime"] == 77


def test_a_refused_replacement_leaves_the_first(replacing: Operations) -> None:
    write(replacing, "/r/summary.json", b"{}")
    number, _ = replacing.open("/r/summary.json", CREATE, WRITER)
    replacing.write(number, b"{", 0)
    assert refused(lambda: close(replacing, number)) == errno.EIO
    assert read(replacing, "/r/summary.json") == b"{}"


# -- backups of editors ------------------------------------------------------------------------------------


def test_a_dataset_renamed_to_a_scratch_name_is_hidden_here(
    operations: Operations, empty: Repository
) -> None:
    write(operations, NOTES, b"first")
    operations.rename(NOTES, "/r/notes~")
    assert names(operations, "/r") == {"notes~"}
    assert read(operations, "/r/notes~") == b"first"
    assert refused(lambda: operations.getattr(NOTES)) == errno.ENOENT
    assert refused(lambda: operations.unlink(NOTES)) == errno.ENOENT
    assert refused(lambda: create(operations, NOTES)) == errno.EEXIST
    assert refused(lambda: operations.open("/r/notes~", os.O_WRONLY, WRITER)) == errno.EPERM
    assert empty.get("notes", collections="r") == b"first"
    assert names(Operations(Tree(empty)), "/r") == {"notes"}
    operations.rename("/r/notes~", NOTES)
    assert names(operations, "/r") == {"notes"}
    assert read(operations, NOTES) == b"first"


def test_a_dropped_backup_shows_the_dataset_again(operations: Operations) -> None:
    write(operations, NOTES, b"first")
    operations.rename(NOTES, "/r/.old")
    operations.rename("/r/.old", "/r/.older")
    operations.unlink("/r/.older")
    assert read(operations, NOTES) == b"first"


def test_an_editor_saves_by_renaming(replacing: Operations, empty: Repository) -> None:
    write(replacing, NOTES, b"first")
    replacing.rename(NOTES, "/r/notes~")
    number, _ = create(replacing, NOTES)
    replacing.write(number, b"second", 0)
    close(replacing, number)
    assert names(replacing, "/r") == {"notes", "notes~"}
    assert read(replacing, NOTES) == b"second"
    assert read(replacing, "/r/notes~") == b"first"
    assert empty.get("notes", collections="r") == b"second"
    replacing.unlink("/r/notes~")
    assert read(replacing, NOTES) == b"second"
    assert names(replacing, "/r") == {"notes"}


def test_an_editor_whose_save_is_refused_has_its_backup(replacing: Operations) -> None:
    write(replacing, "/r/summary.json", b"{}")
    replacing.rename("/r/summary.json", "/r/summary.json~")
    number, _ = create(replacing, "/r/summary.json")
    replacing.write(number, b"{", 0)
    assert refused(lambda: close(replacing, number)) == errno.EIO
    replacing.rename("/r/summary.json~", "/r/summary.json")
    assert read(replacing, "/r/summary.json") == b"{}"


def test_datasets_keep_their_paths(operations: Operations, empty: Repository) -> None:
    write(operations, NOTES, b"first")
    empty.chain("c", ["r"])
    for old, new in (
        (NOTES, "/r/other"),
        (NOTES, "/s/notes"),
        (NOTES, "/.notes"),
        ("/c/notes", "/c/notes~"),
        ("/r", "/s"),
    ):
        assert refused(lambda old=old, new=new: operations.rename(old, new)) == errno.EPERM  # type: ignore[misc]
    assert read(operations, NOTES) == b"first"
