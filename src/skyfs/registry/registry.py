"""The registry of one repository: its parts, made and opened together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import sqlalchemy as sa

from ..errors import Exists, VersionError
from ..model.dimensions import Universe
from .catalogue import Catalogue, Snapshot
from .collections import Collections
from .database import Database
from .dataids import DataIds
from .datasets import Datasets
from .lookup import Lookup
from .records import Records
from .schema import SCHEMA_VERSION, Schema
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
    data_ids
        Completes and checks data IDs.
    datasets
        Inserts, tags, certifies and removes datasets.
    lookup
        Finds and lists datasets.
    """

    def __init__(self, database: Database, universe: Universe) -> None:
        self.universe = universe
        self._database = database
        schema = Schema(universe)
        catalogue = Catalogue(database, schema)
        symbols = Symbols(database, schema)
        self.collections = Collections(database, schema, catalogue)
        self.records = Records(database, schema)
        self.data_ids = DataIds(universe, self.records)
        self.datasets = Datasets(database, schema, catalogue, symbols)
        self.lookup = Lookup(database, schema, symbols, self.data_ids)

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
        if path.exists():
            raise Exists(f"registry {str(path)!r}", "it is there already", "open the repository, or choose another place")
        parsed = Universe.from_mapping(universe)
        database = Database(path, writable=True, durability=durability, create=True)
        schema = Schema(parsed)
        elements = [element for element in parsed.elements.values() if element.has_records]
        tables = [*schema.metadata.sorted_tables, *(schema.records(element) for element in elements)]
        meta = {"schema": str(SCHEMA_VERSION), "catalogue": "1", "universe": json.dumps(universe)}
        with database.transaction():
            database.define(tables)
            database.write_many(schema["meta"], ["key", "value"], list(meta.items()))
        return cls(database, parsed)

    @classmethod
    def open(cls, path: Path, *, writable: bool, durability: str) -> Registry:
        """Open a registry.

        Raises
        ------
        NotFound
            When there is none.
        VersionError
            When its schema is not the one that this version of skyfs knows.
        """
        database = Database(path, writable=writable, durability=durability)
        try:
            rows = database.read(sa.text("SELECT key, value FROM meta"))
        except sa.exc.DatabaseError as error:
            raise VersionError(f"{str(path)!r} is no registry of skyfs", str(error.orig)) from None
        meta = {row.key: row.value for row in rows}
        if meta.get("schema") != str(SCHEMA_VERSION):
            found = f"schema {meta.get('schema')!r}, this skyfs knows {SCHEMA_VERSION}"
            raise VersionError(f"registry {str(path)!r}", found, "use the version of skyfs that made it")
        return cls(database, Universe.from_mapping(json.loads(meta["universe"])))

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
