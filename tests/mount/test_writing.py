"""Writing through the core of a mount, without a kernel."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import resource
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.mount.caller import Caller
from skyfs.mount.failures import Refusal
from skyfs.mount.handles import Handle
from skyfs.mount.operations import Operations, Writing
from skyfs.mount.processes import Processes
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.tree import Tree

FOLDER = "/r/metrics/instrument=HSC/day_obs=20131102"
DATASET = f"{FOLDER}/exposure=903334.json"
OTHER = f"{FOLDER}/exposure=903336.json"
NOTES = "/r/notes"
WRITER, STRANGER = Caller(100, 1, 1), Caller(200, 2, 2)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Openers(Processes):
    """Processes of a test: those that have the file open, and which descend from which."""

    def __init__(self) -> None:
        super().__init__()
        self.holding = False
        self.anybody = False
        self.parents: dict[int, int] = {}

    def leader(self, pid: int) -> int:
        return pid

    def descends(self, pid: int, leaders: Collection[int]) -> bool:
        return pid in leaders or self.parents.get(pid) in leaders

    def hold(self, leaders: Collection[int], inodes: Collection[int]) -> bool:
        assert inodes
        return self.holding or 0 in leaders

    def any_hold(self, inodes: Collection[int]) -> bool:
        assert inodes
        return self.holding or self.anybody


@pytest.fixture
def openers() -> Openers:
    return Openers()


@pytest.fixture
def operations(empty: Repository, openers: Openers) -> Iterator[Operations]:
    operations = Operations(Tree(empty), writing=Writing(), processes=openers)
    operations.mkdir("/r", 0o755)
    yield operations
    operations.close()


@pytest.fixture
def replacing(empty: Repository, openers: Openers) -> Iterator[Operations]:
    operations = Operations(Tree(empty), writing=Writing(replace=True), processes=openers)
    operations.mkdir("/r", 0o755)
    yield operations
    operations.close()


def refused(request: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        request()
    assert caught.value.errno is not None
    return caught.value.errno


def create(operations: Operations, path: str, caller: Caller = WRITER) -> tuple[int, Handle]:
    return operations.create(path, CREATE, 0o644, caller)


def close(operations: Operations, number: int, caller: Caller = WRITER) -> None:
    """Do what the kernel does when the only descriptor is closed."""
    try:
        operations.flush(number, caller)
    finally:
        operations.release(number)


def write(operations: Operations, path: str, data: bytes) -> None:
    number, _ = create(operations, path)
    assert operations.write(number, data, 0) == len(data)
    close(operations, number)


def read(operations: Operations, path: str) -> bytes:
    size = operations.getattr(path)["st_size"]
    number, _ = operations.open(path, os.O_RDONLY, STRANGER)
    try:
        return operations.read(number, size + 1, 0)
    finally:
        operations.release(number)


def names(operations: Operations, path: str) -> set[str]:
    return {name for name, _ in operations.readdir(path)}


# -- a dataset -------------------------------------------------------------------------------------------


def test_a_dataset_appears_at_the_last_close(operations: Operations, empty: Repository) -> None:
    operations.mkdir(FOLDER, 0o755)
    number, handle = create(operations, DATASET)
    assert handle.direct, "the kernel must refuse shared mappings"
    assert not handle.stable
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


# -- scratch files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".x.swp", "x~", "#x#", "4913", "sedAb3dE9", ".notes.Xy12Zk"])
def test_scratch_files_are_registered_nowhere(operations: Operations, empty: Repository, name: str) -> None:
    before = snapshot(empty.root)
    path = f"/r/{name}"
    number, handle = create(operations, path)
    assert not handle.direct
    assert handle.token == operations.token(path) > 0
    assert handle.descriptor is not None
    operations.write(number, b"abc", 0)
    assert operations.getattr(path, None, STRANGER)["st_size"] == 3
    assert names(operations, "/r") == {name}
    assert read(operations, path) == b"abc"
    close(operations, number)
    assert read(operations, path) == b"abc"
    assert snapshot(empty.root) == before
    operations.unlink(path)
    assert refused(lambda: operations.getattr(path)) == errno.ENOENT
    assert names(operations, "/r") == set()


def test_a_scratch_file_is_read_and_written_while_it_has_no_name(operations: Operations) -> None:
    number, handle = create(operations, "/r/.x")
    operations.write(number, b"abc", 0)
    assert operations.path_of(handle.token) == "/r/.x"
    operations.unlink("/r/.x")
    assert refused(lambda: operations.path_of(handle.token)) == errno.ENOENT
    operations.write(number, b"d", 3)
    assert operations.read(number, 10, 0) == b"abcd"
    found = operations.attributes_of(handle.token)
    assert (found["st_size"], found["st_nlink"]) == (4, 0)
    close(operations, number)
    assert refused(lambda: operations.attributes_of(handle.token)) == errno.ESTALE


def test_a_scratch_file_becomes_a_dataset_by_its_name(operations: Operations, empty: Repository) -> None:
    write(operations, "/r/.notes.tmp", b"abc")
    operations.utimens("/r/.notes.tmp", None, 10**18)
    operations.rename("/r/.notes.tmp", NOTES)
    assert read(operations, NOTES) == b"abc"
    assert operations.getattr(NOTES)["st_mtime"] == 10**18
    assert names(operations, "/r") == {"notes"}
    assert empty.get("notes", collections="r") == b"abc"


def test_a_scratch_file_that_is_refused_stays(operations: Operations) -> None:
    write(operations, NOTES, b"first")
    write(operations, "/r/.tmp", b"{")
    assert refused(lambda: operations.rename("/r/.tmp", NOTES)) == errno.EEXIST
    assert refused(lambda: operations.rename("/r/.tmp", "/r/summary.json")) == errno.EIO
    assert refused(lambda: operations.rename("/r/.tmp", "/r/x.odd")) == errno.EINVAL
    assert read(operations, "/r/.tmp") == b"{"
    assert read(operations, NOTES) == b"first"
    assert len(operations.refusals()) == 3


def test_scratch_files_are_renamed(operations: Operations) -> None:
    write(operations, "/r/.a", b"a")
    write(operations, "/r/.b", b"b")
    assert refused(lambda: operations.rename("/r/.a", "/r/.b", 1)) == errno.EEXIST
    assert refused(lambda: operations.rename("/r/.a", "/r/.b", 2)) == errno.EINVAL
    operations.rename("/r/.a", "/r/.b")
    assert names(operations, "/r") == {".b"}
    assert read(operations, "/r/.b") == b"a"
    assert refused(lambda: operations.rename("/r/.a", "/r/.c")) == errno.ENOENT


def test_in_scratch_folders_all_is_scratch(operations: Operations, empty: Repository) -> None:
    before = snapshot(empty.root)
    operations.mkdir("/r/.git", 0o755)
    operations.mkdir("/r/.git/objects", 0o755)
    write(operations, "/r/.git/objects/x=y.odd", b"abc")
    write(operations, "/r/.git/HEAD", b"ref")
    assert names(operations, "/r/.git") == {"objects", "HEAD"}
    operations.rename("/r/.git", "/r/.old")
    assert read(operations, "/r/.old/objects/x=y.odd") == b"abc"
    assert refused(lambda: operations.rmdir("/r/.old")) == errno.ENOTEMPTY
    assert refused(lambda: operations.rename("/r/.old", "/r/new")) == errno.EPERM
    operations.unlink("/r/.old/objects/x=y.odd")
    operations.rmdir("/r/.old/objects")
    operations.unlink("/r/.old/HEAD")
    operations.rmdir("/r/.old")
    assert names(operations, "/r") == set()
    assert snapshot(empty.root) == before


def test_space_is_taken_for_scratch_files_only(operations: Operations) -> None:
    number, _ = create(operations, "/r/.x")
    operations.fallocate(number, 0, 0, 8192)
    assert operations.getattr("/r/.x")["st_blocks"] >= 16
    assert refused(lambda: operations.fallocate(number, 3, 0, 10)) == errno.EOPNOTSUPP
    close(operations, number)
    number, _ = create(operations, NOTES)
    assert refused(lambda: operations.fallocate(number, 0, 0, 10)) == errno.EOPNOTSUPP
    operations.release(number)


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


# -- removing, folders, tags -------------------------------------------------------------------------------


def test_removing_follows_the_collection(operations: Operations, empty: Repository) -> None:
    write(operations, NOTES, b"x")
    empty.tag([empty.find("notes", collections="r")], "t")
    empty.chain("c", ["r"])
    assert refused(lambda: operations.unlink("/c/notes")) == errno.EPERM
    assert refused(lambda: operations.unlink("/.by-id/x")) == errno.ENOENT
    operations.unlink("/t/notes")
    assert empty.get("notes", collections="r") == b"x"
    operations.unlink(NOTES)
    assert refused(lambda: operations.getattr(NOTES)) == errno.ENOENT
    assert refused(lambda: operations.getattr("/c/notes")) == errno.ENOENT, "at once, through chains too"
    assert not list((empty.root / "data").glob("r/*"))


def test_rm_r_finds_each_folder_until_it_is_removed(operations: Operations, empty: Repository) -> None:
    operations.mkdir(FOLDER, 0o755)
    write(operations, DATASET, b"{}")
    write(operations, OTHER, b"{}")
    fresh = Operations(Tree(empty), writing=Writing(), processes=Openers())
    assert refused(lambda: fresh.rmdir(FOLDER)) == errno.ENOTEMPTY
    fresh.unlink(DATASET)
    fresh.unlink(OTHER)
    assert names(fresh, FOLDER) == set()
    assert refused(lambda: fresh.rmdir("/r")) == errno.ENOTEMPTY
    parts = FOLDER.split("/")
    for width in range(len(parts), 1, -1):
        folder = "/".join(parts[:width])
        fresh.rmdir(folder)
        assert refused(lambda folder=folder: fresh.getattr(folder)) == errno.ENOENT  # type: ignore[misc]
    assert names(fresh, "/") == set()
    fresh.close()


def test_folders_are_remembered_by_their_mount_alone(operations: Operations, empty: Repository) -> None:
    before = snapshot(empty.root)
    operations.mkdir("/u/me/run", 0o755)
    assert names(operations, "/u") == {"me"}
    assert stat.S_ISDIR(operations.getattr("/u/me")["st_mode"])
    assert refused(lambda: operations.mkdir("/u/me", 0o755)) == errno.EEXIST
    operations.utimens("/u/me", None, 5)
    assert operations.getattr("/u/me")["st_mtime"] == 5
    operations.rename("/u/me/run", "/u/me/walk")
    assert names(operations, "/u/me") == {"walk"}
    assert refused(lambda: Operations(Tree(empty)).getattr("/u")) == errno.ENOENT
    assert snapshot(empty.root) == before


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/.repo/x", errno.EROFS),
        ("/r/%zz", errno.EINVAL),
        ("/r/cube.zarr", errno.EPERM),
        ("/r/metrics/exposure=1/x/y", errno.EINVAL),
    ],
)
def test_folders_that_could_hold_nothing_are_refused(operations: Operations, path: str, number: int) -> None:
    assert refused(lambda: operations.mkdir(path, 0o755)) == number


def test_a_link_into_a_tagged_collection_tags(operations: Operations, empty: Repository) -> None:
    write(operations, NOTES, b"x")
    write(operations, "/r/summary.json", b"{}")
    empty.tag([empty.find("notes", collections="r")], "t")
    operations.link("/r/summary.json", "/t/summary.json")
    assert names(operations, "/t") == {"notes", "summary.json"}
    assert read(operations, "/t/summary.json") == b"{}"
    assert refused(lambda: operations.link(NOTES, "/r/other")) == errno.EPERM
    assert refused(lambda: operations.link(NOTES, "/t/other")) == errno.EPERM
    assert refused(lambda: operations.link(NOTES, "/new/notes")) == errno.EPERM
    assert refused(lambda: operations.link("/r/none", "/t/none")) == errno.ENOENT


def test_times_of_files_that_are_not_skyfs_own_stay(
    operations: Operations, empty: Repository, tmp_path: Path
) -> None:
    file = tmp_path / "notes"
    file.write_bytes(b"x")
    empty.ingest([skyfs.IngestFile(file, {})], "notes", run="in/place", mode="direct")
    assert refused(lambda: operations.utimens("/in/place/notes", None, 5)) == errno.EPERM
    assert operations.getattr("/in/place/notes")["st_mtime"] == file.stat().st_mtime_ns


def test_a_mount_without_writing_refuses_all_of_it(empty: Repository) -> None:
    empty.put(b"x", "notes", run="r")
    operations = Operations(Tree(empty))
    requests: list[Callable[[], object]] = [
        lambda: create(operations, "/r/.x"),
        lambda: operations.mkdir("/x", 0o755),
        lambda: operations.unlink(NOTES),
        lambda: operations.rename(NOTES, "/r/notes~"),
        lambda: operations.link(NOTES, "/t/notes"),
        lambda: operations.truncate(NOTES, 0),
        lambda: operations.utimens(NOTES, 1, 1),
        lambda: operations.chmod(NOTES, 0o777),
        lambda: operations.chown(NOTES, 1, 1),
        lambda: operations.setxattr(NOTES, "user.x", b"", 0),
        lambda: operations.access(NOTES, os.W_OK),
        lambda: operations.open(NOTES, os.O_WRONLY, WRITER),
    ]
    assert {refused(request) for request in requests} == {errno.EROFS}


def test_an_unexpected_error_is_an_errno_and_a_line(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr("skyfs.tree.editing.Editor.draft", broken)
        assert refused(lambda: create(operations, NOTES)) == errno.EIO
    assert "boom" in caplog.text
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    write(operations, NOTES, b"x")
    assert read(operations, NOTES) == b"x"
