"""The registry in PostgreSQL beside the same in SQLite: inserting, finding, listing, asking by expression.

The server is a fresh one of this run, behind a Unix socket on the same disk, with its usual settings for
syncing; commits survive the death of a process, not a loss of power, in both (``durability: process``). What
a network adds is its latency: the column "trips" counts how often the server is asked.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from registry import Survey, milliseconds, questions
from reporting.program import Program
from reporting.table import Ratio, Row, Table

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
LITE, SERVER, TRIPS = "SQLite", "PostgreSQL", "trips"


def row(what: str, unit: str, times: Sequence[float], asked: int | None = None) -> Row:
    """Give one thing, measured on both sides; and how often the server was asked."""
    found = dict(zip((LITE, SERVER), times, strict=True))
    return Row(what, unit, found if asked is None else found | {TRIPS: asked})


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


def of_registry(size: int, folder: Path, server_url: str) -> Iterator[Row]:
    """Measure bulk inserts, and the questions of paths."""
    surveys = [
        Survey(folder / "registry.sqlite3", "ingested", size),
        Survey(PostgresSchema(Address.parse(server_url, "survey")), "ingested", size),
    ]
    (lite_us, lite_bytes), (server_us, server_bytes) = (one.fill() for one in surveys)
    yield row("insert 10⁵ ingested files", "µs each", (lite_us, server_us))
    yield row("their size", "bytes each", (lite_bytes, server_bytes))
    for (what, answer, repeats, make), _ in zip(questions(surveys[0]), questions(surveys[1]), strict=True):
        times = []
        for one in surveys:
            if one.ask(**make()) != answer:  # type: ignore[arg-type]
                raise SystemExit(f"{what}: a wrong answer")
            times.append(milliseconds(lambda: one.ask(**make()), min(repeats, 100)))  # type: ignore[arg-type]  # noqa: B023
        yield row(what, "ms", times, trips(lambda: surveys[1].ask(**make())))  # type: ignore[arg-type]  # noqa: B023
    for one in surveys:
        one.registry.close()


def of_repository(folder: Path, server_url: str) -> Iterator[Row]:
    """Measure expressions, and putting small datasets one by one."""
    repos = [repository(folder / "lite", None), repository(folder / "server", server_url)]
    for what, where in EXPRESSIONS.items():

        def ask(repo: skyfs.Repository, where: str = where) -> int:
            return sum(1 for _ in repo.query("cat", collections="runs/a", where=where))

        counts = [ask(repo) for repo in repos]
        if counts[0] != counts[1] or not counts[0]:
            raise SystemExit(f"{where}: {counts}")
        times = [milliseconds(lambda: ask(repo), 20) for repo in repos]  # noqa: B023
        shown = f"{what} ({counts[0]} of {N_VISITS * N_DETECTORS})"
        yield row(shown, "ms", times, trips(lambda: ask(repos[1])))
    numbers = iter(range(N_VISITS))

    def put(repo: skyfs.Repository, number: int) -> float:
        began = time.perf_counter()
        repo.put({"n": number}, "note", run="runs/notes", instrument="Cam", visit=number)
        return (time.perf_counter() - began) * 1e3

    some = [next(numbers) for _ in range(100)]
    times = [statistics.median(put(repo, number) for number in some) for repo in repos]
    yield row("put a small dict", "ms", times, trips(lambda: put(repos[1], next(numbers))))
    for repo in repos:
        repo.close()


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    random.seed(1)
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        postgres_server(fsync="on", autovacuum="on") as server,
    ):
        rows = [
            *of_registry(options.size, Path(folder), server.url()),
            *of_repository(Path(folder), server.url()),
        ]
        with server.connect() as raw:
            version = raw.info.parameter_status("server_version")
    ratios, notes = (Ratio("ratio", SERVER, (LITE,)),), (f"PostgreSQL {version}",)
    yield Table("postgresql", (LITE, SERVER), tuple(rows), ratios, notes=notes, also=(TRIPS,))


if __name__ == "__main__":
    program = Program(__doc__, quick={"size": 2000}, libraries=["psycopg"])
    program.option("--size", type=int, default=100_000)
    program.run(measure)
