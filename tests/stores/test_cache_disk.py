"""The cache's folder: quota, order of use, pins, modes, and all that may happen to its files."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import pickle
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from skyfs.abc.store import Expected
from skyfs.errors import StoreError
from skyfs.stores.cache import CachedStore, DiskCache, clear, status, verify
from skyfs.stores.cache.index import IndexDamaged, PlainDisk
from skyfs.stores.cache.layout import content_name
from skyfs.stores.cache.locks import Locks
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import put

from .conftest import Mount
from .crash import run_child, start_child

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Shop:
    """A store of files of 100 bytes each, named by a number, and caches of it in one folder."""

    def __init__(self, folder: Path) -> None:
        self.memory = MemoryStore("shop")
        self.folder = folder
        put(self.memory, {str(number): self.data(number) for number in range(40)})

    @staticmethod
    def data(number: int) -> bytes:
        return (b"%d " % number * 100)[:100]

    def expected(self, number: int) -> Expected:
        return Expected(100, hashlib.sha256(self.data(number)).digest())

    def path(self, number: int) -> Path:
        name = content_name(hashlib.sha256(self.data(number)).digest())
        return self.folder / "content" / name[1:3] / name

    def cache(self, quota_bytes: int = 1000) -> DiskCache:
        return DiskCache(self.folder, quota_bytes=quota_bytes)

    def store(self, cache: DiskCache | None = None) -> CachedStore:
        return CachedStore(self.memory, cache or self.cache())

    def read(self, *numbers: int, cache: DiskCache | None = None) -> None:
        """Read through the cache, and see that the bytes are right."""
        store = self.store(cache)
        for number in numbers:
            with store.open(str(number), self.expected(number)) as source:
                assert source.read_all() == self.data(number)

    def kept(self) -> set[int]:
        return {number for number in range(40) if self.path(number).exists()}

    def age(self, number: int, seconds: int) -> None:
        """Make a use a while ago."""
        state = self.path(number).stat()
        os.utime(self.path(number), ns=(state.st_atime_ns, state.st_mtime_ns - seconds * 10**9))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "cache")


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


def test_clearing_all_takes_pinned_files_too_and_readers_read_on(shop: Shop) -> None:
    cache = shop.cache()
    shop.store(cache).pin("0", shop.expected(0))
    shop.read(1, cache=cache)
    with shop.store(cache).open("1", shop.expected(1)) as source:
        assert clear(cache, pinned=True) == (2, 200)
        assert source.read_all() == shop.data(1)
        with source.open() as file:
            assert file.read() == shop.data(1)
    assert status(cache) == status(shop.cache())
    assert (status(cache).size_bytes, status(cache).pinned, status(cache).oldest_s) == (0, 0, None)
    shop.read(1, cache=cache)


def test_pinning_what_does_not_fit_says_so(shop: Shop) -> None:
    with pytest.raises(StoreError, match="raise the quota"):
        shop.store(shop.cache(50)).pin("1", shop.expected(1))


# -- the index is an account of the files, and nothing more


@pytest.mark.parametrize("how", ["lost", "emptied", "garbage", "no-table", "no-sum", "bad-record", "strange"])
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
        shutil.rmtree(folder)
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


# -- processes that die, stand still, or share


def test_a_dead_download_is_swept_and_a_live_one_is_not(shop: Shop) -> None:
    shop.read(0)
    cache = shop.cache()
    names = [content_name(shop.expected(number).sha256 or b"") for number in (1, 2)]
    for name in names:
        Path(cache.layout.new_incoming(name)).write_bytes(b"half")
    dead = cache.layout.open_shared(cache.layout.lock_path(names[0]))
    os.close(dead)  # a lock file whose owner was killed
    live = Locks(cache.layout).take(names[1])
    assert live is not None
    with live:
        shop.read(5, cache=cache)
        assert [path.name.partition(".")[0] for path in (shop.folder / "incoming").iterdir()] == [names[1]]
        assert [path.name for path in (shop.folder / "locks").glob("*/c*")] == [names[1]]
    shop.read(1, 2)
    assert list((shop.folder / "incoming").iterdir()) == []


def test_a_lock_dies_with_its_owner(shop: Shop) -> None:
    shop.read(0)
    cache = shop.cache()
    name = content_name(shop.expected(1).sha256 or b"")

    def take_and_die() -> None:
        assert cache.locks.take(name) is not None
        os.kill(os.getpid(), 9)

    run_child(take_and_die)
    assert Path(cache.layout.lock_path(name)).exists()
    shop.read(1, cache=cache)
    assert shop.kept() == {0, 1}


def test_a_downloader_that_stands_still_is_not_waited_for(shop: Shop) -> None:
    cache = DiskCache(shop.folder, stall_s=0.01)
    held = cache.locks.take(content_name(shop.expected(1).sha256 or b""))
    assert held is not None
    with held:
        shop.read(1, cache=cache)
    assert shop.kept() == set()


def test_waiters_find_what_another_brought(shop: Shop) -> None:
    cache = shop.cache()
    name = content_name(shop.expected(1).sha256 or b"")
    held = cache.locks.take(name)
    assert held is not None
    asked, answered = os.pipe(), os.pipe()

    def wait() -> None:
        shop.memory = MemoryStore("empty")
        os.write(asked[1], b"x")
        shop.read(1)
        os.write(answered[1], b"x")

    child = start_child(wait)
    os.read(asked[0], 1)
    path = Path(cache.layout.new_incoming(name))
    path.write_bytes(shop.data(1))
    shop.path(1).parent.mkdir(parents=True)
    path.rename(shop.path(1))
    held.release()
    assert os.read(answered[0], 1) == b"x"
    assert os.waitpid(child, 0)[1] == 0


def test_a_fork_shares_nothing_but_the_folder(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(*range(5), cache=cache)
    assert run_child(lambda: shop.read(*range(3, 20), cache=cache)) == 0
    shop.read(*range(20, 25), cache=cache)
    assert status(cache).size_bytes <= 1000
    assert {20, 21, 22, 23, 24} <= shop.kept()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("group", "file_mode", "folder_mode"),
    [(False, 0o600, 0o700), (True, 0o660, 0o2770)],
    ids=["own", "group"],
)
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_modes_do_not_follow_the_umask(
    shop: Shop, *, group: bool, file_mode: int, folder_mode: int, mask: int
) -> None:
    with umask(mask):
        cache = DiskCache(shop.folder, group=group)
        shop.read(1, 2, cache=cache)
        shop.store(cache).pin("1", shop.expected(1))
        put(shop.memory, {"big": bytes(100_000)})
        with shop.store(cache).open(
            "big", Expected(100_000, hashlib.sha256(bytes(100_000)).digest())
        ) as source:
            source.read(500, 600)
        modes = {path: path.lstat().st_mode for path in [shop.folder, *shop.folder.rglob("*")]}
    assert {oct(mode & 0o7777) for path, mode in modes.items() if path.is_dir()} == {oct(folder_mode)}
    assert {oct(mode & 0o7777) for path, mode in modes.items() if path.is_file()} == {oct(file_mode)}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder into which all users may look; pytest's own are for its user alone."""
    with tempfile.TemporaryDirectory(prefix="skyfs-test-") as name:
        os.chmod(name, 0o755)  # noqa: S103 - that is its purpose
        yield Path(name)


