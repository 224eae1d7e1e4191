"""What only a store on disk can do wrong: modes, links, full disks, other filesystems."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.abc.store import Adoption
from skyfs.errors import Exists, NotFound, ReadOnly, StoreError
from skyfs.stores import local_batch
from skyfs.stores.local import LocalStore
from skyfs.testing.store_suite import fill, get, held, put

from .conftest import paths


@pytest.fixture
def umask() -> Iterator[None]:
    """Set a umask that keeps group bits."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def modes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*")}


# -- modes


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("shared", "file_mode", "folder_mode"), [(False, 0o600, 0o700), (True, 0o664, 0o775)]
)
def test_modes(root: Path, tmp_path: Path, *, shared: bool, file_mode: int, folder_mode: int) -> None:
    (tmp_path / "source").write_bytes(b"x")
    store = LocalStore(root, name="disk", shared=shared)
    batch = fill(store.begin(), {"a/b/k": b"x"})
    batch.adopt("a/copy", str(tmp_path / "source"), Adoption.COPY)
    batch.publish()
    for path, mode in modes(root).items():
        assert mode == (folder_mode if (root / path).is_dir() else file_mode), path
    assert store.stat("a/b/k").mode == file_mode
    batch.settle()
    store.close()


def test_adopted_links_keep_their_mode(store: LocalStore, root: Path, tmp_path: Path) -> None:
    for how in (Adoption.MOVE, Adoption.LINK):
        source = tmp_path / how.value
        source.write_bytes(b"x")
        source.chmod(0o444)
        batch = store.begin()
        batch.adopt(how.value, str(source), how)
        batch.publish()
        batch.settle()
    assert modes(root)["move"] == modes(root)["link"] == 0o444


# -- reading


def test_local_path_and_plain_file(store: LocalStore, root: Path) -> None:
    put(store, {"a/k": b"0123456789"})
    with store.open("a/k") as source:
        assert source.local_path == str(root / "a/k")
        with source.open() as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert mapped[2:5] == b"234"
            assert file.name == str(root / "a/k")


def test_a_replaced_name_does_not_fool_an_open_source(store: LocalStore, root: Path) -> None:
    put(store, {"k": b"mine"})
    with store.open("k") as source:
        (root / "k").unlink()
        (root / "k").write_bytes(b"other")
        with source.open() as file:
            assert file.read() == b"mine"


def test_truncation_in_place_is_an_error(store: LocalStore, root: Path) -> None:
    put(store, {"k": b"0123456789"})
    with store.open("k") as source:
        os.truncate(root / "k", 4)
        assert source.read(0, 4) == b"0123"
        with pytest.raises(StoreError, match="truncated"):
            source.read(0, 10)


def test_long_reads_are_put_together(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, {"k": b"0123456789" * 10})
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, size, start: real(descriptor, min(size, 7), start))
    with store.open("k") as source:
        assert source.read(3, 95) == (b"0123456789" * 10)[3:95]


def test_an_unclosed_source_warns(store: LocalStore) -> None:
    put(store, {"k": b"x"})
    source = store.open("k")
    with pytest.warns(ResourceWarning, match="unclosed 'k'"):
        source.__del__()


def test_what_is_no_file(store: LocalStore, root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "dangling").symlink_to("nowhere")
    (root / "folder").mkdir()
    for look in (store.open, store.stat):
        with pytest.raises(StoreError, match="FIFO"):
            look("fifo")
        for key in ("dangling", "folder"):
            with pytest.raises(NotFound):
                look(key)
    assert held(store) == {}


def test_a_key_below_a_file_cannot_be_written(store: LocalStore) -> None:
    put(store, {"a": b"x"})
    batch = store.begin()
    with pytest.raises(StoreError, match="a folder of the key is a file"):
        batch.create("a/b")
    batch.undo()


def test_a_file_cannot_take_the_place_of_a_folder(store: LocalStore) -> None:
    put(store, {"a/b": b"x"})
    batch = store.begin()
    with pytest.raises(Exists):
        batch.create("a")
    batch.undo()


def test_a_missing_root_is_not_made(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "unmounted", name="disk")
    assert held(store) == {}
    assert store.recover(lambda _: True) == 0
    batch = store.begin()
    with pytest.raises(StoreError, match="mounted"):
        batch.create("k")
    batch.undo()
    assert not (tmp_path / "unmounted").exists()


def test_a_read_only_store_writes_nothing(root: Path) -> None:
    (root / ".skyfs/staging/1-abc").mkdir(parents=True)
    (root / "k").write_bytes(b"x")
    before = paths(root)
    store = LocalStore(root, name="disk", writable=False)
    with pytest.raises(ReadOnly, match="disk"):
        store.begin()
    assert store.recover(lambda _: False) == 0
    assert held(store) == {"k": b"x"}
    store.close()
    assert paths(root) == before


def test_files_ingested_in_place_are_read_from_the_root_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "k.fits").write_bytes(b"in place")
    store = LocalStore("/", name="direct", writable=False)
    key = str(tmp_path / "k.fits").lstrip("/")
    assert get(store, key) == b"in place"
    assert [key for key, _ in store.scan(key)] == [key]
    with store.open(key) as source:
        assert source.local_path == f"/{key}"


