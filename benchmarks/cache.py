"""What a hit of the disk cache costs, beside opening a local file; and what filling it costs.

Both sides are measured in one run, in turns: a small file is read through `CachedStore`, and the same in a
`LocalStore`; the target is for both with one look-up of a dataset in a registry before.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reporting.program import Program
from reporting.table import Ratio, Row, Table, Target

import skyfs
from skyfs.abc.store import Expected, Store
from skyfs.repository import Repository
from skyfs.stores.cache import CachedStore, DiskCache
from skyfs.stores.local import LocalStore
from skyfs.stores.memory import MemoryStore
from skyfs.testing.store_suite import put

CALLS = 200
TARGET = 1.2
_SIZE = 10_000


def hits(folder: Path, rounds: int) -> dict[str, float]:
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
        return _in_turns(sides, rounds)


def _in_turns(sides: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    for act in sides.values():
        act()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
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


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="skyfs-bench-", dir=options.folder) as name:
        folder = Path(name)
        found = hits(folder, options.rounds)
        yield _hit_table(found)
        many = fill(folder / "many", options.files, _SIZE)
        large = fill(folder / "large", 1, options.large_mib << 20)
    kept = (
        Row("1000 files of 10 kB, fetched from memory and kept", "s", {"skyfs": many}),
        Row("one file of 256 MiB, the same", "s", {"skyfs": large}),
    )
    yield Table("fill", ("skyfs",), kept)


def _hit_table(found: dict[str, float]) -> Table:
    hit, floor, look_up = found["hit"], found["local file"], found["look-up"]
    both = {"hit": hit + look_up, "local file": floor + look_up}
    rows = (
        Row("a file of 10 kB", "µs", {"hit": hit, "local file": floor}),
        Row("the same, and one look-up in the registry", "µs", both, (Target("ratio", TARGET),)),
        Row("the look-up alone", "µs", {"hit": look_up}),
    )
    return Table("hit", ("hit", "local file"), rows, (Ratio("ratio", "hit", ("local file",)),))


if __name__ == "__main__":
    program = Program(__doc__, quick={"rounds": 1, "files": 50, "large_mib": 2})
    program.option("--rounds", type=int, default=15, help="the best of so many")
    program.option("--files", type=int, default=1000, help="small files to be kept")
    program.option("--large-mib", type=int, default=256, help="the large file to be kept")
    program.run(measure)
