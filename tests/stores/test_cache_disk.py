"""The cache's folder: quota, order of use, pins, modes, and all that may happen to its files."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest

from skyfs.abc.store import Expected
from skyfs.errors import StoreError
from skyfs.stores.cache import DiskCache, clear, status, verify
from skyfs.stores.cache.index import IndexDamaged, PlainDisk
from skyfs.testing.store_suite import put

from .shop import Shop, write

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


# -- quota


def test_what_was_used_longest_ago_goes_first(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(*range(10), cache=cache)
    assert shop.kept() == set(range(10))
    shop.read(10, cache=cache)  # down to the low water of 900 bytes
    assert shop.kept() == set(range(2, 11))
    assert status(cache).size_bytes == 900


def test_a_use_after_a_while_counts(shop: Shop) -> None:
    shop.read(*range(10))
    shop.age(0, 3600)
    shop.read(0)
    shop.read(10)
    assert shop.kept() == {0, *range(3, 11)}


def test_a_hit_writes_nothing(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(1, 2, cache=cache)
    cache.close()
    shop.age(1, 60)
    before = {path: path.stat().st_mtime_ns for path in shop.folder.rglob("*")}
    shop.read(1, 2)
    assert {path: path.stat().st_mtime_ns for path in shop.folder.rglob("*")} == before


def test_what_is_read_now_is_not_evicted(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(*range(10), cache=cache)
    with shop.store(cache).open("0", shop.expected(0)) as source:
        shop.read(*range(20, 35), cache=cache)
        assert source.local_path is not None
        assert Path(source.local_path).read_bytes() == shop.data(0)
    assert status(cache).size_bytes <= 1000
    shop.read(*range(20, 35), cache=cache)
    assert 0 not in shop.kept()


def test_when_all_is_in_use_nothing_more_is_kept(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(*range(10), cache=cache)
    opened = [shop.store(cache).open(str(number), shop.expected(number)) for number in range(10)]
    shop.read(11, 12, cache=cache)
    assert shop.kept() == set(range(10))
    for source in opened:
        source.close()


def test_a_file_larger_than_the_quota_is_not_kept(shop: Shop) -> None:
    cache = shop.cache(99)
    shop.read(1, cache=cache)
    assert status(cache).size_bytes == 0


def test_a_pinned_file_stays(shop: Shop) -> None:
    cache = shop.cache()
    store = shop.store(cache)
    store.pin("0", shop.expected(0))
    store.pin("1")
    shop.read(*range(2, 40), cache=cache)
    assert {0, 1} <= shop.kept()
    assert status(cache).pinned == 2
    others = len(shop.kept()) - 2
    assert clear(cache) == (others, others * 100)
    assert shop.kept() == {0, 1}
    assert store.unpin("0", shop.expected(0))
    assert store.unpin("1")
    assert not store.unpin("1")
    shop.read(*range(2, 40), cache=cache)
    assert not {0, 1} & shop.kept()


def test_clearing_all_takes_pinned_files_too_but_not_what_is_being_read(shop: Shop) -> None:
    cache = shop.cache()
    shop.store(cache).pin("0", shop.expected(0))
    shop.read(1, 2, cache=cache)
    with shop.store(cache).open("1", shop.expected(1)) as source:
        assert clear(cache, pinned=True) == (2, 200)
        assert source.local_path is not None
        assert Path(source.local_path).read_bytes() == shop.data(1)
    assert clear(cache) == (1, 100)
    assert (status(cache).size_bytes, status(cache).pinned, status(cache).oldest_s) == (0, 0, None)
    shop.read(1, cache=cache)


def test_a_name_that_goes_leaves_the_bytes_to_who_reads_them(shop: Shop) -> None:
    shop.read(1)
    with shop.store().open("1", shop.expected(1)) as source:
        shop.path(1).unlink()
        assert source.read_all() == shop.data(1)
        with source.open() as file:
            assert file.read() == shop.data(1)


def test_pinning_what_does_not_fit_says_so(shop: Shop) -> None:
    with pytest.raises(StoreError, match="raise the quota"):
        shop.store(shop.cache(50)).pin("1", shop.expected(1))


# -- the index is an account of the files, and nothing more


@pytest.mark.parametrize(
    "how", ["lost", "a-folder", "emptied", "garbage", "no-table", "no-sum", "bad-record", "strange"]
)
def test_a_damaged_index_is_made_anew_from_the_files(
    shop: Shop, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = shop.cache()
    shop.read(*range(10), cache=cache)
    cache.close()
    _damage(shop.folder / "index", how)
    for number in range(10):
        shop.age(number, 10_000 if number == 7 else number)
    with caplog.at_level(logging.WARNING):
        shop.read(*range(10), cache=cache)
        shop.read(20, cache=cache)
    assert status(cache).size_bytes <= 1000
    assert 20 in shop.kept()
    cache.close()
    with closing(sqlite3.connect(shop.folder / "index" / "cache.db")) as index:
        (total,) = index.execute("SELECT value FROM Cache WHERE key = 'total'").fetchone()
    assert total == status(cache).size_bytes


def _damage(folder: Path, how: str) -> None:
    if how == "lost":
        shutil.rmtree(folder.resolve())
    elif how == "a-folder":
        shutil.copytree(folder, folder.parent / "copied")
        folder.unlink()
        (folder.parent / "copied").rename(folder)
    elif how == "emptied":
        (folder / "cache.db").write_bytes(b"")
    elif how == "garbage":
        (folder / "cache.db").write_bytes(b"not a database" * 1000)
    else:
        statement = {
            "no-table": "DROP TABLE Cache",
            "no-sum": "DELETE FROM Cache WHERE key = 'total'",
            "bad-record": "UPDATE Cache SET value = x'00' WHERE key LIKE 'c%'",
            "strange": "UPDATE Cache SET key = '../../' || key WHERE key LIKE 'c%'",
        }[how]
        with closing(sqlite3.connect(folder / "cache.db")) as index:
            index.execute(statement)
            index.commit()


class _Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize(
    "plant",
    [
        "UPDATE Cache SET mode = 4, value = :bomb",
        "UPDATE Cache SET mode = 4, value = NULL, filename = 'bomb'",
        "UPDATE Cache SET mode = 2, value = NULL, filename = '../../../victim'",
        "UPDATE Cache SET raw = 0, key = :bomb WHERE key = (SELECT min(key) FROM Cache WHERE key LIKE 'c%')",
        "UPDATE Settings SET value = value, key = 'disk_poison' WHERE key = 'disk_min_file_size'",
    ],
)
def test_a_poisoned_index_is_never_loaded(shop: Shop, tmp_path: Path, plant: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("safe")
    shop.read(*range(10))
    bomb = pickle.dumps(_Bomb(str(tmp_path / "exploded")))
    (shop.folder / "index" / "bomb").write_bytes(bomb)
    with closing(sqlite3.connect(shop.folder / "index" / "cache.db")) as index:
        index.execute(plant, {"bomb": bomb} if ":bomb" in plant else {})
        index.commit()
    shop.read(*range(10, 14))
    assert shop.kept() >= set(range(10, 14))
    assert status(shop.cache()).size_bytes <= 1000
    assert not (tmp_path / "exploded").exists()
    assert victim.read_text() == "safe"
    with closing(sqlite3.connect(shop.folder / "index" / "cache.db")) as index:
        found = index.execute("SELECT count(*) FROM Cache WHERE mode != 1 OR raw != 1 OR filename NOT NULL")
        assert found.fetchone() == (0,)


def test_the_disk_of_the_index_refuses_pickles_both_ways(tmp_path: Path) -> None:
    disk = PlainDisk(str(tmp_path))
    bomb = pickle.dumps(_Bomb(str(tmp_path / "exploded")))
    for act in (
        lambda: disk.put((1, 2)),
        lambda: disk.store({"a": 1}, read=False),
        lambda: disk.store(1.5, read=False),
        lambda: disk.store(None, read=False),
    ):
        with pytest.raises(TypeError, match="integers, texts and bytes"):
            act()
    with pytest.raises(IndexDamaged):
        disk.get(bomb, raw=False)
    with pytest.raises(IndexDamaged):
        disk.fetch(4, None, bomb, read=False)
    (tmp_path / "file").write_bytes(bomb)
    with pytest.raises(IndexDamaged):
        disk.fetch(4, "file", None, read=False)
    disk.remove("file")
    assert (tmp_path / "file").exists()
    assert not (tmp_path / "exploded").exists()


def test_a_locked_index_is_done_without(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.read(1)
    cache = shop.cache()
    cache.ledger._timeout_s = 0.01  # noqa: SLF001 - nobody shall wait in a test
    with closing(sqlite3.connect(shop.folder / "index" / "cache.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with caplog.at_level(logging.WARNING):
            shop.read(1, 2, 3, cache=cache)
        holder.execute("ROLLBACK")
    assert shop.kept() == {1}
    assert "cannot be used" in caplog.text
    shop.read(2)
    assert shop.kept() == {1, 2}


# -- derived bytes


def test_derived_bytes_are_made_once(shop: Shop) -> None:
    calls: list[str] = []

    def make(file: BinaryIO) -> None:
        calls.append("made")
        file.write(b"?" * 1000)
        file.seek(0)
        file.write(b"derived")

    for _ in range(2):
        with DiskCache(shop.folder).derived("digest/png/size=3", make) as source:
            assert source.read_all() == b"derived" + b"?" * 993
            assert source.local_path is not None
            assert Path(source.local_path).read_bytes() == source.read_all()
    assert calls == ["made"]
    assert status(shop.cache()).size_bytes == 1000


def test_derived_bytes_that_cannot_be_made_leave_nothing(shop: Shop) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise ValueError("no such conversion")

    cache = shop.cache()
    with pytest.raises(ValueError, match="no such"):
        cache.derived("name", fail)
    assert status(cache).entries == 0
    assert list((shop.folder / "incoming").iterdir()) == []
    with cache.derived("name", lambda file: write(file, b"now")) as source:
        assert source.read_all() == b"now"


@pytest.mark.parametrize("quota_bytes", [10, 1000])
def test_derived_bytes_are_evicted_and_made_again(shop: Shop, quota_bytes: int) -> None:
    cache = shop.cache(quota_bytes)
    for _ in range(2):
        with cache.derived("name", lambda file: write(file, b"derived bytes")) as source:
            assert source.read_all() == b"derived bytes"
            assert source.size == 13
            with source.open() as file:
                assert file.read() == b"derived bytes"
        shop.read(*range(20), cache=cache)
        assert status(cache).size_bytes <= quota_bytes


def test_derived_bytes_without_a_usable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with DiskCache(tmp_path / "file" / "cache").derived("x", lambda file: write(file, b"bytes")) as source:
        assert source.read_all() == b"bytes"


# -- upkeep


def test_verify_finds_and_removes_what_is_damaged(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(1, 2, 3, cache=cache)
    cache.derived("name", lambda file: write(file, b"derived bytes")).close()
    assert verify(cache) == {}
    derived = next(path for path in (shop.folder / "content").glob("*/c*") if path.stat().st_size == 13)
    for path in (shop.path(2), derived):
        data = bytearray(path.read_bytes())
        data[5] ^= 1
        path.write_bytes(data)
    assert set(verify(cache)) == {str(shop.path(2)), str(derived)}
    assert shop.kept() == {1, 3}
    assert verify(cache) == {}
    shop.read(2, cache=cache)
    assert list((shop.folder / "links").glob("*/d*")) == []


def test_verify_finds_damaged_parts(shop: Shop) -> None:
    put(shop.memory, {"big": bytes(100_000)})
    cache = shop.cache(100_000)
    with shop.store(cache).open("big", Expected(100_000, hashlib.sha256(bytes(100_000)).digest())) as source:
        source.read(500, 600)
    assert status(cache).parts == 1
    assert verify(cache) == {}
    (file,) = (shop.folder / "parts").glob("*/p*")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert set(verify(cache)) == {str(file)}
    assert status(cache).parts == 0


def test_content_of_another_size_is_not_served(shop: Shop) -> None:
    shop.read(1)
    with shop.path(1).open("r+b") as file:
        file.truncate(50)
    shop.read(1)
    assert shop.path(1).stat().st_size == 100


def test_an_absent_cache_has_nothing_and_stays_absent(shop: Shop) -> None:
    cache = shop.cache()
    assert status(cache).entries == 0
    assert clear(cache) == (0, 0)
    assert verify(cache) == {}
    assert not shop.folder.exists()


def test_strangers_in_the_folder_are_left_alone(shop: Shop) -> None:
    shop.read(1)
    strange = shop.path(1).parent / "README"
    strange.write_text("mine")
    (shop.folder / "notes").mkdir()
    clear(shop.cache(), pinned=True)
    verify(shop.cache())
    assert strange.read_text() == "mine"
    assert (shop.folder / "notes").is_dir()


def test_a_filesystem_without_flock_keeps_nothing_new(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.read(1)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    shop.read(1, 2)
    assert shop.kept() == {1}