def test_two_users_share_a_group_cache(open_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    shop = Shop(open_folder / "cache")
    shop.folder.mkdir()
    os.chown(shop.folder, 0, 12345)
    shop.folder.chmod(0o2770)

    def as_user(user: int, *numbers: int) -> None:
        def work() -> None:
            os.setgroups([12345])
            os.setgid(user)
            os.setuid(user)
            os.umask(0o077)
            cache = DiskCache(shop.folder, quota_bytes=1000, group=True)
            shop.read(*numbers, cache=cache)
            shop.store(cache).pin(str(numbers[0]), shop.expected(numbers[0]))
            shop.store(cache).unpin(str(numbers[0]), shop.expected(numbers[0]))

        assert run_child(work) == 0

    as_user(4001, *range(10))
    assert shop.kept() == set(range(10))
    shop.memory = MemoryStore("empty")
    as_user(4002, *range(10))
    shop.memory = Shop(shop.folder).memory
    as_user(4002, *range(10, 25))
    assert shop.kept() <= set(range(5, 25))
    assert {20, 21, 22, 23, 24} <= shop.kept()


# -- disks that are full


def test_a_full_disk_is_no_error_of_reading(
    shop: Shop, small_disk: Mount, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = small_disk("400k")
    data = os.urandom(300_000)
    put(shop.memory, {"big": data})
    expected = Expected(len(data), hashlib.sha256(data).digest())
    store = CachedStore(shop.memory, DiskCache(folder / "cache"))
    (folder / "filler").write_bytes(bytes(150_000))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with store.open("big", expected) as source:
                assert source.read(5, 200_000) == data[5:200_000]
                assert source.read_all() == data
            assert store.read_many([("big", expected)], lambda _: None) == [data]
            assert store.copy_many([("big", expected, str(tmp_path / "out"))], lambda _: None) == [None]
            assert (tmp_path / "out").read_bytes() == data
    assert [path for path in (folder / "cache").glob("*/c*") if path.stat().st_size > 100_000] == []
    assert list((folder / "cache" / "incoming").iterdir()) == []
    assert len([record for record in caplog.records if "done without" in record.message]) == 1


def test_a_limit_on_the_size_of_files_is_no_error_of_reading(shop: Shop) -> None:
    data = os.urandom(300_000)
    put(shop.memory, {"big": data})
    expected = Expected(len(data), hashlib.sha256(data).digest())
    shop.read(1)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        store = shop.store(DiskCache(shop.folder))
        with store.open("big", expected) as source:
            assert source.read(5, 250_000) == data[5:250_000]
            assert source.read(5, 250_000) == data[5:250_000]
            assert source.read_all() == data
        made = DiskCache(shop.folder).derived("large", lambda file: _write(file, data))
        with made:
            assert made.read_all() == data

    assert run_child(work) == 0
    assert shop.kept() == {1}
    with shop.store(DiskCache(shop.folder)).open("big", expected) as source:
        assert source.read(5, 250_000) == data[5:250_000]


def _write(file: BinaryIO, data: bytes) -> None:
    file.writelines(data[start : start + 10_000] for start in range(0, len(data), 10_000))


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
    with cache.derived("name", lambda file: _write(file, b"now")) as source:
        assert source.read_all() == b"now"


@pytest.mark.parametrize("quota_bytes", [10, 1000])
def test_derived_bytes_are_evicted_and_made_again(shop: Shop, quota_bytes: int) -> None:
    cache = shop.cache(quota_bytes)
    for _ in range(2):
        with cache.derived("name", lambda file: _write(file, b"derived bytes")) as source:
            assert source.read_all() == b"derived bytes"
            assert source.size == 13
            with source.open() as file:
                assert file.read() == b"derived bytes"
        shop.read(*range(20), cache=cache)
        assert status(cache).size_bytes <= quota_bytes


def test_derived_bytes_without_a_usable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with DiskCache(tmp_path / "file" / "cache").derived("x", lambda file: _write(file, b"bytes")) as source:
        assert source.read_all() == b"bytes"


# -- upkeep


def test_verify_finds_and_removes_what_is_damaged(shop: Shop) -> None:
    cache = shop.cache()
    shop.read(1, 2, 3, cache=cache)
    cache.derived("name", lambda file: _write(file, b"derived bytes")).close()
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
