"""What a folder of datasets shows, as bare rows: nothing is made for each of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from ..model.batches import batches
from ..model.dataid import Value
from .catalogue import TypeEntry
from .database import Database
from .schema import Schema
from .statement import Selection, among
from .symbols import Symbols

# Columns of a row. A dataset has a row for each place of its bytes, one after the other.
COLLECTION, VALUE, DATASET, UUID, STORE, EXTENSION, SIZE, MTIME, COMPONENT = range(9)

Row = tuple[Any, ...]

_PAGE_ROWS = 20_000
# Of the streams that are merged each holds a page.
_LEAST_ROWS = 100
_IDS_PER_READ = 500
_COLLECTIONS_PER_READ = 1_000
_MAX_KEPT = 1_000
_value = itemgetter(VALUE)


class Leaves:
    """Gives the datasets of a folder of the last level, where all levels above it are given."""

    def __init__(self, database: Database, schema: Schema, symbols: Symbols) -> None:
        self._database = database
        self._schema = schema
        self._symbols = symbols
        self._kept: dict[object, Selection] = {}
        self._kept_by_uuid: sa.Select[Any] | None = None

    def text(self, symbol: int) -> str:
        """Give the name of a store, an extension, or a component by its number."""
        return self._symbols.text(symbol)

    def pages(
        self, entry: TypeEntry, collections: Sequence[int], levels: Mapping[str, Value]
    ) -> Iterator[list[Row]]:
        """Give the stored datasets of a type, by the value of the last level, of each value the first.

        One statement for each page, all rows of a dataset in one; several when there are many of several
        collections. Like those of `Lookup.datasets`, later pages may have what was committed meanwhile.

        Parameters
        ----------
        collections
            In the order of search, none of kind CALIBRATION.
        levels
            The values of all levels but the last.
        """
        if len(collections) == 1:
            yield from self._stream(entry, collections[0], levels, _PAGE_ROWS)
            return
        some = batches(collections, _COLLECTIONS_PER_READ)
        firsts = [self._page(entry, ids, levels, _PAGE_ROWS, {}) for ids in some]
        if all(len(rows) < _PAGE_ROWS for rows in firsts):
            rank = {one: index for index, one in enumerate(collections)}
            rows = [row for rows in firsts for row in rows]
            rows.sort(key=lambda row: (row[VALUE], rank[row[COLLECTION]]))
            yield from _paged(_firsts(rows))
        else:
            yield from self._merged(entry, collections, levels)

    def placed(self, members: Sequence[tuple[int, Value, bytes]]) -> Iterator[list[Row]]:
        """Give such rows of (collection, value of the last level, UUID); what has no bytes is left out."""
        for some in batches(members, _IDS_PER_READ):
            found: dict[bytes, list[Row]] = {}
            for row in self._database.read_among(self._by_uuid(), [uuid for _, _, uuid in some]):
                found.setdefault(row[1], []).append(tuple(row))
            yield [(*head, *row) for *head, uuid in some for row in found.get(uuid, ())]

    # -- pages -----------------------------------------------------------------------------------------

    def _merged(
        self, entry: TypeEntry, collections: Sequence[int], levels: Mapping[str, Value]
    ) -> Iterator[list[Row]]:
        limit = max(_LEAST_ROWS, _PAGE_ROWS // len(collections))
        streams = [_rows(self._stream(entry, one, levels, limit)) for one in collections]
        # Of equal values those of the first stream come first.
        yield from _paged(_firsts(heapq.merge(*streams, key=_value)))

    def _stream(
        self, entry: TypeEntry, collection: int, levels: Mapping[str, Value], limit: int
    ) -> Iterator[list[Row]]:
        after: dict[str, object] = {}
        full = True
        while full:
            rows = self._page(entry, [collection], levels, limit, after)
            full = len(rows) >= limit
            if full:
                rows = _without_last(rows)
                after = {"after": rows[-1][VALUE]}
            if rows:
                yield rows

    def _page(
        self,
        entry: TypeEntry,
        collections: Sequence[int],
        levels: Mapping[str, Value],
        limit: int,
        after: Mapping[str, object],
    ) -> list[Row]:
        if not collections:
            return []
        # Few statements serve all numbers of collections.
        width = 1 << (len(collections) - 1).bit_length()
        key = (entry.tables, width, bool(after))
        if key not in self._kept:
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[key] = Selection(self._selected(entry, width, after=bool(after)))
        padded = chain(collections, repeat(collections[-1]))
        params: dict[str, object] = {
            f"collection_{n}": one for n, one in zip(range(width), padded, strict=False)
        }
        params.update((f"is_{name}", value) for name, value in levels.items())
        params.update(after, type_id=entry.id, limit=limit)
        return self._database.select(self._kept[key], params)

    # -- statements ------------------------------------------------------------------------------------

    def _selected(self, entry: TypeEntry, width: int, *, after: bool) -> sa.Select[Any]:
        member, dataset = entry.tables.member, self._schema["dataset"]
        *above, last = entry.group.levels
        collections: list[sa.BindParameter[int]] = [sa.bindparam(f"collection_{n}") for n in range(width)]
        column = member.c.collection_id
        conditions = [member.c.type_id == sa.bindparam("type_id"), member.c.stored == sa.literal_column("1")]
        conditions.append(column == collections[0] if width == 1 else column.in_(collections))
        conditions += [member.c[name] == sa.bindparam(f"is_{name}") for name in above]
        if after:
            conditions.append(member.c[last] > sa.bindparam("after"))
        joined = self._with_places(member.join(dataset, dataset.c.id == member.c.dataset_id))
        found = sa.select(column, member.c[last], *self._columns()).select_from(joined).where(*conditions)
        # SQLite finds all in this order; nothing is sorted.
        order = (member.c.collection_id, member.c[last], self._schema["location"].c.artifact_id)
        return found.order_by(*order).limit(sa.bindparam("limit"))

    def _by_uuid(self) -> sa.Select[Any]:
        if self._kept_by_uuid is None:
            dataset = self._schema["dataset"]
            found = sa.select(*self._columns()).select_from(self._with_places(dataset))
            found = found.where(among(dataset.c.uuid))
            order = (dataset.c.id, self._schema["location"].c.artifact_id)
            self._kept_by_uuid = found.order_by(*order)
        return self._kept_by_uuid

    def _columns(self) -> Sequence[sa.ColumnElement[Any]]:
        dataset, location, artifact = (self._schema[name] for name in ("dataset", "location", "artifact"))
        return [
            dataset.c.id,
            dataset.c.uuid,
            artifact.c.store_id,
            artifact.c.extension_id,
            sa.func.coalesce(location.c.part_size, artifact.c.size),
            artifact.c.mtime_ns,
            location.c.component_id,
        ]

    def _with_places(self, source: sa.FromClause) -> sa.FromClause:
        dataset, location, artifact = (self._schema[name] for name in ("dataset", "location", "artifact"))
        joined = source.join(location, location.c.dataset_id == dataset.c.id)
        return joined.join(artifact, artifact.c.id == location.c.artifact_id)


def _rows(pages: Iterable[list[Row]]) -> Iterator[Row]:
    for page in pages:
        yield from page


def _firsts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Give, of rows with the same value, those of the first collection."""
    for _, same in groupby(rows, _value):
        first, *more = same
        yield [first, *(row for row in more if row[COLLECTION] == first[COLLECTION])]


def _paged(groups: Iterable[list[Row]]) -> Iterator[list[Row]]:
    page: list[Row] = []
    for some in groups:
        page += some
        if len(page) >= _PAGE_ROWS:
            yield page
            page = []
    if page:
        yield page


def _without_last(rows: list[Row]) -> list[Row]:
    """Leave out the rows of the last dataset, which may not be all, unless there is no other."""
    last = rows[-1][VALUE]
    end = next((index for index in range(len(rows) - 1, -1, -1) if rows[index][VALUE] != last), -1) + 1
    return rows[:end] if end else rows
