"""What else is written through the core of a mount, without a kernel: scratch files, folders, tags."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.mount.operations import Operations, Writing
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.tree import Tree

from .core import (
    DATASET,
    FOLDER,
    NOTES,
    OTHER,
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
def operations(empty: Repository) -> Iterator[Operations]:
    with core(empty, Openers()) as operations:
        yield operations


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
