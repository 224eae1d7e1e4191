"""What may come next, for completion: the names that a repository knows, and values of dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from . import Repository

# Completion must be quick: of more values, the first ones.
_MOST_RECORDS = 100_000


def type_names(repository: Repository) -> list[str]:
    """Give the dataset types."""
    return [one.name for one in repository.types()]


def collection_names(repository: Repository) -> list[str]:
    """Give the collections."""
    return [one.name for one in repository.collections()]


def element_names(repository: Repository) -> list[str]:
    """Give what has records: dimensions, relations and side tables."""
    own = [name for name, one in repository.registry.universe.elements.items() if one.has_records]
    return sorted([*own, *repository.registry.current().sides])


def dimension_names(repository: Repository, types: Iterable[str] | None = None) -> list[str]:
    """Give the dimensions, those of data IDs of some types (names or globs) or all."""
    if types is None:
        universe = repository.registry.universe
        return sorted(name for name, one in universe.elements.items() if one.is_dimension)
    groups = [one.group for name in types for one in repository.types(name)]
    return list(dict.fromkeys(name for group in groups for name in (*group.required, *group.implied)))


def column_names(repository: Repository, element: str) -> list[str]:
    """Give what records of an element can be asked for by value: dimensions and columns."""
    registry = repository.registry
    found = registry.current().sides.get(element) or registry.universe.element(element)
    columns = [name for name in registry.records.columns(found) if name not in ("timespan", "region")]
    return list(dict.fromkeys([*found.identity, *found.implies, *columns]))


def values(repository: Repository, dimension: str, given: Mapping[str, object]) -> Iterator[int | str]:
    """Give the values of a dimension that are recorded, where they go with the values of others."""
    group = repository.registry.universe.group([dimension])
    known: dict[str, Any] = {
        name: value for name, value in given.items() if name in group.required and name != dimension
    }
    found = islice(repository.data_ids([dimension], **known), _MOST_RECORDS)
    yield from dict.fromkeys(data_id[dimension] for data_id in found)
