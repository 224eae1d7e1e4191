"""Tables of any library → columns of plain values, for side tables."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadArgument, BadDefinition, NotFound, UnknownFormat
from ..formats.catalog import Formats
from ..model.element import ColumnType
from ..stores.local import LocalStore
from .ingester import extension_of

_TYPES: Mapping[type, ColumnType] = {bool: "bool", int: "int", float: "float", str: "string"}
_KINDS = "an astropy Table, pandas DataFrame, pyarrow Table, list of mappings, or mapping of columns"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table, all of one length; None is no value."""

    values: Mapping[str, Sequence[object]]

    @classmethod
    def of(cls, table: object) -> Columns:
        """Take the columns out of a table.

        Raises
        ------
        BadArgument
            When it is no table, or its columns are of different lengths.
        """
        found = {name: [_plain(value) for value in column] for name, column in _columns(table).items()}
        if len({len(column) for column in found.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in found.items())
            raise BadArgument("attach a table", f"its columns differ in length: {lengths}")
        if not found or not next(iter(found.values())):
            raise BadArgument("attach a table", "it has no rows")
        return cls(found)

    def type(self, name: str) -> ColumnType | None:
        """Infer the type of a column; None when it has no value at all.

        Raises
        ------
        BadDefinition
            When it mixes types, or has values of others.
        """
        given = [value for value in self.values[name] if value is not None]
        # Not-a-number is how pandas spells no value, in columns of text too.
        numbers = [value for value in given if not (isinstance(value, float) and math.isnan(value))]
        types = {type(value) for value in numbers or given}
        unknown = [one.__name__ for one in types if one not in _TYPES]
        if types == {int, float}:
            return "float"
        if unknown or len(types) > 1:
            found = ", ".join(sorted(one.__name__ for one in types))
            raise BadDefinition(
                f"attach the column {name!r}", f"its values are {found}", "int, float, string or bool"
            )
        return _TYPES[types.pop()] if types else None

    def rows(self, common: Mapping[str, object]) -> list[dict[str, object]]:
        """Give the rows, each with the values that all have in common."""
        names = list(self.values)
        listed = zip(*self.values.values(), strict=True)
        return [{**common, **dict(zip(names, row, strict=True))} for row in listed]


def read_table(formats: Formats, path: Path) -> Any:  # noqa: ANN401 - astropy has no types
    """Read the table of a file; its extension tells the format.

    Raises
    ------
    NotFound, StoreError
        When there is no such file, or it cannot be read.
    UnknownFormat, Unsupported
        When no format has the extension, or files of it hold no table.
    BadContent
        When it is damaged.
    """
    extension = extension_of(path.name, formats)
    if extension is None:
        todo = "name a .csv, .ecsv, .parquet or .fits file"
        raise UnknownFormat(f"attach {str(path)!r}", "no format has its extension", todo)
    if not path.exists():
        raise NotFound(f"attach {str(path)!r}", "no such file", "name the file of a table")
    with LocalStore("/", name="files", writable=False).open(os.path.abspath(path)[1:]) as source:
        return formats.read(source, extension, "Table")


def _columns(table: object) -> dict[str, list[Any]]:
    if _is(table, "pyarrow", "Table"):
        return _of_arrow(table)
    if _is(table, "pandas", "DataFrame"):
        return _of_pandas(table)
    if _is(table, "astropy.table", "Table"):
        return _of_astropy(table)
    if isinstance(table, Mapping):
        return _named([(name, _values(name, column)) for name, column in table.items()])
    if isinstance(table, Iterable) and not isinstance(table, str | bytes):
        return _of_rows(list(table))
    raise BadArgument("attach a table", f"it is {type(table).__name__}", _KINDS)


def _is(table: Any, module: str, name: str) -> bool:  # noqa: ANN401 - of whatever library
    """Tell whether an object is of a library's class; who has one has loaded the library."""
    found = sys.modules.get(module)
    return found is not None and isinstance(table, getattr(found, name))


def _of_arrow(table: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - pyarrow has no types
    return _named([(name, table.column(name).to_pylist()) for name in _unique(table.column_names)])


def _of_pandas(table: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - pandas has no types
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    _unique([str(name) for name in table.columns])
    return _named([(name, table[name].tolist()) for name in table.columns])


def _of_astropy(table: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - astropy has no types
    from astropy.table import Column

    for name in table.colnames:
        column = table[name]
        if not isinstance(column, Column) or column.ndim != 1:
            found = f"it is {type(column).__name__} of shape {getattr(column, 'shape', ())}"
            raise BadDefinition(f"attach the column {name!r}", found, "give one plain value a row")
    return _named([(name, table[name].tolist()) for name in table.colnames])


def _of_rows(rows: Sequence[object]) -> dict[str, list[Any]]:
    names: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            raise BadArgument("attach a table", f"a row is {type(row).__name__}", _KINDS)
        names |= dict.fromkeys(row)
    return _named([(name, [row.get(name) for row in rows if isinstance(row, Mapping)]) for name in names])


def _values(name: object, column: object) -> list[Any]:
    if isinstance(column, str | bytes) or not isinstance(column, Iterable):
        raise BadArgument(f"attach the column {name!r}", f"it is {type(column).__name__}", "give a list")
    return list(column)


def _named(columns: Iterable[tuple[object, list[Any]]]) -> dict[str, list[Any]]:
    return {str(name): values for name, values in columns}


def _unique(names: Sequence[str]) -> Sequence[str]:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise BadArgument("attach a table", f"two columns are called {double!r}", "rename one")
    return names


def _plain(value: Any) -> object:  # noqa: ANN401 - of whatever library
    """Give the Python value of a numpy scalar; pandas has two objects of its own for no value."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        value = item()
    return None if type(value).__name__ in ("NAType", "NaTType", "MaskedConstant") else value
