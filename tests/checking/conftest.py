"""A small repository with one of everything, and ways to damage it behind its back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.checking import Report
from skyfs.model.dataset import DatasetRef
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer

_numbers = count()
NIGHT, VISITS = 20131102, (903334, 903336)
REGION = ((150.0, 2.0), (151.0, 2.0), (151.0, 3.0), (150.0, 3.0))


def fill(repo: Repository) -> None:
    """Put in records, and datasets in collections of every kind."""
    repo.insert("instrument", [{"name": "HSC"}])
    detectors = [{"instrument": "HSC", "id": n, "full_name": f"1_{n}"} for n in range(3)]
    repo.insert("detector", detectors)
    repo.insert("physical_filter", [{"instrument": "HSC", "name": "HSC-I", "band": "i"}])
    for number in VISITS:
        span = ("2013-11-02T08:00:00", "2013-11-02T08:01:00")
        common = {"instrument": "HSC", "physical_filter": "HSC-I", "day_obs": NIGHT, "timespan": span}
        repo.insert("visit", [{**common, "id": number, "name": f"v{number}", "region": _region()}])
    repo.register("metrics", ["visit", "detector"], "Dict", capture={"n": "json:/n"})
    repo.register("flat", ["detector", "physical_filter"], "Dict", calibration=True)
    inputs: list[DatasetRef] = []
    for visit in VISITS:
        for detector in range(2):
            inputs = [repo.put({"n": detector}, "metrics", run="u/r", inputs=inputs, **at(visit, detector))]
    repo.tag(inputs, "u/tagged")
    for run, begin, end in (("old", None, "2013-06-01"), ("new", "2013-06-01", None)):
        flat = repo.put({}, "flat", run=f"cal/{run}", instrument="HSC", detector=0, physical_filter="HSC-I")
        repo.certify([flat], "cal", begin, end)
    repo.chain("inner", ["u/r"])
    repo.chain("outer", ["inner", "cal"])


def _region() -> object:
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in REGION])


def at(visit: int = VISITS[0], detector: int = 0) -> dict[str, Any]:
    """Give the data ID of a metrics dataset."""
    return {"instrument": "HSC", "visit": visit, "detector": detector}


@dataclass(frozen=True)
class Place:
    """A repository that is closed, and its database as anybody may write to it.

    Attributes
    ----------
    connect
        Gives a connection of the driver.
    tables
        Lists the tables.
    """

    root: Path
    connect: Callable[[], Any]
    tables: str

    @contextmanager
    def sql(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Run statements as one change."""
        with closing(self.connect()) as raw:

            def run(text: str) -> list[tuple[Any, ...]]:
                cursor = raw.execute(text)
                return list(cursor.fetchall()) if cursor.description else []

            yield run
            raw.commit()

    def member(self, type_name: str, kind: str = "member") -> str:
        """Give the table of a type's memberships, or of its validity ranges."""
        with self.sql() as sql:
            ((group,),) = sql(f"SELECT group_id FROM dataset_type WHERE name = '{type_name}'")
        return f"{kind}_{group}"

    def dump(self) -> dict[str, list[str]]:
        """Give all rows of all tables."""
        with self.sql() as sql:
            names = sorted(row[0] for row in sql(self.tables))
            return {name: sorted(map(repr, sql(f'SELECT * FROM "{name}"'))) for name in names}

    def files(self) -> dict[str, bytes]:
        """Give all files of the stores."""
        folders = [
            path for path in self.root.iterdir() if path.is_dir() and path.name not in (".skyfs", "manifests")
        ]
        found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}

    def check(self, **options: Any) -> Report:  # noqa: ANN401 - those of check
        """Open it as the options need, and check it."""
        with skyfs.open(self.root, writable=bool(options.get("repair"))) as repo:
            return repo.check(**options)


def sqlite_place(root: Path) -> Place:
    """Give the place of a repository with SQLite."""
    return Place(
        root,
        lambda: sqlite3.connect(root / "registry.sqlite3"),
        "SELECT name FROM sqlite_master WHERE type = 'table'",
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound repository, to be copied."""
    root = tmp_path_factory.mktemp("template") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repo:
        fill(repo)
    return root


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a database of its own, to be copied with it."""
    root = tmp_path_factory.mktemp("template") / "sky"
    _administer(postgres, "CREATE DATABASE checked")
    options = {"durability": "process", "schema": "checked"}
    with skyfs.create(root, registry=postgres.url(database="checked"), options=options) as repo:
        fill(repo)
    return root


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A sound repository of its own for each test."""
    if request.param == "postgresql":
        found: Place = request.getfixturevalue("postgres_place")
        return found
    root = tmp_path / "sky"
    shutil.copytree(request.getfixturevalue("sqlite_template"), root)
    return sqlite_place(root)


@pytest.fixture
def postgres_place(postgres_template: Path, postgres: PostgresServer, tmp_path: Path) -> Iterator[Place]:
    """A sound repository with PostgreSQL."""
    root, name = tmp_path / "sky", f"checked_{next(_numbers)}"
    shutil.copytree(postgres_template, root)
    _administer(postgres, f"CREATE DATABASE {name} TEMPLATE checked")
    config = root / "skyfs.yaml"
    copied = config.read_text().replace(postgres.url(database="checked"), postgres.url(database=name))
    config.write_text(copied)

    def connect() -> Any:  # noqa: ANN401 - of the driver
        raw = postgres.connect(name)
        raw.execute("SET search_path TO checked")
        return raw

    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'checked' AND tablename != 'skyfs_changes'"
    yield Place(root, connect, tables)
    _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: PostgresServer, statement: str) -> None:
    with server.connect() as raw:
        raw.autocommit = True
        raw.execute(statement)


def codes(report: Report) -> set[str]:
    """Give the codes of what is found and not repaired."""
    return {code for code, tally in report.tallies.items() if tally.found > tally.repaired}
