"""What the names in an expression mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal as OneOf

from ...errors import InvalidQuery, nearest
from ...model.dataset import DatasetType
from ...model.dimensions import DimensionGroup, Element, Universe
from ...model.query import Binary, Call, Expression, In, IsNull, Name, Pair, Unary
from ...model.query_error import invalid

Kind = OneOf["int", "float", "string", "bool", "bytes", "time", "timespan", "region", "uuid", "captured"]

DATASET_FIELDS: Mapping[str, Kind] = {
    "dataset_id": "uuid",
    "ingest_date": "time",
    "run": "string",
    "collection": "string",
    "timespan": "timespan",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """What a name means.

    Attributes
    ----------
    element
        Whose record it is a column of; None for the value of a dimension, and for fields of datasets.
    column
        The dimension, the column of the record, ``timespan``, ``timespan_begin``, ``region``, or the field.
    dataset
        Whether it is a field of the dataset.
    """

    kind: Kind
    element: str | None
    column: str
    dataset: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a question may use.

    Attributes
    ----------
    sides
        Attached side tables.
    group
        The dimensions asked for: bare names of columns are looked for in these.
    dataset
        The type asked for, if it is one of datasets.
    subject
        The element whose records are asked for: its columns need no name in front.
    """

    universe: Universe
    sides: Mapping[str, Element]
    group: DimensionGroup
    dataset: DatasetType | None = None
    subject: Element | None = None
    text: str = field(default="", compare=False)

    def element(self, name: str) -> Element | None:
        """Give an element or a side table."""
        if name in self.sides:
            return self.sides[name]
        return self.universe.element(name) if self.universe.has(name) else None

    def meaning(self, name: Name) -> Reference:
        """Tell what a name means.

        Raises
        ------
        InvalidQuery
            When it means nothing, or several things; the message has the nearest names.
        """
        first, *rest = name.parts
        if self.dataset is not None and first == self.dataset.name and rest:
            return self._field(name, rest)
        element = self.element(first)
        if element is not None:
            return self._of_element(name, element, rest)
        own = None if self.subject is None else _column(self.universe, self.subject, list(name.parts))
        if own is not None:
            return own
        found = list(self._bare(name.parts))
        if len(found) == 1:
            return found[0]
        if found:
            owners = ", ".join(f"{one.element}.{name}" for one in found)
            raise self.error(name, f"{str(name)!r} may be one of {owners}", "say which")
        raise self.error(name, f"no name {str(name)!r}", self._nearest(name))

    def error(self, node: Expression, found: str, todo: str = "") -> InvalidQuery:
        """Give an error that points at a node."""
        return invalid(self.text, node.at, found, todo)

    def _of_element(self, name: Name, element: Element, rest: list[str]) -> Reference:
        if not rest:
            if not element.is_dimension:
                todo = f"name one of {', '.join(columns(element))}"
                raise self.error(name, f"{element.name!r} has no value by itself", todo)
            return Reference(_key_kind(element), None, element.name)
        found = _column(self.universe, element, rest)
        if found is None:
            wanted = ".".join(rest)
            todo = nearest(wanted, columns(element))
            raise self.error(name, f"no column {wanted!r} of {element.name}", todo)
        return found

    def _field(self, name: Name, rest: list[str]) -> Reference:
        found = self._dataset_field(rest)
        if found is None:
            known = [*DATASET_FIELDS, *self._captured()]
            raise self.error(
                name, f"no field {'.'.join(rest)!r} of {name.parts[0]}", f"there are {', '.join(known)}"
            )
        return found

    def _dataset_field(self, rest: Iterable[str]) -> Reference | None:
        match list(rest):
            case ["timespan", ("begin" | "end") as end]:
                return Reference("time", None, f"timespan_{end}", dataset=True)
            case [column] if column in DATASET_FIELDS:
                return Reference(DATASET_FIELDS[column], None, column, dataset=True)
            case [column] if column in self._captured():
                return Reference("captured", None, column, dataset=True)
        return None

    def _captured(self) -> list[str]:
        return [] if self.dataset is None else [name for name, _ in self.dataset.capture]

    def _bare(self, parts: tuple[str, ...]) -> Iterator[Reference]:
        """Give what a name without its element may mean."""
        named = {*self.group.required, *self.group.implied, *self._relations()}
        for element in (self.element(name) for name in sorted(named)):
            found = _column(self.universe, element, list(parts)) if element is not None else None
            # `id` and `name` of the dimension itself are spelled by the dimension.
            if found is not None and found.element is not None:
                yield found
        field_ = self._dataset_field(parts) if self.dataset is not None else None
        if field_ is not None and parts[0] != "timespan":
            yield field_

    def _relations(self) -> Iterator[str]:
        for element in (*self.universe.elements.values(), *self.sides.values()):
            if not element.is_dimension and set(element.requires) <= set(self.group.required):
                yield element.name

    def _nearest(self, name: Name) -> str:
        known = [*self.universe.elements, *self.sides]
        for element in (self.element(one) for one in (*self.group.required, *self.group.implied)):
            known += columns(element) if element is not None else []
        known = list(dict.fromkeys(known))
        if self.dataset is not None:
            known += [self.dataset.name, *DATASET_FIELDS, *self._captured()]
        near = nearest(str(name), known, "") or nearest(name.parts[0], known, "")
        return f"{near} texts stand in quotes, bound values begin with ':'".lstrip()


def columns(element: Element) -> list[str]:
    """Give the names of an element's columns as expressions spell them."""
    found = [column.name for column in (*element.keys, *element.metadata)]
    found += [*element.requires, *element.implies]
    if element.temporal:
        found += ["timespan", "timespan.begin", "timespan.end"]
    return [*found, "region"] if element.spatial else found


def _column(universe: Universe, element: Element, rest: list[str]) -> Reference | None:
    match rest:
        case ["timespan"] if element.temporal:
            return Reference("timespan", element.name, "timespan")
        case ["timespan", ("begin" | "end") as end] if element.temporal:
            return Reference("time", element.name, f"timespan_{end}")
        case ["region"] if element.spatial:
            return Reference("region", element.name, "region")
        case [name] if element.is_dimension and name == element.key.name:
            return Reference(_key_kind(element), None, element.name)
        case [name] if name in element.identity or name in element.implies:
            return Reference(_key_kind(universe.element(name)), None, name)
        case [name]:
            for column in (*element.keys[1:], *element.metadata):
                if column.name == name:
                    return Reference(column.type, element.name, name)
    return None


def _key_kind(element: Element) -> Kind:
    return "int" if element.key.type == "int" else "string"


def names_in(expression: Expression) -> Iterator[Name]:
    """Give all names of an expression."""
    for node in nodes(expression):
        if isinstance(node, Name):
            yield node


def nodes(expression: Expression) -> Iterator[Expression]:
    """Give all nodes of an expression, each before those below it."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(below(node))


def below(node: Expression) -> tuple[Expression, ...]:
    """Give the nodes directly below one."""
    match node:
        case Binary(_, left, right):
            return left, right
        case Unary(_, operand):
            return (operand,)
        case In(subject, items):
            return subject, *items
        case IsNull(subject):
            return (subject,)
        case Pair(begin, end):
            return begin, end
        case Call(_, arguments):
            return arguments
    return ()
