"""The read half of the suite of stores: also for those that cannot be written."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from skyfs.abc.store import Expected, FetchesMany, Store
from skyfs.errors import NotFound, StoreError

from .store_files import BAD_KEYS, ODD_KEYS, get

Stock = Callable[[Mapping[str, bytes]], Store]
"""Gives the store that is under test, with these files in it and no others."""


class ReadingSuite:
    """What every store does when it is read.

    Attributes
    ----------
    refused
        Odd keys that it cannot hold; it must say so.
    scans_times
        Whether `Store.scan` tells the same times of change as `Store.stat`.
    """

    refused: ClassVar[frozenset[str]] = frozenset()
    scans_times: ClassVar[bool] = True

    @pytest.fixture
    def stocked(self) -> Stock:
        """Give the function that fills the store."""
        raise NotImplementedError

    @pytest.mark.parametrize("data", [b"", b"x", b"bytes\0\xff" * 1000], ids=["empty", "one", "some"])
    def test_whole(self, stocked: Stock, data: bytes) -> None:
        store = stocked({"a/b/c.fits": data})
        assert store.stat("a/b/c.fits").size == len(data)
        with store.open("a/b/c.fits") as source:
            assert source.size == len(data)
            assert source.read_all() == data
            assert source.local_path is None or Path(source.local_path).read_bytes() == data

    def test_expected_bytes(self, stocked: Stock) -> None:
        store = stocked({"k": b"0123456789"})
        expected = Expected(10, hashlib.sha256(b"0123456789").digest())
        with store.open("k", expected) as source:
            assert source.size == 10
            assert source.read(3, 5) == b"34"
            assert source.read_all() == b"0123456789"

    def test_a_missing_key_that_is_expected(self, stocked: Stock) -> None:
        store = stocked({"k": b"x"})
        with pytest.raises(NotFound, match="'nothing'"):
            store.open("nothing", Expected(5)).read(0, 5)
        with pytest.raises(NotFound, match="'nothing'"):
            store.open("nothing", Expected(5)).read_all()

    @pytest.mark.parametrize("expected", [Expected(9), Expected(11), Expected(10, b"\0" * 32)], ids=str)
    def test_wrong_bytes_of_a_far_store_are_refused(self, stocked: Stock, expected: Expected) -> None:
        store = stocked({"k": b"0123456789"})
        if not isinstance(store, FetchesMany):
            return  # it lies near: it is not told what to expect
        with pytest.raises(StoreError) as caught, store.open("k", expected) as source:
            source.read_all()
        assert "'k'" in str(caught.value)
        assert repr(store.name) in str(caught.value)

    def test_many_keys_at_once(self, stocked: Stock, tmp_path: Path) -> None:
        files = {f"a/{number}": b"%d" % number * number for number in range(150)}
        store = stocked(files)
        if not isinstance(store, FetchesMany):
            return
        (tmp_path / "copies").mkdir()
        copies = {key: tmp_path / "copies" / key.replace("/", "-") for key in [*files, "nothing"]}
        copies["a/3"].write_bytes(b"older")
        heard: list[int] = []
        expected = {key: Expected(len(data), hashlib.sha256(data).digest()) for key, data in files.items()}
        failed = store.copy_many(
            [(key, expected.get(key), str(path)) for key, path in copies.items()], heard.append
        )
        assert failed[:-1] == [None] * 150
        assert isinstance(failed[-1], NotFound)
        assert {key: path.read_bytes() for key, path in copies.items() if key in files} == files
        assert len(list((tmp_path / "copies").iterdir())) == 150
        assert sum(heard) == sum(map(len, files.values()))
        *found, error = store.read_many(
            [*((key, expected[key]) for key in files), ("nothing", None)], heard.append
        )
        assert found == list(files.values())
        assert isinstance(error, NotFound)
        assert sum(heard) == 2 * sum(map(len, files.values()))

    def test_wrong_bytes_leave_no_copy(self, stocked: Stock, tmp_path: Path) -> None:
        store = stocked({"k": b"0123456789", "large": bytes(3 << 20)})
        if not isinstance(store, FetchesMany):
            return
        wrong = [("k", Expected(9)), ("k", Expected(10, bytes(32))), ("large", Expected(3 << 20, bytes(32)))]
        heard: list[int] = []
        (tmp_path / "copies").mkdir()
        target = str(tmp_path / "copies" / "copy")
        for key, expected in wrong:
            (error,) = store.copy_many([(key, expected, target)], heard.append)
            assert isinstance(error, StoreError)
            (error_or_bytes,) = store.read_many([(key, expected)], heard.append)
            assert isinstance(error_or_bytes, StoreError)
        assert list((tmp_path / "copies").iterdir()) == []
        assert sum(heard) == 0

    def test_ranges(self, stocked: Stock) -> None:
        store = stocked({"k": b"0123456789"})
        with store.open("k") as source:
            assert source.read(2, 5) == b"234"
            assert source.read(8, 99) == b"89"
            assert source.read(10, 12) == source.read(5, 5) == source.read(7, 3) == source.read(50, 60) == b""
            assert source.read_many([(0, 1), (9, 10), (4, 6), (4, 6)]) == [b"0", b"9", b"45", b"45"]
            assert source.read_many([]) == []
            with pytest.raises(StoreError, match="negative"):
                source.read(-1, 5)

    def test_random_ranges_of_a_large_file(self, stocked: Stock) -> None:
        data = random.Random(7).randbytes(5 << 20)  # noqa: S311 - test data
        store = stocked({"large": data})
        choose = random.Random(8)  # noqa: S311 - test data
        ends = [sorted(choose.choices(range(len(data)), k=2)) for _ in range(50)]
        ranges = [(start, stop) for start, stop in ends]
        with store.open("large") as source:
            assert source.read_many(ranges) == [data[start:stop] for start, stop in ranges]

    def test_file_of_a_source(self, stocked: Stock) -> None:
        store = stocked({"k": b"line one\nline two\n"})
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

    def test_a_closed_source_says_so(self, stocked: Stock) -> None:
        store = stocked({"k": b"x"})
        source = store.open("k")
        source.close()
        source.close()
        with pytest.raises(StoreError, match="closed"):
            source.read(0, 1)
        with pytest.raises(StoreError, match="closed"):
            source.open()

    @pytest.mark.parametrize("key", ["nothing", "a", "a/nothing", "a/b/below", "a/b/far/below"])
    def test_not_found(self, stocked: Stock, key: str) -> None:
        store = stocked({"a/b": b"x"})
        for look in (store.open, store.stat):
            with pytest.raises(NotFound) as caught:
                look(key)
            assert caught.value.errno == errno.ENOENT
            assert repr(key) in str(caught.value)
            assert store.name in str(caught.value)

    def test_scan(self, stocked: Stock) -> None:
        keys = {"a/b/c", "a/b/d", "a/bb", "ab/c", "z"}
        store = stocked({key: key.encode() for key in keys})
        found = dict(store.scan())
        assert set(found) == keys
        for key in keys:
            stat = store.stat(key)
            assert found[key].size == stat.size == len(key.encode())
            assert found[key] == stat or not self.scans_times
        for prefix in ("a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "ab", "x", "x/y/", "z", "a/b/cc"):
            assert {key for key, _ in store.scan(prefix)} == {key for key in keys if key.startswith(prefix)}

    def test_scan_may_be_left_early(self, stocked: Stock) -> None:
        store = stocked({f"a/{number}": b"" for number in range(10)})
        assert next(iter(store.scan()))[0].startswith("a/")

    @pytest.mark.parametrize(
        "prefix", ["../", "/", "/etc/", "a//", "a/./", "x/../../", ".skyfs/", "a\0", "\0/b"]
    )
    def test_scan_refuses_bad_prefixes(self, stocked: Stock, prefix: str) -> None:
        with pytest.raises(StoreError):
            list(stocked({}).scan(prefix))

    def test_threads_read_one_source(self, stocked: Stock) -> None:
        data = random.Random(9).randbytes(1 << 20)  # noqa: S311 - test data
        store = stocked({"k": data})
        with store.open("k") as source, ThreadPoolExecutor(8) as pool:
            ranges = [(start, start + 5000) for start in range(0, len(data), 4096)]
            found = list(pool.map(lambda ends: source.read(*ends), ranges))
        assert found == [data[start:stop] for start, stop in ranges]

    @pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
    def test_bad_keys_are_not_read(self, stocked: Stock, key: str) -> None:
        store = stocked({"k": b"x"})
        for look in (store.open, store.stat, lambda key: store.open(key, Expected(1))):
            with pytest.raises(StoreError) as caught:
                look(key)
            assert not isinstance(caught.value, NotFound)
            assert store.name in str(caught.value)

    @pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
    def test_odd_keys_are_read(self, stocked: Stock, key: str) -> None:
        if key in self.refused:
            with pytest.raises(StoreError, match="encod"):
                stocked({"k": b"x"}).open(key)
            return
        assert get(stocked({key: b"odd"}), key) == b"odd"
