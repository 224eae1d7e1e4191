"""Side tables: more columns about dimension values, attached by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from ..errors import BadDefinition, Conflict, NotFound
from ..model.element import ColumnType, Element, side_table
from ..model.manifest_line import DetachLine
from ..model.quoting import shown
from .catalogue import Catalogue, Snapshot
from .database import Database
from .record_rows import Record
from .recording import Recorder
from .records import Records
from .schema import Schema, check_names

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# Words of expressions: a table or column of that name could not be asked for.
_KEYWORDS = frozenset(("or", "and", "not", "in", "is", "null", "overlaps"))


class Sides:
    """Attaches side tables, and detaches them. Each call is a transaction, or part of the caller's."""

    def __init__(
        self,
        database: Database,
        schema: Schema,
        catalogue: Catalogue,
        records: Records,
        recorder: Recorder,
    ) -> None:
        self._database = database
        self._schema = schema
        self._catalogue = catalogue
        self._records = records
        self._recorder = recorder

    def attach(
        self,
        name: str,
        requires: Sequence[str],
        columns: Mapping[str, ColumnType | None],
        rows: Iterable[Record],
        *,
        replace: bool,
    ) -> int:
        """Add rows to a side table, which is made when it is new; give how many are new.

        A column without a type is one without values.

        Raises
        ------
        BadDefinition
            When a name cannot be used.
        Conflict
            When the name is taken, the table has other columns, or a different row is there.
        BadDataId
            When a row is about what is not recorded.
        """
        with self._database.transaction():
            side = self._catalogue.current().sides.get(name)
            if side is None:
                side = self._make(name, requires, columns)
            else:
                _check_same(side, requires, columns)
            return self._records.insert(side, rows, replace=replace)

    def detach(self, name: str) -> None:
        """Remove a side table with its rows.

        Raises
        ------
        NotFound
            When there is none of that name.
        """
        with self._database.transaction():
            sides = self._catalogue.current().sides
            if name not in sides:
                todo = f"there are {', '.join(sides)}" if sides else "none is attached"
                raise NotFound(f"no side table {name!r}", todo=todo)
            table = self._schema["attachment"]
            self._database.write(table.delete().where(table.c.name == name))
            self._database.undefine(self._schema.records(sides[name]))
            self._catalogue.bump()
            self._recorder.add(DetachLine(name))

    def _make(self, name: str, requires: Sequence[str], columns: Mapping[str, ColumnType | None]) -> Element:
        self._check_name(self._catalogue.current(), name)
        pairs = [(column, _known(column, kind)) for column, kind in columns.items()]
        definition = {"requires": list(requires), "columns": pairs}
        side = side_table(name, definition)
        _check_columns(side)
        table = self._schema["attachment"]
        self._database.write(table.insert().values(name=name, definition=json.dumps(definition)))
        self._database.define([self._schema.records(side)])
        self._catalogue.bump()
        self._recorder.side(side)
        return side

    def _check_name(self, snapshot: Snapshot, name: str) -> None:
        what = f"attach {shown(name)}"
        if not _NAME.fullmatch(name) or name.lower() in _KEYWORDS or len(name) > 255:
            raise BadDefinition(what, "not a name", "letters, digits and _")
        universe = self._schema.universe
        # Names of tables are the same in upper and lower case.
        if universe.has(name.lower()) or name.lower() in {one.lower() for one in universe.elements}:
            raise Conflict(what, "it is an element of the universe", "choose another name")
        if name in snapshot.types:
            raise Conflict(what, "a dataset type has the name", "choose another name")
        near = [one for one in snapshot.sides if one.lower() == name.lower()]
        if near:
            raise Conflict(what, f"{near[0]!r} is attached", "names differ in more than case")


def _known(column: str, kind: ColumnType | None) -> ColumnType:
    if kind is None:
        todo = "leave it out until it has"
        raise BadDefinition(f"attach the column {column!r}", "it has no value to tell its type", todo)
    return kind


def _check_columns(side: Element) -> None:
    check_names(side)
    names = [column.name for column in side.metadata]
    lowered = [name.lower() for name in (*side.requires, *names)]
    for name in names:
        if not _NAME.fullmatch(name) or name.lower() in _KEYWORDS or len(name) > 255:
            raise BadDefinition(f"attach the column {shown(name)}", "not a name", "letters, digits and _")
        if lowered.count(name.lower()) > 1:
            raise BadDefinition(f"attach the column {name!r}", "two differ only in case", "rename one")
    if not names:
        raise BadDefinition(f"attach {side.name!r}", "no column but its key", "give more columns")


def _check_same(side: Element, requires: Sequence[str], columns: Mapping[str, ColumnType | None]) -> None:
    """Refuse columns that are not those of the table."""
    there = {column.name: column.type for column in side.metadata}
    fits = columns.keys() == there.keys() and all(
        kind in (None, there[name]) or (kind, there[name]) == ("int", "float")
        for name, kind in columns.items()
    )
    if not fits or set(requires) != set(side.requires):
        found = f"it has {_listed(side.requires, there)}, given are {_listed(requires, columns)}"
        raise Conflict(f"attach to {side.name!r}", found, f"use another name, or detach({side.name!r}) first")


def _listed(requires: Iterable[str], columns: Mapping[str, ColumnType | None]) -> str:
    return ", ".join([*requires, *(f"{name} {kind or ''}".strip() for name, kind in columns.items())])
