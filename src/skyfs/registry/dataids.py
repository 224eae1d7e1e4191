"""Data IDs as users give them → the values of a group's levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import BadDataId, NotFound, nearest
from ..model.dataid import Value, coerce
from ..model.dimensions import DimensionGroup, Element, Universe
from .records import Records

Given = Mapping[str, object]

_INT64 = 2**63

# Of a level: its place in a row of required values; or the values for each key, and the places of the key.
_Source = tuple[int, dict[tuple[Value, ...], Value] | None, list[int]]


class DataIds:
    """Completes and checks data IDs against the records."""

    def __init__(self, universe: Universe, records: Records) -> None:
        self._universe = universe
        self._records = records
        self._overlapping: dict[tuple[str, ...], bool] = {}

    def split(self, group: DimensionGroup, given: Given) -> tuple[dict[str, Value], dict[str, Value]]:
        """Split what is given into values of levels and implied values, typed; alternate keys are looked up.

        Raises
        ------
        BadDataId
            When a name is unknown to the group, or a value does not fit.
        NotFound
            When an alternate key names no record.
        """
        levels: dict[str, Value] = {}
        implied: dict[str, Value] = {}
        alternates: list[tuple[Element, str, object]] = []
        for name, value in given.items():
            if name in group.levels:
                levels[name] = coerce(self._universe.element(name), value)
            elif name in group.implied:
                implied[name] = coerce(self._universe.element(name), value)
            else:
                alternates.append((self._alternate(group, name), name, value))
        for element, column, value in alternates:
            self._add_alternate(element, column, value, levels)
        return levels, implied

    def complete(self, group: DimensionGroup, given: Given) -> tuple[Value, ...]:
        """Give the values of all levels, in path order; every value must be recorded.

        Raises
        ------
        BadDataId
            When a dimension is missing, or given values contradict each other.
        NotFound
            When a value is not recorded.
        """
        levels, implied = self.split(group, given)
        missing = [name for name in group.required if name not in levels]
        if missing:
            todo = f"give {', '.join(missing)}"
            raise BadDataId(f"incomplete data ID {dict(given)!r}", f"no {missing[0]}", todo)
        for name in group.required:
            key = self._key(name, levels)
            if not self._records.exists(self._universe.element(name), key):
                self._records.implied(self._universe.element(name), key)
        for level, dimension in group.grouping:
            self._agree(levels, level, self._implied(dimension, levels)[level], given)
        if implied or self._overlaps(group):
            self._check_implied(group, levels, implied, given)
        return tuple(levels[name] for name in group.levels)

    def with_grouping(self, group: DimensionGroup, given: Mapping[str, Value]) -> tuple[Value, ...]:
        """Give the values of all levels, when all required ones are given and known to be right."""
        levels = dict(given)
        for level, dimension in group.grouping:
            self._agree(levels, level, self._implied(dimension, levels)[level], given)
        return tuple([levels[name] for name in group.levels])

    def complete_many(self, group: DimensionGroup, given: Iterable[Given]) -> list[tuple[Value, ...]]:
        """Complete many data IDs; records are read together.

        Raises
        ------
        BadDataId, NotFound
            As `complete`.
        """
        listed = list(given)
        plain = [self._plain_row(group, one) for one in listed]
        rows = [row for row in plain if row is not None]
        self._check_recorded(group, rows)
        filled = iter(self.fill(group, rows))
        return [
            self.complete(group, one) if row is None else next(filled)
            for row, one in zip(plain, listed, strict=True)
        ]

    def fill(self, group: DimensionGroup, rows: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
        """Give the values of all levels for many rows of required values that are known to be recorded."""
        if not group.grouping:
            return list(rows)
        sources = [self._source(group, level, rows) for level in group.levels]
        return [
            tuple(
                [
                    row[place] if table is None else table[tuple([row[at] for at in key])]
                    for place, table, key in sources
                ]
            )
            for row in rows
        ]

    def check_agreement(self, group: DimensionGroup, levels: Mapping[str, Value], implied: Given) -> None:
        """Raise BadDataId when implied values contradict the records of a complete data ID."""
        self._check_implied(group, levels, implied, {**levels, **implied})

    # -- many ------------------------------------------------------------------------------------------

    def _plain_row(self, group: DimensionGroup, given: Given) -> tuple[Value, ...] | None:
        """Give the required values, typed, when exactly these are given; else None."""
        if len(given) != len(group.required) or self._overlaps(group):
            return None
        row: list[Value] = []
        for name, index in zip(group.required, group.indices, strict=True):
            value = given.get(name)
            if (
                type(value) is int is group.types[index]
                and -_INT64 <= value < _INT64
                and name in self._universe.elements
            ):
                row.append(value)
            elif value is None:
                return None
            else:
                row.append(coerce(self._universe.element(name), value))
        return tuple(row)

    def _check_recorded(self, group: DimensionGroup, rows: Sequence[tuple[Value, ...]]) -> None:
        for name in group.required:
            element = self._universe.element(name)
            keys = _keys(rows, _places(group, element))
            known = self._records.prefetch(element, keys)
            for key in keys if element.has_records and len(known) < len(keys) else ():
                if key not in known:
                    self._records.implied(element, key)

    def _source(self, group: DimensionGroup, level: str, rows: Sequence[tuple[Value, ...]]) -> _Source:
        if level in group.required:
            return group.required.index(level), None, []
        dimension = dict(group.grouping)[level]
        element = self._universe.element(dimension)
        places = _places(group, element)
        at = element.implies.index(level)
        known = self._records.prefetch(element, _keys(rows, places))
        values: dict[tuple[Value, ...], Value] = {}
        for key, implied in known.items():
            value = implied[at]
            if value is not None:  # the column is not nullable
                values[key] = value
        return 0, values, places

    # -- one -------------------------------------------------------------------------------------------

    def _alternate(self, group: DimensionGroup, name: str) -> Element:
        elements = [self._universe.element(dimension) for dimension in group.required]
        found = [element for element in elements if name in element.alternates]
        if len(found) == 1:
            return found[0]
        known = [
            *group.required,
            *group.implied,
            *(name for element in elements for name in element.alternates),
        ]
        todo = nearest(name, known, f"its dimensions are {', '.join(group.required)}")
        raise BadDataId(f"bad data ID: {name!r}", "no dimension of this dataset type", todo)

    def _add_alternate(self, element: Element, column: str, value: object, levels: dict[str, Value]) -> None:
        missing = [name for name in element.requires if name not in levels]
        if missing:
            raise BadDataId(f"bad data ID: {column}={value!r}", f"no {missing[0]}", f"give {missing[0]} too")
        requires = tuple(levels[name] for name in element.requires)
        key = self._records.by_alternate(element, column, requires, value)
        self._agree(levels, element.name, key, {**levels, column: value})

    def _agree(self, levels: dict[str, Value], name: str, value: Value | None, given: Given) -> None:
        if value is None:
            raise BadDataId(f"bad data ID {dict(given)!r}", f"{name} is not recorded", "complete the record")
        if levels.setdefault(name, value) != value:
            found = f"{name} is {value!r}, not {levels[name]!r}"
            raise BadDataId(f"contradicting data ID {dict(given)!r}", found, f"leave {name} out")

    def _check_implied(
        self, group: DimensionGroup, levels: Mapping[str, Value], implied: Given, given: Given
    ) -> None:
        """Compare what is given with what records imply; also dimensions of the group that others imply."""
        known = self._all_implied(group, levels)
        for name, value in {**levels, **implied}.items():
            if name in known and known[name] != value:
                found = f"{name} is {known[name]!r}, not {value!r}"
                raise BadDataId(f"contradicting data ID {dict(given)!r}", found, f"leave {name} out")
            if name in implied and name not in known:
                raise NotFound(f"data ID {dict(given)!r}", f"{name} is not recorded for it")

    def _all_implied(self, group: DimensionGroup, levels: Mapping[str, Value]) -> dict[str, Value]:
        known: dict[str, Value] = dict(levels)
        found: dict[str, Value] = {}
        waiting = list(group.required)
        while waiting:
            for name, value in self._implied(waiting.pop(), known).items():
                if value is not None and name not in found:
                    found[name] = value
                    if name not in known:
                        known[name] = value
                        waiting.append(name)
        return found

    def _overlaps(self, group: DimensionGroup) -> bool:
        """Tell whether some dimension of the group is implied by another one: day_obs beside visit."""
        found = self._overlapping.get(group.required)
        if found is None:
            implied = {name for part in group.required for name in self._universe.implied_by([part])}
            found = self._overlapping[group.required] = not implied.isdisjoint(group.required)
        return found

    def _implied(self, dimension: str, levels: Mapping[str, Value]) -> dict[str, Value | None]:
        element = self._universe.element(dimension)
        if not element.has_records or not element.implies:
            return {}
        return self._records.implied(element, self._key(dimension, levels))

    def _key(self, dimension: str, levels: Mapping[str, Value]) -> tuple[Value, ...]:
        return tuple(levels[name] for name in self._universe.element(dimension).identity)


def _places(group: DimensionGroup, element: Element) -> list[int]:
    """Tell where the values that identify a record are in a row of required values."""
    return [group.required.index(name) for name in element.identity]


def _keys(rows: Sequence[tuple[Value, ...]], places: Sequence[int]) -> set[tuple[Value, ...]]:
    return {tuple([row[place] for place in places]) for row in rows}
