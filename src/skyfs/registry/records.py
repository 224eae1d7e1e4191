"""Records of dimension values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from ..errors import BadDataId, BadDefinition, Conflict, NotFound
from ..model.dataid import Value, coerce
from ..model.dimensions import Element, Universe
from ..model.timespan import Timespan
from .database import Database
from .schema import Schema

Record = Mapping[str, object]
_Key = tuple[Value, ...]

_MAX_KNOWN = 1_000_000
_KEYS_PER_READ = 2_000
_PLAIN: dict[str, type] = {"float": float, "string": str, "bytes": bytes}


class Records:
    """Inserts and looks up dimension records.

    What identifies a record, and what it implies, never changes once it is there (only other columns can be
    replaced), so both are remembered.
    """

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._schema = schema
        self._universe: Universe = schema.universe
        self._known: dict[str, dict[_Key, tuple[Value | None, ...]]] = {}
        self._selects: dict[tuple[str, ...], sa.Select[Any]] = {}

    def insert(self, element_name: str, records: Iterable[Record], *, replace: bool = False) -> int:
        """Insert records in one transaction; equal ones that are there already are no change.

        Values that a record implies and that need nothing beyond their key (a band, a night, a group) are
        added on the way. Gives the number of new records.

        Raises
        ------
        BadDefinition
            When a column is unknown or missing, or a value is ill-typed.
        Conflict
            When a different record has the identity, and ``replace`` is False or its identity would change.
        """
        element = self._universe.element(element_name)
        if not element.has_records:
            raise BadDefinition(f"records of {element_name!r}", "its pixels need none")
        rows = [self._row(element, record) for record in records]
        with self._database.transaction():
            self._add_parents(element, rows)
            new = self._unknown(element, rows, replace=replace)
            columns = list(self._table(element).c.keys())
            self._database.write_many(self._table(element), columns, [tuple(row[name] for name in columns) for row in new])
        return len(new)

    def select(self, element_name: str, conditions: Mapping[str, object]) -> Iterator[dict[str, object]]:
        """Give records in order of their identity, those whose columns equal all ``conditions``."""
        element = self._universe.element(element_name)
        table = self._table(element)
        statement = sa.select(table).order_by(*(table.c[name] for name in element.identity))
        for name, value in conditions.items():
            column = table.c.get(element.name if element.is_dimension and name == element.key.name else name)
            if column is None:
                known = ", ".join(table.c.keys())
                raise BadDefinition(f"no column {name!r} in the records of {element_name!r}", todo=f"there are {known}")
            statement = statement.where(column == value)
        for row in self._database.read(statement):
            yield _public(element, row)

    def exists(self, element: Element, key: _Key) -> bool:
        """Tell whether a record has the identity."""
        return not element.has_records or self._implied(element, key) is not None

    def implied(self, element: Element, key: _Key) -> dict[str, Value | None]:
        """Give what a record implies.

        Raises
        ------
        NotFound
            When there is no such record.
        """
        found = self._implied(element, key)
        if found is None:
            named = ", ".join(f"{name}={value}" for name, value in zip(element.identity, key, strict=True))
            raise NotFound(f"no {element.name} {key[-1]!r}", f"{named} is not recorded", f"insert its {element.name} record")
        return dict(zip(element.implies, found, strict=True))

    def by_alternate(self, element: Element, column: str, requires: _Key, value: object) -> Value:
        """Give the primary key of the record that has an alternate key."""
        table = self._table(element)
        names = [*element.requires, column]
        statement = self._by(element, tuple(names), table.c[element.name])
        rows = self._database.read(statement, dict(zip(names, (*requires, value), strict=True)))
        if not rows:
            raise NotFound(f"no {element.name} with {column}={value!r}", todo=f"list them: skyfs records {element.name}")
        return rows[0][0]  # type: ignore[no-any-return]

    def prefetch(self, element: Element, keys: set[_Key]) -> None:
        """Read what many records imply at once, to answer `exists` and `implied` from memory."""
        known = self._known.setdefault(element.name, {})
        missing = keys - known.keys()
        if len(missing) < 2 or not element.has_records:
            return
        table = self._table(element)
        columns = [table.c[name] for name in (*element.identity, *element.implies)]
        width = len(element.identity)
        for row in self._read_keys(element, missing, columns):
            self._keep(element, tuple(row[:width]), tuple(row[width:]))

    # -- reading ---------------------------------------------------------------------------------------

    def _read_keys(
        self, element: Element, keys: set[_Key], columns: Sequence[sa.ColumnElement[Any]]
    ) -> Iterator[Row[Any]]:
        """Read the records of many identities: one statement for those that differ in the last part only.

        (SQLite scans the whole table for a list of row values.)
        """
        table = self._table(element)
        *leading, last = element.identity
        groups: dict[_Key, list[Value]] = {}
        for key in keys:
            groups.setdefault(key[:-1], []).append(key[-1])
        for prefix, values in groups.items():
            same = [table.c[name] == value for name, value in zip(leading, prefix, strict=True)]
            for start in range(0, len(values), _KEYS_PER_READ):
                some = table.c[last].in_(values[start : start + _KEYS_PER_READ])
                yield from self._database.read(sa.select(*columns).where(*same, some))

    def _implied(self, element: Element, key: _Key) -> tuple[Value | None, ...] | None:
        known = self._known.setdefault(element.name, {})
        if key in known:
            return known[key]
        table = self._table(element)
        columns = [table.c[name] for name in (element.implies or element.identity[-1:])]
        statement = self._by(element, element.identity, *columns)
        rows = self._database.read(statement, dict(zip(element.identity, key, strict=True)))
        if not rows:
            return None
        implied = tuple(rows[0]) if element.implies else ()
        self._keep(element, key, implied)
        return implied

    def _keep(self, element: Element, key: _Key, implied: tuple[Value | None, ...]) -> None:
        # A record of an open transaction may yet be rolled back.
        if self._database.scratch is None:
            known = self._known.setdefault(element.name, {})
            if len(known) >= _MAX_KNOWN:
                known.clear()
            known[key] = implied

    def _by(self, element: Element, names: tuple[str, ...], *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        cache_key = (element.name, *names, "", *(str(column.name) for column in columns))
        if cache_key not in self._selects:
            table = self._table(element)
            conditions = [table.c[name] == sa.bindparam(name) for name in names]
            self._selects[cache_key] = sa.select(*columns).where(*conditions)
        return self._selects[cache_key]

    def _table(self, element: Element) -> sa.Table:
        return self._schema.records(element)

    # -- writing ---------------------------------------------------------------------------------------

    def _row(self, element: Element, record: Record) -> dict[str, object]:
        given = dict(record)
        if element.is_dimension and element.key.name in given and element.key.name not in element.alternates:
            given.setdefault(element.name, given.pop(element.key.name))
        row: dict[str, object] = {}
        for name in (*element.identity, *element.implies):
            value = given.pop(name, None)
            row[name] = None if value is None else coerce(self._universe.element(name), value)
        for column in (*element.keys[1:], *element.metadata):
            row[column.name] = _plain(element, column.name, column.type, given.pop(column.name, None))
        row |= _topology(element, given)
        if given:
            known = ", ".join(row)
            raise BadDefinition(f"no column {next(iter(given))!r} in the records of {element.name!r}", todo=f"there are {known}")
        self._check_nulls(element, row)
        return row

    def _check_nulls(self, element: Element, row: Mapping[str, object]) -> None:
        table = self._table(element)
        missing = [name for name, value in row.items() if value is None and not table.c[name].nullable]
        if missing:
            raise BadDefinition(f"a record of {element.name!r}", f"no value for {missing[0]!r}", "give it")

    def _add_parents(self, element: Element, rows: Sequence[Mapping[str, object]]) -> None:
        """Check that what the records name is recorded; add what needs nothing beyond its key."""
        for name in dict.fromkeys((*element.requires, *element.implies)):
            parent = self._universe.element(name)
            keys: set[_Key] = {
                tuple(row[part] for part in parent.identity)  # type: ignore[misc]
                for row in rows
                if row[name] is not None
            }
            self.prefetch(parent, keys)
            missing = sorted((key for key in keys if not self.exists(parent, key)), key=repr)
            if missing and not (parent.key_only and name in element.implies):
                named = ", ".join(f"{part}={value}" for part, value in zip(parent.identity, missing[0], strict=True))
                todo = f"insert the {name} record first"
                raise BadDataId(f"a record of {element.name!r}", f"{named} is not recorded", todo)
            if missing:
                self.insert(name, [dict(zip(parent.identity, key, strict=True)) for key in missing])

    def _unknown(
        self, element: Element, rows: Sequence[dict[str, object]], *, replace: bool
    ) -> list[dict[str, object]]:
        table = self._table(element)
        fresh: dict[_Key, dict[str, object]] = {}
        there = self._existing(element, rows)
        for row in rows:
            key: _Key = tuple(row[name] for name in element.identity)  # type: ignore[misc]
            old = there.get(key) or fresh.get(key)
            if old is None:
                fresh[key] = row
            elif old != row:
                self._replace(element, key, old, row, replace=replace and key in there)
        self._check_alternates(element, table, fresh)
        return list(fresh.values())

    def _existing(self, element: Element, rows: Sequence[dict[str, object]]) -> dict[_Key, dict[str, object]]:
        keys: set[_Key] = {tuple(row[name] for name in element.identity) for row in rows}  # type: ignore[misc]
        found = self._read_keys(element, keys, list(self._table(element).c))
        return {tuple(row._mapping[name] for name in element.identity): dict(row._mapping) for row in found}

    def _replace(
        self, element: Element, key: _Key, old: Record, new: dict[str, object], *, replace: bool
    ) -> None:
        named = ", ".join(f"{name}={value}" for name, value in zip(element.identity, key, strict=True))
        changed = next(name for name in new if new[name] != old[name])
        found = f"{changed} is {old[changed]!r}, not {new[changed]!r}"
        if not replace:
            raise Conflict(f"the {element.name} record {named} is there already", found, "use replace=True")
        fixed = [name for name in element.implies if new[name] != old[name]]
        if fixed:
            found = f"{fixed[0]} is {old[fixed[0]]!r}, not {new[fixed[0]]!r}"
            raise Conflict(f"the {element.name} record {named}", found, "what a record implies cannot change")
        table = self._table(element)
        same = [table.c[name] == value for name, value in zip(element.identity, key, strict=True)]
        self._database.write(table.update().where(*same).values(**new))

    def _check_alternates(self, element: Element, table: sa.Table, fresh: Mapping[_Key, Record]) -> None:
        for alternate in element.alternates:
            taken: set[tuple[object, ...]] = set()
            names = (*element.requires, alternate)
            for row in fresh.values():
                identity = tuple(row[name] for name in names)
                if row[alternate] is None:
                    continue
                values = dict(zip(names, identity, strict=True))
                other = self._database.read(self._by(element, names, table.c[element.name]), values)
                if identity in taken or other:
                    raise Conflict(f"a record of {element.name!r}", f"{alternate}={row[alternate]!r} is taken")
                taken.add(identity)


def _plain(element: Element, name: str, kind: str, value: object) -> object:
    """Turn a value into the plain Python type of its column."""
    if value is None:
        return None
    item = getattr(value, "item", None)
    value = item() if callable(item) and getattr(value, "ndim", None) == 0 else value
    if kind == "bool" and (isinstance(value, bool) or value in (0, 1)):
        return bool(value)
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in ("string", "bytes") and isinstance(value, _PLAIN[kind]):
        return value
    raise BadDefinition(f"a record of {element.name!r}", f"{name}={value!r} is {type(value).__name__}", f"{kind} is wanted")


def _topology(element: Element, given: dict[str, object]) -> dict[str, object]:
    """Take the timespan and the region out of what is given."""
    row: dict[str, object] = {}
    if element.temporal:
        span = given.pop("timespan", None)
        if isinstance(span, tuple | list) and len(span) == 2:
            span = Timespan.of(*span)
        if span is not None and not isinstance(span, Timespan):
            raise BadDefinition(f"a record of {element.name!r}", f"timespan={span!r}", "give (begin, end)")
        row["timespan_begin"], row["timespan_end"] = (None, None) if span is None else (span.begin_ns, span.end_ns)
    if element.spatial:
        region = given.pop("region", None)
        encode = getattr(region, "encode", None)
        region = encode() if callable(encode) and not isinstance(region, str) else region
        if region is not None and not isinstance(region, bytes):
            raise BadDefinition(f"a record of {element.name!r}", f"region={region!r}", "give a region of lsst.sphgeom")
        row["region"] = region
    return row


def _public(element: Element, row: Row[Any]) -> dict[str, object]:
    """Give a row as its user knows it: own key by its column's name, the timespan as one value."""
    found = dict(row._mapping)
    if element.is_dimension:
        found = {element.key.name if name == element.name else name: value for name, value in found.items()}
    if element.temporal:
        begin, end = found.pop("timespan_begin"), found.pop("timespan_end")
        found["timespan"] = None if begin is None and end is None else Timespan(begin, end)
    return found
