"""Many processes share one cache: each file comes once; those that are killed leave nothing half done."""

from __future__ import annotations

import hashlib
import os
import random
import select
import signal
from collections import Counter
from pathlib import Path

import pytest

from skyfs.abc.store import Expected
from skyfs.stores.cache import CachedStore, DiskCache, clear, status, verify
from skyfs.stores.local import LocalStore
from skyfs.testing.faulty_store import FaultyStore
from skyfs.testing.store_suite import put

from . import crash
from .crash import die_at, killed, start_child

# Python 3.12 warns of forks beside other threads; these children only touch files, then exit.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

PROCESSES, DATASETS, EACH = 16, 100, 50
SIZES = [0, 100, 5_000, 70_000, 300_000]
QUOTA_BYTES = 1_000_000


class Site:
    """A store of files far away, and a cache of it that many processes share."""

    def __init__(self, folder: Path) -> None:
        (folder / "root").mkdir()
        self.folder = folder
        self.cache_folder = folder / "cache"
        self.files = {
            f"set/{number}": random.Random(number).randbytes(SIZES[number % len(SIZES)] + number)  # noqa: S311
            for number in range(DATASETS)
        }
        put(self._local(), self.files)
        self.expected = {
            key: Expected(len(data), hashlib.sha256(data).digest()) for key, data in self.files.items()
        }

    def _local(self) -> LocalStore:
        return LocalStore(self.folder / "root", name="far", durability="process")

    def open(self, *, slow: bool, quota_bytes: int = 1 << 30) -> tuple[CachedStore, FaultyStore]:
        """Give what a process has."""
        latency_s, bandwidth_bytes_s = (0.002, 50e6) if slow else (0.0, None)
        below = FaultyStore(self._local(), latency_s=latency_s, bandwidth_bytes_s=bandwidth_bytes_s)
        cache = DiskCache(self.cache_folder, quota_bytes=quota_bytes)
        return CachedStore(below, cache, identity="far://"), below

    def read(self, store: CachedStore, key: str) -> None:
        """Read in one way or another, and see that the bytes are right."""
        data = self.files[key]
        with store.open(key, self.expected[key]) as source:
            assert source.read_all() == data
            with source.open() as file:
                assert file.read() == data
            assert source.local_path is None or Path(source.local_path).read_bytes() == data

    def read_parts(self, store: CachedStore, key: str, choose: random.Random) -> None:
        data = self.files[key]
        ends = sorted(choose.randrange(len(data) + 1) for _ in range(4))
        ranges = [(ends[0], ends[1]), (ends[2], ends[3])]
        with store.open(key, self.expected[key]) as source:
            assert source.read_many(ranges) == [data[start:stop] for start, stop in ranges]

    def read_bulk(self, store: CachedStore, keys: list[str]) -> None:
        found = store.read_many([(key, self.expected[key]) for key in keys], lambda _: None)
        assert found == [self.files[key] for key in keys]

    def copy_bulk(self, store: CachedStore, keys: list[str], folder: Path) -> None:
        folder.mkdir()
        items = [(key, self.expected[key], str(folder / key[4:])) for key in keys]
        assert store.copy_many(items, lambda _: None) == [None] * len(keys)
        assert all(Path(path).read_bytes() == self.files[key] for key, _, path in items)


def share(site: Site, number: int) -> None:
    """Be one of the processes of the campaign: read half of the files, some together, some alone."""
    choose = random.Random(number)  # noqa: S311 - test data
    store, below = site.open(slow=True)
    keys = choose.sample(sorted(site.files), EACH)
    if number % 3 == 0:
        site.read_bulk(store, keys[:25])
    elif number % 3 == 1:
        site.copy_bulk(store, keys[:25], site.folder / f"copied-{number}")
    for key in keys[0 if number % 3 == 2 else 25 :]:
        site.read(store, key)
    (site.folder / f"asked-{number}").write_text("\n".join(below.counts.keys))


