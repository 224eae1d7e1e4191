"""Which types collections hold: what the folders of a collection are."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from .catalogue import CollectionEntry, Snapshot
from .database import Database
from .schema import Schema
from .statement import among

# SQLite takes some ten thousand values in a statement.
_COLLECTIONS_PER_READ = 5_000


class Holdings:
    """Answers from the summary, which tells for each collection the types that it holds."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        summary = schema["summary"]
        wanted = among(summary.c.collection_id)
        self._stored = sa.select(summary.c.collection_id, summary.c.type_id).where(
            wanted, summary.c.stored == 1
        )

    def stored(self, snapshot: Snapshot, collections: Iterable[CollectionEntry]) -> dict[str, set[str]]:
        """Give, for each collection that holds stored datasets, the names of their types."""
        ids = [entry.id for entry in collections]
        found: dict[str, set[str]] = {}
        rows = self._database.read_among(self._stored, ids, at_once=_COLLECTIONS_PER_READ)
        for collection_id, type_id in rows:
            name = snapshot.collection_names[collection_id]
            found.setdefault(name, set()).add(snapshot.types_by_id[type_id].type.name)
        return found
