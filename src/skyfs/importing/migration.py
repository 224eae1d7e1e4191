"""Exports of older universes of the Rubin data butler → the present one.

What changed: in version 1 visits got a night and lost their seeing; in 2 a visit may belong to several visit
systems, which are records of their own; in 6 groups and nights became dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ..model.dimensions import Universe
from ..model.quoting import shown
from ..model.timespan import Timespan
from .entries import DatasetsEntry, Export, RecordsEntry, TypeEntry
from .shapes import Fields, bad, value

_Record = dict[str, object]


def migrate(export: Export, universe: Universe) -> None:
    """Bring an export to the dimensions of a repository, whose universe may be of any version too."""
    if export.universe_namespace != "daf_butler":
        return
    if export.universe_version < 1:
        _add_nights_to_visits(export, universe)
    if export.universe_version < 2 and universe.has("visit_system_membership"):
        _free_visit_systems(export)
    if export.universe_version < 6:
        _make_groups(export, universe)
        _make_nights(export, universe)


def _add_nights_to_visits(export: Export, universe: Universe) -> None:
    columns = _columns(universe, "visit")

    def change(record: _Record, where: str) -> None:
        if "seeing" not in columns:
            record.pop("seeing", None)
        if "day_obs" in columns:
            span = record.get("timespan")
            if not isinstance(span, Timespan) or span.begin_ns is None:
                raise bad(
                    where, f"visit {record.get('id')} has no datetime_begin", "its night follows from that"
                )
            record["day_obs"] = _night(span.begin_ns)

    _change(export, "visit", change)


def _night(tai_ns: int) -> int:
    """Give the date in TAI: when the night rolls over at its observatory, old exports do not tell."""
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=tai_ns // 1000)
    return date.year * 10_000 + date.month * 100 + date.day


def _free_visit_systems(export: Export) -> None:
    """Make records of the systems that visits name; take the name from all else."""
    memberships = []
    for entry in _of(export, "visit"):
        rows = [
            {
                "instrument": value(visit, "instrument", entry.where),
                "visit": value(visit, "id", entry.where),
                "visit_system": value(visit, "visit_system", entry.where),
            }
            for visit in entry.records
        ]
        memberships.append(RecordsEntry(entry.where, "visit_system_membership", rows))
    for element in ("visit", "visit_definition"):
        _change(export, element, lambda record, _: record.pop("visit_system", None))
    export.records += memberships
    freed = {one.name for one in export.types if {"visit", "visit_system"} <= set(one.dimensions)}
    export.types = [_without_system(one) if one.name in freed else one for one in export.types]
    export.datasets = [
        replace(one, data_ids=_without_systems(one)) if one.type_name in freed else one
        for one in export.datasets
    ]


def _without_system(entry: TypeEntry) -> TypeEntry:
    return replace(entry, dimensions=tuple(name for name in entry.dimensions if name != "visit_system"))


def _without_systems(entry: DatasetsEntry) -> Sequence[Fields]:
    return [{name: given[name] for name in given if name != "visit_system"} for given in entry.data_ids]


def _make_groups(export: Export, universe: Universe) -> None:
    if "group" not in _implied(universe, "exposure"):
        return

    def change(record: _Record, where: str) -> None:
        record["group"] = value(record, "group_name", where)
        del record["group_name"]
        record.pop("group_id", None)

    _change(export, "exposure", change)
    _make(export, "group", "name", ["exposure"])


def _make_nights(export: Export, universe: Universe) -> None:
    """Add the nights that visits and exposures name; when they begin, only the instrument's code knows."""
    naming = [name for name in ("exposure", "visit") if "day_obs" in _implied(universe, name)]
    _make(export, "day_obs", "id", naming)


def _make(export: Export, element: str, key: str, naming: Sequence[str]) -> None:
    for entry in [entry for name in naming for entry in _of(export, name)]:
        found = dict.fromkeys(
            (_key(record, "instrument", entry.where), _key(record, element, entry.where))
            for record in entry.records
        )
        records = [{"instrument": instrument, key: one} for instrument, one in found]
        export.records.append(RecordsEntry(entry.where, element, records, made=True))


def _key(record: Fields, name: str, where: str) -> int | str:
    found = value(record, name, where)
    if not isinstance(found, int | str):
        raise bad(where, f"{name}: {shown(found)}", "a number or text is wanted")
    return found


def _change(export: Export, element: str, change: Callable[[_Record, str], object]) -> None:
    """Change copies of all records of an element."""
    for index, entry in enumerate(export.records):
        if entry.element == element:
            records: list[_Record] = [dict(record) for record in entry.records]
            for record in records:
                change(record, entry.where)
            export.records[index] = replace(entry, records=records)


def _of(export: Export, element: str) -> Iterator[RecordsEntry]:
    return (entry for entry in export.records if entry.element == element)


def _implied(universe: Universe, element: str) -> Sequence[str]:
    return universe.element(element).implies if universe.has(element) else ()


def _columns(universe: Universe, element: str) -> Mapping[str, None]:
    if not universe.has(element):
        return {}
    found = universe.element(element)
    return dict.fromkeys((*found.implies, *(column.name for column in found.metadata)))
