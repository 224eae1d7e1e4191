"""Which tables answer a question, and in which order they are gone through.

The database knows nothing of how values are spread, so the order is chosen here: from few rows to many, and
the big table of members last, when what comes before gives the leading columns of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...model.dimensions import DimensionGroup, Element, Universe

# Rows that a condition lets through, of those that are looked at: only the order of magnitude matters.
_SELECTED = 0.1
# What is no condition of the question is gone through when its key is known, or nothing else helps.
_DETOUR = 1000.0
# Records whose regions overlap another region.
_OVERLAPPING = 30.0
# Of more sources than these not all orders are tried.
_MOST_TRIED = 6


@dataclass(frozen=True, slots=True)
class Source:
    """A table, or the pixels of a region, that takes part.

    Attributes
    ----------
    columns
        The dimensions whose values it gives.
    key
        Those of its primary key, in order.
    rows
        About how many there are.
    filtered
        Whether some condition is about it alone.
    region
        Whether it has a region.
    optional
        Whether the answer is the same without it: it is there to find the members faster.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: float
    filtered: bool = False
    region: bool = False
    member: bool = False
    pixels: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One source in its place.

    Attributes
    ----------
    via
        The source (or literal region) whose region it is found by; None: by the values of its columns.
    """

    source: Source
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What takes part besides its order.

    Attributes
    ----------
    sources
        All of them.
    edges
        Pairs of names whose regions must overlap.
    literals
        For each source, the key of the literal region that its own must overlap.
    fixed
        Dimensions whose values are given.
    """

    sources: tuple[Source, ...]
    edges: frozenset[tuple[str, str]]
    literals: Mapping[str, str]
    fixed: frozenset[str]


def arrange(layout: Layout, few: int) -> list[Step]:
    """Put the sources in order; members that are no more than ``few`` come first."""
    member = next((source for source in layout.sources if source.member), None)
    rest = [source for source in layout.sources if not source.member]
    if member is None:
        return _placed(layout, rest, [])
    needed = [source for source in rest if not source.optional]
    if member.rows <= few:
        return _placed(layout, needed, [Step(member)])
    drivers = _without_idle(layout, member, _placed(layout, rest, []))
    later = [one for one in needed if one not in _sources(drivers)]
    return _placed(layout, later, [*drivers, Step(member)])


def _placed(layout: Layout, sources: Sequence[Source], first: Sequence[Step]) -> list[Step]:
    """Place sources after those placed already, so that the fewest rows are gone through."""
    if len(sources) > _MOST_TRIED:
        return _greedy(layout, sources, first)
    best: list[tuple[float, list[Step]]] = []
    _try(layout, list(sources), list(first), (1.0, 0.0), best)
    work, steps = best[0]
    if work == float("inf"):
        raise LookupError(next(source.name for source in sources if source.pixels))
    return steps


def _try(
    layout: Layout,
    waiting: list[Source],
    steps: list[Step],
    work: tuple[float, float],
    best: list[tuple[float, list[Step]]],
) -> None:
    """Try all orders that do not take more work than the best one so far."""
    rows, done = work
    if best and done >= best[0][0]:
        return
    if not waiting:
        best[:] = [(done, steps)]
        return
    bound, placed = _bound(layout, steps), _sources(steps)
    for source in waiting:
        others = [one for one in waiting if one is not source]
        for fanout, step in _choices(layout, source, bound, placed):
            more = rows * fanout
            _try(layout, others, [*steps, step], (more, done + max(more, 1.0)), best)


def _greedy(layout: Layout, sources: Sequence[Source], first: Sequence[Step]) -> list[Step]:
    """Place, again and again, the source that makes the fewest rows of each row so far."""
    waiting, steps = list(sources), list(first)
    while waiting:
        bound, placed = _bound(layout, steps), _sources(steps)
        choices = [choice for source in waiting for choice in _choices(layout, source, bound, placed)]
        fanout, step = min(choices, key=lambda choice: choice[0])
        if fanout == float("inf"):
            raise LookupError(step.source.name)
        steps.append(step)
        waiting.remove(step.source)
    return steps


