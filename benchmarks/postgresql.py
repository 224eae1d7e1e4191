"""The registry in PostgreSQL beside the same in SQLite: inserting, finding, listing, asking by expression.

``python benchmarks/postgresql.py [--size 100000]``

The server is a fresh one of this run, behind a Unix socket on the same disk, with its usual settings for
syncing; commits survive the death of a process, not a loss of power, in both (``durability: process``). What
a network adds is its latency: the column "trips" counts how often the server is asked.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from registry import Survey, milliseconds, questions

import skyfs
from skyfs.registry.postgres.address import Address
from skyfs.registry.postgres.place import PostgresSchema
from skyfs.registry.postgres.session import PostgresSession
from skyfs.testing.postgres_server import postgres_server

EXPRESSIONS = {
    "one visit": "visit = 17",
    "by a record's column": "visit.exposure_time > 28 AND detector = 7",
    "many visits": "visit IN (10..19)",
    "a circle on the sky": "visit.region OVERLAPS CIRCLE(10, 0, 0.5)",
}
N_VISITS, N_DETECTORS = 500, 20


@dataclass(frozen=True)
class Figure:
    """One thing, measured on both sides."""

    what: str
    sqlite: float
    postgres: float
    unit: str
    trips: int | None = None


def repository(root: Path, registry: str | None) -> skyfs.Repository:
    """Make a repository with declared datasets, visits of which have times and regions."""
    from skyfs.model.region import circle

    repo = skyfs.create(root, registry=registry, options={"durability": "process"})
    repo.insert("instrument", [{"name": "Cam"}])
    repo.insert("physical_filter", [{"instrument": "Cam", "name": "i", "band": "i"}])
    repo.insert(
        "detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(N_DETECTORS)]
    )
    visits = [
        {"instrument": "Cam", "id": n, "physical_filter": "i", "day_obs": 20250101 + n // 100}
        | {"exposure_time": float(n % 30), "region": circle(n * 0.05, 0.0, 0.3)}
        for n in range(N_VISITS)
    ]
    repo.insert("visit", visits)
    repo.register("cat", ["visit", "detector"], "Table")
    repo.register("note", ["visit"], "Dict")
    ids = [
        {"instrument": "Cam", "visit": v, "detector": d} for v in range(N_VISITS) for d in range(N_DETECTORS)
    ]
    repo.declare("cat", ids, run="runs/a")
    return repo


def trips(act: Callable[[], object]) -> int:
    """Count how often the server is asked."""
    count = 0
    names = ("select", "version", "begin", "command", "write_many", "_pour")
    kept = {name: getattr(PostgresSession, name) for name in names}

    def counting(method: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **more: object) -> object:
            nonlocal count
            count += 1
            return method(*given, **more)

        return call

    for name, method in kept.items():
        setattr(PostgresSession, name, counting(method))
    try:
        act()
    finally:
        for name, method in kept.items():
            setattr(PostgresSession, name, method)
    return count


def of_registry(size: int, folder: Path, server_url: str) -> Iterator[Figure]:
    """Measure bulk inserts, and the questions of paths."""
    surveys = [
        Survey(folder / "registry.sqlite3", "ingested", size),
        Survey(PostgresSchema(Address.parse(server_url, "survey")), "ingested", size),
    ]
    (lite_us, lite_bytes), (server_us, server_bytes) = (one.fill() for one in surveys)
    yield Figure(f"insert {size} ingested files", lite_us, server_us, "µs each")
    yield Figure("their size", lite_bytes, server_bytes, "bytes each")
    for (what, answer, repeats, make), _ in zip(questions(surveys[0]), questions(surveys[1]), strict=True):
        times = []
        for one in surveys:
            if one.ask(**make()) != answer:  # type: ignore[arg-type]
                raise SystemExit(f"{what}: a wrong answer")
            times.append(milliseconds(lambda: one.ask(**make()), min(repeats, 100)))  # type: ignore[arg-type]  # noqa: B023
        yield Figure(what, *times, "ms", trips(lambda: surveys[1].ask(**make())))  # type: ignore[arg-type]  # noqa: B023
    for one in surveys:
        one.registry.close()


def of_repository(folder: Path, server_url: str) -> Iterator[Figure]:
    """Measure expressions, and putting small datasets one by one."""
    repos = [repository(folder / "lite", None), repository(folder / "server", server_url)]
    for what, where in EXPRESSIONS.items():

        def ask(repo: skyfs.Repository, where: str = where) -> int:
            return sum(1 for _ in repo.query("cat", collections="runs/a", where=where))

        counts = [ask(repo) for repo in repos]
        if counts[0] != counts[1] or not counts[0]:
            raise SystemExit(f"{where}: {counts}")
        times = [milliseconds(lambda: ask(repo), 20) for repo in repos]  # noqa: B023
        yield Figure(
            f"{what} ({counts[0]} of {N_VISITS * N_DETECTORS})", *times, "ms", trips(lambda: ask(repos[1]))
        )
    numbers = iter(range(N_VISITS))

    def put(repo: skyfs.Repository, number: int) -> float:
        began = time.perf_counter()
        repo.put({"n": number}, "note", run="runs/notes", instrument="Cam", visit=number)
        return (time.perf_counter() - began) * 1e3

    some = [next(numbers) for _ in range(100)]
    times = [statistics.median(put(repo, number) for number in some) for repo in repos]
    yield Figure("put a small dict", *times, "ms", trips(lambda: put(repos[1], next(numbers))))
    for repo in repos:
        repo.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=100_000)
    options = parser.parse_args()
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder, postgres_server(fsync="on", autovacuum="on") as server:
        figures = [
            *of_registry(options.size, Path(folder), server.url()),
            *of_repository(Path(folder), server.url()),
        ]
        with server.connect() as raw:
            version = raw.info.parameter_status("server_version")
    print("| | SQLite | PostgreSQL | ratio | trips |\n|---|---|---|---|---|")
    for one in figures:
        ratio, count = f"{one.postgres / one.sqlite:.1f}", "" if one.trips is None else one.trips
        print(f"| {one.what}, {one.unit} | {one.sqlite:.3g} | {one.postgres:.3g} | {ratio} | {count} |")
    load = os.getloadavg()[0]
    print(f"\n{os.cpu_count()} cores (load {load:.1f}), {platform.system()} {platform.release()},", end=" ")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},", end=" ")
    print(f"PostgreSQL {version}, psycopg {psycopg.__version__}; medians.")


if __name__ == "__main__":
    main()
