"""What the cached store asks of the store below: nothing on a hit, else exactly what is missing."""

from __future__ import annotations

import hashlib
import io
import logging
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from skyfs.abc.store import Expected, Stat
from skyfs.errors import NotFound, StoreError, WrongBytes
from skyfs.stores.cache import CachedStore, DiskCache, status
from skyfs.stores.memory import MemoryStore
from skyfs.testing.faulty_store import FaultyStore
from skyfs.testing.store_suite import get, held, put

LARGE = random.Random(1).randbytes(5 << 20)  # noqa: S311 - test data


def expect(data: bytes) -> Expected:
    return Expected(len(data), hashlib.sha256(data).digest())


def nothing(count: int) -> None:
    assert count >= 0


class Far:
    """A store far away, whose reads are counted, and caches of it in one folder."""

    def __init__(self, folder: Path) -> None:
        self.memory = MemoryStore("far")
        self.below = FaultyStore(self.memory, checks=False)
        self.folder = folder / "cache"
        self.counts = self.below.counts
        self.store = self.another()

    def another(self, quota_bytes: int = 1 << 30) -> CachedStore:
        """Give what another process would have."""
        cache = DiskCache(self.folder, quota_bytes=quota_bytes)
        return CachedStore(self.below, cache, identity="far://")

    def put(self, **files: bytes) -> None:
        put(self.memory, files)

    def read(self, key: str, data: bytes) -> bytes:
        with self.another().open(key, expect(data)) as source:
            return source.read_all()

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "content").glob("*/c*") if path.is_file()]


@pytest.fixture
def far(tmp_path: Path) -> Far:
    far = Far(tmp_path)
    far.put(small=b"small bytes", large=LARGE)
    return far


@pytest.mark.parametrize(("key", "data"), [("small", b"small bytes"), ("large", LARGE)])
def test_a_second_reading_asks_nothing(far: Far, key: str, data: bytes) -> None:
    assert far.read(key, data) == data
    assert (far.counts.requests, far.counts.bytes, far.counts.stats) == (1, len(data), 0)
    far.counts.reset()
    with far.another().open(key, expect(data)) as source:
        assert source.local_path is not None
        assert Path(source.local_path).read_bytes() == data
        assert source.read(2, 5) == data[2:5]
        assert source.read_many([(0, 1), (4, 9)]) == [data[0:1], data[4:9]]
        with source.open() as file:
            assert file.read() == data
    assert (far.counts.requests, far.counts.stats) == (0, 0)


def test_opening_asks_nothing(far: Far) -> None:
    far.store.open("large", expect(LARGE)).close()
    far.store.open("large", Expected(len(LARGE))).close()
    assert (far.counts.requests, far.counts.stats) == (0, 0)
    assert not far.folder.exists()


def test_one_content_under_two_keys_comes_once(far: Far) -> None:
    far.put(copy=LARGE)
    far.read("large", LARGE)
    far.read("copy", LARGE)
    assert far.counts.keys == ["large"]


