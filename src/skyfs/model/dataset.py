"""Dataset types and references."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ..errors import BadDefinition
from .dataid import DataId
from .dimensions import DimensionGroup
from .quoting import MAX_PART_BYTES, shown
from .timespan import Timespan

_TYPE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FILE = re.compile(r"\w+", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class DatasetType:
    """A kind of dataset.

    Attributes
    ----------
    name
        Letters, digits and ``_``. A type without dimensions is just a file name and may begin with a digit.
    group
        Its dimensions.
    storage_class
        Name of the storage class: what `get` gives.
    calibration
        Whether its datasets may be certified for a range of time.
    capture
        Names and sources of values that are read from the bytes at put: ``(("seeing", "header:SEEING"),)``.
    immutable
        False for a live query, whose bytes may change and are never cached.
    """

    name: str
    group: DimensionGroup
    storage_class: str
    calibration: bool = False
    capture: tuple[tuple[str, str], ...] = ()
    immutable: bool = True

    def __post_init__(self) -> None:
        """Refuse names that paths cannot spell."""
        pattern = _TYPE if self.group.required else _FILE
        if not pattern.fullmatch(self.name):
            raise BadDefinition(f"bad dataset type {shown(self.name)}", "not a name", "letters, digits and _")
        if len(self.name) > MAX_PART_BYTES:
            raise BadDefinition(f"bad dataset type {shown(self.name)}", "a name over 255 bytes", "shorten it")

    def __repr__(self) -> str:
        dimensions = f"[{', '.join(self.group.required)}]"
        return f"DatasetType({self.name} {dimensions}, {self.storage_class!r})"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, repr=False)
class DatasetRef:
    """A dataset: immutable bytes of a type and data ID, made in a RUN.

    Attributes
    ----------
    id
        The same wherever the dataset is.
    run
        The RUN that owns it.
    valid
        The validity range by which it was found in a CALIBRATION collection; None otherwise.
    """

    id: UUID
    type: DatasetType
    data_id: DataId
    run: str
    valid: Timespan | None = None

    def __repr__(self) -> str:
        return f"DatasetRef({self}, id={self.id})"

    def __str__(self) -> str:
        valid = f", valid {self.valid}" if self.valid is not None else ""
        return f"{self.type.name} {self.data_id!r} in {self.run!r}{valid}"


@dataclass(frozen=True, slots=True)
class Location:
    """Where bytes of a dataset lie.

    Attributes
    ----------
    store
        Name of the store.
    key
        Key in that store.
    extension
        Which format the bytes have.
    size
        In bytes.
    mtime_ns
        When the bytes were made (UTC nanoseconds since 1970).
    sha256
        None when the bytes were taken in unread.
    part
        The HDU of a file that holds many datasets; None for a whole file.
    owned
        Whether skyfs may delete the file: False for files ingested in place.
    """

    store: str
    key: str
    extension: str
    size: int
    mtime_ns: int
    sha256: bytes | None = None
    part: int | None = None
    owned: bool = True


@dataclass(frozen=True, slots=True)
class Resolved:
    """A dataset and all places of its bytes, the nearest first; no places: declared only."""

    ref: DatasetRef
    locations: tuple[Location, ...]


def refs_of(
    dataset_type: DatasetType,
    rows: Iterable[tuple[Any, ...]],
    runs: Mapping[int, str],
    *,
    valid: bool = False,
) -> Iterator[DatasetRef]:
    """Give references of many datasets of one type; those whose RUN is not among ``runs`` are left out.

    Rows are (anything, RUN's number, id's bytes, levels...), with ``valid`` followed by both ends of the
    validity range, as numbers or None. The constructors' checks of values that a registry has checked
    would take three times as long as all the rest.
    """
    group = dataset_type.group
    end = 3 + len(group.levels)
    for row in rows:
        run = runs.get(row[1])
        if run is None:
            continue
        uuid = _new(UUID)
        _set_int(uuid, _from_bytes(row[2], "big"))
        _set_safe(uuid, _UNKNOWN_SAFETY)
        data_id = _new(DataId)
        _set_group(data_id, group)
        _set_row(data_id, row[3:end])
        ref = _new(DatasetRef)
        _set_id(ref, uuid)
        _set_type(ref, dataset_type)
        _set_data_id(ref, data_id)
        _set_run(ref, run)
        _set_valid(ref, Timespan(row[end], row[end + 1]) if valid else None)
        yield ref


def _setter(owner: type, name: str) -> Callable[[object, object], None]:
    """Give what sets an attribute of an object that is being made, though it cannot be changed later."""
    setter: Callable[[object, object], None] = vars(owner)[name].__set__
    return setter


_new: Any = object.__new__
_from_bytes = int.from_bytes
_UNKNOWN_SAFETY = UUID(int=0).is_safe
_set_int, _set_safe = _setter(UUID, "int"), _setter(UUID, "is_safe")
_set_group, _set_row = _setter(DataId, "group"), _setter(DataId, "row")
_set_id, _set_type, _set_data_id, _set_run, _set_valid = (
    _setter(DatasetRef, name) for name in ("id", "type", "data_id", "run", "valid")
)
