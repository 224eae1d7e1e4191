"""Dimension records by the values of their columns."""

from __future__ import annotations

from ..repository import Repository

Record = dict[str, object]


def matching(repository: Repository, element: str, **conditions: object) -> list[Record]:
    """Give the records whose columns equal the conditions, already of the columns' types."""
    return list(repository.registry.records.select(element, conditions))


def first(repository: Repository, element: str, **conditions: object) -> Record | None:
    """Give the first of them; None when there is none."""
    return next(repository.registry.records.select(element, conditions), None)
