"""Queries for data IDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..looks.footprints import Footprint, footprint
from ..model.dataid import DataId
from ..model.dimensions import DimensionGroup
from ..registry.queries.names import Vocabulary
from ..registry.queries.question import Question
from .base import Query


@dataclass(frozen=True, kw_only=True)
class DataIdQuery(Query[DataId]):
    """The data IDs that are possible by the records, whether or not there are datasets.

    Dimensions that have regions must overlap, and relations (which exposures make a visit) hold.
    """

    group: DimensionGroup

    def __iter__(self) -> Iterator[DataId]:
        """Give data IDs in path order, unless `order_by` says otherwise."""
        for row in self.registry.queries.data_ids(self.question(), self.limited):
            yield DataId(self.group, row)

    def count(self) -> int:
        """Count them."""
        number = self.registry.queries.count_data_ids(self.question())
        return number if self.limited is None else min(number, self.limited)

    def question(self) -> Question:
        """Give what is asked of the registry."""
        sides = self.registry.current().sides
        return self.asked.question(self.registry, Vocabulary(self.registry.universe, sides, self.group))

    def columns(self) -> list[str]:
        """Give the dimensions."""
        return list(self.group.required)

    def footprints(self) -> list[Footprint]:
        """Find where the data IDs are on the sky."""
        names = self.group.required
        return [footprint(self.registry, self.title, names, self)]

    @property
    def title(self) -> str:
        """The dimensions."""
        return f"data IDs of {', '.join(self.group.required)}"

    def row(self, answer: DataId) -> Mapping[str, object]:
        """Give the values."""
        return answer
