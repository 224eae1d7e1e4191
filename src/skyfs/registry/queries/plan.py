"""From a question to the tables that answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ...errors import InvalidQuery
from ...model.dimensions import DimensionGroup, Element
from ...model.query import Binary, Expression, Literal, Name, Order, Shape
from ..schema import MAX_NS, MIN_NS, Schema
from .compiler import Compiler, Term
from .joins import (
    Layout,
    Source,
    Step,
    apart,
    arrange,
    base_elements,
    families,
    links,
    record_columns,
)
from .names import Reference, names_in, nodes
from .question import Question, demanded, rejects_null
from .tables import Tables

# Members that are no more than these are gone through first.
FEW = 5_000
# TAI is ahead of UTC by these since 2017-01-01; skyfs is younger.
_TAI_UTC_NS = 37 * 10**9

_Column = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Member:
    """The members that a question is about.

    Attributes
    ----------
    table
        Of the dimension group: with validity ranges, or without.
    rows
        About how many there are.
    timed
        Whether some of the collections searched have validity ranges.
    """

    table: sa.Table
    group: DimensionGroup
    rows: float
    stored: int
    timed: bool = False

    @property
    def valid(self) -> bool:
        """Whether they have validity ranges."""
        return "begin_ns" in self.table.c


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
        self._universe = question.vocabulary.universe
        self._rows = rows
        self.member = member
        self.group = question.dimensions()
        self._own = set(member.group.levels) | set(member.group.required) if member is not None else set()
        self.tables = Tables(schema)
        self.members = None if member is None else member.table.alias("m")
        self.dataset: sa.FromClause | None = None
        self._names: dict[str, sa.FromClause] = {}
        self._join()
        self.distinct = self.tables.repeats or bool(set(self.group.required) - self._answer())

    def _answer(self) -> set[str]:
        return {*self._question.group.required, *self._own}

    # -- joins -----------------------------------------------------------------------------------------

    def _join(self) -> None:
        inner, outer = self._elements()
        edges = self._edges(inner)
        layout = Layout(
            tuple(self._sources(inner, edges)),
            frozenset(edges),
            self._literals(),
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
                elements.get(step.source.name) or self._universe.element(step.source.name), step
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

    def _elements(self) -> tuple[dict[str, Element], list[Element]]:
        """Give the elements whose records must be there, and those that may be."""
        universe = self._universe
        subject = self._question.subject
        known = self._own if subject is None else {*self._own, *subject.identity}
        inner = {
            one.name: one
            for one in (*base_elements(universe, self.group, known), *links(universe, self.group, known))
        }
        if subject is not None:
            inner[subject.name] = subject
        for dimension in self.group.required:
            others = [name for name in self.group.required if name != dimension]
            if dimension in universe.group(others).implied and not {dimension, *others} <= self._own:
                # Members that have a band must agree with the visit that is asked for.
                inner |= self._telling(dimension, others, own=False)
        for node in self._question.conditions:
            if rejects_null(node):
                inner |= self._told_by(self._vocabulary.meaning(name) for name in names_in(node))
        for a, b in self._families():
            inner |= {a.name: a, b.name: b}
        inner |= {one.name: one for one in self._temporal()}
        outer = self._told_by(self._question.all_references())
        for level in self._question.group.levels:
            if level not in self._own:
                outer |= self._telling(level, self.group.required)
        return inner, [outer[name] for name in self._in_order(outer) if name not in inner]

    def _in_order(self, elements: Iterable[str]) -> list[str]:
        """Sort so that what tells the key of another comes before it."""
        listed = list(elements)
        known = [name for name in reversed(self._universe.dependency_order(listed)) if name in listed]
        return [name for name in known if self._universe.has(name)] + [
            name for name in listed if not self._universe.has(name)
        ]

    def _told_by(self, references: Iterable[Reference]) -> dict[str, Element]:
        """Give the elements whose records have what names mean."""
        found: dict[str, Element] = {}
        for reference in references:
            if reference.element is not None:
                element = self._vocabulary.element(reference.element)
                if element is not None:
                    found |= self._telling(element.name, self.group.required) if element.is_dimension else {}
                    found[element.name] = element
            elif not reference.dataset:
                found |= self._telling(reference.column, self.group.required)
        return {name: one for name, one in found.items() if one.has_records or one.spatial}

    def _telling(self, dimension: str, known: Iterable[str], *, own: bool = True) -> dict[str, Element]:
        """Give the elements whose records lead from known dimensions to the value of another one.

        When ``own``, what the members have themselves is known.
        """
        known = set(known)
        if dimension in known or (own and dimension in self._own):
            return {}
        found: dict[str, Element] = {}
        waiting = [dimension]
        while waiting:
            wanted = waiting.pop()
            for element in self._universe.elements.values():
                if wanted in element.implies and (
                    element.name in known or self._reaches(known, element.name)
                ):
                    found[element.name] = element
                    if element.name not in known and element.name not in self._own:
                        waiting.append(element.name)
                    break
        return found

    def _reaches(self, known: Iterable[str], dimension: str) -> bool:
        return dimension in self._universe.implied_by(known)

    def _shortcuts(self) -> dict[str, Element]:
        """Give elements that lead from the values asked for to the leading columns of the members' key."""
        if self.member is None:
            return {}
        levels = self.member.group.levels
        leading = next((n for n, name in enumerate(levels) if name not in self._question.fixed), len(levels))
        named = {
            reference.column
            for node in self._question.conditions
            if rejects_null(node)
            for reference in self._question.references((node,))
            if reference.element is None and not reference.dataset
        }
        found: dict[str, Element] = {}
        for name in named & set(levels[leading:]):
            element = self._universe.element(name)
            roots = [part for part in element.requires if part not in self._question.fixed]
            found |= {part: self._universe.element(part) for part in (*roots, name)}
        # A night comes before the visit in the key, and only the visit's record tells it.
        grouping = [
            dimension for level, dimension in self.member.group.grouping if level not in self._question.fixed
        ]
        found |= {name: self._universe.element(name) for name in grouping}
        return {name: one for name, one in found.items() if one.has_records}

    # -- sky and time ----------------------------------------------------------------------------------

    def _families(self) -> list[tuple[Element, Element]]:
        """Give the pairs of elements whose regions must overlap, though no condition says so."""
        spatial = [
            element
            for element in (
                *self._universe.elements.values(),
                *(self._universe.element(name) for name in self.group.required if self._is_pixels(name)),
            )
            if element.spatial and set(element.identity) <= set(self.group.required)
        ]
        explicit = self._explicit()
        return [
            (a, b)
            for a, b in apart(families(spatial), self._own)
            if not any(self._same_family(a, x) and self._same_family(b, y) for x, y in explicit)
        ]

    def _same_family(self, element: Element, name: str) -> bool:
        other = self._universe.element(name)
        return set(other.identity) <= set(element.identity) or set(element.identity) <= set(other.identity)

    def _explicit(self) -> list[tuple[str, str]]:
        """Give the pairs of elements that conditions ask to overlap, both ways round."""
        found = []
        for node in self._question.conditions:
            for part in _region_pairs(node):
                a, b = (self._vocabulary.meaning(name) for name in part)
                if a.kind == b.kind == "region" and a.element and b.element:
                    found += [(a.element, b.element), (b.element, a.element)]
        return found

    def _edges(self, inner: dict[str, Element]) -> list[tuple[str, str]]:
        edges = [(a.name, b.name) for a, b in self._families()]
        for node in self._question.conditions:
            match node:
                case Binary("OVERLAPS", Name() as left, Name() as right):
                    a, b = self._vocabulary.meaning(left), self._vocabulary.meaning(right)
                    if a.column == b.column == "region" and {a.element, b.element} <= inner.keys():
                        edges.append((str(a.element), str(b.element)))
        return list(dict.fromkeys(edges))

    def _literals(self) -> dict[str, str]:
        """Give, for each element, the parameter of a region that its own must overlap."""
        found: dict[str, str] = {}
        for index, node in enumerate(self._question.conditions):
            match node:
                case Binary("OVERLAPS", Name() as name, Literal(Shape())):
                    pass
                case Binary("OVERLAPS", Literal(Shape()), Name() as name):
                    pass
                case _:
                    continue
            reference = self._vocabulary.meaning(name)
            if reference.kind == "region" and reference.element:
                found.setdefault(reference.element, f"c{index}_v0")
        return found

    def _temporal(self) -> list[Element]:
        """Give the elements whose times choose among validity ranges, or meet each other."""
        universe = self._universe
        listed = [
            element
            for element in universe.elements.values()
            if element.temporal and set(element.identity) <= set(self.group.required)
        ]
        implied = {name for element in listed for name in universe.implied_by([element.name])}
        listed = [element for element in listed if element.name not in implied]
        if self.member is not None and self.member.timed:
            return [element for element in listed if not set(element.identity) <= self._own]
        return [one for pair in self._strangers(listed) for one in pair]

    def _strangers(self, listed: Sequence[Element]) -> list[tuple[Element, Element]]:
        """Give the pairs of temporal elements that no relation brings together."""
        linked = [set(element.requires) for element in links(self._universe, self.group, ())]
        return [
            (a, b)
            for a, b in apart(families(listed), self._own)
            if not any({a.name, b.name} <= relation for relation in linked)
        ]

    def _join_times(self) -> None:
        if self.member is not None and self.member.timed:
            if self.members is not None and self.member.valid:
                own = (self.members.c.begin_ns, self.members.c.end_ns)
                for span in self.spans():
                    self.tables.meet([own, span])
            return
        for a, b in self._strangers(list(dict.fromkeys(self._temporal()))):
            self.tables.meet([self._span(a), self._span(b)])

    def spans(self) -> list[tuple[_Column, _Column]]:
        """Give the times at which calibrations must be valid."""
        return [self._span(element) for element in self._temporal()]

    def _span(self, element: Element) -> tuple[_Column, _Column]:
        table = self.tables.records[element.name]
        return table.c.timespan_begin, table.c.timespan_end

    # -- sources ---------------------------------------------------------------------------------------

    def _sources(self, inner: dict[str, Element], edges: Sequence[tuple[str, str]]) -> Iterator[Source]:
        named = self._filtering()
        for element in inner.values():
            if self._is_pixels(element.name):
                yield Source(
                    element.name, (element.name,), (element.name,), float("inf"), region=True, pixels=True
                )
            else:
                columns = record_columns(element)
                filtered = element.name in named or bool(named & set(columns))
                rows = self._rows(element)
                yield Source(element.name, columns, element.identity, rows, filtered, element.spatial)
        for element in self._shortcuts().values():
            if element.name not in inner:
                columns, rows = record_columns(element), self._rows(element)
                filtered = bool(named & set(columns))
                yield Source(element.name, columns, element.identity, rows, filtered, optional=True)
        if self.member is not None:
            levels = self.member.group.levels
            yield Source("", levels, levels, self.member.rows, member=True)
        for name in self.group.required:
            if self._is_pixels(name) and name not in inner and (name not in self._own or _has(edges, name)):
                yield Source(name, (name,), (name,), float("inf"), region=True, pixels=True)

    def _filtering(self) -> set[str]:
        """Give the elements and dimensions that conditions, but for given values, are about."""
        found: set[str] = set()
        for reference in self._question.references():
            if reference.element is not None:
                found.add(reference.element)
            elif not reference.dataset and reference.column not in self._question.fixed:
                found.add(reference.column)
        return found

    def _is_pixels(self, name: str) -> bool:
        return self._universe.has(name) and self._universe.element(name).level is not None

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


def _has(edges: Sequence[tuple[str, str]], name: str) -> bool:
    return any(name in edge for edge in edges)


def _region_pairs(node: Expression) -> Iterator[tuple[Name, Name]]:
    for part in nodes(node):
        match part:
            case Binary("OVERLAPS", Name() as left, Name() as right):
                yield left, right
