"""Dataset types and references."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from ..errors import BadDefinition
from .dataid import DataId
from .dimensions import DimensionGroup
from .markup import card, facts
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


class Home(Protocol):
    """Where a reference comes from: knows more of the dataset than what it is."""

    def html_of(self, ref: DatasetRef) -> str:
        """Give what a notebook shows."""


class DatasetRef:
    """A dataset: immutable bytes of a type and data ID, made in a RUN.

    Attributes
    ----------
    type
        Its dataset type.
    run
        The RUN that owns it.
    valid
        The validity range by which it was found in a CALIBRATION collection; None otherwise.
    """

    # Of many references few are looked into: id and data ID are made of a row when they are asked for.
    # The home is no part of the value: it is neither compared nor pickled, nor kept alive.
    __slots__ = ("_data_id", "_home", "_id", "_row", "run", "type", "valid")

    type: DatasetType
    run: str
    valid: Timespan | None

    def __init__(
        self,
        id: UUID,  # noqa: A002 - the field's word
        type: DatasetType,  # noqa: A002 - the field's word
        data_id: DataId,
        run: str,
        valid: Timespan | None = None,
    ) -> None:
        """Take what identifies a dataset."""
        _set_id(self, id)
        _set_type(self, type)
        _set_data_id(self, data_id)
        _set_run(self, run)
        _set_valid(self, valid)

    @property
    def id(self) -> UUID:
        """The same wherever the dataset is."""
        try:
            found: UUID = self._id  # type: ignore[attr-defined]
        except AttributeError:
            found = UUID(bytes=self._row[2])  # type: ignore[attr-defined]
            _set_id(self, found)
        return found

    @property
    def data_id(self) -> DataId:
        """Its data ID."""
        try:
            found: DataId = self._data_id  # type: ignore[attr-defined]
        except AttributeError:
            group = self.type.group
            levels = self._row[_HEAD : _HEAD + len(group.levels)]  # type: ignore[attr-defined]
            found = DataId(group, levels)
            _set_data_id(self, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a DatasetRef cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a DatasetRef cannot be changed: {name}")

    def _identity(self) -> tuple[object, ...]:
        return self.id, self.type, self.data_id, self.run, self.valid

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, DatasetRef) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[object, ...]:
        return DatasetRef, self._identity()

    def __repr__(self) -> str:
        return f"DatasetRef({self}, id={self.id})"

    def _repr_html_(self) -> str:
        home = getattr(self, "_home", None)
        known = None if home is None else home()
        if known is not None:
            return str(known.html_of(self))
        return card(self.type.name, f"{self.type.storage_class} dataset", facts(ref_facts(self)))

    def __str__(self) -> str:
        valid = f", valid {self.valid}" if self.valid is not None else ""
        return f"{self.type.name} {self.data_id!r} in {self.run!r}{valid}"


@dataclass(frozen=True, slots=True)
class Part:
    """One HDU of a FITS file: served as the primary HDU followed by that one, byte for byte.

    Attributes
    ----------
    hdu
        Its number, from 1; 0: the dataset is the whole file, in which others lie too.
    head
        The size of the primary HDU with its padding, in bytes.
    start
        Where the HDU begins in the file.
    file_size
        The size of the whole file.
    file_sha256
        The digest of the whole file; None when it was taken in unread.
    """

    hdu: int
    head: int
    start: int
    file_size: int
    file_sha256: bytes | None = None


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
        Which HDU it is, of a file that holds many datasets; None for a whole file.
    component
        Which component it is, of a dataset that is stored as several files; None for all of the dataset.
    owned
        Whether skyfs may delete the file: False for files ingested in place.
    """

    store: str
    key: str
    extension: str
    size: int
    mtime_ns: int
    sha256: bytes | None = None
    part: Part | None = None
    component: str | None = None
    owned: bool = True

    @property
    def whole(self) -> tuple[int, bytes | None]:
        """Size and digest of the file, of which this may be a part."""
        return (self.size, self.sha256) if self.part is None else (self.part.file_size, self.part.file_sha256)


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
    home: Home | None = None,
) -> Iterator[DatasetRef]:
    """Give references of many datasets of one type; those whose RUN is not among ``runs`` are left out.

    Rows are (anything, RUN's number, id's bytes, levels...), with ``valid`` followed by both ends of the
    validity range, as numbers or None.
    """
    end = _HEAD + len(dataset_type.group.levels)
    back = None if home is None else weakref.ref(home)
    for row in rows:
        run = runs.get(row[1])
        if run is not None:
            ref = _new(DatasetRef)
            _set_row(ref, row)
            _set_type(ref, dataset_type)
            _set_run(ref, run)
            _set_valid(ref, Timespan(row[end], row[end + 1]) if valid else None)
            if back is not None:
                _set_home(ref, back)
            yield ref


def at_home(found: DatasetRef, home: Home) -> DatasetRef:
    """Give a reference that knows where it comes from."""
    _set_home(found, weakref.ref(home))
    return found


def ref_facts(found: DatasetRef) -> list[tuple[str, object]]:
    """Give what a reference says, for people to read."""
    valid = [] if found.valid is None else [("valid", found.valid)]
    return [*found.data_id.items(), *valid, ("run", found.run), ("id", found.id)]


def _setter(name: str) -> Callable[[object, object], None]:
    """Give what sets an attribute of a reference that is being made, though it cannot be changed later."""
    setter: Callable[[object, object], None] = vars(DatasetRef)[name].__set__
    return setter


# Columns of a row before its levels.
_HEAD = 3
_new: Any = object.__new__
_set_id, _set_data_id, _set_row = _setter("_id"), _setter("_data_id"), _setter("_row")
_set_type, _set_run, _set_valid = _setter("type"), _setter("run"), _setter("valid")
_set_home = _setter("_home")
