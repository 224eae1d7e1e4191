"""The FROM of a statement: sources joined in a given order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ...model.dimensions import Element
from ..constructs import Integers, Then
from ..schema import Schema
from .joins import Step, record_columns

_Column = sa.ColumnElement[Any]


@dataclass(slots=True)
class Tables:
    """Tables joined so far.

    Attributes
    ----------
    values
        For each dimension, the column that has its value.
    regions
        For each source that has one, its region.
    repeats
        Whether the same row may come several times.
    """

    schema: Schema
    source: sa.FromClause | None = None
    values: dict[str, _Column] = field(default_factory=dict)
    records: dict[str, sa.FromClause] = field(default_factory=dict)
    regions: dict[str, _Column] = field(default_factory=dict)
    conditions: list[sa.ColumnElement[bool]] = field(default_factory=list)
    repeats: bool = False

    def add(self, table: sa.FromClause) -> None:
        """Go through a table, for each row so far."""
        self.source = table if self.source is None else Then(self.source, table, sa.true())

    def add_left(self, element: Element) -> None:
        """Join the records of an element where there are some."""
        table = self.schema.records(element).alias(f"r_{element.name}")
        same = [table.c[name] == self.values[name] for name in element.identity]
        if self.source is None:
            raise LookupError(element.name)
        self.source = self.source.outerjoin(table, sa.and_(*same))
        self._know(element, table)

    def add_records(self, element: Element, step: Step) -> None:
        """Join the records of an element, by region or by what is known of their columns."""
        if step.via is not None:
            self._add_cells(element, self.regions[step.via])
        table = self.schema.records(element).alias(f"r_{element.name}")
        self.add(table)
        self.agree({name: table.c[name] for name in record_columns(element)})
        self._know(element, table)
        # That a literal region overlaps is a condition of its own.
        if step.via in self.records or step.via in self.values:
            self.overlap(str(step.via), element.name)

    def add_pixels(self, name: str, step: Step) -> None:
        """Join the pixels that overlap a region."""
        if step.via is not None:
            found = Integers(sa.func.skyfs_pixels(name, self.regions[step.via]))
            pixels = found.table_valued(sa.column("value", sa.BigInteger), name=f"p_{name}")
            self.add(pixels)
            self.agree({name: pixels.c.value})
        self.regions[name] = sa.func.skyfs_region(name, self.values[name])

    def add_after(self, table: sa.FromClause, same: sa.ColumnElement[bool]) -> None:
        """Join a table that has one row, or none, for each row so far."""
        if self.source is None:
            raise LookupError(str(table))
        self.source = self.source.outerjoin(table, same)

    def agree(self, columns: Mapping[str, _Column]) -> None:
        """Demand that columns have the values known, and know the others."""
        for name, column in columns.items():
            if name in self.values:
                self.conditions.append(column == self.values[name])
            else:
                self.values[name] = column

    def overlap(self, a: str, b: str) -> None:
        """Demand that the regions of two sources overlap."""
        self.conditions.append(sa.func.skyfs_overlaps(self.regions[a], self.regions[b]) == sa.true())

    def meet(self, spans: Iterable[tuple[_Column, _Column]]) -> None:
        """Demand that timespans overlap, each with each."""
        listed = list(spans)
        for index, (begin, end) in enumerate(listed):
            for other_begin, other_end in listed[index + 1 :]:
                self.conditions += [begin < other_end, other_begin < end]

    def _know(self, element: Element, table: sa.FromClause) -> None:
        self.records[element.name] = table
        for name in record_columns(element):
            self.values.setdefault(name, table.c[name])
        if element.spatial:
            self.regions[element.name] = table.c.region

    def _add_cells(self, element: Element, region: _Column) -> None:
        """Find candidates: records whose regions share a cell of the sphere with one."""
        cells = Integers(sa.func.skyfs_cells(region)).table_valued(
            sa.column("value", sa.BigInteger), name=f"c_{element.name}"
        )
        index = self.schema.overlaps(element).alias(f"o_{element.name}")
        self.add(cells)
        self.add(index)
        cell = cells.c.value
        self.conditions.append(index.c.cell == cell.op(">>")(sa.literal_column("1")))
        self.conditions.append(index.c.own >= sa.literal_column("1") - cell.op("&")(sa.literal_column("1")))
        self.agree({name: index.c[name] for name in element.identity})
        self.repeats = True
