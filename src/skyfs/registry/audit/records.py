"""Rules of dimension records: what is named is recorded, and regions are indexed as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ...errors import BadArgument
from ...model.dimensions import Element
from ...model.region import decode
from ..records import Records
from ..regions import Regions
from ..statement import AnyRow
from .ground import Ground, Grouped
from .rule import Broken, Described, Rule, missing, some

_PAGE_ROWS = 10_000
_ATTEMPTS = 5
_WORD = 2**64


def recorded_rules(ground: Ground, grouped: Grouped, records: Records) -> Iterator[Rule]:
    """Give the rules that what datasets name is recorded."""
    table = grouped.tables.member
    for name in grouped.group.levels:
        element = ground.schema.universe.element(name)
        if element.has_records:
            yield RecordedRule(ground, "missing-record", table, (), element, records)


def parent_rules(ground: Ground, sides: Iterable[Element], records: Records) -> Iterator[Rule]:
    """Give the rules that what records name is recorded."""
    universe = ground.schema.universe
    for element in (*universe.elements.values(), *sides):
        if not element.has_records:
            continue
        for name in dict.fromkeys((*element.requires, *element.implies)):
            parent = universe.element(name)
            if parent.has_records:
                table = ground.schema.records(element)
                yield RecordedRule(ground, "orphan-record", table, element.identity, parent, records)


class RecordedRule(Rule):
    """What the rows of a table name is recorded.

    Parameters
    ----------
    own
        The columns by which messages name a row.
    parent
        What must be recorded.
    """

    def __init__(
        self,
        ground: Ground,
        code: str,
        table: sa.Table,
        own: Sequence[str],
        parent: Element,
        records: Records,
    ) -> None:
        # As when records are inserted: of what is never only implied, more than the key would be lost.
        derived = any(parent.name in one.implies for one in ground.schema.universe.elements.values())
        self.code, self.mendable = code, parent.key_only and derived
        self.todo = (
            "record its key" if self.mendable else f"record it: skyfs records {parent.name} --insert FILE"
        )
        self._ground, self._parent, self._records, self._own = ground, parent, records, own
        recorded, named = ground.schema.records(parent), parent.identity
        gone = missing(recorded, *(recorded.c[name] == table.c[name] for name in named))
        known = [table.c[name].is_not(None) for name in named]
        columns = [table.c[name] for name in dict.fromkeys((*own, *named))]
        self._select = sa.select(*columns).where(gone, *known).distinct()

    def find(self) -> Broken:
        broken = Broken()
        broken.add(*some(self._ground.database, self._select, {}, self._describe))
        return broken

    def mend(self) -> None:
        while rows := self._ground.database.read(self._select.limit(_PAGE_ROWS)):
            keys = {tuple(row._asdict()[name] for name in self._parent.identity) for row in rows}
            named = [dict(zip(self._parent.identity, key, strict=True)) for key in sorted(keys)]
            self._records.insert(self._parent, named)

    def _describe(self, row: AnyRow) -> Described:
        named = _named(row, self._parent.identity)
        if not self._own:
            return f"{self._parent.name} {named}", "datasets name it, but it is not recorded"
        return f"record {_named(row, self._own)}", f"its {self._parent.name} {named} is not recorded"


class RegionRule(Rule):
    """The index of an element's regions has exactly the cells of these."""

    code, mendable, todo = "stale-region-index", True, "index all its regions again"

    def __init__(self, ground: Ground, element: Element) -> None:
        self._ground, self._element = ground, element
        self._regions = Regions(ground.database, ground.schema)

    def find(self) -> Broken:
        unreadable = self._unreadable()
        if unreadable.count:
            return unreadable
        for _ in range(_ATTEMPTS):
            before = self._ground.database.state()
            wanted, found = self._wanted(), self._found()
            # Somebody may have written between the two: what differs then proves nothing.
            if wanted == found or self._ground.database.state().token == before.token:
                break
        if wanted == found:
            return Broken()
        text = f"it has {found[0]} cells, not the {wanted[0]} that they cover"
        return Broken(1, [(f"index of the regions of {self._element.name}", text)])

    def mend(self) -> None:
        self._ground.database.write(self._ground.schema.overlaps(self._element).delete())
        for page in self._records():
            self._regions.add(self._element, [row._asdict() for row in page])

    def _unreadable(self) -> Broken:
        broken = Broken()
        for page in self._records():
            for row in page:
                try:
                    decode(row.region)
                except BadArgument as error:
                    what = f"{self._element.name} {_named(row, self._element.identity)}"
                    broken.add(1, [(what, f"its region cannot be read: {error.found}")])
        return broken

    def _wanted(self) -> tuple[int, int]:
        """Give the number of cells, and the sum of what tells each from all others."""
        count = total = 0
        for page in self._records():
            for row in self._regions.cells(self._element, [row._asdict() for row in page]):
                count, total = count + 1, (total + hash(row)) % _WORD
        return count, total

    def _found(self) -> tuple[int, int]:
        count = total = 0
        table = self._ground.schema.overlaps(self._element)
        for page in pages(self._ground, sa.select(table), list(table.c)):
            count += len(page)
            total = (total + sum(hash(tuple(row)) for row in page)) % _WORD
        return count, total

    def _records(self) -> Iterator[Sequence[AnyRow]]:
        table = self._ground.schema.records(self._element)
        columns = [table.c[name] for name in self._element.identity]
        select = sa.select(*columns, table.c.region).where(table.c.region.is_not(None))
        yield from pages(self._ground, select, columns)


def pages(
    ground: Ground, select: sa.Select[Any], order: Sequence[sa.Column[Any]]
) -> Iterator[Sequence[AnyRow]]:
    """Give rows by their key, some at a time."""
    select = select.order_by(*order).limit(_PAGE_ROWS)
    rows = ground.database.read(select)
    while rows:
        yield rows
        if len(rows) < _PAGE_ROWS:
            return
        last = rows[-1]._asdict()
        after = sa.tuple_(*(sa.literal(last[column.name], column.type) for column in order))
        rows = ground.database.read(select.where(sa.tuple_(*order) > after))


def _named(row: AnyRow, names: Iterable[str]) -> str:
    return ", ".join(f"{name}={row._asdict()[name]}" for name in names)
