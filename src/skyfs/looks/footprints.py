"""Where the answers of a query are on the sky."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..model.batches import batches
from ..model.dataid import Value
from ..model.dimensions import Element, Universe
from ..registry.registry import Registry

if TYPE_CHECKING:
    from ..charts import SkyChart

_Key = tuple[Value, ...]
_Given = Mapping[str, Value]
_PER_READ = 5_000


@dataclass(slots=True)
class Footprint:
    """The regions of some answers.

    Attributes
    ----------
    label
        What they are.
    regions
        Encoded regions, each with how many answers have it.
    total, without
        How many answers there are, and how many of these have no region.
    """

    label: str
    regions: Counter[bytes] = field(default_factory=Counter)
    total: int = 0
    without: int = 0

    def add(self, region: bytes | None, count: int = 1) -> None:
        """Count answers that have a region, or none."""
        self.total += count
        if region is None:
            self.without += count
        else:
            self.regions[region] += count


def footprint(registry: Registry, label: str, names: Iterable[str], given: Iterable[_Given]) -> Footprint:
    """Find the regions of data IDs of some dimensions.

    The region of a data ID is that of the finest element it names: of a visit and a detector, what that
    detector saw. Dimensions that have none are led to some that do by a relation: an exposure to its visit.
    """
    found = Footprint(label)
    way = _way(registry.universe, frozenset(names))
    for some in batches(given, _PER_READ):
        if way is None:
            found.add(None, len(some))
            continue
        led = some if way.relation is None else _led(registry, way.relation, some)
        keys = Counter(_key(way.element, one) for one in led)
        regions = dict(_regions(registry, way.element, keys))
        for key, count in keys.items():
            found.add(None if key is None else regions.get(key), count)
    return found


def chart(footprints: Iterable[Footprint]) -> SkyChart:
    """Draw footprints, each in its colour."""
    from ..charts import Layer, SkyChart

    listed = list(footprints)
    notes = [f"{one.without:,} of {one.label} have no region" for one in listed if one.without]
    return SkyChart([Layer(one.label, one.regions) for one in listed if one.regions or not one.total], notes)


@dataclass(frozen=True, slots=True)
class _Way:
    """The element whose records have the regions, and the relation that leads to it, if one must."""

    element: Element
    relation: Element | None = None


def _way(universe: Universe, names: frozenset[str]) -> _Way | None:
    own = _finest(universe, names)
    if own is not None:
        return _Way(own)
    for relation in universe.elements.values():
        if relation.is_dimension or relation.spatial:
            continue
        added = frozenset(relation.identity) - names
        if len(added) == 1 and added != frozenset(relation.identity):
            found = _finest(universe, names | added)
            if found is not None:
                return _Way(found, relation)
    return None


def _finest(universe: Universe, names: frozenset[str]) -> Element | None:
    pixels = [universe.element(name) for name in sorted(names) if name not in universe.elements]
    every = [
        *pixels,
        *(one for one in universe.elements.values() if one.spatial and names.issuperset(one.identity)),
    ]
    # Of two with as many dimensions the later one: a relation follows what it relates.
    return max(reversed(every), key=lambda one: len(one.identity), default=None)


def _key(element: Element, given: _Given) -> _Key | None:
    values = tuple([given.get(name) for name in element.identity])
    return None if None in values else values  # type: ignore[return-value]


def _led(registry: Registry, relation: Element, some: list[_Given]) -> Iterator[_Given]:
    """Add to each data ID what the relation leads to; of several, the first."""
    names = [name for name in relation.identity if name in some[0]]
    keys = {tuple(one[name] for name in names) for one in some}
    leads: dict[_Key, _Given] = {}
    for record in registry.records.having(relation, names, keys):
        whole = {name: record[name] for name in relation.identity}
        leads.setdefault(tuple(record[name] for name in names), whole)  # type: ignore[arg-type, misc]
    for one in some:
        yield {**one, **leads.get(tuple(one[name] for name in names), {})}


def _regions(
    registry: Registry, element: Element, keys: Iterable[_Key | None]
) -> Iterator[tuple[_Key, bytes | None]]:
    whole = [key for key in keys if key is not None]
    if element.has_records:
        yield from registry.records.regions(element, whole)
        return
    from ..model.pixels import pixel_region

    for key in whole:
        yield key, pixel_region(element.name, int(key[0]))