def campaign(folder: Path) -> None:
    folder.mkdir()
    site = Site(folder)
    children = [start_child(lambda number=number: share(site, number)) for number in range(PROCESSES)]  # type: ignore[misc] # a bound default
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert statuses == [0] * PROCESSES
    asked = Counter(
        key for number in range(PROCESSES) for key in (folder / f"asked-{number}").read_text().split()
    )
    assert set(asked.values()) == {1}
    assert len(asked) > EACH
    cache = DiskCache(site.cache_folder)
    assert status(cache).entries == len(asked)
    assert status(cache).size_bytes == sum(len(site.files[key]) for key in asked)
    assert verify(cache) == {}
    assert not list(site.cache_folder.glob("incoming/*"))
    assert not list(site.cache_folder.glob("locks/*/*"))


def test_many_processes_fetch_each_file_once(tmp_path: Path) -> None:
    campaign(tmp_path / "run")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_processes_fetch_each_file_once_every_time(tmp_path: Path) -> None:
    for run in range(20):
        campaign(tmp_path / str(run))


def live_and_die(site: Site, seed: int) -> None:
    """Read until the chosen system call."""
    choose = random.Random(seed)  # noqa: S311 - test data
    crash.STEPS = [*crash.STEPS, "rename", "chmod"]
    die_at(choose.randrange(20, 3000))
    read_anything(site, choose)


def read_anything(site: Site, choose: random.Random) -> None:
    store, _ = site.open(slow=False, quota_bytes=QUOTA_BYTES)
    cache = store._cache  # noqa: SLF001 - the operator's commands take it
    keys = sorted(site.files)
    for _ in range(200):
        what = choose.randrange(10)
        if what < 5:
            site.read(store, choose.choice(keys))
        elif what < 8:
            site.read_parts(store, choose.choice(keys), choose)
        elif what == 8:
            site.read_bulk(store, choose.sample(keys, 5))
        elif choose.randrange(5) == 0:
            clear(cache)
        else:
            read_derived(cache, f"derived-{choose.randrange(10)}".encode())


def read_derived(cache: DiskCache, name: bytes) -> None:
    with cache.derived(name.decode(), lambda file: file.writelines([name] * 5000)) as source:
        assert source.read_all() == name * 5000


def see_that_all_is_well(site: Site) -> None:
    """A file is whole or not there; nothing is left over; the quota holds."""
    content = [path for path in site.cache_folder.glob("content/*/*") if path.is_file()]
    assert all(path.name == f"c{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in content)
    store, _ = site.open(slow=False, quota_bytes=QUOTA_BYTES)
    assert status(store._cache).size_bytes <= QUOTA_BYTES  # noqa: SLF001 - as above
    store._cache.sweep_once()  # noqa: SLF001 - as above
    assert not list(site.cache_folder.glob("incoming/*"))
    assert not list(site.cache_folder.glob("locks/*/*"))
    for key in sorted(site.files):
        site.read(store, key)
    assert status(store._cache).size_bytes <= QUOTA_BYTES  # noqa: SLF001 - as above
    store.close()


def kill_readers(folder: Path, seeds: range, at_once: int) -> None:
    folder.mkdir()
    site = Site(folder)
    deaths = 0
    running: list[int] = []
    for seed in seeds:
        running.append(start_child(lambda seed=seed: live_and_die(site, seed)))  # type: ignore[misc] # a bound default
        if len(running) == at_once:
            deaths += killed(os.waitpid(running.pop(0), 0)[1])
    deaths += sum(killed(os.waitpid(child, 0)[1]) for child in running)
    assert deaths > len(seeds) / 2
    see_that_all_is_well(site)


def test_readers_that_are_killed_leave_nothing_half_done(tmp_path: Path) -> None:
    kill_readers(tmp_path / "run", range(24), at_once=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_readers_that_are_killed(tmp_path: Path) -> None:
    for part in range(20):
        kill_readers(tmp_path / str(part), range(100 * part, 100 * part + 60), at_once=4)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_readers_that_are_killed_at_any_moment(tmp_path: Path) -> None:
    """Not at system calls but by the clock, so inside of SQLite and of copies too."""
    site = Site(tmp_path)
    choose = random.Random(5)  # noqa: S311 - test data
    for seed in range(200):
        child = start_child(lambda seed=seed: read_anything(site, random.Random(seed)))  # type: ignore[misc] # noqa: S311
        end = os.pidfd_open(child)
        select.select([end], [], [], choose.uniform(0.01, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(end)
        if seed % 20 == 19:
            see_that_all_is_well(site)