def test_ranges_are_fetched_exactly_and_once(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source:
        assert source.read(1_000_000, 1_000_100) == LARGE[1_000_000:1_000_100]
        assert far.counts.bytes == 100
        asked = [(0, 2880), (1_000_050, 1_000_200), (3_000_000, 3_000_001), (0, 100)]
        assert source.read_many(asked) == [LARGE[start:stop] for start, stop in asked]
        assert source.local_path is None
    assert far.counts.bytes == 100 + 2880 + 100 + 1
    assert far.counts.round_trips == 2
    far.counts.reset()
    with far.another().open("large", expect(LARGE)) as source:
        assert source.read_many([(999_999, 1_000_200), (100, 200)]) == [
            LARGE[999_999:1_000_200],
            LARGE[100:200],
        ]
    assert (far.counts.requests, far.counts.bytes) == (1, 1)


def test_pieces_that_touch_are_fetched_at_once(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source:
        assert b"".join(source.read_many([(0, 1000), (1000, 2000), (2000, 3000)])) == LARGE[:3000]
    assert (far.counts.requests, far.counts.round_trips) == (3, 1)


def test_a_small_file_is_fetched_whole(far: Far) -> None:
    with far.store.open("small", expect(b"small bytes")) as source:
        assert source.read(0, 5) == b"small"
        assert source.local_path is not None
    assert far.counts.bytes == 11


def test_a_file_that_is_nearly_here_is_completed(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source:
        source.read(0, 3 << 20)
        assert source.read(4 << 20, 5 << 20) == LARGE[4 << 20 :]
        assert far.files() == []
        assert source.read(3 << 20, (3 << 20) + 900_000) == LARGE[3 << 20 :][:900_000]
        assert source.local_path is not None
        assert Path(source.local_path).read_bytes() == LARGE
    assert far.counts.bytes == len(LARGE)
    assert not list((far.folder / "parts").glob("*/p*"))
    assert status(DiskCache(far.folder)).size_bytes == len(LARGE)


def test_reading_on_fetches_ahead_in_few_requests(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source, source.open() as file:
        assert file.read(10) == LARGE[:10]
        assert far.counts.bytes < 1_000_000  # who looks at a header does not wait for the rest
        found = io.BytesIO(LARGE[:10])
        found.seek(10)
        while block := file.read(10_000):
            found.write(block)
        assert found.getvalue() == LARGE
    assert far.counts.bytes == len(LARGE)
    assert far.counts.round_trips <= 8
    assert far.read("large", LARGE) == LARGE
    assert far.counts.bytes == len(LARGE)


def test_copying_by_blocks_fetches_ahead(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source:
        blocks = [source.read(start, start + (1 << 18)) for start in range(0, len(LARGE), 1 << 18)]
    assert b"".join(blocks) == LARGE
    assert far.counts.bytes == len(LARGE)
    assert far.counts.round_trips <= 8


def test_a_file_read_to_its_end_comes_in_one_piece(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source, source.open() as file:
        assert file.read() == LARGE
    assert far.counts.requests == 1


def test_seeking_in_a_far_file(far: Far) -> None:
    with far.store.open("large", expect(LARGE)) as source, source.open() as file:
        assert file.seek(-5, io.SEEK_END) == len(LARGE) - 5
        assert file.read() == LARGE[-5:]
        assert file.seek(1000) == 1000
        assert file.read(10) == LARGE[1000:1010]
        file.seek(10, io.SEEK_CUR)
        assert file.read(10) == LARGE[1020:1030]
        with pytest.raises(OSError, match="before"):
            file.seek(-1)


# -- without a digest


def test_without_a_digest_the_store_is_asked_for_the_state(far: Far) -> None:
    for expected in (None, Expected(len(LARGE))):
        with far.another().open("large", expected) as source:
            assert source.read_all() == LARGE
    assert (far.counts.requests, far.counts.stats) == (1, 2)


def test_without_a_digest_another_store_has_another_key(far: Far) -> None:
    get(far.another(), "small")
    elsewhere = MemoryStore("far")
    put(elsewhere, {"small": b"other bytes"})
    assert (
        get(CachedStore(elsewhere, DiskCache(far.folder), identity="elsewhere://"), "small") == b"other bytes"
    )
    assert get(CachedStore(elsewhere, DiskCache(far.folder)), "small") == b"other bytes"


def test_a_key_of_another_size_than_registered_is_refused(far: Far) -> None:
    with far.store.open("small", Expected(12)) as source, pytest.raises(WrongBytes, match=r"11 .* 12"):
        source.read(0, 1)


def test_a_missing_key_is_not_found(far: Far) -> None:
    with pytest.raises(NotFound):
        far.store.open("none")
    with far.store.open("none", expect(b"x")) as source, pytest.raises(NotFound):
        source.read(0, 1)


@pytest.mark.parametrize("known", [True, False], ids=["digest", "no-digest"])
def test_a_key_deleted_and_written_again_is_never_stale(far: Far, *, known: bool) -> None:
    for data in (b"first bytes", b"other bytes"):
        put(far.store, {"again": data})
        with far.store.open("again", expect(data) if known else None) as source:
            assert source.read_all() == data
        batch = far.store.begin()
        batch.delete("again")
        batch.publish()
        batch.settle()
    with pytest.raises(NotFound):
        far.store.open("again")


class Timeless(MemoryStore):
    """A store that does not know when its bytes were written."""

    def stat(self, key: str) -> Stat:
        return Stat(super().stat(key).size, 0)


def test_a_key_written_again_through_the_store_is_not_stale_even_without_times(tmp_path: Path) -> None:
    memory = Timeless("mem")
    stores = [CachedStore(memory, DiskCache(tmp_path / "cache"), identity="mem://") for _ in range(2)]
    for writer, data in zip(stores, (b"first bytes", b"other bytes"), strict=True):
        put(writer, {"k": data})
        assert [get(store, "k") for store in stores] == [data, data]
        batch = writer.begin()
        batch.delete("k")
        batch.publish()
        batch.settle()


# -- what is wrong is neither served nor kept


@pytest.mark.parametrize("fault", ["error", "broken", "truncate", "corrupt"])
@pytest.mark.parametrize(("key", "data"), [("small", b"small bytes"), ("large", LARGE)])
def test_what_came_wrong_is_refused_and_not_kept(far: Far, fault: str, key: str, data: bytes) -> None:
    far.below.fail(fault, times=1)  # type: ignore[arg-type] # one of its literals
    with far.store.open(key, expect(data)) as source, pytest.raises(StoreError, match=key):
        source.read_all()
    assert far.files() == []
    assert not list((far.folder / "incoming").iterdir())
    assert not list((far.folder / "locks").glob("*/c*"))
    assert far.read(key, data) == data
    assert status(DiskCache(far.folder)).size_bytes == len(data)


def test_a_range_cut_short_is_refused(far: Far) -> None:
    far.below.fail("truncate", times=1)
    with far.store.open("large", expect(LARGE)) as source:
        with pytest.raises(WrongBytes, match="100"):
            source.read(1000, 1100)
        assert source.read(1000, 1100) == LARGE[1000:1100]


def test_wrong_parts_are_found_when_the_whole_is_verified(far: Far) -> None:
    far.below.fail("corrupt", times=1)
    with far.store.open("large", expect(LARGE)) as source:
        assert source.read(1000, 1100) != LARGE[1000:1100]  # a range has no digest of its own
        assert source.read_all() == LARGE
    assert far.read("large", LARGE) == LARGE


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:10],
        lambda data: data[:0],
        lambda data: b"\0" * len(data),
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data + b"torn record",
    ],
    ids=["torn", "torn-head", "empty", "zeros", "flipped", "tail"],
)
def test_damaged_parts_are_fetched_again(far: Far, damage: Callable[[bytes], bytes]) -> None:
    asked = [(5000, 6000), (9000, 9500)]
    with far.store.open("large", expect(LARGE)) as source:
        source.read_many(asked)
    (file,) = (far.folder / "parts").glob("*/p*")
    file.write_bytes(damage(file.read_bytes()))
    for _ in range(2):
        with far.another().open("large", expect(LARGE)) as source:
            assert source.read_many(asked) == [LARGE[start:stop] for start, stop in asked]
            assert source.read(5500, 9100) == LARGE[5500:9100]


# -- many at once


def files_of(far: Far, count: int) -> dict[str, bytes]:
    files = {f"many/{number}": b"%d" % number * 1000 for number in range(count)}
    put(far.memory, files)
    return files


def test_many_are_fetched_with_one_call_and_kept(far: Far) -> None:
    files = files_of(far, 100)
    far.read("many/7", files["many/7"])
    far.counts.reset()
    items = [(key, expect(data)) for key, data in files.items()]
    came: list[int] = []
    assert far.store.read_many(items, came.append) == list(files.values())
    assert sum(came) == sum(map(len, files.values()))
    assert (far.counts.requests, far.counts.bulk_requests, far.counts.round_trips) == (99, 99, 1)
    far.counts.reset()
    assert far.another().read_many(items, nothing) == list(files.values())
    assert far.counts.requests == 0
    assert len(far.files()) == 100


def test_many_are_copied_with_one_call_and_kept(far: Far, tmp_path: Path) -> None:
    files = files_of(far, 50)
    far.read("many/7", files["many/7"])
    far.counts.reset()
    for round_ in ("cold", "warm"):
        folder = tmp_path / round_
        folder.mkdir()
        items = [(key, expect(data), str(folder / key[5:])) for key, data in files.items()]
        came: list[int] = []
        assert far.another().copy_many(items, came.append) == [None] * 50
        assert {f"many/{path.name}": path.read_bytes() for path in folder.iterdir()} == files
        assert sum(came) == sum(map(len, files.values()))
        assert far.counts.bulk_requests == far.counts.requests == 49
    assert len(far.files()) == 50


def test_many_with_errors_each_in_its_place(far: Far, tmp_path: Path) -> None:
    files = files_of(far, 4)
    far.below.fail("broken", key="many/0")
    far.below.fail("corrupt", key="many/1")
    items = [(key, expect(data)) for key, data in files.items()]
    items.append(("none", expect(b"absent")))
    for found in (
        far.another().read_many(items, nothing),
        far.another().copy_many([(*item, str(tmp_path / item[0][-1])) for item in items], nothing),
    ):
        kinds = [type(one) for one in found]
        assert kinds[:2] == [StoreError, WrongBytes]
        assert kinds[4] is NotFound
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["2", "3"]
    assert far.another().read_many(items[2:4], nothing) == [files["many/2"], files["many/3"]]
    assert len(far.files()) == 2


def test_many_of_one_digest_and_many_without(far: Far) -> None:
    far.put(copy=LARGE)
    items = [
        ("large", expect(LARGE)),
        ("copy", expect(LARGE)),
        ("small", None),
        ("large", Expected(len(LARGE))),
    ]
    assert far.store.read_many(items, nothing) == [LARGE, LARGE, b"small bytes", LARGE]
    assert sorted(far.counts.keys) == ["large", "large", "small"]


def test_many_from_a_store_that_fetches_one_by_one(tmp_path: Path) -> None:
    memory = MemoryStore("mem")
    files = {f"k{number}": b"%d" % number for number in range(5)}
    put(memory, files)
    store = CachedStore(memory, DiskCache(tmp_path / "cache"))
    items = [(key, expect(data)) for key, data in files.items()]
    assert store.read_many(items, nothing) == list(files.values())
    assert store.copy_many([(*item, str(tmp_path / item[0])) for item in items], nothing) == [None] * 5
    assert (tmp_path / "k3").read_bytes() == b"3"


def test_many_that_do_not_fit_are_read_all_the_same(far: Far, tmp_path: Path) -> None:
    files = files_of(far, 20)
    items = [(key, expect(data)) for key, data in files.items()]
    small = far.another(quota_bytes=1500)
    assert small.read_many(items, nothing) == list(files.values())
    assert small.copy_many([(*item, str(tmp_path / item[0][5:])) for item in items], nothing) == [None] * 20
    assert far.files() == []


def test_writing_passes_through(far: Far) -> None:
    put(far.store, {"written": b"bytes"})
    assert held(far.memory)["written"] == b"bytes"
    assert not far.folder.exists()


def test_a_cache_that_cannot_be_written_warns_once(
    far: Far, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    store = CachedStore(far.below, DiskCache(tmp_path / "file" / "cache"), identity="far://")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with store.open("large", expect(LARGE)) as source:
                assert source.read(10, 20) == LARGE[10:20]
                assert source.read_all() == LARGE
            assert store.read_many([("small", expect(b"small bytes"))], nothing) == [b"small bytes"]
            assert store.copy_many([("small", expect(b"small bytes"), str(tmp_path / "out"))], nothing) == [
                None
            ]
    assert len([record for record in caplog.records if "done without" in record.message]) == 1
