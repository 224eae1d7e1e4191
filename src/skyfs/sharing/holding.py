"""Which calibrations hold for chosen datasets: certified for their times, of their detector, filter..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.dataid import Value
from ..model.dataset import DatasetRef
from ..model.dimensions import DimensionGroup, Element
from ..model.timespan import Timespan
from ..registry.registry import Registry

_Key = tuple[Value, ...]
# What an observation is: when it was, and the values that its record implies.
_Observation = tuple[Timespan, Mapping[str, Value]]
_Shared = tuple[str, ...]


class Observed:
    """Notes what was observed, and tells whether a calibration holds for some of it.

    Memory grows with the number of observations and of what the calibrations tell apart.
    """

    def __init__(self, registry: Registry, groups: Iterable[DimensionGroup]) -> None:
        self._registry = registry
        self._groups = {group.required for group in groups}
        self._known: dict[tuple[str, _Key], _Observation | None] = {}
        self._times: dict[tuple[_Shared, _Shared], dict[_Key, set[Timespan]]] = {}

    def note(self, ref: DatasetRef) -> None:
        """Note a dataset; one without an observation that has a time needs no calibration."""
        element = self._observation_of(ref.type.group)
        if element is None:
            return
        observation = self._observation(element, ref)
        if observation is None:
            return
        span, implied = observation
        values = {**implied, **ref.data_id}
        for required in self._groups:
            shared = tuple([name for name in required if name in values])
            key = tuple([values[name] for name in shared])
            self._times.setdefault((required, shared), {}).setdefault(key, set()).add(span)

    def holds(self, ref: DatasetRef) -> bool:
        """Tell whether a certified dataset holds for something that was noted."""
        valid = Timespan(None, None) if ref.valid is None else ref.valid
        own = ref.type.group.required
        for (required, shared), times in self._times.items():
            if required == own and shared:
                spans = times.get(tuple([ref.data_id[name] for name in shared]), ())
                if any(span.overlaps(valid) for span in spans):
                    return True
        return False

    def _observation_of(self, group: DimensionGroup) -> Element | None:
        """Give the dimension that says when: of a visit and its night, the visit."""
        universe = self._registry.universe
        found = [universe.element(name) for name in group.required if universe.element(name).temporal]
        implied = {name for one in found for name in universe.implied_by([one.name])}
        return next((one for one in found if one.name not in implied), None)

    def _observation(self, element: Element, ref: DatasetRef) -> _Observation | None:
        key = tuple([ref.data_id[name] for name in element.identity])
        place = (element.name, key)
        if place not in self._known:
            span = self._registry.records.timespan(element, key)
            implied = self._registry.records.implied(element, key)
            plain = {name: value for name, value in implied.items() if value is not None}
            self._known[place] = None if span is None else (span, plain)
        return self._known[place]
