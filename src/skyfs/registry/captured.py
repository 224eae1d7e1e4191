"""Values that were read from the bytes of datasets when these were stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from ..model.capture import Scalar
from .database import Database
from .schema import Schema
from .statement import Statement
from .symbols import Symbols

Values = Sequence[tuple[str, Scalar]]


class Captured:
    """Writes and reads captured values. Writing is inside of a transaction."""

    def __init__(self, database: Database, schema: Schema, symbols: Symbols) -> None:
        self._database = database
        self._symbols = symbols
        table = schema["captured"]
        self._insert = Statement.insert(table)
        same = table.c.dataset_id == sa.bindparam("a_dataset")
        self._delete = Statement(table.delete().where(same), ["a_dataset"])
        self._select = _of_dataset(schema)

    def insert(self, values: Iterable[tuple[int, Values]]) -> None:
        """Keep the values of datasets, by their rows' ids."""
        rows = [(dataset_id, name, value) for dataset_id, some in values for name, value in some]
        ids = self._symbols.ids(name for _, name, _ in rows)
        self._database.write_many(
            self._insert, [(dataset_id, ids[name], *_columns(value)) for dataset_id, name, value in rows]
        )

    def drop(self, dataset_ids: Iterable[int]) -> None:
        """Forget the values of datasets."""
        self._database.write_many(self._delete, [(dataset_id,) for dataset_id in dataset_ids])

    def of(self, dataset_id: UUID) -> dict[str, Scalar]:
        """Give the values of a dataset by name."""
        rows = self._database.read(self._select, {"uuid": dataset_id.bytes})
        return {row[0]: value_of(row[1], row[2]) for row in rows}


def _of_dataset(schema: Schema) -> sa.Select[Any]:
    dataset, captured, symbol = (schema[name] for name in ("dataset", "captured", "symbol"))
    joined = dataset.join(captured, captured.c.dataset_id == dataset.c.id)
    joined = joined.join(symbol, symbol.c.id == captured.c.name_id)
    found = sa.select(symbol.c.text, captured.c.number, captured.c.text).select_from(joined)
    return found.where(dataset.c.uuid == sa.bindparam("uuid")).order_by(symbol.c.text)


def _columns(value: Scalar) -> tuple[float | None, str | None]:
    if isinstance(value, bool):
        return int(value), "true" if value else "false"
    return (None, value) if isinstance(value, str) else (value, None)


def value_of(number: float | None, text: str | None) -> Scalar:
    """Give the value that two columns hold."""
    if number is None:
        return text or ""
    return bool(number) if text is not None else number
