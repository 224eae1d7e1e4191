"""The cache's folder and processes that die, stand still or share it; disks that are full."""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skyfs.abc.store import Expected
from skyfs.stores.cache import CachedStore, DiskCache, status
from skyfs.stores.cache.layout import content_name
from skyfs.stores.cache.locks import Locks
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import put

from .conftest import Mount
from .crash import run_child, start_child
from .shop import Shop, write

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


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


def test_room_that_killed_downloads_had_reserved_is_free_again(shop: Shop) -> None:
    shop.read(0)
    cache = shop.cache()
    dead = {content_name(shop.expected(number).sha256 or b""): 100 for number in range(1, 6)}
    keyed = {f"k{'0' * 63}{number}": 100 for number in range(4)}
    assert cache.ledger.reserve(dead | keyed)
    half = Path(cache.layout.new_incoming(next(iter(dead))))
    half.write_bytes(b"half")
    cache.sweep_once()
    half.write_bytes(b"another that died since")
    shop.read(*range(20, 29), cache=cache)
    assert shop.kept() >= set(range(20, 29))
    assert not half.exists()


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
    modes = {path: mode for path, mode in modes.items() if not path.is_symlink()}
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
        made = DiskCache(shop.folder).derived("large", lambda file: write(file, data))
        with made:
            assert made.read_all() == data

    assert run_child(work) == 0
    assert shop.kept() == {1}
    with shop.store(DiskCache(shop.folder)).open("big", expected) as source:
        assert source.read(5, 250_000) == data[5:250_000]
