"""The registry of one repository: its parts, made and opened together."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from ..errors import BadDefinition, Exists, StoreError, VersionError
from ..model.dimensions import Universe
from .captured import Captured
from .catalogue import Catalogue, Snapshot
from .collections import Collections
from .database import Database
from .dataids import DataIds
from .datasets import Datasets
from .holdings import Holdings
from .leaves import Leaves
from .lookup import Lookup
from .provenance import Provenance
from .queries.queries import Queries
from .records import Records
from .schema import SCHEMA_VERSION, Schema
from .sides import Sides
from .statement import Statement
from .symbols import Symbols


class Registry:
    """What exists in a repository.

    Attributes
    ----------
    universe
        Its dimensions.
    collections
        Makes and changes collections and dataset types.
    records
        Dimension records.
    sides
        Attaches side tables.
    data_ids
        Completes and checks data IDs.
    datasets
        Inserts, tags, certifies and removes datasets.
    captured
        Values that were read from the bytes of datasets.
    lookup
        Finds and lists datasets.
    leaves
        Lists folders of datasets as bare rows.
    provenance
        Tells what datasets were made from.
    queries
        Answers questions.
    holdings
        Tells which types collections hold.
    """

    def __init__(self, database: Database, universe: Universe) -> None:
        self.universe = universe
        self._database = database
        schema = Schema(universe)
        catalogue = Catalogue(database, schema)
        symbols = Symbols(database, schema)
        self.collections = Collections(database, schema, catalogue)
        self.records = Records(database, schema)
        self.sides = Sides(database, schema, catalogue, self.records)
        self.data_ids = DataIds(universe, self.records)
        self.datasets = Datasets(database, schema, catalogue, symbols)
        self.captured = Captured(database, schema, symbols)
        self.lookup = Lookup(database, schema, catalogue, symbols, self.data_ids)
        self.leaves = Leaves(database, schema, symbols)
        self.provenance = Provenance(database, schema)
        self.holdings = Holdings(database, schema)
        self.queries = Queries(database, schema)

    @classmethod
    def create(cls, path: Path, universe: Mapping[str, object], *, durability: str) -> Registry:
        """Create the registry of a new repository.

        Raises
        ------
        Exists
            When one is there already.
        BadDefinition
            When the universe is not well formed; nothing is written then.
        """
        parsed = Universe.from_mapping(universe)
        text = _as_json(universe)
        _reserve(path)
        database = Database(path, writable=True, durability=durability, create=True)
        try:
            _lay_out(database, parsed, text)
        except BaseException:
            database.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            raise
        return cls(database, parsed)

    @classmethod
    def in_memory(cls, universe: Universe) -> Registry:
        """Create an empty registry that lives in the memory of this process until it is closed."""
        database = Database(Path(f"/skyfs-{uuid4().hex}"), writable=True, create=True, in_memory=True)
        _lay_out(database, universe, "{}")
        return cls(database, universe)

    @classmethod
    def open(cls, path: Path, *, writable: bool, durability: str) -> Registry:
        """Open a registry.

        Raises
        ------
        NotFound
            When there is none.
        VersionError
            When the file is no registry, is damaged, or has a schema that this version does not know.
        StoreError
            When it cannot be read.
        """
        database = Database(path, writable=writable, durability=durability)
        try:
            return cls(database, _universe(database))
        except BaseException:
            database.close()
            raise

    def current(self) -> Snapshot:
        """Give all collections and types as they are now."""
        return self.collections.current()

    def transaction(self) -> AbstractContextManager[None]:
        """Run the body as one transaction: all of it or nothing."""
        return self._database.transaction()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside of a transaction."""
        return self._database.scratch is not None

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._database.writable

    def size_bytes(self) -> int:
        """Give the size of the database."""
        return self._database.size_bytes()

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _lay_out(database: Database, universe: Universe, text: str) -> None:
    """Make all tables that a registry has from its first day."""
    schema = Schema(universe)
    elements = [element for element in universe.elements.values() if element.has_records]
    tables = [*schema.metadata.sorted_tables, *(schema.records(element) for element in elements)]
    tables += [schema.overlaps(element) for element in elements if element.spatial]
    meta = {"schema": str(SCHEMA_VERSION), "catalogue": "1", "universe": text}
    with database.transaction():
        database.define(tables)
        database.write_many(Statement.insert(schema["meta"]), list(meta.items()))


def _reserve(path: Path) -> None:
    """Make the file, so that of two processes that create the same registry one fails."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        todo = "open the repository, or choose another place"
        raise Exists(f"registry {str(path)!r}", "it is there already", todo) from None
    except OSError as error:
        raise StoreError(f"create the registry {str(path)!r}", error.strerror or str(error)) from None


def _as_json(universe: Mapping[str, object]) -> str:
    try:
        return json.dumps(universe)
    except (TypeError, ValueError) as error:
        raise BadDefinition("bad universe", str(error), "texts, numbers, lists and mappings") from None


def _universe(database: Database) -> Universe:
    """Read the dimensions of a registry, when its schema is the one we know."""
    where = repr(str(database.path))
    try:
        rows = database.read(sa.text("SELECT key, value FROM meta"))
        meta: dict[str, str] = {row[0]: row[1] for row in rows}
    except StoreError as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF not in _NO_REGISTRY:
            raise
        raise VersionError(
            f"{where} is no registry of skyfs, or damaged", error.found, "name another file"
        ) from None
    if meta.get("schema") != str(SCHEMA_VERSION):
        found = f"schema {meta.get('schema')!r}, this skyfs knows {SCHEMA_VERSION}"
        raise VersionError(f"registry {where}", found, "use the version of skyfs that made it")
    try:
        return Universe.from_mapping(json.loads(meta["universe"]))
    except (KeyError, TypeError, ValueError) as error:
        raise VersionError(f"registry {where}", f"its universe is damaged: {error}", "restore it") from None


# No table "meta", damaged pages, another kind of file.
_NO_REGISTRY = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
