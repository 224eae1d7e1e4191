"""Queries for dimension records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import BadDefinition
from ..looks.footprints import Footprint, footprint
from ..model.dataid import Value
from ..model.dimensions import Element
from ..registry.queries.names import Vocabulary
from ..registry.queries.question import Question
from .base import Query

Record = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class RecordQuery(Query[Record]):
    """Records of an element, or rows of a side table."""

    element: Element

    def __iter__(self) -> Iterator[Record]:
        """Give records in order of their identity, unless `order_by` says otherwise."""
        rows = self.registry.queries.records(self.question(), self.element, self.limited)
        return (self.registry.records.record(self.element, row) for row in rows)

    def count(self) -> int:
        """Count them."""
        number = self.registry.queries.count_records(self.question(), self.element)
        return number if self.limited is None else min(number, self.limited)

    def question(self) -> Question:
        """Give what is asked of the registry."""
        if not self.element.has_records:
            raise BadDefinition(f"records of {self.element.name!r}", "its pixels need none")
        universe = self.registry.universe
        sides = self.registry.current().sides
        vocabulary = Vocabulary(universe, sides, universe.group(self.element.identity))
        return self.asked.question(self.registry, vocabulary, self.element)

    def columns(self) -> list[str]:
        """Give the columns of the records."""
        return self.registry.records.columns(self.element)

    def footprints(self) -> list[Footprint]:
        """Find where the records are on the sky: by their own regions, or those of what they name."""
        element = self.element
        if not element.spatial:
            return [footprint(self.registry, element.name, element.identity, map(self._identity, self))]
        found = Footprint(element.name)
        for record in self:
            region = record["region"]
            found.add(region if isinstance(region, bytes) else None)
        return [found]

    @property
    def title(self) -> str:
        """The element."""
        return f"records of {self.element.name}"

    def _identity(self, record: Record) -> dict[str, Value]:
        own = {self.element.name: record[self.element.key.name]} if self.element.is_dimension else {}
        return {name: {**record, **own}[name] for name in self.element.identity}  # type: ignore[misc]

    def row(self, answer: Record) -> Mapping[str, object]:
        """Give the record."""
        return answer
