"""Curated calibrations: folders of dated files, each valid until the next one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import BadArgument, Conflict, NotFound
from ..model.collection import CollectionKind
from ..model.dataset import DatasetRef
from ..model.timespan import ALWAYS, Timespan, parse_time
from ..registry.levels import LevelFilter
from ..repository import Repository
from ..writing.ingester import IngestFile, extension_of
from .comparing import same_bytes
from .rows import instrument_of, matching

DataId = tuple[tuple[str, object], ...]

_DATE = re.compile(r"\d{4}-?\d\d-?\d\d(?:T\d\d:?\d\d:?\d\d)?", re.ASCII)
_TYPE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class CuratedReport:
    """What ingest_curated did.

    Attributes
    ----------
    refs
        The new datasets.
    certified
        How many validity ranges are new or other than before.
    present
        How many files were there already.
    """

    refs: tuple[DatasetRef, ...]
    certified: int
    present: int


@dataclass(frozen=True, slots=True)
class _File:
    """A dated file: what it is, and from when it is valid."""

    path: str
    type_name: str
    data_id: DataId
    begin_ns: int
    extension: str
    date: str


@dataclass(slots=True)
class _Series:
    """The datasets of one type and data ID, by the beginning of their validity; and those of others."""

    by_begin: dict[int, DatasetRef] = field(default_factory=dict)
    others: list[DatasetRef] = field(default_factory=list)

    def spans(self) -> Iterator[tuple[DatasetRef, Timespan]]:
        """Give each with its range: until the next one begins, the last without end."""
        begins = sorted(self.by_begin)
        for begin, end in zip(begins, [*begins[1:], None], strict=True):
            yield self.by_begin[begin], Timespan(begin, end)


def ingest_curated(
    repository: Repository,
    directory: str | os.PathLike[str],
    *,
    instrument: str,
    collection: str | None = None,
) -> CuratedReport:
    """Take a folder of curated calibrations in, and certify each from its date until the next one's.

    The folder holds ``TYPE/DETECTOR/DATE.EXTENSION``: detectors by full name in any case, dates as
    ``19700101T000000`` (TAI). ``TYPE/FILTER/DATE...`` is for each physical filter, ``TYPE/DATE...`` for the
    whole instrument. Run again, it adds what is new: the range before a new date ends there.

    Parameters
    ----------
    instrument
        Its name, as recorded.
    collection
        The CALIBRATION collection. Default: ``<instrument>/calib``. Files go to RUNs below it, one for
        each date: ``<collection>/curated/<date>``.

    Raises
    ------
    NotFound
        When the folder, the instrument, or a detector is not there.
    BadArgument
        When a file has another name, or files of one type are of several kinds.
    BadContent
        When a file is damaged.
    Conflict
        When a file has other bytes than the dataset of its date, or calibrations of others are certified
        for the same time.
    """
    into = collection or f"{instrument}/calib"
    files = list(_files(repository, os.path.abspath(os.fspath(directory)), instrument))
    with repository.transaction():
        _register(repository, files)
        repository.create_collection(into, CollectionKind.CALIBRATION)
        there = _there(repository, files, into)
        new = [one for one in files if not _is_there(repository, one, there)]
        refs = _ingest(repository, new, into)
        for one, ref in zip(new, refs, strict=True):
            there.setdefault((one.type_name, one.data_id), _Series()).by_begin[one.begin_ns] = ref
        certified = _certify(repository, there, into) if refs else 0
    return CuratedReport(tuple(refs), certified, len(files) - len(new))


# -- files ---------------------------------------------------------------------------------------------


def _files(repository: Repository, directory: str, instrument: str) -> Iterator[_File]:
    """Give the dated files below a folder, in order of their paths."""
    if not os.path.isdir(directory):
        raise NotFound(f"no folder {directory!r}", todo="name the folder that has the folders of types")
    instrument_of(repository, instrument)
    names = _Names(repository, instrument)
    count = 0
    for type_name in _entries(directory):
        folder = os.path.join(directory, type_name)
        if not os.path.isdir(folder):
            continue  # a README, a licence
        if not _TYPE.fullmatch(type_name):
            raise BadArgument(f"the folder {folder!r}", "no name of a dataset type", "letters, digits and _")
        for name in _entries(folder):
            below = os.path.join(folder, name)
            inner = [os.path.join(below, one) for one in _entries(below)] if os.path.isdir(below) else [below]
            data_id = names.data_id(below, name) if os.path.isdir(below) else (("instrument", instrument),)
            for path in inner:
                count += 1
                yield _file(repository, path, type_name, data_id)
    if not count:
        raise NotFound(f"no calibrations below {directory!r}", todo="TYPE/DETECTOR/19700101T000000.ecsv")


def _entries(folder: str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def _file(repository: Repository, path: str, type_name: str, data_id: DataId) -> _File:
    name = os.path.basename(path)
    extension = extension_of(name, repository.formats)
    date = name[: len(name) - len(extension)] if extension else name
    if not extension or not _DATE.fullmatch(date) or not os.path.isfile(path):
        todo = "DATE.EXTENSION, such as 19700101T000000.ecsv"
        raise BadArgument(f"the calibration {path!r}", "not of that name", todo)
    try:
        begin_ns = parse_time(date)
    except BadArgument as error:
        raise BadArgument(f"the calibration {path!r}", str(error)) from None
    return _File(path, type_name, data_id, begin_ns, extension, re.sub("[-:]", "", date))


class _Names:
    """Folders' names as detectors and filters of an instrument."""

    def __init__(self, repository: Repository, instrument: str) -> None:
        self._instrument = instrument
        detectors = matching(repository, "detector", instrument=instrument)
        filters = matching(repository, "physical_filter", instrument=instrument)
        self._detectors = {str(one["full_name"]).lower(): one["id"] for one in detectors}
        self._filters = {str(one["name"]).lower(): one["name"] for one in filters}

    def data_id(self, folder: str, name: str) -> DataId:
        """Give the data ID that a folder stands for."""
        common = ("instrument", self._instrument)
        if name.lower() in self._detectors:
            return common, ("detector", self._detectors[name.lower()])
        if name.lower() in self._filters:
            return common, ("physical_filter", self._filters[name.lower()])
        found = f"{self._instrument} has no detector and no filter {name!r}"
        raise NotFound(f"the folder {folder!r}", found, "name it as the detector's full name")


