"""Dimension records by the values of their columns, and the raws of exposures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import NotFound
from ..registry.catalogue import CollectionEntry, TypeEntry
from ..registry.levels import LevelFilter
from ..registry.lookup import Found
from ..repository import Repository

Record = dict[str, object]


def matching(repository: Repository, element: str, **conditions: object) -> list[Record]:
    """Give the records whose columns equal the conditions, already of the columns' types."""
    return list(repository.registry.records.select(element, conditions))


def first(repository: Repository, element: str, **conditions: object) -> Record | None:
    """Give the first of them; None when there is none."""
    return next(repository.registry.records.select(element, conditions), None)


def instrument_of(repository: Repository, name: str) -> Record:
    """Give the record of an instrument.

    Raises
    ------
    NotFound
        When it is not recorded.
    """
    found = first(repository, "instrument", name=name)
    if found is None:
        raise NotFound(f"no instrument {name!r}", todo=f"skyfs instrument add {name}")
    return found


def raws_of(
    repository: Repository,
    entry: TypeEntry,
    collections: Sequence[CollectionEntry],
    instrument: str,
    exposure: Mapping[str, object],
) -> Iterator[Found]:
    """Give the raws of an exposure, which is a record or will be one, in some collections."""
    exact: dict[str, int | str] = {"instrument": instrument, "exposure": int(str(exposure["id"]))}
    if "day_obs" in entry.group.levels:
        exact["day_obs"] = int(str(exposure["day_obs"]))
    registry = repository.registry
    return registry.lookup.datasets(registry.current(), [entry], collections, LevelFilter(exact))
