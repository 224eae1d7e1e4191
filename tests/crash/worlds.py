"""Repositories that writers die in: local, on S3 or in two stores, on either database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import skyfs
from skyfs.registry.postgres.address import Address
from skyfs.repository import Repository
from skyfs.testing.postgres_server import PostgresServer
from skyfs.testing.servers import S3Server

from .checker import Bucket, Folder, Found, Name, Place, look, postgres_tables, sqlite_tables

N_DETECTORS = 120
N_FILES = 100
_numbers = count()


@dataclass(frozen=True, slots=True)
class State:
    """What a repository shall hold: values by name, and what is tagged."""

    datasets: Mapping[Name, object]
    tags: frozenset[Name] = frozenset()

    def is_in(self, found: Found) -> bool:
        """Tell whether that is what was found."""
        return found.datasets == self.datasets and found.tags == self.tags


@dataclass(frozen=True)
class World:
    """A repository, and how it is looked at from outside."""

    root: Path
    places: Mapping[str, Place]
    address: Address | None

    def open(self) -> Repository:
        """Open it for writing, which recovers what the dead have left."""
        return skyfs.open(self.root, writable=True)

    def look(self) -> Found:
        """Look at it, while nobody has it open."""
        path = self.root / "registry.sqlite3"
        read = sqlite_tables(path) if self.address is None else postgres_tables(self.address)
        return look(read, self.places)


def at(detector: int) -> dict[str, Any]:
    """Give a data ID."""
    return {"instrument": "Cam", "detector": detector}


def name(detector: int, collection: str = "r") -> Name:
    """Give the name of a dataset."""
    return collection, "metrics", f'"Cam",{detector}'


@dataclass(frozen=True)
class Worlds:
    """What worlds are made in."""

    folder: Path
    s3: Callable[[], S3Server]
    postgres: Callable[[], PostgresServer]

    def make(self, stores: str, database: str, durability: str = "power") -> World:
        """Make one: ``stores`` is ``local``, ``s3`` or ``both``."""
        number = next(_numbers)
        root = self.folder / f"sky{number}"
        given, places = self._stores(root, stores.replace("both", "local s3").split(), number)
        options: dict[str, object] = {"durability": durability}
        registry, address = None, None
        if database == "postgresql":
            registry, options["schema"] = self.postgres().url(), f"crash_{number}"
            address = Address.parse(registry, str(options["schema"]))
        with skyfs.create(root, name="sky", registry=registry, stores=given, options=options) as repo:
            _fill(repo)
        for detector in range(N_DETECTORS):
            path = self.folder / f"{detector}.json"
            path.write_text(f'{{"file": {detector}}}')
        return World(root, places, address)

    def _stores(
        self, root: Path, kinds: Iterable[str], number: int
    ) -> tuple[list[dict[str, Any]], dict[str, Place]]:
        given: list[dict[str, Any]] = []
        places: dict[str, Place] = {}
        for kind in kinds:
            if kind == "local":
                given.append({"name": "local", "url": "data", "types": ["*"]})
                places["local"] = Folder(root / "data")
            else:
                server, bucket = self.s3(), f"crash{number}"
                url, options = server.bucket(bucket), dict(server.options)
                given.append({"name": "s3", "url": url, "types": ["*"], "options": options, "cache": False})
                places["s3"] = Bucket(f"{server.endpoint}/{bucket}", root / ".skyfs/stores/s3")
        return given, places


def _fill(repo: Repository) -> None:
    repo.insert("instrument", [{"name": "Cam"}])
    detectors = [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(N_DETECTORS)]
    repo.insert("detector", detectors)
    repo.register("metrics", ["detector"], "Dict")
    for detector in (1, 2):
        repo.put({"old": detector}, "metrics", run="r", **at(detector))
