"""The conformance suite of stores: every promise of `skyfs.abc.store`, through its methods alone.

A store's test file subclasses `StoreSuite` and gives a ``store`` fixture::

    class TestMyStore(StoreSuite):
        store = pytest.fixture(lambda self, tmp_path: MyStore(tmp_path))
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from skyfs.abc.store import Adoption, Batch, Content, Store
from skyfs.errors import Exists, NotFound, StoreError

BAD_KEYS = [
    *("", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "a//b", "a/", "a/./b", ".skyfs", ".skyfs/x"),
    *("a\0b", "x" * 256, "é" * 128, f"{'x' * 256}/a", "lone surrogate \ud800"),
]
"""Keys that every store refuses with StoreError."""

ODD_KEYS = [
    *("a\\b", "..\\x", "...", ".hidden/x", "a/.skyfs/b", ".skyfsx", "x" * 255, "é" * 127, "\udcff"),
    *("with space/and\nnewline", "detector=20.fits[1]", "*?[x]", "-rf", "~"),
]
"""Keys that look strange, and are ordinary."""


def put(store: Store, files: Mapping[str, bytes]) -> Mapping[str, Content]:
    """Store some files in one batch."""
    batch = store.begin()
    contents = fill(batch, files).publish()
    batch.settle()
    return contents


def fill(batch: Batch, files: Mapping[str, bytes]) -> Batch:
    """Create some files in a batch."""
    for key, data in files.items():
        with batch.create(key) as file:
            file.write(data)
    return batch


def get(store: Store, key: str) -> bytes:
    """Read a key."""
    with store.open(key) as source:
        return source.read_all()


def held(store: Store) -> dict[str, bytes]:
    """Give all that a store holds."""
    return {key: get(store, key) for key, _ in store.scan()}


class StoreSuite:
    """What every store does.

    Attributes
    ----------
    adoptions
        How the store can adopt; the other ways must be refused with StoreError.
    outlives
        Whether an open source can be read when its key was deleted; else that must be NotFound.
    """

    adoptions: ClassVar[frozenset[Adoption]] = frozenset(Adoption)
    outlives: ClassVar[bool] = True

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty, writable store."""
        raise NotImplementedError

    def footprint(self, store: Store) -> object:
        """Give all that lies behind the store; a subclass that sees more than keys says so here."""
        return held(store)

    # -- reading

    @pytest.mark.parametrize("data", [b"", b"x", b"bytes\0\xff" * 1000], ids=["empty", "one", "some"])
    def test_round_trip(self, store: Store, data: bytes) -> None:
        contents = put(store, {"a/b/c.fits": data})
        stat = store.stat("a/b/c.fits")
        assert contents == {"a/b/c.fits": Content(len(data), hashlib.sha256(data).digest(), stat.mtime_ns)}
        assert stat.size == len(data)
        with store.open("a/b/c.fits") as source:
            assert source.size == len(data)
            assert source.read_all() == data
            assert source.local_path is None or Path(source.local_path).read_bytes() == data

    def test_ranges(self, store: Store) -> None:
        put(store, {"k": b"0123456789"})
        with store.open("k") as source:
            assert source.read(2, 5) == b"234"
            assert source.read(8, 99) == b"89"
            assert source.read(10, 12) == source.read(5, 5) == source.read(7, 3) == source.read(50, 60) == b""
            assert source.read_many([(0, 1), (9, 10), (4, 6), (4, 6)]) == [b"0", b"9", b"45", b"45"]
            assert source.read_many([]) == []
            with pytest.raises(StoreError, match="negative"):
                source.read(-1, 5)

    def test_random_ranges_of_a_large_file(self, store: Store) -> None:
        data = random.Random(7).randbytes(5 << 20)  # noqa: S311 - test data
        put(store, {"large": data})
        choose = random.Random(8)  # noqa: S311 - test data
        ends = [sorted(choose.choices(range(len(data)), k=2)) for _ in range(50)]
        ranges = [(start, stop) for start, stop in ends]
        with store.open("large") as source:
            assert source.read_many(ranges) == [data[start:stop] for start, stop in ranges]

    def test_file_of_a_source(self, store: Store) -> None:
        put(store, {"k": b"line one\nline two\n"})
        with store.open("k") as source, source.open() as file:
            assert file.readline() == b"line one\n"
            assert file.seek(-4, os.SEEK_END) == 14
            assert file.read() == b"two\n"
            assert file.seekable()
            assert not file.writable()
            with source.open() as other:  # with a position of its own
                assert other.read(4) == b"line"
                assert file.seek(1) == 1
                assert other.read(4) == b" one"

    def test_a_closed_source_says_so(self, store: Store) -> None:
        put(store, {"k": b"x"})
        source = store.open("k")
        source.close()
        source.close()
        with pytest.raises(StoreError, match="closed"):
            source.read(0, 1)
        with pytest.raises(StoreError, match="closed"):
            source.open()

    def test_an_open_source_outlives_its_key(self, store: Store) -> None:
        put(store, {"k": b"bytes"})
        with store.open("k") as source:
            self._delete(store, "k")
            if not self.outlives:
                with pytest.raises(NotFound):
                    source.read_all()
                return
            assert source.read_all() == b"bytes"
            with source.open() as file:
                assert file.read() == b"bytes"

    @pytest.mark.parametrize("key", ["nothing", "a", "a/nothing", "a/b/below", "a/b/far/below"])
    def test_not_found(self, store: Store, key: str) -> None:
        put(store, {"a/b": b"x"})
        for look in (store.open, store.stat):
            with pytest.raises(NotFound) as caught:
                look(key)
            assert caught.value.errno == errno.ENOENT
            assert repr(key) in str(caught.value)
            assert store.name in str(caught.value)

    def test_time_of_change_is_stable(self, store: Store) -> None:
        batch = fill(store.begin(), {"k": b"x"})
        published = batch.publish()["k"].mtime_ns
        before = store.stat("k").mtime_ns
        batch.settle()
        assert published == before == store.stat("k").mtime_ns

    def test_scan(self, store: Store) -> None:
        keys = {"a/b/c", "a/b/d", "a/bb", "ab/c", "z"}
        put(store, {key: key.encode() for key in keys})
        found = dict(store.scan())
        assert set(found) == keys
        assert all(found[key] == store.stat(key) for key in keys)
        for prefix in ("a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "ab", "x", "x/y/", "z", "a/b/cc"):
            assert {key for key, _ in store.scan(prefix)} == {key for key in keys if key.startswith(prefix)}

    def test_scan_may_be_left_early(self, store: Store) -> None:
        put(store, {f"a/{number}": b"" for number in range(10)})
        assert next(iter(store.scan()))[0].startswith("a/")

    @pytest.mark.parametrize(
        "prefix", ["../", "/", "/etc/", "a//", "a/./", "x/../../", ".skyfs/", "a\0", "\0/b"]
    )
    def test_scan_refuses_bad_prefixes(self, store: Store, prefix: str) -> None:
        with pytest.raises(StoreError):
            list(store.scan(prefix))

    # -- keys

    @pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
    def test_bad_keys_are_refused(self, store: Store, key: str, tmp_path: Path) -> None:
        (tmp_path / "source").write_bytes(b"x")
        batch = store.begin()
        for act in (
            lambda: store.open(key),
            lambda: store.stat(key),
            lambda: batch.create(key),
            lambda: batch.delete(key),
            lambda: batch.adopt(key, str(tmp_path / "source"), Adoption.COPY),
        ):
            with pytest.raises(StoreError) as caught:
                act()
            assert not isinstance(caught.value, NotFound)
            assert store.name in str(caught.value)
        batch.undo()
        assert held(store) == {}

    @pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
    def test_odd_keys_are_ordinary(self, store: Store, key: str) -> None:
        put(store, {key: b"odd"})
        assert held(store) == {key: b"odd"}

    # -- writing

    def test_many_files_in_one_batch(self, store: Store) -> None:
        files = {f"run/{number % 7}/{number}": b"%d" % number for number in range(100)}
        contents = put(store, files)
        assert held(store) == files
        assert {key: content.sha256 for key, content in contents.items()} == {
            key: hashlib.sha256(data).digest() for key, data in files.items()
        }

    def test_nothing_is_visible_before_publish(self, store: Store) -> None:
        batch = fill(store.begin(), {"a/k": b"x"})
        assert held(store) == {}
        with pytest.raises(NotFound):
            store.open("a/k")
        batch.publish()
        assert held(store) == {"a/k": b"x"}
        batch.settle()
        assert held(store) == {"a/k": b"x"}

    def test_a_written_file_can_be_read_and_sought(self, store: Store) -> None:
        batch = store.begin()
        with batch.create("k") as file:
            file.write(b"0123456789" * 20_000)
            assert file.seek(5) == 5
            assert file.read(3) == b"567"
            file.seek(0)
            file.write(b"HEAD")
            file.seek(0, os.SEEK_END)
            file.write(b"tail")
        expected = b"HEAD" + (b"0123456789" * 20_000)[4:] + b"tail"
        assert batch.publish()["k"].sha256 == hashlib.sha256(expected).digest()
        batch.settle()
        assert get(store, "k") == expected

    @pytest.mark.parametrize(
        ("size", "expected"), [(3, b"012"), (12, b"0123456789\0\0"), (10, b"0123456789")]
    )
    def test_truncating_gives_the_right_digest(self, store: Store, size: int, expected: bytes) -> None:
        batch = store.begin()
        with batch.create("k") as file:
            file.write(b"0123456789")
            file.truncate(size)
        content = batch.publish()["k"]
        assert (content.size, content.sha256) == (len(expected), hashlib.sha256(expected).digest())
        batch.settle()
        assert get(store, "k") == expected

    def test_truncating_and_writing_on_gives_the_right_digest(self, store: Store) -> None:
        batch = store.begin()
        with batch.create("k") as file:
            file.write(b"0123456789")
            file.flush()
            file.truncate(3)
            file.seek(10)
            file.write(b"end")
        expected = b"012" + bytes(7) + b"end"
        assert batch.publish()["k"].sha256 == hashlib.sha256(expected).digest()
        batch.settle()
        assert get(store, "k") == expected

    def test_holes_are_zeros(self, store: Store) -> None:
        batch = store.begin()
        with batch.create("k") as file:
            file.seek(100_000)
            file.write(b"end")
        assert batch.publish()["k"].sha256 == hashlib.sha256(bytes(100_000) + b"end").digest()
        batch.settle()

    def test_creating_twice_is_refused(self, store: Store) -> None:
        put(store, {"a/k": b"first"})
        before = self.footprint(store)
        batch = store.begin()
        with pytest.raises(Exists) as caught:
            batch.create("a/k")
        assert "'a/k'" in str(caught.value)
        with batch.create("a/new"), pytest.raises(Exists):
            batch.create("a/new")
        batch.undo()
        assert self.footprint(store) == before

    def test_an_empty_batch_does_nothing(self, store: Store) -> None:
        before = self.footprint(store)
        batch = store.begin()
        assert batch.publish() == {}
        batch.settle()
        store.begin().undo()
        assert self.footprint(store) == before

    def test_the_order_of_calls_is_checked(self, store: Store) -> None:
        batch = fill(store.begin(), {"k": b"x"})
        with pytest.raises(StoreError, match="order"):
            batch.settle()
        batch.publish()
        for act in (batch.publish, lambda: batch.create("l"), lambda: batch.delete("k")):
            with pytest.raises(StoreError, match="order"):
                act()
        batch.settle()
        with pytest.raises(StoreError, match="order"):
            batch.settle()
        batch.undo()  # too late, so it does nothing: the bytes are committed
        assert get(store, "k") == b"x"

    # -- undoing

    def test_undo_leaves_nothing(self, store: Store) -> None:
        put(store, {"a/kept": b"kept"})
        before = self.footprint(store)
        for publish in (False, True):
            batch = fill(store.begin(), {"a/k": b"x", "new/folder/k": b"y"})
            batch.delete("a/kept")
            if publish:
                batch.publish()
            batch.undo()
            batch.undo()
            assert self.footprint(store) == before

    def test_undo_with_open_files(self, store: Store) -> None:
        before = self.footprint(store)
        batch = store.begin()
        file = batch.create("k")
        file.write(b"x" * 100)
        batch.undo()
        assert file.closed
        assert self.footprint(store) == before

    # -- deleting

    def test_deleting_happens_at_settle(self, store: Store) -> None:
        put(store, {"a/b/k": b"x", "a/l": b"y"})
        batch = store.begin()
        batch.delete("a/b/k")
        assert batch.publish() == {}
        assert get(store, "a/b/k") == b"x"
        batch.settle()
        assert held(store) == {"a/l": b"y"}

    def test_deleting_the_last_key_leaves_nothing(self, store: Store) -> None:
        before = self.footprint(store)
        put(store, {"a/b/c/k": b"x", "a/b/d/l": b"y", "a/e/m": b"z"})
        self._delete(store, "a/b/c/k", "a/b/d/l", "a/e/m")
        assert self.footprint(store) == before

    def test_deleting_what_is_gone_is_no_error(self, store: Store) -> None:
        put(store, {"k": b"x"})
        first, second = store.begin(), store.begin()
        for batch in (first, second):
            batch.delete("k")
            batch.delete("never/was")
            batch.publish()
        first.settle()
        second.settle()
        assert held(store) == {}

    def test_a_late_deletion_spares_what_came_since(self, store: Store) -> None:
        put(store, {"k": b"old"})
        late = store.begin()
        late.delete("k")
        late.publish()
        self._delete(store, "k")
        put(store, {"k": b"new bytes"})
        late.settle()
        assert held(store) == {"k": b"new bytes"}

    def test_a_deleted_key_can_be_written_again(self, store: Store) -> None:
        for data in (b"one", b"two"):
            put(store, {"a/k": data})
            assert get(store, "a/k") == data
            self._delete(store, "a/k")

    def test_replacing_in_one_batch(self, store: Store) -> None:
        put(store, {"a/old": b"old"})
        batch = fill(store.begin(), {"a/new": b"new"})
        batch.delete("a/old")
        batch.publish()
        assert held(store) == {"a/old": b"old", "a/new": b"new"}
        batch.settle()
        assert held(store) == {"a/new": b"new"}

    # -- races

    def test_two_batches_race_for_one_key(self, store: Store) -> None:
        first = fill(store.begin(), {"a/k": b"first", "a/other": b"1"})
        second = fill(store.begin(), {"a/before": b"2", "a/k": b"second", "b/after": b"2"})
        first.publish()
        with pytest.raises(Exists, match="'a/k'"):
            second.publish()
        assert held(store) == {"a/k": b"first", "a/other": b"1"}
        second.undo()
        first.settle()
        assert held(store) == {"a/k": b"first", "a/other": b"1"}

    def test_many_threads_write_their_own(self, store: Store) -> None:
        def work(thread: int) -> None:
            for number in range(10):
                key = f"shared/{number}/{thread}"
                put(store, {key: key.encode()})
                assert get(store, key) == key.encode()
                if number % 2:
                    self._delete(store, key)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        keys = [f"shared/{number}/{thread}" for number in range(0, 10, 2) for thread in range(8)]
        assert held(store) == {key: key.encode() for key in keys}

    def test_many_threads_want_one_key(self, store: Store) -> None:
        start = threading.Barrier(8)

        def work(thread: int) -> bytes | None:
            data = b"%d" % thread * 1000
            batch = fill(store.begin(), {"a/k": data})
            start.wait()
            try:
                batch.publish()
            except Exists:
                batch.undo()
                return None
            batch.settle()
            return data

        with ThreadPoolExecutor(8) as pool:
            winners = [data for data in pool.map(work, range(8)) if data]
        assert len(winners) == 1
        assert held(store) == {"a/k": winners[0]}

    def test_threads_read_one_source(self, store: Store) -> None:
        data = random.Random(9).randbytes(1 << 20)  # noqa: S311 - test data
        put(store, {"k": data})
        with store.open("k") as source, ThreadPoolExecutor(8) as pool:
            ranges = [(start, start + 5000) for start in range(0, len(data), 4096)]
            found = list(pool.map(lambda ends: source.read(*ends), ranges))
        assert found == [data[start:stop] for start, stop in ranges]

    # -- adopting

    @pytest.mark.parametrize("how", list(Adoption))
    def test_adopting(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        batch.adopt("a/k.fits", str(source), how)
        assert held(store) == {}
        content = batch.publish()["a/k.fits"]
        unread = how in (Adoption.LINK, Adoption.SYMLINK)
        expected = None if unread else hashlib.sha256(b"adopted").digest()
        assert content == Content(7, expected, 1_600_000_000_123_456_789)
        assert get(store, "a/k.fits") == b"adopted"
        assert source.read_bytes() == b"adopted"
        batch.settle()
        assert held(store) == {"a/k.fits": b"adopted"}
        assert store.stat("a/k.fits").mtime_ns == content.mtime_ns
        assert source.exists() == (how is not Adoption.MOVE)

    @pytest.mark.parametrize("how", list(Adoption))
    def test_undoing_an_adoption(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        before = self.footprint(store)
        source = self._source(tmp_path, b"adopted")
        for publish in (False, True):
            batch = store.begin()
            batch.adopt("a/k", str(source), how)
            if publish:
                batch.publish()
            batch.undo()
            assert source.read_bytes() == b"adopted"
            assert self.footprint(store) == before

    @pytest.mark.parametrize("how", list(Adoption))
    def test_deleting_an_adopted_key(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        batch.adopt("a/k", str(source), how)
        batch.publish()
        batch.settle()
        self._delete(store, "a/k")
        assert held(store) == {}
        assert source.exists() == (how is not Adoption.MOVE)

    @pytest.mark.parametrize("how", list(Adoption))
    def test_a_race_of_adoptions_of_one_file(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        source = str(self._source(tmp_path, b"adopted"))
        first, second = store.begin(), store.begin()
        first.adopt("a/k", source, how)
        second.adopt("a/k", source, how)
        first.publish()
        with pytest.raises(Exists):
            second.publish()
        second.undo()
        assert held(store) == {"a/k": b"adopted"}
        first.settle()
        assert held(store) == {"a/k": b"adopted"}

    @pytest.mark.parametrize("how", list(Adoption))
    def test_what_cannot_be_adopted(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        (tmp_path / "folder").mkdir()
        before = self.footprint(store)
        batch = store.begin()
        for path in ("fifo", "dangling", "folder", "nowhere", "nul\0"):
            with pytest.raises(StoreError) as caught:
                batch.adopt("k", str(tmp_path / path), how)
            assert not isinstance(caught.value, NotFound)
            assert "'k'" in str(caught.value) or repr(str(tmp_path / path)) in str(caught.value)
        with pytest.raises(StoreError, match=r"device|link"):
            batch.adopt("k", "/dev/null", how)
        batch.undo()
        assert self.footprint(store) == before

    @pytest.mark.parametrize("how", list(Adoption))
    def test_adopting_over_a_key_is_refused(self, store: Store, tmp_path: Path, how: Adoption) -> None:
        if not self._adopts(store, how, tmp_path):
            return
        put(store, {"k": b"first"})
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        with pytest.raises(Exists):
            batch.adopt("k", str(source), how)
        batch.undo()
        assert held(store) == {"k": b"first"}
        assert source.read_bytes() == b"adopted"

    @pytest.mark.parametrize("change", ["rewritten", "replaced", "gone"])
    def test_move_spares_a_source_that_changed(self, store: Store, tmp_path: Path, change: str) -> None:
        if not self._adopts(store, Adoption.MOVE, tmp_path):
            return
        source = self._source(tmp_path, b"adopted")
        batch = store.begin()
        batch.adopt("k", str(source), Adoption.MOVE)
        batch.publish()
        if change != "rewritten":
            source.unlink()
        if change != "gone":
            source.write_bytes(b"something newer")
        batch.settle()
        assert source.exists() == (change != "gone")

    # -- recovery

    def test_recovery_leaves_live_batches_alone(self, store: Store) -> None:
        filling, published = fill(store.begin(), {"a": b"1"}), fill(store.begin(), {"b": b"2"})
        published.publish()
        put(store, {"c": b"3"})
        assert store.recover(lambda _: False) == 0
        assert held(store) == {"b": b"2", "c": b"3"}
        filling.publish()
        filling.settle()
        published.undo()
        assert held(store) == {"a": b"1", "c": b"3"}

    def test_recovery_of_nothing(self, store: Store) -> None:
        before = self.footprint(store)
        assert store.recover(lambda _: True) == 0
        assert self.footprint(store) == before

    # -- how

    def _adopts(self, store: Store, how: Adoption, folder: Path) -> bool:
        """Tell whether the store adopts so; one that does not must say it, and what to do."""
        if how not in self.adoptions:
            batch = store.begin()
            with pytest.raises(StoreError, match="copy"):
                batch.adopt("k", str(self._source(folder, b"x")), how)
            batch.undo()
        return how in self.adoptions

    @staticmethod
    def _source(folder: Path, data: bytes) -> Path:
        source = folder / "incoming" / "source.fits"
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        os.utime(source, ns=(0, 1_600_000_000_123_456_789))
        return source

    @staticmethod
    def _delete(store: Store, *keys: str) -> None:
        batch = store.begin()
        for key in keys:
            batch.delete(key)
        batch.publish()
        batch.settle()
