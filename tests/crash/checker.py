"""What a repository holds, by rows and bytes read without skyfs; and what is wrong with it.

The rows come through the databases' own drivers, the bytes from a walk of the stores. Only the names of
tables and columns are skyfs's, and how the path of a dataset makes its key.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree as ET

from skyfs.model.dimensions import Universe
from skyfs.registry.postgres.address import Address
from skyfs.testing.postgres_server import read_tables
from skyfs.testing.registry_rows import violations
from skyfs.testing.registry_sky import default_universe

Rows = Sequence[Mapping[str, Any]]
ReadTable = Callable[[str], Rows]
Name = tuple[str, str, str]
"""Collection, type, and data ID as JSON without brackets."""

_PRIVATE = ".skyfs"
# moto wants a signature, and does not look at it.
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20250101/us-east-1/s3/aws4_request"}


@cache
def _universe() -> Universe:
    return Universe.from_mapping(default_universe())


class Place(Protocol):
    """A store, looked at from outside."""

    def files(self) -> dict[str, bytes]:
        """Give all its files."""

    def leftovers(self) -> list[str]:
        """Tell what is there besides, and should not be while nobody writes."""


@dataclass(frozen=True)
class Folder:
    """A store that is a folder."""

    root: Path

    def files(self) -> dict[str, bytes]:
        found = {}
        for top, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if (top, name) != (str(self.root), _PRIVATE)]
            for name in names:
                path = Path(top, name)
                found[str(path.relative_to(self.root))] = path.read_bytes()
        return found

    def leftovers(self) -> list[str]:
        private = [str(path) for path in sorted(self.root.glob(f"{_PRIVATE}/*/*"))]
        empty = [top for top, folders, names in os.walk(self.root) if not folders and not names]
        return private + [top for top in empty if top != str(self.root) and _PRIVATE not in top]


@dataclass(frozen=True)
class Bucket:
    """A store on S3, and the folder where files wait for their upload."""

    url: str
    spool: Path

    def files(self) -> dict[str, bytes]:
        return {key: self._get(f"{self.url}/{_quoted(key)}") for key in self._all("?list-type=2", "Key")}

    def leftovers(self) -> list[str]:
        spooled = [str(path) for path in sorted(self.spool.glob(f"{_PRIVATE}/*/*"))]
        return spooled + [f"an upload of {key}" for key in self._all("?uploads", "Key")]

    def _all(self, question: str, tag: str) -> list[str]:
        tree = ET.fromstring(self._get(self.url + question))  # noqa: S314 - our own server
        assert not [one for one in tree.iter() if one.tag.endswith("IsTruncated") and one.text == "true"]
        return [str(one.text) for one in tree.iter() if one.tag.rpartition("}")[2] == tag]

    def _get(self, url: str) -> bytes:
        request = urllib.request.Request(url, headers=_SIGNED)  # noqa: S310 - our own server
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
            body: bytes = answer.read()
            return body


@dataclass(frozen=True, slots=True)
class Found:
    """What is there.

    Attributes
    ----------
    datasets
        The value of each dataset of a RUN.
    tags
        What TAGGED collections hold.
    faults
        What is wrong.
    """

    datasets: dict[Name, object] = field(default_factory=dict)
    tags: set[Name] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def look(read: ReadTable, places: Mapping[str, Place]) -> Found:
    """Look at everything."""
    return _Look(read, places).found()


def sqlite_tables(path: Path) -> ReadTable:
    """Give what reads the tables of a SQLite file; the file is held against SQLite's own rules first."""
    with closing(sqlite3.connect(path)) as raw:
        ((sound,),) = raw.execute("PRAGMA integrity_check").fetchall()
    assert sound == "ok"

    def read(table: str) -> Rows:
        with closing(sqlite3.connect(path)) as raw:
            raw.row_factory = sqlite3.Row
            return [dict(row) for row in raw.execute(f'SELECT * FROM "{table}"')]  # noqa: S608 - our names

    return read


