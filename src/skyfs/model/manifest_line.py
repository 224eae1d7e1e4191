"""Lines of a manifest, as values: what a repository holds, or how it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from .capture import Scalar
from .collection import Collection
from .dataid import Value
from .dataset import Part
from .element import ColumnType

MAX_ROWS = 1_000
"""Rows of one line: neither who writes nor who reads holds more."""

VERSION = 1


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: whose manifest it is, and when it was made (UTC, ISO 8601)."""

    repository: str
    at: str
    more: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class UniverseLine:
    """The dimensions, as the registry keeps them."""

    mapping: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class TypeLine:
    """A dataset type; its dimensions as names."""

    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    calibration: bool = False
    immutable: bool = True
    capture: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionLine:
    """A collection is made, or becomes this when it is there."""

    collection: Collection


@dataclass(frozen=True, slots=True)
class AttachLine:
    """A side table is made."""

    name: str
    requires: tuple[str, ...]
    columns: tuple[tuple[str, ColumnType], ...]


@dataclass(frozen=True, slots=True)
class DetachLine:
    """A side table is dropped."""

    name: str


@dataclass(frozen=True, slots=True)
class RecordsLine:
    """Records of an element, or rows of a side table.

    Values are as JSON has them: timespans ``[begin_ns, end_ns]``, regions and other bytes in base64.
    """

    element: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class FileRow:
    """Where bytes of a dataset lie; the fields are those of `Location`.

    ``key`` is None when it follows from the template.
    """

    store: str
    key: str | None
    extension: str
    size: int
    mtime_ns: int
    sha256: bytes | None = None
    owned: bool = True
    component: str | None = None
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset: its required values in path order; without files it is declared."""

    id: UUID
    created_ms: int
    values: tuple[Value, ...]
    inputs: tuple[UUID, ...] = ()
    captured: tuple[tuple[str, Scalar], ...] = ()
    files: tuple[FileRow, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetsLine:
    """Datasets of one type and RUN. One that is declared already gets the bytes that it has here."""

    type_name: str
    run: str
    rows: tuple[DatasetRow, ...]


@dataclass(frozen=True, slots=True)
class TagLine:
    """Datasets are tagged."""

    collection: str
    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class UntagLine:
    """Datasets are taken out of a TAGGED collection."""

    collection: str
    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class CertifyLine:
    """Datasets are certified for ranges of time (TAI nanoseconds; None: no bound)."""

    collection: str
    rows: tuple[tuple[UUID, int | None, int | None], ...]


@dataclass(frozen=True, slots=True)
class DecertifyLine:
    """A range of time is taken out of a CALIBRATION collection, for the data IDs that have these values."""

    collection: str
    type_name: str
    begin_ns: int | None
    end_ns: int | None
    levels: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveLine:
    """Datasets are removed from everywhere."""

    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class ClearLine:
    """A collection that is no RUN loses all its members."""

    collection: str


@dataclass(frozen=True, slots=True)
class DropLine:
    """A collection is removed."""

    collection: str


@dataclass(frozen=True, slots=True)
class RetimeLine:
    """Bytes of datasets get another time."""

    rows: tuple[tuple[UUID, int], ...]


@dataclass(frozen=True, slots=True)
class DigestLine:
    """Files that were taken in unread have these digests: (dataset, store, size of the file, sha256)."""

    rows: tuple[tuple[UUID, str, int, bytes], ...]


@dataclass(frozen=True, slots=True)
class RebaseLine:
    """What lay below a folder of a store lies below another now."""

    store: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class TransactionLine:
    """So many lines that follow are one change, made at that time (UTC nanoseconds)."""

    id: str
    at_ns: int
    lines: int


@dataclass(frozen=True, slots=True)
class UndoneLine:
    """A change that was written down, but not committed."""

    id: str


Line = (
    Header
    | UniverseLine
    | TypeLine
    | CollectionLine
    | AttachLine
    | DetachLine
    | RecordsLine
    | DatasetsLine
    | TagLine
    | UntagLine
    | CertifyLine
    | DecertifyLine
    | RemoveLine
    | ClearLine
    | DropLine
    | RetimeLine
    | DigestLine
    | RebaseLine
    | TransactionLine
    | UndoneLine
)
