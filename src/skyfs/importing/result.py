"""What an import has done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MappedType:
    """A dataset type whose storage class has another name here."""

    type_name: str
    given: str
    storage_class: str


@dataclass(frozen=True, slots=True)
class LeftFiles:
    """Files that are there, but could not be ingested; their datasets are declared."""

    type_name: str
    reason: str
    datasets: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has added; what was there already is not counted.

    Attributes
    ----------
    records, collections, types
        How many are new.
    ingested
        Datasets whose files were taken in.
    declared
        New datasets without bytes.
    unchanged
        Datasets that were there already, and still have the bytes they had.
    associations
        Datasets tagged and certified, also those that were already.
    components
        Datasets of types such as ``calexp.wcs``, which are parts of others, left out.
    mapped
        Types whose storage class has another name here.
    left
        Files that are there, but could not be ingested.
    """

    records: int
    collections: int
    types: int
    ingested: int
    declared: int
    unchanged: int
    associations: int
    components: int = 0
    mapped: tuple[MappedType, ...] = ()
    left: tuple[LeftFiles, ...] = ()