def postgres_tables(address: Address) -> ReadTable:
    """Give what reads the tables of a schema."""
    tables = read_tables(address)
    return lambda table: tables[table]


class _Look:
    def __init__(self, read: ReadTable, places: Mapping[str, Place]) -> None:
        kept: dict[str, Rows] = {}

        def once(table: str) -> Rows:
            if table not in kept:
                kept[table] = read(table)
            return kept[table]

        self._read, self._places = once, places
        self._symbols = {row["id"]: row["text"] for row in once("symbol")}
        self._collections = {row["id"]: row for row in once("collection")}
        self._types = {row["id"]: row for row in once("dataset_type")}
        self._groups = {row["id"]: json.loads(row["dimensions"]) for row in once("dimension_group")}
        self._datasets = {row["id"]: row for row in once("dataset")}

    def found(self) -> Found:
        faults = violations(self._read, _universe())
        files = {name: place.files() for name, place in self._places.items()}
        held: dict[int, list[bytes]] = {one: [] for one in self._datasets}
        claimed: Counter[tuple[str, str]] = Counter()
        for dataset_id, artifact in self._located():
            store, key = self._symbols[artifact["store_id"]], self._key(dataset_id, artifact)
            claimed[store, key] += 1
            data = files[store].get(key)
            faults += _faults_of(store, key, artifact, data)
            held[dataset_id].append(b"" if data is None else data)
        faults += [f"claimed {count} times: {where}" for where, count in claimed.items() if count > 1]
        faults += [
            f"an orphan in {store}: {key}"
            for store, some in files.items()
            for key in some
            if (store, key) not in claimed
        ]
        faults += [one for place in self._places.values() for one in place.leftovers()]
        faults += [f"no bytes: {self._name(one)}" for one, some in held.items() if not some]
        faults += [
            f"the stores differ: {self._name(one)}" for one, some in held.items() if len(set(some)) > 1
        ]
        values = {self._name(one): json.loads(some[0]) for one, some in held.items() if some and some[0]}
        return Found(values, set(self._tagged()), faults)

    def _located(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        artifacts = {row["id"]: row for row in self._read("artifact")}
        for row in self._read("location"):
            yield row["dataset_id"], artifacts[row["artifact_id"]]

    def _key(self, dataset_id: int, artifact: Mapping[str, Any]) -> str:
        if artifact["name"] is not None:
            return f"{self._symbols[artifact['folder_id']]}/{artifact['name']}"
        run, type_name, data_id = self._name(dataset_id)
        dimensions = self._groups[self._types[self._datasets[dataset_id]["type_id"]]["group_id"]]
        values = json.loads(f"[{data_id}]")
        levels = "".join(f"/{name}={value}" for name, value in zip(dimensions, values, strict=True))
        return f"{run}/{type_name}{levels}{self._symbols[artifact['extension_id']]}"

    def _name(self, dataset_id: int, collection_id: int | None = None) -> Name:
        row = self._datasets[dataset_id]
        collection = self._collections[row["run_id"] if collection_id is None else collection_id]
        return collection["name"], self._types[row["type_id"]]["name"], row["data_id"]

    def _tagged(self) -> Iterator[Name]:
        for group in {row["group_id"] for row in self._types.values()}:
            for row in self._read(f"member_{group}"):
                if self._collections[row["collection_id"]]["kind"] == "TAGGED":
                    yield self._name(row["dataset_id"], row["collection_id"])


def _faults_of(store: str, key: str, artifact: Mapping[str, Any], data: bytes | None) -> Iterator[str]:
    if data is None:
        yield f"a row without bytes: {key} in {store}"
    elif len(data) != artifact["size"]:
        yield f"{key} in {store} has {len(data)} bytes, not {artifact['size']}"
    elif artifact["sha256"] is not None and hashlib.sha256(data).digest() != artifact["sha256"]:
        yield f"wrong bytes: {key} in {store}"


def _quoted(key: str) -> str:
    from urllib.parse import quote

    return quote(key)
