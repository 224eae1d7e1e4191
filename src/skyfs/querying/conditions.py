"""What users give to a query → conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..errors import BadArgument, BadDataId, NotFound, nearest
from ..model.dataid import Value, coerce
from ..model.dimensions import Element
from ..model.query import Binary, Expression, Literal, Name, Order
from ..registry.queries.compiler import check
from ..registry.queries.names import Vocabulary
from ..registry.queries.question import Question, conjuncts, demanded
from ..registry.queries.shape import normal
from ..registry.registry import Registry

Given = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query is asked with.

    Attributes
    ----------
    where
        An expression.
    bind
        Values of its ``:names``.
    given
        Values of dimensions.
    order
        Names to sort by.
    more
        Further expressions with their values.
    demands
        Conditions besides.
    only
        Conditions to ask instead of all these.
    """

    where: str | None = None
    bind: Given | None = None
    given: Given | None = None
    order: tuple[str, ...] = ()
    more: tuple[tuple[str, Given], ...] = ()
    demands: tuple[Expression, ...] = ()
    only: tuple[Expression, ...] | None = None

    def question(
        self, registry: Registry, vocabulary: Vocabulary, subject: Element | None = None
    ) -> Question:
        """Give the question.

        Raises
        ------
        InvalidQuery
            When the expression is not well formed, or names what there is not.
        BadDataId
            When a given name is no dimension, or its value does not fit.
        """
        vocabulary = replace(vocabulary, subject=subject)
        conditions = self.only
        if conditions is None:
            given = tuple(_equal(vocabulary, name, value) for name, value in (self.given or {}).items())
            _require_agreement(registry, demanded(vocabulary, given))
            conditions = (*given, *self.demands, *self._expressions(vocabulary))
        fixed = demanded(vocabulary, conditions)
        told = _grouping(registry, fixed)
        conditions = (*conditions, *(_same(name, value) for name, value in told.items()))
        order = tuple(_order(text) for text in self.order)
        question = Question(vocabulary, conditions, order, {**fixed, **told}, subject)
        for one in order:
            own = replace(vocabulary, text=str(one.name))
            kind = own.meaning(one.name).kind
            if kind in ("region", "bytes"):
                raise own.error(one.name, f"a {kind} has no order", "sort by another column")
        return question

    def _expressions(self, vocabulary: Vocabulary) -> Iterator[Expression]:
        if self.bind and not self.where:
            found = f"{', '.join(self.bind)} is given"
            raise BadArgument("bind= without where=", found, "give the expression")
        if self.where:
            yield from _checked(vocabulary, self.where, self.bind or {})
        for text, bind in self.more:
            yield from _checked(vocabulary, text, bind)


def _checked(vocabulary: Vocabulary, text: str, bind: Given) -> Iterator[Expression]:
    from ..model.query_bind import prepare
    from ..model.query_text import parse

    own = replace(vocabulary, text=text)
    for part in conjuncts(prepare(parse(text), bind, text)):
        check(part, own)
        yield normal(part)


def _require_agreement(registry: Registry, given: Given) -> None:
    """Raise BadDataId when given values contradict what records say of others: a visit and another night."""
    known = dict(given)
    waiting = list(given)
    for name in waiting:
        element = registry.universe.element(name)
        if not element.implies or any(part not in known for part in element.identity):
            continue
        try:
            implied = registry.records.implied(element, tuple(known[part] for part in element.identity))  # type: ignore[misc]
        except NotFound:
            continue  # then nothing matches
        for other, value in implied.items():
            if value is not None and known.setdefault(other, value) != value:
                found = f"{other} of {name} {known[name]!r} is {value!r}, not {known[other]!r}"
                raise BadDataId(f"contradicting data ID {dict(given)!r}", found, f"leave {other} out")
            waiting += [other] if other not in waiting else []


def _same(name: str, value: Value) -> Expression:
    return Binary("=", Name((name,)), Literal(value))


def _equal(vocabulary: Vocabulary, name: str, value: object) -> Expression:
    """Give the condition of ``name=value``: a dimension, or a column that identifies a value of one."""
    universe = vocabulary.universe
    if universe.has(name) and universe.element(name).is_dimension:
        return _same(name, coerce(universe.element(name), value))
    owners = [
        element
        for element in universe.elements.values()
        if name in element.alternates and element.is_dimension
    ]
    near_owners = [one for one in owners if one.name in vocabulary.group.required] or owners
    if len(near_owners) != 1 or not isinstance(value, str | int):
        todo = nearest(name, universe.elements, "other columns go into where=")
        todo = f"use where={owners[0].name}.{name} = ..." if owners else todo
        raise BadDataId(f"bad data ID: {name}={value!r}", f"no dimension {name!r}", todo)
    return Binary("=", Name((near_owners[0].name, name)), Literal(value))


def _grouping(registry: Registry, fixed: Mapping[str, Value]) -> dict[str, Value]:
    """Give the values of grouping levels that follow from the values demanded: the night of a visit."""
    universe = registry.universe
    found: dict[str, Value] = {}
    for name in fixed:
        levels = universe.grouping.get(name, ())
        element = universe.element(name)
        if not levels or any(part not in fixed for part in element.identity):
            continue
        try:
            implied = registry.records.implied(element, tuple(fixed[part] for part in element.identity))
        except NotFound:
            continue  # then nothing matches
        for level in levels:
            value = implied[level]
            if value is not None and level not in fixed:
                found[level] = value
    return found


def _order(text: str) -> Order:
    descending = text.startswith("-")
    parts = tuple(text.removeprefix("-").split("."))
    if not all(parts):
        raise BadArgument(
            f"order_by {text!r}", "no name", "give names such as visit.timespan.begin or -visit"
        )
    return Order(Name(parts), descending)
