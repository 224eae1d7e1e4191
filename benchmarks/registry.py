"""The registry at 10^4, 10^6 and 10^7 datasets: bytes, inserting, finding, listing; beside raw SQLite.

Datasets have the dimensions instrument, visit and detector: 200 detectors, 100 visits a night. "declared"
are rows without bytes; "ingested" are files with size, time and digest; "in place" have a folder and a name
of their own. The floor is the same question in SQL, on the same file, through `sqlite3` alone.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from uuid import UUID

import yaml
from reporting.program import Program
from reporting.table import Ratio, Row, Table, Target, power_of_ten

from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataid import DataId
from skyfs.model.dataset import DatasetRef, DatasetType, Location
from skyfs.model.ids import new_ids
from skyfs.model.template import default_key
from skyfs.registry.datasets import NewDataset
from skyfs.registry.levels import LevelFilter
from skyfs.registry.place import Place
from skyfs.registry.registry import Registry

DETECTORS = 200
VISITS_A_NIGHT = 100
FIRST_NIGHT = 20250101
CHUNK = 100_000
HUGE = 10**7
DIGEST = bytes(range(32))
KINDS = {"declared": 130.0, "ingested": 220.0, "in place": 220.0}


@dataclass(frozen=True)
class Figure:
    """One measured thing."""

    kind: str
    size: int
    what: str
    unit: str
    skyfs: float
    floor: float | None = None
    target: float | None = None


class Survey:
    """A registry filled with datasets of one kind."""

    def __init__(self, place: Path | Place, kind: str, size: int) -> None:
        self.kind, self.size = kind, size
        self.visits = size // DETECTORS
        self.place = place
        universe = yaml.safe_load(resources.files("skyfs.model").joinpath("universe.yaml").read_text())
        self.registry = Registry.create(self.place, universe, durability="process")
        self._insert_records()
        group = self.registry.universe.group(["visit", "detector"])
        collections = self.registry.collections
        self.entry = collections.register(DatasetType("cat", group, "Table"))
        self.run = collections.create(Collection("run/a", CollectionKind.RUN))

    def _insert_records(self) -> None:
        records = self.registry.records
        records.insert("instrument", [{"name": "BenchCam"}])
        records.insert("physical_filter", [{"instrument": "BenchCam", "name": "i", "band": "i"}])
        records.insert("detector", [{"instrument": "BenchCam", "id": number} for number in range(DETECTORS)])
        records.insert("visit", [self._visit(number) for number in range(self.visits)])

    def _visit(self, number: int) -> dict[str, object]:
        record: dict[str, object] = {"instrument": "BenchCam", "id": number, "physical_filter": "i"}
        return {**record, "day_obs": self.night(number), "timespan": (number * 10**9, (number + 1) * 10**9)}

    def night(self, visit: int) -> int:
        """Give the night of a visit."""
        return FIRST_NIGHT + visit // VISITS_A_NIGHT

    def fill(self) -> tuple[float, float]:
        """Insert the datasets; give microseconds and bytes for each."""
        before, spent = self.registry.size_bytes(), 0.0
        for start in range(0, self.size, CHUNK):
            ids = [
                {"instrument": "BenchCam", "visit": number // DETECTORS, "detector": number % DETECTORS}
                for number in range(start, min(start + CHUNK, self.size))
            ]
            new = None if self.kind == "declared" else list(self._new(ids))
            began = time.perf_counter()
            if new is None:
                rows = self.registry.data_ids.complete_many(self.entry.group, ids)
                self.registry.datasets.declare(self.entry, self.run, rows, new_ids(len(rows)))
            else:
                self.registry.datasets.insert(new)
            spent += time.perf_counter() - began
        return spent / self.size * 1e6, (self.registry.size_bytes() - before) / self.size

    def _new(self, ids: Sequence[dict[str, object]]) -> Iterator[NewDataset]:
        rows = self.registry.data_ids.complete_many(self.entry.group, ids)
        for row, uuid in zip(rows, new_ids(len(rows)), strict=True):
            ref = DatasetRef(UUID(bytes=uuid), self.entry.type, DataId(self.entry.group, row), "run/a")
            if self.kind == "ingested":
                place = Location(
                    "local", default_key(ref, ".fits"), ".fits", 8640, 1_700_000_000_123_456_789, DIGEST
                )
            else:
                key = f"data/raw/{int(row[2]):06d}/{int(row[3]):03d}.fits"
                place = Location("in-place", key, ".fits", 8640, 1_700_000_000_123_456_789, DIGEST)
            yield NewDataset(ref, (place,))

    def ask(self, *, depth: int | None = None, **exact: int | str) -> int:
        """Ask for datasets, or for the directories of a level; give how many there are."""
        snapshot = self.registry.current()
        declared = self.kind == "declared"
        filters = LevelFilter({"instrument": "BenchCam", **exact} if depth != 1 else {}, {})
        if depth is None:
            found = self.registry.lookup.datasets(
                snapshot, [self.entry], [self.run], filters, declared=declared
            )
            return sum(1 for _ in found)
        levels = self.registry.lookup.directories(
            snapshot, [self.entry], [self.run], filters, depth, declared=declared
        )
        return sum(1 for _ in levels)


class Raw:
    """The same questions in SQL on the same file."""

    def __init__(self, survey: Survey) -> None:
        self._connection = sqlite3.connect(f"file:{survey.place}?mode=ro", uri=True)
        self._connection.execute("PRAGMA mmap_size=1073741824")
        self._table = survey.entry.tables.member.name
        stored = 0 if survey.kind == "declared" else 1
        self._head = f"m.type_id={survey.entry.id} AND m.collection_id={survey.run.id} AND m.stored={stored}"

    def ask(self, *, depth: int | None = None, **exact: int | str) -> int:
        """Ask as `Survey.ask` does."""
        given = {"instrument": "BenchCam", **exact} if depth != 1 else {}
        where = " AND ".join([self._head, *(f"m.{name}=:{name}" for name in given)])
        table = self._table
        if depth is not None:
            level = ("instrument", "day_obs", "visit", "detector")[depth - 1]
            least = f"SELECT min(m.{level}) FROM {table} m WHERE {where}"  # noqa: S608 - our own names
            text = f"""WITH RECURSIVE scan(v) AS (SELECT ({least})
                UNION ALL SELECT ({least} AND m.{level} > scan.v) FROM scan WHERE v IS NOT NULL)
                SELECT v FROM scan WHERE v IS NOT NULL"""  # noqa: S608 - our own names
        else:
            text = f"""SELECT m.*, d.uuid, d.run_id, a.* FROM {table} m JOIN dataset d ON d.id = m.dataset_id
                LEFT JOIN location l ON l.dataset_id = d.id LEFT JOIN artifact a ON a.id = l.artifact_id
                WHERE {where}"""  # noqa: S608 - our own names
        return len(self._connection.execute(text, given).fetchall())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Give the median time of a call."""
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def questions(survey: Survey) -> Iterator[tuple[str, int, int, Callable[[], dict[str, int | str]]]]:
    """Give name, right answer, repeats and a maker of arguments of each question."""

    def visit(*names: str) -> dict[str, int | str]:
        number = random.randrange(survey.visits)  # noqa: S311 - no secret
        known = {"day_obs": survey.night(number), "visit": number, "detector": random.randrange(DETECTORS)}  # noqa: S311
        return {name: known[name] for name in names}

    in_night = min(VISITS_A_NIGHT, survey.visits)
    nights = -(-survey.visits // VISITS_A_NIGHT)
    yield "find one", 1, 500, lambda: visit("day_obs", "visit", "detector")
    yield "one visit", DETECTORS, 50, lambda: visit("day_obs", "visit")
    yield "one night", in_night * DETECTORS, 5, lambda: {"day_obs": FIRST_NIGHT}
    yield "list instruments", 1, 200, lambda: {"depth": 1}
    yield "list nights", nights, 50, lambda: {"depth": 2}
    yield "list visits of a night", in_night, 50, lambda: {"depth": 3, "day_obs": FIRST_NIGHT}
    yield "list detectors of a visit", DETECTORS, 50, lambda: {"depth": 4, **visit("day_obs", "visit")}


def raw_insert_us(folder: Path) -> float:
    """Give what one row costs in a raw table with two indexes."""
    connection = sqlite3.connect(folder / "raw.sqlite3")
    connection.execute(
        "CREATE TABLE d (id INTEGER PRIMARY KEY, uuid BLOB UNIQUE, t INT, r INT, c INT, k TEXT)"
    )
    connection.execute(
        "CREATE TABLE m (t INT, c INT, i TEXT, d INT, v INT, n INT, id INT,"
        " PRIMARY KEY (t, c, i, d, v, n)) WITHOUT ROWID"
    )
    count = 100_000
    ids = new_ids(count)
    began = time.perf_counter()
    with connection:
        connection.executemany("INSERT INTO d VALUES (?,?,1,1,1,'BenchCam')", enumerate(ids))
        rows = ((number // 20_000, number // 200, number % 200, number) for number in range(count))
        connection.executemany("INSERT INTO m VALUES (1,1,'BenchCam',?,?,?,?)", rows)
    spent = time.perf_counter() - began
    connection.close()
    return spent / count * 1e6


def figures_of(kind: str, size: int, folder: Path) -> Iterator[Figure]:
    """Build one registry and measure it."""
    survey = Survey(folder / "registry.sqlite3", kind, size)
    insert_us, bytes_each = survey.fill()
    yield Figure(kind, size, "bytes per dataset", "B", bytes_each, target=KINDS[kind])
    yield Figure(kind, size, "insert", "µs/row", insert_us, raw_insert_us(folder))
    raw = Raw(survey)
    for what, answer, repeats, make in questions(survey):
        for found in (survey.ask(**make()), raw.ask(**make())):  # type: ignore[arg-type]
            if found != answer:
                raise SystemExit(f"{kind} {size}: {what} gave {found} rows, not {answer}")
        ours = milliseconds(lambda: survey.ask(**make()), repeats)  # type: ignore[arg-type]  # noqa: B023
        floor = milliseconds(lambda: raw.ask(**make()), repeats)  # type: ignore[arg-type]  # noqa: B023
        yield Figure(kind, size, what, "ms", ours, floor)
    raw.close()
    survey.registry.close()


def table(name: str, figures: Sequence[Figure], sizes: Sequence[int]) -> Table:
    """Give what was measured at some sizes, each beside the floor and the size before."""
    sides = [side for size in sizes for side in (power_of_ten(size), _floor(size))]
    rows: dict[tuple[str, str], dict[str, float | None]] = {}
    targets: dict[str, tuple[Target, ...]] = {}
    for one in figures:
        found, side = rows.setdefault((one.what, one.unit), {}), power_of_ten(one.size)
        found[side] = one.skyfs
        if one.floor is not None:
            found[_floor(one.size)] = one.floor
        if one.target is not None and one.size in sizes:
            targets[one.what] = (*targets.get(one.what, ()), Target(side, one.target))
    made = [Row(what, unit, found, targets.get(what, ())) for (what, unit), found in rows.items()]
    return Table(name, tuple(sides), tuple(made), tuple(_ratios(figures)), "inline")


def _floor(size: int) -> str:
    return f"floor at {power_of_ten(size)}"


def _ratios(figures: Sequence[Figure]) -> Iterator[Ratio]:
    sizes = sorted({one.size for one in figures})
    for before, size in zip([None, *sizes], sizes, strict=False):
        own = power_of_ten(size)
        yield Ratio(f"{own} × floor", own, (_floor(size),))
        if before is not None:
            yield Ratio(f"{own} × that of {power_of_ten(before)}", own, (power_of_ten(before),))


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    random.seed(1)
    for kind in options.kinds:
        figures: list[Figure] = []
        sizes = sorted(options.sizes)
        for size in sizes:
            figures += _fresh(kind, size, options.folder)
        yield table(kind, figures, sizes)
        if options.huge and kind == "declared":
            figures += _fresh(kind, HUGE, options.folder)
            yield table(f"{kind}, {power_of_ten(HUGE)}", figures, [HUGE])


def _fresh(kind: str, size: int, folder: str | None) -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        found = list(figures_of(kind, size, Path(name)))
    print(f"{kind} {size}: done", file=sys.stderr)
    return found


if __name__ == "__main__":
    program = Program(__doc__, quick={"sizes": [2000, 10_000]}, libraries=["sqlalchemy"])
    program.option("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    program.option("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    program.option("--huge", action="store_true", help="10⁷ declared datasets too: ten minutes, 3 GB")
    program.run(measure)