# -- symbolic links


def test_folder_links_out_of_the_root_are_not_written_through(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "k").write_bytes(b"theirs")
    (root / "out").symlink_to(outside)
    store = LocalStore(root, name="disk")
    for key in ("out/new", "out/deep/new"):
        batch = fill(store.begin(), {"a/first": b"x", key: b"x"})
        with pytest.raises(StoreError, match="leads out of the root"):
            batch.publish()
        batch.undo()
        assert paths(outside) == ["k"]
    batch = store.begin()
    with pytest.raises(StoreError, match="leads out of the root"):
        batch.delete("out/k")
    batch.undo()
    assert (outside / "k").read_bytes() == b"theirs"
    store.close()
    assert paths(root) == ["out"]


def test_a_folder_swapped_for_a_link_after_publish_is_not_followed(root: Path, tmp_path: Path) -> None:
    store = LocalStore(root, name="disk")
    put(store, {"a/k": b"old"})
    outside = tmp_path / "outside"
    (root / "a").rename(outside)
    (root / "a").mkdir()
    batch = store.begin()
    (root / "a").rmdir()
    outside.rename(root / "a")
    batch.delete("a/k")
    batch.publish()
    (root / "a").rename(outside)
    (root / "a").symlink_to(outside)
    with pytest.raises(StoreError, match="leads out of the root"):
        batch.settle()
    assert (outside / "k").read_bytes() == b"old"
    with pytest.raises(StoreError, match="order"):
        batch.undo()
    (root / "a").unlink()
    outside.rename(root / "a")
    batch.settle()
    store.close()
    assert paths(root) == []


def test_folder_links_inside_the_root_are_ordinary(store: LocalStore, root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")
    put(store, {"link/a/k": b"x"})
    assert (root / "real/a/k").read_bytes() == b"x"
    assert set(held(store)) == {"real/a/k"}


def test_links_as_files_are_read_and_deleted_alone(store: LocalStore, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    batch = store.begin()
    batch.adopt("a/k", os.path.relpath(source), Adoption.SYMLINK)
    batch.publish()
    batch.settle()
    assert (root / "a/k").readlink() == source
    assert held(store) == {"a/k": b"x"}
    source.unlink()
    assert held(store) == {}
    batch = store.begin()
    batch.delete("a/k")
    batch.publish()
    batch.settle()
    assert paths(root) == [".skyfs", *[path for path in paths(root) if path.startswith(".skyfs/")]]


@pytest.mark.parametrize("how", [Adoption.MOVE, Adoption.LINK, Adoption.COPY])
def test_adopting_a_link_takes_what_it_points_to(
    store: LocalStore, root: Path, tmp_path: Path, how: Adoption
) -> None:
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "link").symlink_to("target")
    batch = store.begin()
    batch.adopt("k", str(tmp_path / "link"), how)
    batch.publish()
    batch.settle()
    assert not (root / "k").is_symlink()
    assert (root / "k").read_bytes() == b"x"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").exists() == (how is not Adoption.MOVE)


# -- digests


def test_writing_by_descriptor_gives_the_right_digest(store: LocalStore) -> None:
    batch = store.begin()
    with batch.create("k") as file:
        file.write(b"header ")
        file.flush()
        subprocess.run([sys.executable, "-c", "print('child', end='')"], stdout=file, check=True)
    content = batch.publish()["k"]
    batch.settle()
    assert get(store, "k") == b"header child"
    assert content.sha256 == hashlib.sha256(b"header child").digest()


def test_overwriting_by_descriptor_gives_the_right_digest(store: LocalStore) -> None:
    batch = store.begin()
    with batch.create("k") as file:
        file.write(b"0123456789")
        file.flush()
        os.pwrite(file.fileno(), b"X", 3)
    content = batch.publish()["k"]
    batch.settle()
    assert content.sha256 == hashlib.sha256(b"012X456789").digest()


def test_in_order_writing_is_not_read_again(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_batch, "digest_of", lambda _: pytest.fail("read again"))
    put(store, {"k": b"x" * 1_000_000})


def test_a_move_that_changes_before_publish_is_refused(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"first")
    batch = store.begin()
    batch.adopt("k", str(source), Adoption.MOVE)
    source.write_bytes(b"written to while it is taken in")
    with pytest.raises(StoreError, match="changed"):
        batch.publish()
    batch.undo()
    assert source.exists()


def test_a_source_that_changes_under_the_copy_is_refused(
    store: LocalStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    real = os.readv

    def readv(descriptor: int, buffers: list[memoryview]) -> int:
        with source.open("ab") as file:
            file.write(b"more")
        monkeypatch.setattr(os, "readv", real)
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "readv", readv)
    batch = store.begin()
    with pytest.raises(StoreError, match="changed while it was read"):
        batch.adopt("k", str(source), Adoption.COPY)
    assert not [path for path in (root / ".skyfs/staging").rglob("*") if path.is_file()]
    batch.undo()
