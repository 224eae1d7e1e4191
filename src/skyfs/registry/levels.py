"""SQL over membership tables, built once for each shape of question.

A *level* is a directory of a path. Membership is clustered by (type, collection, stored, levels...), so the
distinct values of a level are found by skipping from one to the next with an index seek each ("loose index
scan"), in time proportional to the answer, whatever lies below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..model.dataid import Value
from .catalogue import TypeEntry
from .schema import Schema


@dataclass(frozen=True, slots=True)
class LevelFilter:
    """What a question says about the levels.

    Attributes
    ----------
    exact
        Values of levels that are given.
    like
        Patterns with ``*`` and ``?`` on levels; they may let through more than asked, never less.
    """

    exact: Mapping[str, Value]
    like: Mapping[str, str]

    def shape(self) -> tuple[frozenset[str], frozenset[str]]:
        """Give what the statement depends on."""
        return frozenset(self.exact), frozenset(self.like)

    def params(self) -> dict[str, object]:
        """Give the values to bind."""
        params: dict[str, object] = {f"is_{name}": value for name, value in self.exact.items()}
        return params | {f"like_{name}": _like(pattern) for name, pattern in self.like.items()}


def _like(pattern: str) -> str:
    """Turn a glob into a LIKE pattern that matches at least as much."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


class Statements:
    """Builds statements and keeps them."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._kept: dict[tuple[object, ...], sa.Select[Any]] = {}

    def values(self, entry: TypeEntry, filters: LevelFilter, depth: int, *, valid: bool) -> sa.Select[Any]:
        """Select (type, collection, first ``depth`` levels) of all directories that hold stored datasets."""
        key = (entry.group_id, "values", *filters.shape(), depth, valid)
        if key not in self._kept:
            self._kept[key] = sa.select(self._prefixes(entry, filters, depth, valid=valid))
        return self._kept[key]

    def datasets(self, entry: TypeEntry, filters: LevelFilter, *, valid: bool, declared: bool) -> sa.Select[Any]:
        """Select datasets with all that is known of where they lie, in path order."""
        key = (entry.group_id, "datasets", *filters.shape(), valid, declared)
        if key not in self._kept:
            self._kept[key] = self._datasets(entry, filters, valid=valid, declared=declared)
        return self._kept[key]

    def held(self) -> sa.Select[Any]:
        """Select which types collections hold stored datasets of."""
        summary = self._schema["summary"]
        wanted = summary.c.collection_id.in_(sa.bindparam("collection_ids", expanding=True))
        return sa.select(summary.c.collection_id, summary.c.type_id).where(wanted, summary.c.stored == 1)

    def by_uuid(self) -> sa.Select[Any]:
        """Select datasets by id, with their data IDs as stored."""
        key = ("by_uuid",)
        if key not in self._kept:
            dataset = self._schema["dataset"]
            columns = [dataset.c.type_id, dataset.c.data_id, *self._place_columns()]
            found = sa.select(*columns).select_from(self._with_places(dataset))
            self._kept[key] = found.where(dataset.c.uuid.in_(sa.bindparam("uuids", expanding=True)))
        return self._kept[key]

    def _datasets(self, entry: TypeEntry, filters: LevelFilter, *, valid: bool, declared: bool) -> sa.Select[Any]:
        table = _table(entry, valid=valid)
        dataset = self._schema["dataset"]
        levels = entry.group.levels
        fixed = _leading_exact(levels, filters)
        source: sa.FromClause = table
        conditions: list[sa.ColumnElement[bool]] = []
        if any(name in filters.exact or name in filters.like for name in levels[fixed:]) and len(levels) > 1:
            above = self._prefixes(entry, filters, len(levels) - 1, valid=valid)
            same = [table.c[name] == above.c[name] for name in ("type_id", "collection_id", *levels[:-1])]
            source = above.join(table, sa.and_(*same))
            conditions = _conditions(table, levels[-1:], filters)
        else:
            conditions = [table.c[name].in_(sa.bindparam(f"{name}s", expanding=True)) for name in _HEAD]
            conditions += _conditions(table, levels, filters)
        stored = table.c.stored.in_((0, 1)) if declared else table.c.stored == 1
        validity = [table.c.begin_ns, table.c.end_ns] if valid else []
        columns = [table.c.type_id, table.c.collection_id, *(table.c[name] for name in levels), *validity]
        joined = self._with_places(source.join(dataset, dataset.c.id == table.c.dataset_id))
        order = [table.c[name] for name in ("type_id", "collection_id", "stored", *levels)]
        found = sa.select(*columns, *self._place_columns()).select_from(joined)
        return found.where(*conditions, stored).order_by(*order)

    def _place_columns(self) -> Sequence[sa.ColumnElement[Any]]:
        dataset, artifact, location, folder = (self._schema[name] for name in _PLACES)
        return [
            dataset.c.id,
            dataset.c.uuid,
            dataset.c.run_id,
            artifact.c.store_id,
            folder.c.text.label("folder"),
            artifact.c.name,
            artifact.c.extension_id,
            sa.func.coalesce(location.c.part_size, artifact.c.size).label("size"),
            artifact.c.mtime_ns,
            # The digest of a part is its own; that of the whole file would be wrong for it.
            sa.case((location.c.part.is_(None), artifact.c.sha256), else_=location.c.part_sha256).label("sha256"),
            location.c.part,
        ]

    def _with_places(self, source: sa.FromClause) -> sa.FromClause:
        dataset, artifact, location, folder = (self._schema[name] for name in _PLACES)
        joined = source.outerjoin(location, location.c.dataset_id == dataset.c.id)
        joined = joined.outerjoin(artifact, artifact.c.id == location.c.artifact_id)
        return joined.outerjoin(folder, folder.c.id == artifact.c.folder_id)

    def _prefixes(self, entry: TypeEntry, filters: LevelFilter, depth: int, *, valid: bool) -> sa.CTE:
        summary = self._schema["summary"]
        held = [summary.c[name].in_(sa.bindparam(f"{name}s", expanding=True)) for name in _HEAD]
        above = sa.select(summary.c.type_id, summary.c.collection_id).where(*held, summary.c.stored == 1).cte("held")
        table = _table(entry, valid=valid)
        for index, level in enumerate(entry.group.levels[:depth]):
            above = _next_level(table, above, level, filters, index)
        return above


_HEAD = ("type_id", "collection_id")
_PLACES = ("dataset", "artifact", "location", "symbol")


def _table(entry: TypeEntry, *, valid: bool) -> sa.Table:
    return entry.tables.valid if valid else entry.tables.member


def _leading_exact(levels: Sequence[str], filters: LevelFilter) -> int:
    return next((index for index, name in enumerate(levels) if name not in filters.exact), len(levels))


def _conditions(table: sa.FromClause, levels: Sequence[str], filters: LevelFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for name in levels:
        if name in filters.exact:
            conditions.append(table.c[name] == sa.bindparam(f"is_{name}"))
        elif name in filters.like:
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
    return least.where(*same, table.c.stored == 1)
