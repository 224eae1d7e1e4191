"""Which datasets could go into one that is yet to be built.

Everything follows from the dimensions: a dataset is a candidate when its data ID has the target's values, or
lies where the target does on the sky. What has no place on the sky by itself gets one by a relation to what
has (an exposure by the visit that it is part of). Calibrations serve what was observed while they are valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ..model.dataid import DataId, Value
from ..model.dataset import DatasetRef, DatasetType
from ..model.dimensions import DimensionGroup, Universe
from ..model.timespan import ALWAYS, Timespan
from ..registry.catalogue import TypeEntry
from ..registry.registry import Registry
from .conditions import Asked
from .datasets import DatasetQuery
from .tables import make_table


@dataclass(frozen=True, slots=True)
class Edge:
    """A dataset, and what it serves.

    Attributes
    ----------
    input
        The dataset.
    serves
        The dataset that it may be used for, or was made into; None: what is to be built.
    recorded
        Whether ``serves`` was made from it, as provenance says.
    """

    input: DatasetRef
    serves: DatasetRef | None
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """The graph of all datasets that could go into one. Iterating gives the datasets.

    Attributes
    ----------
    type, data_id
        What is to be built.
    nodes
        The datasets, each once.
    edges
        What each serves.
    """

    type: DatasetType
    data_id: DataId
    nodes: tuple[DatasetRef, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, dataset_type: DatasetType, data_id: DataId, edges: Iterable[Edge]) -> Self:
        """Make the graph of edges."""
        listed = tuple(dict.fromkeys(edges))
        return cls(dataset_type, data_id, tuple(dict.fromkeys(edge.input for edge in listed)), listed)

    def __iter__(self) -> Iterator[DatasetRef]:
        """Give the datasets."""
        return iter(self.nodes)

    def __len__(self) -> int:
        """Count the datasets."""
        return len(self.nodes)

    def refs(self, type_name: str) -> list[DatasetRef]:
        """Give the datasets of one type."""
        return [ref for ref in self.nodes if ref.type.name == type_name]

    def inputs(self, ref: DatasetRef | None = None) -> list[DatasetRef]:
        """Give the datasets that serve one; default: those that serve what is to be built."""
        return [edge.input for edge in self.edges if edge.serves == ref]

    def to_table(self, kind: str = "astropy") -> Any:  # noqa: ANN401 - a table of the library asked for
        """Give the edges as a table: ``astropy``, ``pandas`` or ``arrow``; the target has no id there."""
        dimensions = dict.fromkeys(name for ref in self.nodes for name in ref.type.group.required)
        columns = ["dataset_type", *dimensions, "valid", "run", "id", "serves", "recorded"]
        return make_table([_row(edge) for edge in self.edges], columns, kind)


@dataclass(frozen=True, slots=True)
class _Observed:
    """What calibrations can serve: values of dimensions, implied ones too, and a time."""

    ref: DatasetRef | None
    values: Mapping[str, Value]
    span: Timespan


class Search:
    """Looks for candidates in collections.

    Parameters
    ----------
    collections
        Names, in the order of search.
    """

    def __init__(self, registry: Registry, collections: Sequence[str]) -> None:
        self._registry = registry
        self._universe = registry.universe
        self._collections = tuple(collections)

    def find(self, target: TypeEntry, data_id: DataId, inputs: Sequence[TypeEntry]) -> Candidates:
        """Give the graph of what of the input types could go into a dataset."""
        plain = [one for one in inputs if not one.type.calibration]
        direct = [ref for entry in plain for ref in self._overlapping(target.group, data_id, entry)]
        observed = [*self._observed(None, data_id)]
        observed += [one for ref in direct for one in self._observed(ref, ref.data_id)]
        edges = [Edge(ref, None) for ref in direct]
        for entry in inputs:
            if entry.type.calibration:
                edges += self._calibrations(entry, observed)
        return Candidates.of(target.type, data_id, [*edges, *self._recorded(edges)])

    # -- by place --------------------------------------------------------------------------------------

    def _overlapping(self, target: DimensionGroup, data_id: DataId, entry: TypeEntry) -> Iterator[DatasetRef]:
        given = {name: data_id[name] for name in target.required}
        through = self._through(entry.group) if _places(self._universe, target.required) else ()
        known = {*entry.group.required, *entry.group.implied, *through}
        met = bool(through) or _places(self._universe, entry.group.required)
        if not (known & set(given) or (met and _places(self._universe, target.required))):
            return iter(())
        where = " AND ".join(f"{name} = {name}" for name in through)
        return iter(self._query(entry, self._collections, Asked(where or None, None, given)))

    def _through(self, group: DimensionGroup) -> tuple[str, ...]:
        """Give the dimensions by which a relation gives a place on the sky to what has none."""
        if _places(self._universe, group.required):
            return ()
        for element in self._universe.elements.values():
            more = [name for name in element.requires if name not in group.required]
            if element.is_dimension or not more:
                continue
            wider = self._universe.group([*group.required, *more])
            own = {part for name in more for part in self._universe.element(name).identity}
            # What is shared must be more than what the others need anyway: not just the instrument.
            if set(element.requires) - own and _places(self._universe, wider.required):
                return tuple(more)
        return ()

    def _query(self, entry: TypeEntry, collections: Sequence[str], asked: Asked) -> DatasetQuery:
        return DatasetQuery(self._registry, asked, types=(entry.type.name,), collections=tuple(collections))

    # -- by time ---------------------------------------------------------------------------------------

    def _observed(self, ref: DatasetRef | None, data_id: DataId) -> Iterator[_Observed]:
        """Give what a data ID was observed as; nothing when it has no time."""
        values = self._implied(data_id)
        spans = (self._span(name, values) for name in data_id)
        span = next((one for one in spans if one is not None), None)
        if span is not None:
            yield _Observed(ref, values, span)

    def _span(self, name: str, values: Mapping[str, Value]) -> Timespan | None:
        element = self._universe.element(name)
        # A night has a time too, but is not what was observed.
        if not element.temporal or any(name in one.implies for one in self._elements(values)):
            return None
        return self._registry.records.timespan(element, tuple(values[part] for part in element.identity))

    def _elements(self, names: Iterable[str]) -> Iterator[Any]:
        return (self._universe.element(name) for name in names)

    def _implied(self, data_id: DataId) -> dict[str, Value]:
        """Give the values of a data ID with all that records imply."""
        values: dict[str, Value] = dict(data_id)
        waiting = list(data_id)
        for name in waiting:
            element = self._universe.element(name)
            if not element.implies or any(part not in values for part in element.identity):
                continue
            found = self._registry.records.implied(element, tuple(values[part] for part in element.identity))
            new = {one: value for one, value in found.items() if value is not None and one not in values}
            values |= new
            waiting += new
        return values

    def _calibrations(self, entry: TypeEntry, observed: Sequence[_Observed]) -> Iterator[Edge]:
        """Give the calibrations of a type that serve what was observed: what the first collection has."""
        snapshot = self._registry.current()
        asked = self._asked(entry, observed)
        served: set[tuple[int, DataId]] = set()
        for leaf in snapshot.flatten(self._collections) if asked is not None else ():
            kept = list(self._query(entry, [leaf.collection.name], asked)) if asked is not None else []
            here: set[tuple[int, DataId]] = set()
            for number, calibration in _serving(entry.group, observed, kept):
                key = (number, calibration.data_id)
                if key not in served:
                    here.add(key)
                    yield Edge(calibration, observed[number].ref)
            served |= here

    def _asked(self, entry: TypeEntry, observed: Sequence[_Observed]) -> Asked | None:
        """Ask for the values and times of what was observed; None when nothing can match."""
        if not observed:
            return None
        bind: dict[str, object] = {}
        for name in entry.group.required:
            if all(name in one.values for one in observed):
                bind[name] = sorted({one.values[name] for one in observed})
        where = " AND ".join(f"{name} IN (:{name})" for name in bind)
        return Asked(where or None, bind, None)

    # -- recorded --------------------------------------------------------------------------------------

    def _recorded(self, edges: Iterable[Edge]) -> Iterator[Edge]:
        nodes = {edge.input.id: edge.input for edge in edges}
        for made, source in self._registry.details.inputs(list(nodes)):
            if source in nodes:
                yield Edge(nodes[source], nodes[made], recorded=True)


def _places(universe: Universe, names: Iterable[str]) -> bool:
    """Tell whether values of dimensions have a place on the sky."""
    known = set(names)
    elements = [*universe.elements.values(), *(universe.element(name) for name in known)]
    return any(element.spatial and set(element.identity) <= known for element in elements)


def _serving(
    group: DimensionGroup, observed: Sequence[_Observed], calibrations: Sequence[DatasetRef]
) -> Iterator[tuple[int, DatasetRef]]:
    """Give (place of what was observed, calibration) where values agree and times overlap."""
    by_names: dict[tuple[str, ...], dict[tuple[Value, ...], list[DatasetRef]]] = {}
    for number, one in enumerate(observed):
        names = tuple(name for name in group.required if name in one.values)
        if names not in by_names:
            by_values = by_names[names] = {}
            for ref in calibrations:
                by_values.setdefault(tuple(ref.data_id[name] for name in names), []).append(ref)
        for ref in by_names[names].get(tuple(one.values[name] for name in names), ()):
            if (ref.valid or ALWAYS).overlaps(one.span):
                yield number, ref


def _row(edge: Edge) -> Mapping[str, object]:
    ref, serves = edge.input, None if edge.serves is None else str(edge.serves.id)
    known = {"dataset_type": ref.type.name, "valid": ref.valid, "run": ref.run, "id": str(ref.id)}
    return {**ref.data_id, **known, "serves": serves, "recorded": edge.recorded}
