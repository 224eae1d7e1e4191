"""What takes part in answering a question: elements, overlaps, times. No SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from ...model.dimensions import DimensionGroup, Element
from ...model.query import Binary, Expression, Literal, Name, Shape
from .joins import Source, apart, base_elements, families, links, record_columns
from .names import Reference, names_in, nodes
from .question import Question, rejects_null


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


class Participants:
    """What takes part in one question.

    Attributes
    ----------
    group
        The dimensions that take part.
    own
        The dimensions whose values the members have themselves.
    """

    def __init__(
        self, question: Question, rows: Callable[[Element], float], member: Member | None = None
    ) -> None:
        self._question = question
        self._vocabulary = question.vocabulary
        self._universe = question.vocabulary.universe
        self._rows = rows
        self._member = member
        self.group = question.dimensions()
        self.own: set[str] = set()
        if member is not None:
            self.own = {*member.group.levels, *member.group.required}

    def elements(self) -> tuple[dict[str, Element], list[Element]]:
        """Give the elements whose records must be there, and those that may be."""
        universe = self._universe
        subject = self._question.subject
        known = self.own if subject is None else {*self.own, *subject.identity}
        inner = {
            one.name: one
            for one in (*base_elements(universe, self.group, known), *links(universe, self.group, known))
        }
        if subject is not None:
            inner[subject.name] = subject
        for dimension in self.group.required:
            others = [name for name in self.group.required if name != dimension]
            if dimension in universe.group(others).implied and not {dimension, *others} <= self.own:
                # Members that have a band must agree with the visit that is asked for.
                inner |= self._telling(dimension, others, own=False)
        for node in self._question.conditions:
            if rejects_null(node):
                inner |= self._told_by(self._vocabulary.meaning(name) for name in names_in(node))
        for a, b in self._families():
            inner |= {a.name: a, b.name: b}
        inner |= {one.name: one for one in self.temporal()}
        outer = self._told_by(self._question.all_references())
        for level in self._question.group.levels:
            if level not in self.own:
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
        if dimension in known or (own and dimension in self.own):
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
                    if element.name not in known and element.name not in self.own:
                        waiting.append(element.name)
                    break
        return found

    def _reaches(self, known: Iterable[str], dimension: str) -> bool:
        return dimension in self._universe.implied_by(known)

    def _shortcuts(self) -> dict[str, Element]:
        """Give elements that lead from the values asked for to the leading columns of the members' key."""
        if self._member is None:
            return {}
        levels = self._member.group.levels
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
            dimension for level, dimension in self._member.group.grouping if level not in self._question.fixed
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
            for a, b in apart(families(spatial), self.own)
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

    def edges(self, inner: dict[str, Element]) -> list[tuple[str, str]]:
        """Give the pairs of elements whose regions must overlap."""
        edges = [(a.name, b.name) for a, b in self._families()]
        for node in self._question.conditions:
            match node:
                case Binary("OVERLAPS", Name() as left, Name() as right):
                    a, b = self._vocabulary.meaning(left), self._vocabulary.meaning(right)
                    if a.column == b.column == "region" and {a.element, b.element} <= inner.keys():
                        edges.append((str(a.element), str(b.element)))
        return list(dict.fromkeys(edges))

    def literals(self) -> dict[str, str]:
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

    def temporal(self) -> list[Element]:
        """Give the elements whose times choose among validity ranges, or meet each other."""
        universe = self._universe
        listed = [
            element
            for element in universe.elements.values()
            if element.temporal and set(element.identity) <= set(self.group.required)
        ]
        implied = {name for element in listed for name in universe.implied_by([element.name])}
        listed = [element for element in listed if element.name not in implied]
        if self._member is not None and self._member.timed:
            return [element for element in listed if not set(element.identity) <= self.own]
        return [one for pair in self.strangers(listed) for one in pair]

    def strangers(self, listed: Sequence[Element]) -> list[tuple[Element, Element]]:
        """Give the pairs of temporal elements that no relation brings together."""
        linked = [set(element.requires) for element in links(self._universe, self.group, ())]
        return [
            (a, b)
            for a, b in apart(families(listed), self.own)
            if not any({a.name, b.name} <= relation for relation in linked)
        ]

    # -- sources ---------------------------------------------------------------------------------------

    def sources(self, inner: dict[str, Element], edges: Sequence[tuple[str, str]]) -> Iterator[Source]:
        """Give what is to be put in order: the elements, the members, pixels, and what may help."""
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
        if self._member is not None:
            levels = self._member.group.levels
            yield Source("", levels, levels, self._member.rows, member=True)
        for name in self.group.required:
            if self._is_pixels(name) and name not in inner and (name not in self.own or _has(edges, name)):
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


def _has(edges: Sequence[tuple[str, str]], name: str) -> bool:
    return any(name in edge for edge in edges)


def _region_pairs(node: Expression) -> Iterator[tuple[Name, Name]]:
    for part in nodes(node):
        match part:
            case Binary("OVERLAPS", Name() as left, Name() as right):
                yield left, right
