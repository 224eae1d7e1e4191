"""The write half of the suite of stores: creating, undoing, deleting, races, recovery."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from skyfs.abc.store import Adoption, Content, Store
from skyfs.errors import Exists, NotFound, StoreError

from .store_files import BAD_KEYS, ODD_KEYS, delete, fill, get, held, put


class WritingSuite:
    """What every store does that can be written.

    Attributes
    ----------
    outlives
        Whether an open source can be read when its key was deleted; else that must be NotFound.
    refused
        Odd keys that it cannot hold; it must say so.
    """

    outlives: ClassVar[bool] = True
    refused: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty, writable store."""
        raise NotImplementedError

    def footprint(self, store: Store) -> object:
        """Give all that lies behind the store; a subclass that sees more than keys says so here."""
        return held(store)

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
        if key in self.refused:
            batch = store.begin()
            with pytest.raises(StoreError, match="encod"):
                batch.create(key)
            batch.undo()
            return
        put(store, {key: b"odd"})
        assert held(store) == {key: b"odd"}

    # -- writing

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

    def test_time_of_change_is_stable(self, store: Store) -> None:
        batch = fill(store.begin(), {"k": b"x"})
        published = batch.publish()["k"].mtime_ns
        before = store.stat("k").mtime_ns
        batch.settle()
        assert published == before == store.stat("k").mtime_ns

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

    def test_an_open_source_outlives_its_key(self, store: Store) -> None:
        put(store, {"k": b"bytes"})
        with store.open("k") as source:
            delete(store, "k")
            if not self.outlives:
                with pytest.raises(NotFound):
                    source.read_all()
                return
            assert source.read_all() == b"bytes"
            with source.open() as file:
                assert file.read() == b"bytes"

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
        delete(store, "a/b/c/k", "a/b/d/l", "a/e/m")
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
        delete(store, "k")
        put(store, {"k": b"new bytes"})
        late.settle()
        assert held(store) == {"k": b"new bytes"}

    def test_a_deleted_key_can_be_written_again(self, store: Store) -> None:
        for data in (b"one", b"two"):
            put(store, {"a/k": data})
            assert get(store, "a/k") == data
            delete(store, "a/k")

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
                    delete(store, key)

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
