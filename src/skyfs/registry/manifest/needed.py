"""The records, and rows of side tables, that belong to chosen datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from ...model.batches import batches
from ...model.dataid import DataId, Value
from ...model.dimensions import Element
from ...model.manifest_line import MAX_ROWS, AttachLine, Line
from ..catalogue import Snapshot
from ..record_lines import to_line
from ..registry import Registry

_Key = tuple[Value, ...]
_Row = Mapping[str, object]


class Needed:
    """Gives, the first time that a data ID needs it, each record with what it stands on.

    To a data ID belong the records of its dimensions and of all that these require or imply; of relations
    (which detectors a visit has, which exposures it is made of) and side tables the rows about it. A row
    about more than the data ID names comes along when it is about one of its observations, whose records have
    a timespan: exposures come with their visits, but a detector does not bring all visits.
    """

    def __init__(self, registry: Registry, snapshot: Snapshot) -> None:
        self._records = registry.records
        self._universe = registry.universe
        self._seen: dict[str, set[_Key]] = {}
        self._sides = snapshot.sides
        elements = self._universe.elements.values()
        self._relations = [one for one in elements if not one.is_dimension and one.has_records]
        self._relations += self._sides.values()

    def of(self, data_ids: Sequence[DataId]) -> Iterator[Line]:
        """Give what data IDs of one group need that has not been given yet."""
        if not data_ids:
            return
        named = data_ids[0].group.required
        fresh: dict[str, set[_Key]] = {}
        for name in named:
            element = self._universe.element(name)
            keys = _keys(element.identity, data_ids)
            fresh[name] = keys - self._seen.get(name, set())
            yield from self._give(element, keys)
        for relation in self._relations:
            if set(relation.requires) <= set(named):
                wanted = _keys(relation.requires, data_ids) - self._seen.get(relation.name, set())
                yield from self._rows(relation, relation.requires, wanted)
                continue
            for name in relation.requires:
                element = self._universe.element(name)
                if element.temporal and fresh.get(name):
                    yield from self._rows(relation, element.identity, fresh[name])

    def _give(self, element: Element, keys: Iterable[_Key]) -> Iterator[Line]:
        """Give records, each after what it requires or implies."""
        seen = self._seen.setdefault(element.name, set())
        new = set(keys) - seen
        if not element.has_records or not new:
            return
        seen |= new
        yield from self._lines(element, self._records.having(element, element.identity, sorted(new)))

    def _rows(self, relation: Element, names: Sequence[str], keys: Iterable[_Key]) -> Iterator[Line]:
        """Give rows that have one of ``keys``, but for those that were given."""
        attached = relation.name in self._seen
        rows = self._fresh(relation, names, keys)
        first = next(rows, None)
        if first is None:
            return
        if relation.name in self._sides and not attached:
            yield attach_line(relation)
        yield from self._lines(relation, chain([first], rows))

    def _fresh(self, relation: Element, names: Sequence[str], keys: Iterable[_Key]) -> Iterator[_Row]:
        for row in self._records.having(relation, names, sorted(keys)):
            seen = self._seen.setdefault(relation.name, set())
            key = _key(relation.requires, row)
            if key not in seen:
                seen.add(key)
                yield row

    def _lines(self, element: Element, rows: Iterable[_Row]) -> Iterator[Line]:
        for some in batches(rows, MAX_ROWS):
            for name in (*element.requires, *element.implies):
                parent = self._universe.element(name)
                named = [_named(element, row) for row in some if row[name] is not None]
                yield from self._give(parent, _keys(parent.identity, named))
            yield to_line(element, some)


def _keys(names: Sequence[str], rows: Iterable[_Row]) -> set[_Key]:
    return {_key(names, row) for row in rows}


def _key(names: Sequence[str], row: _Row) -> _Key:
    return tuple([row[name] for name in names])  # type: ignore[misc]


def _named(element: Element, row: _Row) -> _Row:
    """Give a row with the element's own key by the element's name."""
    return {**row, element.name: row[element.key.name]} if element.is_dimension else row


def attach_line(side: Element) -> AttachLine:
    """Give the line of a side table."""
    columns = tuple([(column.name, column.type) for column in side.metadata])
    return AttachLine(side.name, side.requires, columns)
