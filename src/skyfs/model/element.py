"""Elements of a universe: dimensions, and relations between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ColumnType = Literal["int", "float", "string", "bool", "bytes"]

_SKYPIX = re.compile(r"(healpix|htm)(0|[1-9][0-9]?)")
_SKYPIX_LEVELS = {"healpix": 17, "htm": 24}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an element's records."""

    name: str
    type: ColumnType
    nullable: bool = True
    length: int | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """A dimension, or a relation between dimensions, with its records.

    Attributes
    ----------
    keys
        The columns that each identify a record by themselves, the primary one first; empty for a relation.
    requires
        All dimensions that a record's identity needs besides its own key, in dependency order.
    implies
        Dimensions whose values follow from the record.
    level
        For HTM and HEALPix pixels, the level; such an element has no records.
    """

    name: str
    keys: tuple[Column, ...] = ()
    requires: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()
    metadata: tuple[Column, ...] = ()
    spatial: bool = False
    temporal: bool = False
    level: int | None = None
    doc: str = ""

    @property
    def is_dimension(self) -> bool:
        """Whether it has a key of its own."""
        return bool(self.keys)

    @property
    def has_records(self) -> bool:
        """Whether values must be recorded before datasets may use them."""
        return self.level is None

    @property
    def key(self) -> Column:
        """The primary key column of a dimension."""
        return self.keys[0]

    @property
    def identity(self) -> tuple[str, ...]:
        """The dimensions whose values identify a record."""
        return (*self.requires, self.name) if self.is_dimension else self.requires

    @property
    def alternates(self) -> tuple[str, ...]:
        """Names of the columns that identify a record as well as the primary key does."""
        return tuple(column.name for column in self.keys[1:])

    @property
    def key_only(self) -> bool:
        """Whether a record needs nothing beyond its keys."""
        return (
            self.is_dimension
            and not self.implies
            and all(column.nullable for column in (*self.keys[1:], *self.metadata))
        )


def skypix(name: str) -> Element | None:
    """Give the element of a pixelization of the sphere, ``htm7`` or ``healpix9``; None for other names."""
    match = _SKYPIX.fullmatch(name)
    if not match or int(match[2]) > _SKYPIX_LEVELS[match[1]]:
        return None
    return Element(name, (Column("id", "int", nullable=False),), spatial=True, level=int(match[2]))


def side_table(name: str, definition: Mapping[str, Any]) -> Element:
    """Give the element of a side table: a relation with columns.

    ``definition`` has ``requires``, a list of dimensions, and ``columns``, pairs of name and type.
    """
    columns = tuple(Column(column, kind) for column, kind in definition["columns"])
    return Element(name, requires=tuple(definition["requires"]), metadata=columns)