# -- types, datasets, validity -------------------------------------------------------------------------


def _register(repository: Repository, files: Sequence[_File]) -> None:
    """Register the types, each with the dimensions and storage class of its files."""
    for type_name in dict.fromkeys(one.type_name for one in files):
        own = [one for one in files if one.type_name == type_name]
        dimensions = {tuple(key for key, _ in one.data_id) for one in own}
        classes = {repository.formats.storage_class_for(one.extension) for one in own}
        if len(dimensions) > 1 or len(classes) > 1:
            found = (
                "some for detectors, some not"
                if len(dimensions) > 1
                else f"of {' and '.join(sorted(classes))}"
            )
            raise BadArgument(f"the calibrations {type_name!r}", found, "one kind for each type")
        known = repository.registry.current().types.get(type_name)
        wanted = known.type.storage_class if known is not None else classes.pop()
        repository.register(type_name, dimensions.pop(), wanted, calibration=True)


def _there(
    repository: Repository, files: Sequence[_File], collection: str
) -> dict[tuple[str, DataId], _Series]:
    """Give what is certified already of the types; what is not of RUNs of curated calibrations is others'."""
    registry = repository.registry
    snapshot = registry.current()
    into = snapshot.collection(collection)
    series: dict[tuple[str, DataId], _Series] = {}
    for type_name in dict.fromkeys(one.type_name for one in files):
        found = registry.lookup.datasets(snapshot, [snapshot.type(type_name)], [into], LevelFilter())
        for ref in (one.resolved.ref for one in found):
            own = series.setdefault((type_name, _data_id(ref.data_id)), _Series())
            begin_ns = ref.valid.begin_ns if ref.valid is not None else None
            if ref.run.startswith(f"{collection}/curated/") and begin_ns is not None:
                own.by_begin[begin_ns] = ref
            else:
                own.others.append(ref)
    return series


def _data_id(given: Mapping[str, object]) -> DataId:
    """Give a data ID as a value, in the order that `_Names` has."""
    order = ("instrument", "detector", "physical_filter")
    return tuple((name, given[name]) for name in order if name in given)


def _is_there(repository: Repository, file: _File, there: Mapping[tuple[str, DataId], _Series]) -> bool:
    """Tell whether the dataset of a file's date is there, with the same bytes."""
    series = there.get((file.type_name, file.data_id))
    ref = series.by_begin.get(file.begin_ns) if series is not None else None
    if ref is None:
        return False
    found = repository.registry.lookup.by_id(repository.registry.current(), [ref.id])[ref.id]
    if found.locations and not same_bytes(file.path, found.locations[0]):
        todo = "curated files do not change: give the new one a date of its own, or remove the old one"
        raise Conflict(f"ingest {file.path!r}", f"{ref} has other bytes", todo)
    return True


def _ingest(repository: Repository, files: Sequence[_File], collection: str) -> list[DatasetRef]:
    """Copy the files into the RUNs of their dates; give the datasets in the order of the files."""
    refs: dict[str, DatasetRef] = {}
    targets = dict.fromkeys((one.type_name, one.date) for one in files)
    for type_name, date in targets:
        own = [one for one in files if (one.type_name, one.date) == (type_name, date)]
        wanted = [IngestFile(one.path, dict(one.data_id), one.extension) for one in own]
        taken = repository.ingest(wanted, type_name, run=f"{collection}/curated/{date}", mode="copy")
        refs |= {one.path: ref for one, ref in zip(own, taken, strict=True)}
    return [refs[one.path] for one in files]


def _certify(repository: Repository, series: Mapping[tuple[str, DataId], _Series], collection: str) -> int:
    """Certify each new dataset until the next one of its series; give how many ranges are new or shorter."""
    count = 0
    for (type_name, data_id), one in series.items():
        for ref, span in one.spans():
            count += ref.valid != span
            if ref.valid is None:
                _refuse_overlap(one.others, ref, span)
                # The one before it was valid until the next, or without end.
                bounds = (span.begin_ns, span.end_ns)
                repository.decertify(collection, type_name, *bounds, **dict(data_id))
                repository.certify([ref], collection, *bounds)
    return count


def _refuse_overlap(others: Sequence[DatasetRef], ref: DatasetRef, span: Timespan) -> None:
    for other in others:
        if (other.valid or ALWAYS).overlaps(span):
            found = f"{other} is certified for an overlapping range, and is no curated one"
            raise Conflict(f"certify {ref} for {span}", found, "take that one out first: decertify")
