"""A dataset that is being written is whole at the end, or it has never been."""

from __future__ import annotations

import gc
import gzip
import logging
import threading
from collections.abc import Callable

import fsspec
import pytest

import skyfs
from skyfs.errors import BadContent, Exists, NotFound
from skyfs.fs import SkyFileSystem
from skyfs.fs.files import WriteFile
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import staged

NAME = "/u/me/file.txt"


class Failure(Exception):
    """What goes wrong in these tests."""


def fail() -> None:
    raise Failure


def fail_inside(fs: SkyFileSystem, mode: str, compression: str | None = None) -> None:
    with fs.open(NAME, mode, compression=compression) as file:
        file.write("half" if "b" not in mode else b"half")
        raise Failure


def fail_inside_open_file(repo: Repository, mode: str, compression: str | None) -> None:
    with fsspec.open(f"skyfs://{NAME}", mode, repo=str(repo.root), compression=compression) as file:
        file.write("half" if "b" not in mode else b"half")
        raise Failure


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("mode", ["wb", "w", "xb", "x"])
def test_what_fails_is_discarded(
    fs: SkyFileSystem,
    unchanged: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    mode: str,
    compression: str | None,
) -> None:
    with pytest.raises(Failure):
        fail_inside(fs, mode, compression)
    unchanged()
    assert not caplog.records  # the error tells it all


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("mode", ["wb", "w"])
def test_what_fails_in_an_open_file_is_discarded(
    repo: Repository,
    unchanged: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    mode: str,
    compression: str | None,
) -> None:
    with pytest.raises(Failure):
        fail_inside_open_file(repo, mode, compression)
    unchanged()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "was not stored: it was closed while Failure" in caplog.text


