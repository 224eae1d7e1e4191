"""What the entries of an export say, strictly read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..model.collection import Collection
from ..model.timespan import Timespan


@dataclass(frozen=True, slots=True)
class RecordsEntry:
    """Records of one element; ``made`` ones follow from others, and stand back for what is there."""

    where: str
    element: str
    records: Sequence[Mapping[str, object]]
    made: bool = False


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """A collection; the owner of a RUN is whoever imports it."""

    where: str
    collection: Collection


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """A dataset type, its storage class and dimensions as the butler names them."""

    where: str
    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    calibration: bool


@dataclass(frozen=True, slots=True)
class File:
    """The file of datasets ``first`` up to, not including, ``end`` of an entry."""

    path: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class DatasetsEntry:
    """Datasets of one type and RUN: ids and data IDs of equal number, and the files that hold them."""

    where: str
    type_name: str
    run: str
    ids: Sequence[UUID]
    data_ids: Sequence[Mapping[str, object]]
    files: Sequence[File]


@dataclass(frozen=True, slots=True)
class AssociationsEntry:
    """Datasets of a TAGGED collection (no timespan) or of a CALIBRATION one."""

    where: str
    collection: str
    ids: Sequence[tuple[Timespan | None, Sequence[UUID]]]


@dataclass(slots=True)
class Export:
    """All that an export says, sorted by kind."""

    universe_version: int
    universe_namespace: str
    records: list[RecordsEntry] = field(default_factory=list)
    collections: list[CollectionEntry] = field(default_factory=list)
    types: list[TypeEntry] = field(default_factory=list)
    datasets: list[DatasetsEntry] = field(default_factory=list)
    associations: list[AssociationsEntry] = field(default_factory=list)


def is_component(type_name: str) -> bool:
    """Tell whether a type names a part of another one, ``calexp.wcs``; such have no datasets of their own."""
    return "." in type_name