def _choices(
    layout: Layout, source: Source, bound: set[str], placed: Sequence[Source]
) -> Iterable[tuple[float, Step]]:
    yield _natural(source, bound), Step(source)
    names = {one.name for one in placed}
    for a, b in layout.edges:
        other = b if a == source.name else a if b == source.name else None
        if other in names:
            yield min(source.rows, _OVERLAPPING), Step(source, other)
    if source.name in layout.literals:
        yield min(source.rows, _OVERLAPPING), Step(source, layout.literals[source.name])


def _natural(source: Source, bound: set[str]) -> float:
    """Estimate the rows that have the bound values."""
    if source.pixels:
        return 1.0 if source.key[0] in bound else float("inf")
    known = next((index for index, name in enumerate(source.key) if name not in bound), len(source.key))
    if known == len(source.key):
        return 0.5
    share = (len(source.key) - known) / len(source.key)
    rows = max(1.0, float(source.rows**share)) * (_SELECTED if source.filtered else 1.0)
    return rows * _DETOUR if source.optional and not source.filtered else rows


def _without_idle(layout: Layout, member: Source, drivers: list[Step]) -> list[Step]:
    """Leave out what does not shorten the way to the members."""
    kept = list(drivers)
    for step in reversed(drivers):
        others = [one for one in kept if one is not step]
        free = set(step.source.key) <= set(member.columns) and not any(
            one.via == step.source.name for one in others
        )
        if free and _work(layout, member, others) <= _work(layout, member, kept):
            kept = others
    optional = all(set(step.source.key) <= set(member.columns) for step in kept)
    return [] if optional and _work(layout, member, []) <= _work(layout, member, kept) else kept


def _work(layout: Layout, member: Source, steps: Sequence[Step]) -> float:
    """Estimate how many rows are gone through up to the members, these included."""
    rows, done = 1.0, 0.0
    for number, step in enumerate(steps):
        bound = _bound(layout, steps[:number])
        rows *= _OVERLAPPING if step.via else _natural(step.source, bound)
        done += max(rows, 1.0)
    share = 1 - _leading(layout, member, steps) / len(member.key) if member.key else 0.0
    return done + max(rows, 1.0) * float(member.rows**share)


def _leading(layout: Layout, member: Source, steps: Sequence[Step]) -> int:
    """Count the leading columns of the members' key that are known before them."""
    bound = _bound(layout, steps)
    return next((index for index, name in enumerate(member.key) if name not in bound), len(member.key))


def _bound(layout: Layout, steps: Sequence[Step]) -> set[str]:
    return {*layout.fixed, *(name for step in steps for name in step.source.columns)}


def _sources(steps: Iterable[Step]) -> list[Source]:
    return [step.source for step in steps]


# -- what takes part -----------------------------------------------------------------------------------


def record_columns(element: Element) -> tuple[str, ...]:
    """Give the dimensions whose values a record holds."""
    return tuple(dict.fromkeys((*element.identity, *element.implies)))


def base_elements(universe: Universe, group: DimensionGroup, known: Iterable[str]) -> list[Element]:
    """Give the elements whose records tell which values exist, of dimensions that are not known.

    A record of a patch tells of its tract and skymap; so those are not asked.
    """
    known = set(known)
    missing = [universe.element(name) for name in group.required if name not in known]
    told = {part for element in missing for part in element.requires}
    return [element for element in missing if element.name not in told]


def links(universe: Universe, group: DimensionGroup, known: Iterable[str]) -> list[Element]:
    """Give the relations that say which dimension values belong together: which exposures make a visit."""
    own = set(known)
    return [
        element
        for element in universe.elements.values()
        if is_link(element)
        and set(element.requires) <= set(group.required)
        and not set(element.requires) <= own
    ]


def is_link(element: Element) -> bool:
    """Tell whether an element holds nothing but dimensions that belong together."""
    return not (element.is_dimension or element.spatial or element.temporal or element.metadata)


def families(elements: Iterable[Element]) -> list[Element]:
    """Give the most detailed of elements that are about the same thing: of visit and its detectors, these."""
    listed = list(elements)
    return [
        element
        for element in listed
        if not any(set(element.identity) < set(other.identity) for other in listed)
    ]


def apart(elements: Sequence[Element], known: Iterable[str]) -> list[tuple[Element, Element]]:
    """Give the pairs that nothing else brings together."""
    own = set(known)
    return [
        (a, b)
        for index, a in enumerate(elements)
        for b in elements[index + 1 :]
        if not {*a.identity, *b.identity} <= own
    ]


Rows = Callable[[Element], float]