def test_a_file_that_is_closed_finally(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    def write() -> None:
        file = fs.open(NAME, "wb")
        try:
            file.write(b"half")
            fail()
        finally:
            file.close()

    with pytest.raises(Failure):
        write()
    unchanged()


def test_a_file_that_an_earlier_error_has_led_to(fs: SkyFileSystem) -> None:
    try:
        fail()
    except Failure:
        with fs.open(NAME, "wb") as file:
            file.write(b"instead")
    assert fs.cat(NAME) == b"instead"


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_file_that_is_never_closed(
    fs: SkyFileSystem, unchanged: Callable[[], None], caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    fs.open(NAME, mode).write("half" if mode == "w" else b"half")
    gc.collect()
    unchanged()
    assert mode == "w" or "never closed" in caplog.text


def test_writing_goes_on_beside_an_open_file(fs: SkyFileSystem, repo: Repository) -> None:
    first = fs.open("/u/me/first.txt", "wb")
    second = fs.open("/u/me/second.txt", "wb")
    first.write(b"first")
    fs.pipe_file("/u/me/third.txt", b"third")
    repo.put({"fourth": 4}, "summary", run="u/me")
    second.write(b"second")
    first.close()
    fs.pipe_file("/u/me/fifth.txt", b"fifth")
    second.discard()
    second.close()
    names = ["fifth.txt", "first.txt", "summary.json", "third.txt"]
    assert fs.ls("/u/me", detail=False) == [f"/u/me/{name}" for name in names]
    assert fs.cat("/u/me/first.txt") == b"first"


def test_a_file_is_closed_by_another_thread(fs: SkyFileSystem) -> None:
    file = fs.open(NAME, "wb")
    file.write(b"one, ")
    thread = threading.Thread(target=lambda: (file.write(b"two"), file.close()))
    thread.start()
    thread.join()
    assert fs.cat(NAME) == b"one, two"
    fs.pipe_file("/u/me/other.txt", b"x")
    assert fs.exists("/u/me/other.txt")


def test_the_faster_writer_wins(fs: SkyFileSystem) -> None:
    slow = fs.open(NAME, "wb")
    slow.write(b"slow")
    fs.pipe_file(NAME, b"fast")
    with pytest.raises(Exists):
        slow.close()
    assert slow.closed
    assert fs.cat(NAME) == b"fast"


def test_writers_seek(fs: SkyFileSystem) -> None:
    with fs.open(NAME, "wb") as file:
        assert (file.readable(), file.writable(), file.seekable()) == (False, True, True)
        assert file.write(b"0123456789") == 10
        assert file.seek(2) == 2
        file.write(b"xy")
        assert file.tell() == 4
        assert file.truncate(8) == 8
        assert file.full_name == f"skyfs://{NAME}"
    assert fs.cat(NAME) == b"01xy4567"
    with pytest.raises(ValueError, match="closed"):
        file.write(b"more")
    file.close()


def test_compression(fs: SkyFileSystem) -> None:
    fs.repository.register("packed", [], "Bytes")
    data = b"text\n" * 1000
    with fs.open("/u/me/packed", "wb", compression="gzip") as file:
        file.write(data)
    assert gzip.decompress(fs.cat("/u/me/packed")) == data
    with fs.open("/u/me/packed", "rb", compression="gzip") as file:
        assert file.read(7) == data[:7]
        assert file.seek(1) == 1
        assert file.read() == data[1:]
    with fs.open("/u/me/packed", "r", compression="gzip") as text:
        assert text.readline() == "text\n"


def test_put_folders(fs: SkyFileSystem, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("put")
    (folder / "sub").mkdir()
    for name in ("a.txt", "sub/b.txt"):
        (folder / name).write_text(name)
    fs.put(str(folder), "/u/me/put", recursive=True)
    assert fs.cat("/u/me/put", recursive=True) == {
        "/u/me/put/a.txt": b"a.txt",
        "/u/me/put/sub/b.txt": b"sub/b.txt",
    }


def test_copies_between_runs(fs: SkyFileSystem) -> None:
    one = "calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1.json"
    fs.copy(f"/Cam/runs/a/{one}", f"/u/me/{one}")
    old, new = fs.info(f"/Cam/runs/a/{one}"), fs.info(f"/u/me/{one}")
    assert (old["sha256"], old["id"] == new["id"]) == (new["sha256"], False)
    with pytest.raises(Exists):
        fs.copy(f"/Cam/runs/b/{one}", f"/u/me/{one}")
    fs.cp_file(f"/Cam/runs/b/{one}", f"/u/me/{one}", replace=True)
    assert fs.cat(f"/u/me/{one}") == fs.cat(f"/Cam/runs/b/{one}")


# -- transactions


def test_a_transaction_that_fails_leaves_nothing(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    def write() -> None:
        with fs.transaction:
            fs.pipe_file("/u/me/a.txt", b"a")
            fs.pipe_file("/u/me/new/instrument=Cam.json", b"{}")
            assert staged(fs.repository)
            assert not fs.exists("/u")
            raise Failure

    with pytest.raises(Failure):
        write()
    unchanged()


def test_a_transaction_with_a_loser(fs: SkyFileSystem, repo: Repository) -> None:
    def write() -> None:
        with fs.transaction:
            fs.pipe_file("/u/me/a.txt", b"a")
            fs.pipe_file("/u/me/b.txt", b"b")
            fs.pipe_file("/u/me/c.txt", b"c")
            skyfs.filesystem(skyfs.open(repo.root, writable=True)).pipe_file("/u/me/b.txt", b"faster")

    with pytest.raises(Exists):
        write()
    assert fs.cat("/u/me", recursive=True) == {"/u/me/b.txt": b"faster"}
    fs.pipe_file("/u/me/a.txt", b"alone")
    assert fs.cat("/u/me/a.txt") == b"alone"


def test_a_transaction_with_damaged_content(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    def write() -> None:
        with fs.transaction:
            fs.pipe_file("/u/me/a.txt", b"a")
            fs.pipe_file("/u/me/b.json", b"{")

    with pytest.raises(BadContent):
        write()
    unchanged()


def test_a_transaction_leaves_out_what_failed_by_itself(fs: SkyFileSystem) -> None:
    with fs.transaction:
        fs.pipe_file("/u/me/a.txt", b"a")
        with pytest.raises(Failure):
            fail_inside(fs, "wb")
    assert fs.find("/u") == ["/u/me/a.txt"]


def test_transactions_without_a_block(fs: SkyFileSystem) -> None:
    fs.start_transaction()
    fs.pipe_file("/u/me/a.txt", b"a")
    with fs.open("/u/me/b.txt", "w") as file:
        file.write("b")
    assert not fs.exists("/u")
    fs.end_transaction()
    assert fs.cat("/u/me", recursive=True) == {"/u/me/a.txt": b"a", "/u/me/b.txt": b"b"}
    fs.pipe_file("/u/me/c.txt", b"c")
    assert fs.exists("/u/me/c.txt")


def test_a_transaction_replaces(fs: SkyFileSystem) -> None:
    fs.pipe_file(NAME, b"old")
    with fs.transaction:
        fs.pipe_file(NAME, b"new", mode="overwrite")
        assert fs.cat(NAME) == b"old"
    assert fs.cat(NAME) == b"new"


def test_a_transaction_removes_at_its_end(fs: SkyFileSystem, repo: Repository) -> None:
    fs.pipe({f"/u/me/{name}.txt": name.encode() for name in "abc"})
    repo.tag([repo.find("c", collections="u/me")], "u/tagged")
    with fs.transaction:
        fs.rm("/u/me/a.txt")
        fs.rm(["/u/me/*.txt", "/u/tagged/c.txt"])
        fs.pipe_file("/u/me/b.txt", b"again")
        fs.pipe_file("/u/me/c.txt", b"again", mode="overwrite")
        assert fs.cat("/u/me", recursive=True) == {f"/u/me/{name}.txt": name.encode() for name in "abc"}
        assert fs.exists("/u/tagged/c.txt")
    assert fs.cat("/u", recursive=True) == {"/u/me/b.txt": b"again", "/u/me/c.txt": b"again"}


def test_a_transaction_that_fails_removes_nothing(fs: SkyFileSystem, repo: Repository) -> None:
    fs.pipe_file("/u/me/mine.txt", b"mine")
    before = snapshot(repo.root)

    def write() -> None:
        with fs.transaction:
            fs.rm("/u/me", recursive=True)
            fs.pipe_file("/u/me/new.txt", b"new")
            raise Failure

    def lose() -> None:
        with fs.transaction:
            fs.rm("/u/me/mine.txt")
            with pytest.raises(NotFound):
                fs.rm("/u/me/nothing.txt")
            fs.pipe_file("/u/me/b.json", b"{")

    for change, error in ((write, Failure), (lose, BadContent)):
        with pytest.raises(error):
            change()
        assert snapshot(repo.root) == before
    fs.rm("/u/me/mine.txt")
    assert not fs.exists("/u/me/mine.txt")


def test_one_name_twice_in_a_transaction(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    def write() -> None:
        with fs.transaction:
            fs.pipe_file(NAME, b"one")
            fs.pipe_file(NAME, b"two")

    with pytest.raises(Exists):
        write()
    unchanged()


def test_committing_by_hand(fs: SkyFileSystem) -> None:
    file = fs.open(NAME, "wb", autocommit=False)
    assert isinstance(file, WriteFile)
    file.write(b"x")
    file.close()
    assert not fs.exists(NAME)
    file.commit()
    file.commit()
    file.discard()
    assert fs.cat(NAME) == b"x"
