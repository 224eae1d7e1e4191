"""SQL over membership tables, built once for each shape of question.

A *level* is a directory of a path. Membership is clustered by (type, collection, stored, levels...), so the
distinct values of a level are found by skipping from one to the next with an index seek each ("loose index
scan"), in time proportional to the answer, whatever lies below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any

import sqlalchemy as sa

from ..model.dataid import Value
from ..model.timespan import Timespan
from .catalogue import TypeEntry
from .constructs import Spelled
from .record_rows import bounds
from .schema import Schema
from .statement import Selection, among

_HEAD = ("type_id", "collection_id", "stored")
_MAX_KEPT = 1_000
_LONGEST_PATTERN = 1_000
_MOST_RANGES = 16


@dataclass(frozen=True, slots=True)
class LevelFilter:
    """What a question says about the levels.

    Attributes
    ----------
    exact
        Values of levels that are given.
    like
        Patterns with ``*`` and ``?`` on levels; they may let through more than asked, never less.
    span
        A time that validity ranges must overlap.
    """

    exact: Mapping[str, Value] = field(default_factory=dict)
    like: Mapping[str, str] = field(default_factory=dict)
    span: Timespan | None = None

    def shape(self) -> tuple[frozenset[str], frozenset[str], bool]:
        """Give what the statement depends on."""
        return frozenset(self.exact), frozenset(self.like), self.span is not None

    def params(self) -> dict[str, object]:
        """Give the values to bind."""
        params: dict[str, object] = {f"is_{name}": value for name, value in self.exact.items()}
        if self.span is not None:
            params["span_begin"], params["span_end"] = bounds(self.span)
        return params | {f"like_{name}": _like(pattern) for name, pattern in self.like.items()}


def _like(pattern: str) -> str:
    """Turn a glob into a LIKE pattern that matches at least as much."""
    if len(pattern) > _LONGEST_PATTERN:  # SQLite refuses patterns over 50 000 bytes
        pattern = pattern[:_LONGEST_PATTERN] + "*"
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows a question is about, besides its levels: ids of types of one group and of collections.

    Attributes
    ----------
    stored
        1 for datasets with bytes, 0 for declared ones.
    """

    types: tuple[int, ...]
    collections: tuple[int, ...]
    stored: tuple[int, ...]

    def shape(self) -> tuple[int, int, tuple[int, ...]]:
        """Give what the statement depends on."""
        return _padded_size(self.types), _padded_size(self.collections), self.stored

    def params(self) -> dict[str, object]:
        """Give the values to bind."""
        params: dict[str, object] = {}
        for name, ids in (("type_id", self.types), ("collection_id", self.collections)):
            padded = (*ids, *ids[-1:] * (_padded_size(ids) - len(ids)))
            params |= {f"{name}_{index}": value for index, value in enumerate(padded)}
        return params

    def conditions(self, table: sa.FromClause) -> list[sa.ColumnElement[bool]]:
        """Give the conditions on the rows of a table."""
        types, collections, stored = self.shape()
        counts = (("type_id", types), ("collection_id", collections))
        conditions = [
            _among(table.c[name], [sa.bindparam(f"{name}_{i}") for i in range(n)]) for name, n in counts
        ]
        return [*conditions, _among(table.c.stored, [sa.literal_column(str(value)) for value in stored])]

    def ranges(self, table: sa.FromClause) -> list[list[sa.ColumnElement[bool]]]:
        """Give the conditions on each type, collection and kind by itself; none when there are many."""
        types, collections, stored = self.shape()
        if types * collections * len(self.stored) > _MOST_RANGES:
            return []
        heads = product(
            _each(table.c.type_id, types),
            _each(table.c.collection_id, collections),
            (str(one) for one in stored),
        )
        return [
            [*of_type, *of_collection, table.c.stored == sa.literal_column(kind)]
            for of_type, of_collection, kind in heads
        ]


def _each(column: sa.ColumnElement[int], count: int) -> list[list[sa.ColumnElement[bool]]]:
    """Give the conditions for each of the bound values by itself; what is there twice counts once."""
    bound: list[sa.BindParameter[int]] = [
        sa.bindparam(f"{column.key}_{i}", type_=column.type) for i in range(count)
    ]
    again = [[], *([one != before] for before, one in pairwise(bound))]
    return [[column == one, *more] for one, more in zip(bound, again, strict=True)]


def _padded_size(ids: Sequence[int]) -> int:
    """Round the length up to a power of two: few statements serve all lengths."""
    return 1 << (len(ids) - 1).bit_length()


