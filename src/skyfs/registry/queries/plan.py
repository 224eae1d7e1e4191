"""From a question to the tables that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from ...errors import InvalidQuery
from ...model.dimensions import Element
from ...model.query import Binary, Name, Order
from ..schema import MAX_NS, MIN_NS, Schema
from .compiler import Compiler, Term
from .joins import Layout, Step, arrange
from .names import Reference
from .participants import Member, Participants
from .question import Question, demanded
from .tables import Tables

# Members that are no more than these are gone through first.
FEW = 5_000
# TAI is ahead of UTC by these since 2017-01-01; skyfs is younger.
_TAI_UTC_NS = 37 * 10**9

_Column = sa.ColumnElement[Any]


class Plan:
    """The FROM and WHERE of one question; SELECT is the caller's.

    Attributes
    ----------
    distinct
        Whether the same answer may come several times.
    """

    def __init__(
        self,
        schema: Schema,
        question: Question,
        rows: Callable[[Element], float],
        member: Member | None = None,
    ) -> None:
        self._schema = schema
        self._question = question
        self._vocabulary = question.vocabulary
        self.member = member
        self._participants = Participants(question, rows, member)
        self.tables = Tables(schema)
        self.members = None if member is None else member.table.alias("m")
        self.dataset: sa.FromClause | None = None
        self._names: dict[str, sa.FromClause] = {}
        self._join()
        answer = {*question.group.required, *self._participants.own}
        self.distinct = self.tables.repeats or bool(set(self._participants.group.required) - answer)

    # -- joins -----------------------------------------------------------------------------------------

    def _join(self) -> None:
        participants = self._participants
        inner, outer = participants.elements()
        edges = participants.edges(inner)
        layout = Layout(
            tuple(participants.sources(inner, edges)),
            frozenset(edges),
            participants.literals(),
            frozenset(self._question.fixed),
        )
        try:
            steps = arrange(layout, FEW)
        except LookupError as error:
            pixels = f"{error.args[0]!r} has too many values to list"
            raise InvalidQuery(
                "bad query", pixels, "name a dimension with regions, or a region to overlap"
            ) from None
        for region in layout.literals.values():
            self.tables.regions[region] = sa.bindparam(region, type_=sa.types.NullType())
        self.members_first = bool(steps) and steps[0].source.member
        for step in steps:
            self._take(step, inner)
        for element in outer:
            self.tables.add_left(element)
        used = {frozenset((step.source.name, step.via)) for step in steps}
        for a, b in edges:
            if frozenset((a, b)) not in used:
                self.tables.overlap(a, b)
        self._join_times()

    def _take(self, step: Step, elements: dict[str, Element]) -> None:
        if step.source.member:
            self._take_members()
        elif step.source.pixels:
            if step.via is None and step.source.name not in self.tables.values:
                self.tables.values[step.source.name] = self._given(step.source.name)
            self.tables.add_pixels(step.source.name, step)
        else:
            self.tables.add_records(
                elements.get(step.source.name) or self._vocabulary.universe.element(step.source.name), step
            )

    def _given(self, dimension: str) -> _Column:
        """Give the parameter of the condition that demands a value of a dimension."""
        for index, node in enumerate(self._question.conditions):
            if isinstance(node, Binary) and dimension in demanded(self._vocabulary, (node,)):
                return sa.bindparam(f"c{index}_v0", type_=sa.BigInteger())
        raise LookupError(dimension)

    def _take_members(self) -> None:
        if self.members is None or self.member is None:
            return
        table = self.members
        self.tables.add(table)
        self.tables.conditions.append(table.c.type_id == sa.bindparam("type_id", type_=sa.BigInteger()))
        collection = sa.bindparam("collection_id", type_=sa.BigInteger())
        self.tables.conditions.append(table.c.collection_id == collection)
        self.tables.conditions.append(table.c.stored == sa.literal_column(str(self.member.stored)))
        self.tables.agree({name: table.c[name] for name in self.member.group.levels})

    def _join_times(self) -> None:
        if self.member is not None and self.member.timed:
            if self.members is not None and self.member.valid:
                own = (self.members.c.begin_ns, self.members.c.end_ns)
                for span in self.spans():
                    self.tables.meet([own, span])
            return
        temporal = list(dict.fromkeys(self._participants.temporal()))
        for a, b in self._participants.strangers(temporal):
            self.tables.meet([self._span(a), self._span(b)])

    def spans(self) -> list[tuple[_Column, _Column]]:
        """Give the times at which calibrations must be valid."""
        return [self._span(element) for element in self._participants.temporal()]

    def _span(self, element: Element) -> tuple[_Column, _Column]:
        table = self.tables.records[element.name]
        return table.c.timespan_begin, table.c.timespan_end

    # -- SQL -------------------------------------------------------------------------------------------

    def source(self) -> sa.FromClause:
        """Give the FROM, when all columns are known."""
        if self.tables.source is None:
            return sa.select(sa.literal_column("1")).subquery()
        return self.tables.source

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Give the whole WHERE."""
        own = [
            Compiler(node, self.term, self._vocabulary.error, f"c{index}_").condition()
            for index, node in enumerate(self._question.conditions)
        ]
        return [*self.tables.conditions, *own]

    def term(self, name: Name) -> Term:
        """Give the SQL of a name."""
        reference = self._vocabulary.meaning(name)
        if reference.dataset:
            return self._field(reference)
        if reference.element is None:
            return Term(reference.kind, self.tables.values[reference.column])
        if reference.column == "region":
            return Term("region", self._region(reference.element))
        table = self.tables.records[reference.element]
        if reference.column == "timespan":
            return Term("timespan", table.c.timespan_begin, table.c.timespan_end)
        return Term(reference.kind, table.c[reference.column])

    def _region(self, element: str) -> _Column:
        if element in self.tables.regions:
            return self.tables.regions[element]
        return sa.func.skyfs_region(element, self.tables.values[element])

    def order(self, orders: Sequence[Order]) -> list[tuple[_Column, bool]]:
        """Give what to sort by, and whether descending."""
        found: list[tuple[_Column, bool]] = []
        for one in orders:
            term = self.term(one.name)
            columns = [term.sql] if term.other is None else [term.sql, term.other]
            found += [(column, one.descending) for column in columns]
        return found

    def need_dataset(self) -> sa.FromClause:
        """Join the rows of datasets."""
        if self.dataset is None:
            if self.members is None:
                raise LookupError("dataset")
            self.dataset = self._schema["dataset"].alias("d")
            self.tables.add_after(self.dataset, self.dataset.c.id == self.members.c.dataset_id)
        return self.dataset

    def _field(self, reference: Reference) -> Term:
        if self.members is None:
            raise LookupError(reference.column)
        match reference.column:
            case "timespan" | "timespan_begin" | "timespan_end":
                return self._validity(reference)
            case "collection":
                return Term("string", self._name("collection", self.members.c.collection_id))
        dataset = self.need_dataset()
        match reference.column:
            case "dataset_id":
                return Term("uuid", dataset.c.uuid)
            case "ingest_date":
                return Term("time", dataset.c.created_ms * 10**6 + _TAI_UTC_NS)
            case "run":
                return Term("string", self._name("run", dataset.c.run_id))
        return self._captured(reference.column)

    def _validity(self, reference: Reference) -> Term:
        begin: _Column = sa.literal_column(str(MIN_NS))
        end: _Column = sa.literal_column(str(MAX_NS))
        if self.members is not None and "begin_ns" in self.members.c:
            begin, end = self.members.c.begin_ns, self.members.c.end_ns
        if reference.column == "timespan":
            return Term("timespan", begin, end)
        return Term("time", begin if reference.column == "timespan_begin" else end)

    def _name(self, alias: str, key: _Column) -> _Column:
        if alias not in self._names:
            self._names[alias] = self._schema["collection"].alias(f"n_{alias}")
            self.tables.add_after(self._names[alias], self._names[alias].c.id == key)
        return self._names[alias].c.name

    def _captured(self, name: str) -> Term:
        alias = f"h_{name}"
        if alias not in self._names and self.members is not None:
            captured, symbol = self._schema["captured"], self._schema["symbol"]
            wanted = (
                sa.select(symbol.c.id).where(symbol.c.text == sa.bindparam(alias, name)).scalar_subquery()
            )
            table: sa.FromClause = captured.alias(alias)
            self._names[alias] = table
            same = sa.and_(table.c.dataset_id == self.members.c.dataset_id, table.c.name_id == wanted)
            self.tables.add_after(table, same)
        table = self._names[alias]
        return Term("captured", table.c.number, table.c.text)
