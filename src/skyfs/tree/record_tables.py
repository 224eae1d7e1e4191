"""Records → the bytes of a table file.

The columns are those of `Repository.records`. A timespan is two columns, ``timespan_begin`` and
``timespan_end``, of TAI nanoseconds since 1970, with no value for an open end. Regions and other bytes are
hexadecimal text, in every format: not all have bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..model.element import Element
from ..model.timespan import Timespan
from ..repository import Repository

EXTENSIONS = (".csv", ".ecsv", ".json", ".parquet")


def write_records(repository: Repository, element: Element, extension: str) -> bytes:
    """Give all records of an element, or rows of a side table, as a file of one of the ``EXTENSIONS``."""
    records = repository.records(element.name)
    if extension == ".json":
        rows = (json.dumps(_row(record), ensure_ascii=False) for record in records)
        return ("[" + ",\n".join(rows) + "]\n").encode()
    return _encoded(repository, _table(repository, element, records), extension)


def _encoded(repository: Repository, table: Any, extension: str) -> bytes:  # noqa: ANN401 - an arrow table
    file = io.BytesIO()
    if extension == ".parquet":
        from pyarrow import parquet

        parquet.write_table(table, file, compression="zstd")
    elif extension == ".csv":
        from pyarrow import csv

        csv.write_csv(table, file)
    else:
        repository.formats.write(table, file, extension, "Table")
    return file.getvalue()


def _table(repository: Repository, element: Element, records: Iterable[Mapping[str, object]]) -> Any:  # noqa: ANN401
    """Give an arrow table; its types are the columns', whatever values there are."""
    import pyarrow as pa

    known = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    kinds = _kinds(repository, element)
    columns: dict[str, list[object]] = {name: [] for name in kinds}
    for record in records:
        row = _row(record)
        for name, values in columns.items():
            values.append(row.get(name))
    return pa.table(
        {name: pa.array(values, known.get(kinds[name], pa.string())) for name, values in columns.items()}
    )


def _kinds(repository: Repository, element: Element) -> dict[str, str]:
    """Give the columns of a file, with the types of their values."""
    universe = repository.registry.universe
    own: dict[str, str] = {column.name: column.type for column in (*element.keys, *element.metadata)}
    for name in (*element.requires, *element.implies):
        own[name] = universe.element(name).key.type
    found: dict[str, str] = {}
    for name in repository.registry.records.columns(element):
        if name == "timespan" and element.temporal:
            found |= {"timespan_begin": "int", "timespan_end": "int"}
        else:
            found[name] = own.get(name, "string")
    return found


def _row(record: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in record.items():
        if isinstance(value, Timespan):
            found |= {f"{name}_begin": value.begin_ns, f"{name}_end": value.end_ns}
        elif value is None and name == "timespan":
            found |= {f"{name}_begin": None, f"{name}_end": None}
        else:
            found[name] = value.hex() if isinstance(value, bytes) else value
    return found
