"""What else the registry keeps of datasets: when they were made, of what, and captured values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from ..model.capture import Scalar
from .captured import value_of
from .database import Database
from .schema import Schema
from .statement import among


@dataclass(frozen=True, slots=True)
class Detail:
    """What else is kept of a dataset; ``number`` grows with each insertion."""

    number: int
    created_ms: int
    inputs: tuple[UUID, ...] = ()
    captured: tuple[tuple[str, Scalar], ...] = ()


class Details:
    """Reads them for many datasets at once."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._created, self._inputs, self._captured = _selects(schema)
        self._last = sa.select(sa.func.max(schema["dataset"].c.id))

    def of(self, ids: Sequence[UUID], *, captured: bool) -> dict[UUID, Detail]:
        """Give the details of those that are there; captured values only when they are asked for."""
        found: dict[UUID, Detail] = {}
        inputs: dict[UUID, list[UUID]] = {}
        values: dict[UUID, list[tuple[str, Scalar]]] = {}
        for made, source in self.inputs(ids):
            inputs.setdefault(made, []).append(source)
        for one, name, number, text in self._among(self._captured, ids) if captured else ():
            values.setdefault(one, []).append((name, value_of(number, text)))
        for one, number, created_ms in self._among(self._created, ids):
            own = (tuple(inputs.get(one, ())), tuple(values.get(one, ())))
            found[one] = Detail(number, created_ms, *own)
        return found

    def inputs(self, ids: Sequence[UUID]) -> Iterator[tuple[UUID, UUID]]:
        """Give (dataset, input) of datasets; an input may be gone meanwhile."""
        for made, source in self._among(self._inputs, ids):
            yield made, UUID(bytes=source)

    def last(self) -> int:
        """Give the number of the dataset that was inserted last."""
        return int(self._database.read(self._last)[0][0] or 0)

    def until(self, ids: Sequence[UUID], number: float) -> set[UUID]:
        """Give those of datasets that were inserted up to a number."""
        return {one for one, own, _ in self._among(self._created, ids) if own <= number}

    def _among(self, select: sa.Select[Any], ids: Sequence[UUID]) -> Iterator[tuple[Any, ...]]:
        """Give the rows of datasets, each with the dataset's id first."""
        for uuid, *row in self._database.read_among(select, [one.bytes for one in ids]):
            yield UUID(bytes=uuid), *row


def _selects(schema: Schema) -> tuple[sa.Select[Any], sa.Select[Any], sa.Select[Any]]:
    dataset, edge = schema["dataset"], schema["provenance"]
    captured, symbol = schema["captured"], schema["symbol"]
    chosen = among(dataset.c.uuid)
    created = sa.select(dataset.c.uuid, dataset.c.id, dataset.c.created_ms).where(chosen)
    made = dataset.join(edge, edge.c.dataset_id == dataset.c.id)
    inputs = sa.select(dataset.c.uuid, edge.c.input).select_from(made).where(chosen)
    held = dataset.join(captured, captured.c.dataset_id == dataset.c.id)
    held = held.join(symbol, symbol.c.id == captured.c.name_id)
    columns = (dataset.c.uuid, symbol.c.text, captured.c.number, captured.c.text)
    values = sa.select(*columns).select_from(held).where(chosen)
    return (
        created,
        inputs.order_by(dataset.c.uuid, edge.c.input),
        values.order_by(dataset.c.uuid, symbol.c.text),
    )