def _among(column: sa.ColumnElement[Any], values: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
    # Bound one by one: SQLAlchemy renders an "expanding" list anew for each call, which takes 20 µs.
    return column == values[0] if len(values) == 1 else column.in_(values)


class Statements:
    """Builds statements and keeps them."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._kept: dict[tuple[object, ...], Selection] = {}
        self._kept_by_uuid: sa.Select[Any] | None = None
        self._kept_file: sa.Select[Any] | None = None

    def values(
        self, entry: TypeEntry, scope: Scope, filters: LevelFilter, depth: int, *, valid: bool
    ) -> Selection:
        """Select (type, collection, first ``depth`` levels) of all directories that hold datasets, sorted."""
        key = (entry.tables, "values", scope.shape(), *filters.shape(), depth, valid)
        found = self._kept.get(key)
        return (
            self._keep(key, self._values(entry, scope, filters, depth, valid=valid))
            if found is None
            else found
        )

    def datasets(
        self, entry: TypeEntry, scope: Scope, filters: LevelFilter, *, valid: bool, after: bool
    ) -> Selection:
        """Select a page of datasets and where they lie, in the order of the table's key.

        With ``after``, those that come after bound values of `free` levels.
        """
        key = (entry.tables, "datasets", scope.shape(), *filters.shape(), valid, after)
        found = self._kept.get(key)
        return (
            self._keep(key, self._datasets(entry, scope, filters, valid=valid, after=after))
            if found is None
            else found
        )

    def by_uuid(self) -> sa.Select[Any]:
        """Select datasets by id, with their data IDs as stored."""
        if self._kept_by_uuid is None:
            self._kept_by_uuid = self._by_uuid()
        return self._kept_by_uuid

    def members(self, entry: TypeEntry, count: int) -> Selection:
        """Select datasets of one RUN by their levels, ``count`` at once, as `datasets` does, in no order.

        Of those that are not there all columns are null. Values are bound as ``LEVEL_INDEX``.
        """
        key = (entry.tables, "members", count)
        found = self._kept.get(key)
        return self._keep(key, self._members(entry, count)) if found is None else found

    def member(self, entry: TypeEntry) -> Selection:
        """Select whether one RUN has any dataset of a type."""
        key = (entry.tables, "member")
        found = self._kept.get(key)
        return self._keep(key, self._member(entry)) if found is None else found

    def file_with_parts(self) -> sa.Select[Any]:
        """Select the file that holds many datasets, by store, folder and name."""
        if self._kept_file is None:
            self._kept_file = self._file_with_parts()
        return self._kept_file

    def _keep(self, key: tuple[object, ...], statement: sa.Select[Any] | Spelled) -> Selection:
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[key] = found = Selection(statement)
        return found

    def _values(
        self, entry: TypeEntry, scope: Scope, filters: LevelFilter, depth: int, *, valid: bool
    ) -> sa.Select[Any]:
        found = self._prefixes(entry, scope, filters, depth, valid=valid)
        columns = [found.c[name] for name in ("type_id", "collection_id", *entry.group.levels[:depth])]
        # A directory may hold both datasets with bytes and declared ones.
        return (sa.select(*columns).distinct() if len(scope.stored) > 1 else sa.select(*columns)).order_by(
            *columns
        )

    def _by_uuid(self) -> sa.Select[Any]:
        dataset = self._schema["dataset"]
        columns = [dataset.c.type_id, dataset.c.data_id, *self._place_columns()]
        found = sa.select(*columns).select_from(self._with_places(dataset))
        wanted = found.where(among(dataset.c.uuid))
        return wanted.order_by(dataset.c.id, self._schema["location"].c.artifact_id)

    def _member(self, entry: TypeEntry) -> sa.Select[Any]:
        table = entry.tables.member
        same = [table.c[name] == sa.bindparam(name) for name in _HEAD[:2]]
        return sa.select(sa.literal_column("1")).where(*same).limit(1)

    def _members(self, entry: TypeEntry, count: int) -> sa.Select[Any]:
        table, dataset, levels = entry.tables.member, self._schema["dataset"], entry.group.levels
        each = [
            sa.select(
                sa.literal_column(kind).label("stored"),
                *(sa.bindparam(f"{name}_{n}", type_=table.c[name].type).label(name) for name in levels),
            )
            for n in range(count)
            for kind in ("0", "1")
        ]
        wanted = sa.union_all(*each).cte("wanted")
        same = [table.c[name] == sa.bindparam(name) for name in _HEAD[:2]]
        same += [table.c[name] == wanted.c[name] for name in ("stored", *levels)]
        # Both kinds are asked for by themselves: among several values PostgreSQL may not go along the key.
        # An outer join keeps the order: each of those wanted is sought in the table, not the other way round.
        joined = wanted.outerjoin(table, sa.and_(*same)).outerjoin(
            dataset, dataset.c.id == table.c.dataset_id
        )
        columns = [table.c[name] for name in (*_HEAD, *levels)]
        return sa.select(*columns, *self._place_columns()).select_from(self._with_places(joined))

    def _file_with_parts(self) -> sa.Select[Any]:
        artifact, folder = self._schema["artifact"], self._schema["symbol"].alias("folder")
        store = self._schema["symbol"].alias("store")
        joined = folder.join(artifact, artifact.c.folder_id == folder.c.id)
        found = sa.select(artifact.c.id).select_from(joined.join(store, store.c.id == artifact.c.store_id))
        same = (
            folder.c.text == sa.bindparam("a_folder"),
            store.c.text == sa.bindparam("a_store"),
            artifact.c.name == sa.bindparam("a_name"),
        )
        # The condition of the index, spelled as there.
        return found.where(*same, sa.text("parts"))

    def _datasets(
        self, entry: TypeEntry, scope: Scope, filters: LevelFilter, *, valid: bool, after: bool
    ) -> sa.Select[Any] | Spelled:
        table, levels = _table(entry, valid=valid), entry.group.levels
        more = _later(table, levels, filters, valid=valid, after=after)
        if is_scattered(levels, filters):
            above = self._prefixes(entry, scope, filters, len(levels) - 1, valid=valid)
            same = [table.c[name] == above.c[name] for name in (*_HEAD, *levels[:-1])]
            more = [*same, *_conditions(table, levels[-1:], filters), *more]
            usual = self._page(table, levels, above.join(table, sa.and_(*more)), valid=valid)
            each = _of_each(table, more)
            return Spelled(usual, self._page(each, levels, above.join(each, sa.true()), valid=valid))
        more = [*_conditions(table, levels, filters), *more]
        usual = self._page(table, levels, table, valid=valid).where(*scope.conditions(table), *more)
        ranges = scope.ranges(table)
        if len(ranges) < 2:
            return usual
        pages = [self._page(table, levels, table, valid=valid).where(*one, *more) for one in ranges]
        return Spelled(usual, self._merged(pages, len(_HEAD) + len(levels) + valid))

    def _page(
        self,
        table: sa.FromClause,
        levels: Sequence[str],
        source: sa.FromClause,
        *,
        valid: bool,
    ) -> sa.Select[Any]:
        dataset, artifact_id = self._schema["dataset"], self._schema["location"].c.artifact_id
        key = [table.c[name] for name in (*_HEAD, *levels, *(("begin_ns",) if valid else ()))]
        columns = [*key, *((table.c.end_ns,) if valid else ()), *self._place_columns()]
        joined = self._with_places(source.join(dataset, dataset.c.id == table.c.dataset_id))
        found = sa.select(*columns).select_from(joined)
        # SQLite finds all in this order; nothing is sorted.
        return found.order_by(*key, artifact_id).limit(sa.bindparam("limit"))

    def _merged(self, pages: Sequence[sa.Select[Any]], n_key: int) -> sa.Select[Any]:
        """Ask for one range of the key after the other, and give the first page of all.

        Where a column of the key has several values, PostgreSQL before 17 cannot follow the key, and goes
        through all of a collection where it knows too little about it.
        """
        tie = self._schema["location"].c.artifact_id.label("tie")
        some = sa.union_all(*(page.add_columns(tie) for page in pages)).subquery("pages")
        *columns, last = some.c
        return sa.select(*columns).order_by(*columns[:n_key], last).limit(sa.bindparam("limit"))

    def _place_columns(self) -> Sequence[sa.ColumnElement[Any]]:
        dataset, artifact, location, folder = (self._schema[name] for name in _PLACES)
        return [
            dataset.c.id,
            dataset.c.uuid,
            dataset.c.run_id,
            artifact.c.store_id,
            folder.c.text,
            artifact.c.name,
            artifact.c.extension_id,
            artifact.c.size,
            artifact.c.mtime_ns,
            artifact.c.sha256,
            sa.type_coerce(artifact.c.owned, sa.Integer),
            location.c.component_id,
            location.c.part,
            location.c.part_head,
            location.c.part_start,
            location.c.part_size,
            location.c.part_sha256,
        ]

    def _with_places(self, source: sa.FromClause) -> sa.FromClause:
        dataset, artifact, location, folder = (self._schema[name] for name in _PLACES)
        joined = source.outerjoin(location, location.c.dataset_id == dataset.c.id)
        joined = joined.outerjoin(artifact, artifact.c.id == location.c.artifact_id)
        return joined.outerjoin(folder, folder.c.id == artifact.c.folder_id)

    def _prefixes(
        self, entry: TypeEntry, scope: Scope, filters: LevelFilter, depth: int, *, valid: bool
    ) -> sa.CTE:
        summary = self._schema["summary"]
        held = sa.select(*(summary.c[name] for name in _HEAD)).where(*scope.conditions(summary))
        above, table = held.cte("held"), _table(entry, valid=valid)
        for index, level in enumerate(entry.group.levels[:depth]):
            above = _next_level(table, above, level, filters, index)
        return above


def _later(
    table: sa.Table, levels: Sequence[str], filters: LevelFilter, *, valid: bool, after: bool
) -> list[sa.ColumnElement[bool]]:
    """Give the conditions on validity, and on what comes after the last page."""
    conditions: list[sa.ColumnElement[bool]] = []
    if valid and filters.span is not None:
        conditions += [
            table.c.begin_ns < sa.bindparam("span_end"),
            table.c.end_ns > sa.bindparam("span_begin"),
        ]
    if after:
        names = free(levels, filters, valid=valid)
        row = [table.c[name] for name in names]
        last: list[sa.BindParameter[Any]] = [sa.bindparam(f"after_{name}") for name in names]
        conditions.append(sa.tuple_(*row) > sa.tuple_(*last))
    return conditions


def _of_each(table: sa.Table, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.FromClause:
    """Look rows up for each of those before: PostgreSQL would rather go through the whole table once."""
    # An offset keeps the planner from joining in its own way.
    return sa.select(table).where(*conditions).offset(sa.literal_column("0")).lateral("each_one")


_PLACES = ("dataset", "artifact", "location", "symbol")


def is_scattered(levels: Sequence[str], filters: LevelFilter) -> bool:
    """Tell whether many ranges of the table are asked for: there is a filter below a level without one."""
    fixed = _leading_exact(levels, filters)
    return fixed < len(levels) - 1 and any(
        name in filters.exact or name in filters.like for name in levels[fixed:]
    )


def free(levels: Sequence[str], filters: LevelFilter, *, valid: bool) -> tuple[str, ...]:
    """Give the columns that order the rows of one type and collection."""
    return (*levels[_leading_exact(levels, filters) :], *(("begin_ns",) if valid else ()))


def _table(entry: TypeEntry, *, valid: bool) -> sa.Table:
    return entry.tables.valid if valid else entry.tables.member


def _leading_exact(levels: Sequence[str], filters: LevelFilter) -> int:
    return next((index for index, name in enumerate(levels) if name not in filters.exact), len(levels))


def _conditions(
    table: sa.FromClause, levels: Sequence[str], filters: LevelFilter
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for name in levels:
        if name in filters.exact:
            conditions.append(table.c[name] == sa.bindparam(f"is_{name}"))
        if name in filters.like:
            text = sa.cast(table.c[name], sa.Text)
            conditions.append(text.like(sa.bindparam(f"like_{name}"), escape="\\"))
    return conditions


def _next_level(table: sa.Table, above: sa.CTE, level: str, filters: LevelFilter, index: int) -> sa.CTE:
    """Extend prefixes by one level: from each value, seek the next greater one."""
    kept = [above.c[column.name] for column in above.c]
    first = _least(table, above, level)
    if level in filters.exact:
        first = first.where(table.c[level] == sa.bindparam(f"is_{level}"))
    start = sa.select(*kept, first.scalar_subquery().label(level))
    found = start.cte(f"scan_{index}", recursive=True)
    if level not in filters.exact:
        following = _least(table, found, level).where(table.c[level] > found.c[level])
        again = [found.c[column.name] for column in above.c]
        more = sa.select(*again, following.scalar_subquery()).where(found.c[level].is_not(None))
        found = found.union_all(more)
    conditions = [found.c[level].is_not(None), *_conditions(found, [level], filters)]
    return sa.select(found).where(*conditions).cte(f"level_{index}")


def _least(table: sa.Table, above: sa.CTE, level: str) -> sa.Select[Any]:
    least: sa.Select[Any] = sa.select(sa.func.min(table.c[level])).correlate(above)
    same = [table.c[column.name] == above.c[column.name] for column in above.c if column.name != level]
    return least.where(*same)
