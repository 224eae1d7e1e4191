"""Which datasets a dataset was made from, as far as recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import sqlalchemy as sa

from .database import Database
from .schema import Schema

_IDS_PER_READ = 500


class Provenance:
    """Reads the edges between datasets and their inputs."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        dataset, edge = schema["dataset"], schema["provenance"]
        joined = dataset.join(edge, edge.c.dataset_id == dataset.c.id)
        among = dataset.c.uuid.in_(sa.bindparam("uuids", expanding=True))
        self._select = sa.select(dataset.c.uuid, edge.c.input).select_from(joined).where(among)

    def inputs(self, ids: Sequence[UUID]) -> Iterator[tuple[UUID, UUID]]:
        """Give (dataset, input) of datasets; an input may be gone meanwhile."""
        for start in range(0, len(ids), _IDS_PER_READ):
            some = [one.bytes for one in ids[start : start + _IDS_PER_READ]]
            for made, source in self._database.read(self._select, {"uuids": some}):
                yield UUID(bytes=made), UUID(bytes=source)
