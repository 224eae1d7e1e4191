"""What is asked, before it is known how to answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...model.dataid import Value
from ...model.dimensions import DimensionGroup, Element
from ...model.query import Binary, Expression, In, IsNull, Literal, Name, Order, Unary
from .names import Reference, Vocabulary, names_in


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are wanted.

    Attributes
    ----------
    vocabulary
        What names mean; it knows the dimensions of the answer.
    conditions
        All must hold.
    order
        What to sort by.
    fixed
        Values of dimensions that conditions demand.
    subject
        The element whose records are wanted.
    """

    vocabulary: Vocabulary
    conditions: tuple[Expression, ...] = ()
    order: tuple[Order, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    subject: Element | None = None

    @property
    def group(self) -> DimensionGroup:
        """The dimensions of the answer."""
        return self.vocabulary.group

    def references(self, expressions: tuple[Expression, ...] | None = None) -> Iterator[Reference]:
        """Give what the names of the conditions (or of others) mean."""
        for expression in self.conditions if expressions is None else expressions:
            for name in names_in(expression):
                yield self.vocabulary.meaning(name)

    def all_references(self) -> list[Reference]:
        """Give what all names mean, those to sort by included."""
        return [*self.references(), *(self.vocabulary.meaning(one.name) for one in self.order)]

    def dimensions(self) -> DimensionGroup:
        """Give the dimensions that take part: those of the answer, and those that names need besides.

        What follows from the others by their records (the band of a visit) is not among them.
        """
        universe = self.vocabulary.universe
        named = {part for reference in self.all_references() for part in self._needed(reference)}
        wanted = universe.group({*self.group.required, *named})
        extra = [name for name in wanted.required if name not in self.group.required]
        for name in extra:
            others = [other for other in wanted.required if other != name]
            if name in universe.implied_by(others) and name in universe.group(others).implied:
                wanted = universe.group(
                    [other for other in others if name not in universe.element(other).requires]
                )
        return wanted

    def _needed(self, reference: Reference) -> tuple[str, ...]:
        if reference.dataset:
            return ()
        if reference.element is None:
            return (reference.column,)
        element = self.vocabulary.element(reference.element)
        return () if element is None else element.identity


def conjuncts(expression: Expression | None) -> Iterator[Expression]:
    """Split an expression into parts that must all hold."""
    waiting = [] if expression is None else [expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Binary) and node.operator == "AND":
            waiting += [node.right, node.left]
        else:
            yield node


def demanded(vocabulary: Vocabulary, conditions: tuple[Expression, ...]) -> dict[str, Value]:
    """Give the values of dimensions that conditions of the form ``name = value`` demand."""
    found: dict[str, Value] = {}
    for node in conditions:
        match node:
            case Binary("=", Name() as name, Literal(int() | str() as value)):
                pass
            case Binary("=", Literal(int() | str() as value), Name() as name):
                pass
            case _:
                continue
        reference = vocabulary.meaning(name)
        if reference.element is None and not reference.dataset and not isinstance(value, bool):
            found.setdefault(reference.column, value)
    return found


def rejects_null(node: Expression) -> bool:
    """Tell whether a condition never holds where a column in it has no value."""
    match node:
        case IsNull():
            return False
        case Binary("OR" | "AND"):
            return False
        case Unary("NOT", operand):
            return rejects_null(operand)
        case Binary() | In() | Name():
            return True
    return False
