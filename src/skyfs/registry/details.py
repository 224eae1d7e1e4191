"""What else the registry keeps of datasets: when they were made, of what, and captured values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from ..model.capture import Scalar
from .captured import value_of
from .database import Database
from .schema import Schema

_IDS_PER_READ = 500


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
        for start in range(0, len(ids), _IDS_PER_READ):
            params = {"uuids": [one.bytes for one in ids[start : start + _IDS_PER_READ]]}
            values: dict[bytes, list[tuple[str, Scalar]]] = {}
            inputs: dict[bytes, list[UUID]] = {}
            for uuid, source in self._database.read(self._inputs, params):
                inputs.setdefault(uuid, []).append(UUID(bytes=source))
            for uuid, name, number, text in self._database.read(self._captured, params) if captured else ():
                values.setdefault(uuid, []).append((name, value_of(number, text)))
            for uuid, number, created_ms in self._database.read(self._created, params):
                own = (tuple(inputs.get(uuid, ())), tuple(values.get(uuid, ())))
                found[UUID(bytes=uuid)] = Detail(number, created_ms, *own)
        return found

    def last(self) -> int:
        """Give the number of the dataset that was inserted last."""
        return int(self._database.read(self._last)[0][0] or 0)

    def until(self, ids: Sequence[UUID], number: float) -> set[UUID]:
        """Give those of datasets that were inserted up to a number."""
        found: set[UUID] = set()
        for start in range(0, len(ids), _IDS_PER_READ):
            params = {"uuids": [one.bytes for one in ids[start : start + _IDS_PER_READ]]}
            rows = self._database.read(self._created, params)
            found |= {UUID(bytes=uuid) for uuid, own, _ in rows if own <= number}
        return found


def _selects(schema: Schema) -> tuple[sa.Select[Any], sa.Select[Any], sa.Select[Any]]:
    dataset, edge = schema["dataset"], schema["provenance"]
    captured, symbol = schema["captured"], schema["symbol"]
    among = dataset.c.uuid.in_(sa.bindparam("uuids", expanding=True))
    created = sa.select(dataset.c.uuid, dataset.c.id, dataset.c.created_ms).where(among)
    made = dataset.join(edge, edge.c.dataset_id == dataset.c.id)
    inputs = sa.select(dataset.c.uuid, edge.c.input).select_from(made).where(among)
    held = dataset.join(captured, captured.c.dataset_id == dataset.c.id)
    held = held.join(symbol, symbol.c.id == captured.c.name_id)
    columns = (dataset.c.uuid, symbol.c.text, captured.c.number, captured.c.text)
    values = sa.select(*columns).select_from(held).where(among)
    return (
        created,
        inputs.order_by(dataset.c.uuid, edge.c.input),
        values.order_by(dataset.c.uuid, symbol.c.text),
    )
