"""Data IDs as users give them → the values of a group's levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from ..errors import BadDataId, NotFound
from ..model.dataid import Value, coerce
from ..model.dimensions import DimensionGroup, Element, Universe
from .records import Records

Given = Mapping[str, object]

_INT64 = 2**63


class DataIds:
    """Completes and checks data IDs against the records."""

    def __init__(self, universe: Universe, records: Records) -> None:
        self._universe = universe
        self._records = records

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
        if implied:
            self._check_implied(group, levels, implied, given)
        return tuple(levels[name] for name in group.levels)

    def with_grouping(self, group: DimensionGroup, given: Mapping[str, Value]) -> tuple[Value, ...]:
        """Give the values of all levels, when all required ones are given and known to be right."""
        levels = dict(given)
        for level, dimension in group.grouping:
            self._agree(levels, level, self._implied(dimension, levels)[level], given)
        return tuple([levels[name] for name in group.levels])

    def complete_many(self, group: DimensionGroup, given: Iterable[Given]) -> list[tuple[Value, ...]]:
        """Complete many data IDs; records are read together."""
        listed = list(given)
        plain = [self._plain_row(group, one) for one in listed]
        if None in plain:
            return [self.complete(group, one) for one in listed]
        return self._complete_plain(group, [row for row in plain if row is not None])

    def check_agreement(self, group: DimensionGroup, levels: Mapping[str, Value], implied: Given) -> None:
        """Raise BadDataId when implied values contradict the records of a complete data ID."""
        self._check_implied(group, levels, implied, {**levels, **implied})

    # -- many ------------------------------------------------------------------------------------------

    def _plain_row(self, group: DimensionGroup, given: Given) -> tuple[Value, ...] | None:
        """Give the required values when exactly these are given, in their one form; else None."""
        if len(given) != len(group.required) or not all(map(self._universe.elements.get, group.required)):
            return None
        row = []
        for name, index in zip(group.required, group.indices, strict=True):
            value = given.get(name)
            if type(value) is not group.types[index] or not _is_canonical(value):
                return None
            row.append(value)
        return tuple(row)  # type: ignore[arg-type]

    def _complete_plain(self, group: DimensionGroup, rows: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
        position = {name: index for index, name in enumerate(group.required)}
        implied: dict[str, dict[tuple[Value, ...], dict[str, Value | None]]] = {}
        for name in group.required:
            element = self._universe.element(name)
            places = [position[part] for part in element.identity]
            keys = {tuple([row[place] for place in places]) for row in rows}
            self._records.prefetch(element, keys)
            if element.has_records:
                implied[name] = {key: self._records.implied(element, key) for key in keys}
        if not group.grouping:
            return list(rows)
        sources = self._sources(group, position, implied)
        return [
            tuple([row[place] if table is None else table[tuple([row[at] for at in places])] for place, table, places in sources])
            for row in rows
        ]

    def _sources(
        self,
        group: DimensionGroup,
        position: Mapping[str, int],
        implied: Mapping[str, Mapping[tuple[Value, ...], Mapping[str, Value | None]]],
    ) -> list[tuple[int, dict[tuple[Value, ...], Value] | None, list[int]]]:
        """For each level: its place in the row, or the table and the places of the key that give its value."""
        grouping = dict(group.grouping)
        sources: list[tuple[int, dict[tuple[Value, ...], Value] | None, list[int]]] = []
        for level in group.levels:
            if level in position:
                sources.append((position[level], None, []))
                continue
            dimension = grouping[level]
            values = {key: found[level] for key, found in implied[dimension].items()}
            places = [position[part] for part in self._universe.element(dimension).identity]
            sources.append((0, values, places))  # type: ignore[arg-type]
        return sources

    # -- one -------------------------------------------------------------------------------------------

    def _alternate(self, group: DimensionGroup, name: str) -> Element:
        elements = [self._universe.element(dimension) for dimension in group.required]
        found = [element for element in elements if name in element.alternates]
        if len(found) == 1:
            return found[0]
        known = [*group.required, *group.implied, *(name for element in elements for name in element.alternates)]
        near = get_close_matches(name, known, 2)
        todo = f"did you mean {' or '.join(near)}?" if near else f"its dimensions are {', '.join(group.required)}"
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
        known: dict[str, Value] = dict(levels)
        waiting = list(group.required)
        while waiting:
            dimension = waiting.pop()
            for name, value in self._implied(dimension, known).items():
                if value is not None and name not in known:
                    known[name] = value
                    waiting.append(name)
        for name, value in implied.items():
            if name in known and known[name] != value:
                found = f"{name} is {known[name]!r}, not {value!r}"
                raise BadDataId(f"contradicting data ID {dict(given)!r}", found, f"leave {name} out")
            if name not in known:
                raise NotFound(f"data ID {dict(given)!r}", f"{name} is not recorded for it")

    def _implied(self, dimension: str, levels: Mapping[str, Value]) -> dict[str, Value | None]:
        element = self._universe.element(dimension)
        if not element.has_records or not element.implies:
            return {}
        return self._records.implied(element, self._key(dimension, levels))

    def _key(self, dimension: str, levels: Mapping[str, Value]) -> tuple[Value, ...]:
        return tuple(levels[name] for name in self._universe.element(dimension).identity)


def _is_canonical(value: object) -> bool:
    return -_INT64 <= value < _INT64 if isinstance(value, int) else bool(value) and "\0" not in str(value)
