"""What a hit of the disk cache costs, beside opening a local file; and what filling it costs.

Both sides are measured in one run, in turns: a small file is read through `CachedStore`, and the same in a
`LocalStore`; the target is for both with one look-up of a dataset in a registry before.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import skyfs
from skyfs.abc.store import Expected, Store
from skyfs.repository import Repository
from skyfs.stores.cache import CachedStore, DiskCache
from skyfs.stores.local import LocalStore
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import put

ROUNDS, CALLS = 15, 200
TARGET = 1.2
_SIZE = 10_000


def measure(folder: Path) -> dict[str, float]:
    """Give microseconds of a hit and of its floor, with and without a look-up."""
    data = os.urandom(_SIZE)
    expected = Expected(_SIZE, hashlib.sha256(data).digest())
    far = MemoryStore("far")
    put(far, {"k": data})
    cached = CachedStore(far, DiskCache(folder / "cache"))
    (folder / "local").mkdir()
    local = LocalStore(folder / "local", name="local", durability="process")
    put(local, {"k": data})
    with _repository(folder / "sky") as repo:

        def look_up() -> None:
            repo.resolve("metrics", collections="run", instrument="Cam", detector=7)

        sides: dict[str, Callable[[], None]] = {
            "hit": lambda: _read(cached, expected, data),
            "local file": lambda: _read(local, expected, data),
            "look-up": look_up,
        }
        return _in_turns(sides)


def _in_turns(sides: dict[str, Callable[[], None]]) -> dict[str, float]:
    for act in sides.values():
        act()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, act in sides.items():
            begin = time.perf_counter()
            for _ in range(CALLS):
                act()
            found[name].append((time.perf_counter() - begin) / CALLS * 1e6)
    return {name: min(times) for name, times in found.items()}


def _read(store: Store, expected: Expected, data: bytes) -> None:
    with store.open("k", expected) as source:
        assert source.read_all() == data


def _repository(folder: Path) -> Repository:
    repo = skyfs.create(folder, options={"durability": "process"})
    repo.insert("instrument", [{"name": "Cam"}])
    repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(100)])
    repo.register("metrics", ["detector"], "Dict")
    repo.declare("metrics", [{"instrument": "Cam", "detector": n} for n in range(100)], run="run")
    return repo


def fill(folder: Path, count: int, size: int) -> float:
    """Give the seconds in which files are fetched from memory and kept: all of them are the cache's."""
    far = MemoryStore("far")
    files = {f"k{number}": os.urandom(size) for number in range(count)}
    put(far, files)
    store = CachedStore(far, DiskCache(folder))
    items = [(key, Expected(size, hashlib.sha256(data).digest())) for key, data in files.items()]
    begin = time.perf_counter()
    assert store.read_many(items, lambda _: None) == list(files.values())
    return time.perf_counter() - begin


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="skyfs-bench-") as name:
        folder = Path(name)
        found = measure(folder)
        hit, floor = found["hit"] + found["look-up"], found["local file"] + found["look-up"]
        machine = f"{platform.python_version()}, {os.cpu_count()} cores, Linux {platform.release()}"
        print(f"{machine}; the best of {ROUNDS}")
        print(f"{'what':40} {'µs':>8}")
        for what, time_us in found.items():
            print(f"{what:40} {time_us:8.1f}")
        print(f"hit ÷ local file, both with the look-up: {hit / floor:.2f} (target {TARGET})")
        print(f"1000 files of 10 kB kept in {fill(folder / 'many', 1000, _SIZE):.2f} s")
        print(f"one file of 256 MiB kept in {fill(folder / 'large', 1, 256 << 20):.2f} s")
    return 0 if hit / floor <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
