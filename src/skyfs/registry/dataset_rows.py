"""What the registry knows of datasets by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..errors import Conflict
from ..model.dataset import DatasetRef
from .database import Database
from .schema import Schema
from .statement import among


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """The row of a dataset, and whether it has bytes."""

    id: int
    type_id: int
    run_id: int
    data_id: str
    stored: int


class DatasetRows:
    """Reads the rows of datasets."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._by_uuid = _by_uuid(schema)

    def of(self, refs: Sequence[DatasetRef]) -> list[DatasetRow]:
        """Give the row of each dataset, or raise Conflict when one is gone."""
        known = self.read([ref.id.bytes for ref in refs])
        missing = next((ref for ref in refs if ref.id.bytes not in known), None)
        if missing is not None:
            what = f"{missing.type.name} {missing.data_id!r} of {missing.run!r}"
            raise Conflict(what, "it was removed meanwhile", "look it up again")
        return [known[ref.id.bytes] for ref in refs]

    def read(self, ids: Sequence[bytes]) -> dict[bytes, DatasetRow]:
        """Give the rows of those that are there, by id."""
        rows = self._database.read_among(self._by_uuid, ids)
        return {uuid: DatasetRow(*row) for uuid, *row in rows}


def _by_uuid(schema: Schema) -> sa.Select[Any]:
    dataset, location = schema["dataset"], schema["location"]
    stored = sa.exists().where(location.c.dataset_id == dataset.c.id)
    columns = [dataset.c[name] for name in ("uuid", "id", "type_id", "run_id", "data_id")]
    found = sa.select(*columns, sa.case((stored, 1), else_=0))
    return found.where(among(dataset.c.uuid))
