"""Records of dimension values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ..errors import BadDataId, BadDefinition, Conflict, NotFound
from ..model.dataid import Value
from ..model.dimensions import Element, Universe
from ..model.timespan import Timespan
from .database import Database
from .record_rows import Record, from_row, from_values, known, plain, timespan, to_row
from .recording import Recorder
from .regions import Regions
from .schema import Schema
from .statement import AnyRow, Selection, Statement, among

_Key = tuple[Value, ...]
_Row = dict[str, object]
_Implied = tuple[Value | None, ...]

_MAX_KNOWN = 1_000_000
_KEYS_PER_READ = 2_000
_PAGE_ROWS = 10_000


class Records:
    """Inserts and looks up dimension records.

    What identifies a record, and what it implies, never changes once it is there (only other columns can be
    replaced, and what was null), so both are remembered.
    """

    def __init__(self, database: Database, schema: Schema, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder
        self._schema = schema
        self._universe: Universe = schema.universe
        self._known: dict[str, dict[_Key, _Implied]] = {}
        self._selects: dict[tuple[object, ...], sa.Select[Any]] = {}
        self._selections: dict[tuple[str, ...], Selection] = {}
        self._inserts: dict[sa.Table, Statement] = {}
        self._updates: dict[sa.Table, Statement] = {}
        self._regions = Regions(database, schema)

    def insert(self, named: str | Element, records: Iterable[Record], *, replace: bool = False) -> int:
        """Insert records of an element, or rows of a side table, in one transaction.

        Equal ones that are there already are no change. Values that a record implies and that need nothing
        beyond their key (a band, a night, a group) are added on the way. Gives the number of new records.

        Raises
        ------
        BadDefinition
            When a column is unknown or missing, or a value is ill-typed.
        BadDataId
            When a record names a dimension value that is not recorded.
        Conflict
            When another record has the identity, and ``replace`` is False or what is implied would change.
        """
        element = self._universe.element(named) if isinstance(named, str) else named
        table = self._recorded_table(element)
        rows = [to_row(self._universe, table, element, record) for record in records]
        with self._database.transaction():
            self._add_parents(element, rows)
            new = self._unknown(element, rows, replace=replace)
            self._mark(element)
            statement = self._insert_statement(table)
            columns = table.c.keys()
            self._database.write_many(statement, [tuple([row[name] for name in columns]) for row in new])
            self._record(element, new)
            if element.spatial:
                self._regions.add(element, new)
        return len(new)

    def select(self, named: str | Element, conditions: Mapping[str, object]) -> Iterator[_Row]:
        """Give records in order of their identity, those whose columns equal all ``conditions``.

        They are read in pages, while they are iterated over.

        Raises
        ------
        BadDefinition
            When a column is unknown, or a value ill-typed.
        """
        element = self._universe.element(named) if isinstance(named, str) else named
        table = self._recorded_table(element)
        order = [table.c[name] for name in element.identity]
        matching = [self._matching(element, table, name, value) for name, value in conditions.items()]
        statement = sa.select(table).where(*matching).order_by(*order).limit(_PAGE_ROWS)
        return self._pages(element, statement, sa.tuple_(*order))

    def having(self, element: Element, names: Sequence[str], keys: Iterable[_Key]) -> Iterator[_Row]:
        """Give the records, or rows of a side table, that have one of ``keys`` in the columns ``names``."""
        for row in self._read_keys(element, names, keys, self._table(element).c.keys()):
            yield from_row(element, row)

    def regions(self, element: Element, keys: Iterable[_Key]) -> Iterator[tuple[_Key, bytes | None]]:
        """Give the encoded regions of records with some identities, in any order; None where it has none."""
        for row in self._read_keys(element, element.identity, keys, (*element.identity, "region")):
            yield tuple(row[:-1]), row[-1]

    def unrecorded(self, element: Element, records: Iterable[Record]) -> list[Record]:
        """Give those of records, or of rows of a side table, whose identity nothing has."""
        listed = list(records)
        table = self._recorded_table(element)
        rows = [to_row(self._universe, table, element, record) for record in listed]
        there = self._existing(element, rows)
        keys = [tuple([row[name] for name in element.identity]) for row in rows]
        return [record for key, record in zip(keys, listed, strict=True) if key not in there]

    def columns(self, element: Element) -> list[str]:
        """Give the names of an element's columns as users know them."""
        return list(from_values(element, self._table(element), [None] * len(self._table(element).c)))

    def record(self, element: Element, row: Sequence[Any]) -> _Row:
        """Give a row with a value for each column of the table as its user knows it."""
        return from_values(element, self._table(element), row)

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
            todo = f"insert its {element.name} record"
            raise NotFound(f"no {element.name} {key[-1]!r}", f"{_named(element, key)} is not recorded", todo)
        return dict(zip(element.implies, found, strict=True))

    def timespan(self, element: Element, key: _Key) -> Timespan | None:
        """Give the timespan of a record; None when it has none, or there is no record."""
        statement = self._by(element, element.identity, ("timespan_begin", "timespan_end"))
        rows = self._database.select(statement, dict(zip(element.identity, key, strict=True)))
        return timespan(*rows[0]) if rows and rows[0][0] is not None else None

    def by_alternate(self, element: Element, column: str, requires: _Key, value: object) -> Value:
        """Give the primary key of the record that has an alternate key.

        Raises
        ------
        NotFound
            When there is none.
        BadDataId
            When the value is not of the column's type.
        """
        names = (*element.requires, column)
        kind = next(key.type for key in element.keys if key.name == column)
        try:
            values = (*requires, plain(element, column, kind, value))
        except BadDefinition as error:
            raise BadDataId(f"bad data ID: {column}={value!r}", error.found, error.todo) from None
        rows = self._database.select(
            self._by(element, names, (element.name,)), dict(zip(names, values, strict=True))
        )
        if not rows:
            raise NotFound(
                f"no {element.name} with {column}={value!r}", todo=f"list them: skyfs records {element.name}"
            )
        return rows[0][0]  # type: ignore[no-any-return]

    def prefetch(self, element: Element, keys: set[_Key]) -> Mapping[_Key, _Implied]:
        """Read what many records imply, in order of ``element.implies``; missing ones are left out."""
        known = self._known.get(element.name, {})
        found = {key: known[key] for key in keys if key in known}
        missing = keys - found.keys()
        if element.has_records and missing:
            width = len(element.identity)
            columns = (*element.identity, *element.implies)
            for row in self._read_keys(element, element.identity, missing, columns):
                found[tuple(row[:width])] = tuple(row[width:])
            self._keep(element, {key: found[key] for key in missing if key in found})
        return found

    # -- reading ---------------------------------------------------------------------------------------

    def _recorded_table(self, element: Element) -> sa.Table:
        if not element.has_records:
            raise BadDefinition(f"records of {element.name!r}", "its pixels need none")
        return self._table(element)

    def _matching(
        self, element: Element, table: sa.Table, name: str, value: object
    ) -> sa.ColumnElement[bool]:
        own = element.is_dimension and name == element.key.name
        column = table.c.get(element.name if own else name)
        if column is None:
            todo = f"there are {', '.join(table.c.keys())}"
            raise BadDefinition(f"no column {name!r} in the records of {element.name!r}", todo=todo)
        kinds = {one.name: one.type for one in (*element.keys[1:], *element.metadata)}
        return column == (plain(element, name, kinds[name], value) if name in kinds else value)

    def _pages(
        self, element: Element, statement: sa.Select[Any], order: sa.ColumnElement[Any]
    ) -> Iterator[_Row]:
        rows = self._database.read(statement)
        while rows:
            for row in rows:
                yield from_row(element, row)
            if len(rows) < _PAGE_ROWS:
                return
            last = rows[-1]._asdict()
            after = sa.tuple_(*(sa.literal(last[name]) for name in element.identity))
            rows = self._database.read(statement.where(order > after))

    def _read_keys(
        self, element: Element, names: Sequence[str], keys: Iterable[_Key], columns: Sequence[str]
    ) -> Iterator[AnyRow]:
        """Read the records that have one of ``keys`` in the columns ``names``.

        One statement for those that differ in the last part only: for a list of whole rows SQLite would scan
        the whole table.
        """
        *leading, last = names
        groups: dict[_Key, list[Value]] = {}
        for key in keys:
            groups.setdefault(key[:-1], []).append(key[-1])
        statement = self._by_last(element, leading, last, columns)
        for prefix, values in groups.items():
            params: _Row = dict(zip(leading, prefix, strict=True))
            yield from self._database.read_among(statement, values, params, _KEYS_PER_READ)

    def _implied(self, element: Element, key: _Key) -> _Implied | None:
        known = self._known.get(element.name, {})
        if key in known:
            return known[key]
        statement = self._by(element, element.identity, element.implies or element.identity[-1:])
        rows = self._database.select(statement, dict(zip(element.identity, key, strict=True)))
        if not rows:
            return None
        implied = tuple(rows[0]) if element.implies else ()
        self._keep(element, {key: implied})
        return implied

    def _keep(self, element: Element, found: Mapping[_Key, _Implied]) -> None:
        scratch = self._database.scratch
        if scratch is not None and element.name in self._marked(scratch):
            return  # what was read may be of this transaction, and rolled back with it
        known = self._known.setdefault(element.name, {})
        if len(known) + len(found) > _MAX_KNOWN:
            known.clear()
        # What is null may still be filled in.
        known.update({key: implied for key, implied in found.items() if None not in implied})

    def _mark(self, element: Element) -> None:
        """Remember that the open transaction has changed the records of an element."""
        scratch = self._database.scratch
        if scratch is not None:
            scratch["records"] = self._marked(scratch) | {element.name}

    @staticmethod
    def _marked(scratch: Mapping[str, object]) -> frozenset[str]:
        marked = scratch.get("records")
        return marked if isinstance(marked, frozenset) else frozenset()

    def _by(self, element: Element, names: Sequence[str], columns: Sequence[str]) -> Selection:
        key = (element.name, *names, "", *columns)
        if key not in self._selections:
            table = self._table(element)
            conditions = [table.c[name] == sa.bindparam(name) for name in names]
            found = sa.select(*(table.c[name] for name in columns)).where(*conditions)
            self._selections[key] = Selection(found)
        return self._selections[key]

    def _by_last(
        self, element: Element, leading: Sequence[str], last: str, columns: Sequence[str]
    ) -> sa.Select[Any]:
        table = self._table(element)
        key = (table, "many", *leading, last, "", *columns)
        if key not in self._selects:
            conditions = [table.c[name] == sa.bindparam(name) for name in leading]
            conditions.append(among(table.c[last]))
            self._selects[key] = sa.select(*(table.c[name] for name in columns)).where(*conditions)
        return self._selects[key]

    def _insert_statement(self, table: sa.Table) -> Statement:
        if table not in self._inserts:
            self._inserts[table] = Statement.insert(table)
        return self._inserts[table]

    def _update_statement(self, element: Element, table: sa.Table) -> Statement:
        if table not in self._updates:
            same = [table.c[name] == sa.bindparam(f"key_{name}") for name in element.identity]
            columns: list[str] = table.c.keys()
            values: dict[str, sa.BindParameter[Any]] = {name: sa.bindparam(f"new_{name}") for name in columns}
            names = [*(f"new_{name}" for name in values), *(f"key_{name}" for name in element.identity)]
            self._updates[table] = Statement(table.update().where(*same).values(values), names)
        return self._updates[table]

    def _table(self, element: Element) -> sa.Table:
        return self._schema.records(element)

    # -- writing ---------------------------------------------------------------------------------------

    def _record(self, element: Element, rows: Sequence[_Row]) -> None:
        if self._recorder.on:
            self._recorder.records(element, [known(element, row) for row in rows])

    def _add_parents(self, element: Element, rows: Sequence[Record]) -> None:
        """Check that what the records name is recorded; add what needs nothing beyond its key."""
        for name in dict.fromkeys((*element.requires, *element.implies)):
            parent = self._universe.element(name)
            keys = _keys(parent.identity, [row for row in rows if row[name] is not None])
            missing = (
                sorted(keys - self.prefetch(parent, keys).keys(), key=repr) if parent.has_records else []
            )
            if missing and not (parent.key_only and name in element.implies):
                found = f"{_named(parent, missing[0])} is not recorded"
                raise BadDataId(f"a record of {element.name!r}", found, f"insert the {name} record first")
            if missing:
                self.insert(name, [dict(zip(parent.identity, key, strict=True)) for key in missing])

    def _unknown(self, element: Element, rows: Sequence[_Row], *, replace: bool) -> list[_Row]:
        """Give the rows that are new; compare the others with what is there."""
        fresh: dict[_Key, _Row] = {}
        done: dict[_Key, _Row] = {}
        there = self._existing(element, rows)
        for row in rows:
            key: _Key = tuple([row[name] for name in element.identity])  # type: ignore[misc]
            earlier = fresh.get(key) or done.get(key)
            if earlier is not None:
                _refuse_change(element, key, earlier, row)
            elif key not in there:
                fresh[key] = row
            elif there[key] != row:
                self._replace(element, key, there[key], row, replace=replace)
                done[key] = row
        self._check_alternates(element, fresh.values())
        return list(fresh.values())

    def _existing(self, element: Element, rows: Sequence[Record]) -> dict[_Key, _Row]:
        columns = self._table(element).c.keys()
        found = self._read_keys(element, element.identity, _keys(element.identity, rows), columns)
        existing: dict[_Key, _Row] = {}
        for row in found:
            values = row._asdict()
            existing[tuple([values[name] for name in element.identity])] = values
        return existing

    def _replace(self, element: Element, key: _Key, old: Record, new: _Row, *, replace: bool) -> None:
        if not replace:
            _refuse_change(element, key, old, new)
        fixed = [name for name in element.implies if old[name] is not None and new[name] != old[name]]
        if fixed:
            found = f"{fixed[0]} is {old[fixed[0]]!r}, not {new[fixed[0]]!r}"
            what = f"the {element.name} record {_named(element, key)}"
            raise Conflict(what, found, "what a record implies cannot change")
        self._check_alternates(
            element, [{**new, **{name: None for name in element.alternates if new[name] == old[name]}}]
        )
        table = self._table(element)
        columns: list[str] = table.c.keys()
        values = [new[name] for name in columns]
        self._database.write_many(self._update_statement(element, table), [(*values, *key)])
        self._record(element, [new])
        if element.spatial and old["region"] != new["region"]:
            self._regions.drop(element, [old])
            self._regions.add(element, [new])

    def _check_alternates(self, element: Element, rows: Iterable[Record]) -> None:
        """Refuse alternate keys that another record has."""
        for alternate in element.alternates:
            names = (*element.requires, alternate)
            taken: set[_Key] = set()
            keys = [tuple([row[name] for name in names]) for row in rows if row[alternate] is not None]
            for key in keys:
                if key in taken:
                    raise Conflict(f"a record of {element.name!r}", f"{alternate}={key[-1]!r} is given twice")
                taken.add(key)  # type: ignore[arg-type]
            for row in self._read_keys(element, names, taken, names):
                raise Conflict(f"a record of {element.name!r}", f"{alternate}={row[-1]!r} is taken")


def _keys(names: Sequence[str], rows: Iterable[Record]) -> set[_Key]:
    return {tuple([row[name] for name in names]) for row in rows}  # type: ignore[misc]


def _named(element: Element, key: _Key) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(element.identity, key, strict=True))


def _refuse_change(element: Element, key: _Key, old: Record, new: Record) -> None:
    """Raise Conflict when two records of one identity differ."""
    changed = [name for name in new if new[name] != old[name]]
    if changed:
        found = f"{changed[0]} is {old[changed[0]]!r}, not {new[changed[0]]!r}"
        raise Conflict(
            f"the {element.name} record {_named(element, key)} is there already", found, "use replace=True"
        )
