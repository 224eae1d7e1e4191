"""Raw files taken in: instruments, filters, nights and exposures recorded, the files made datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ..errors import BadArgument, Conflict, SkyfsError
from ..model.dataid import coerce
from ..model.dataset import DatasetRef, Resolved
from ..model.ids import raw_id
from ..repository import Repository
from ..writing.ingester import IngestFile
from .adding import insert_definition
from .cameras import Described
from .comparing import Comparing
from .definition import Definition
from .files import Paths, fits_files
from .frames import Frame, FrameReader, read_all
from .rows import first, raws_of

DIMENSIONS = ("instrument", "exposure", "detector")
# What every file of an exposure has to agree on; the rest is that of the first.
_AGREED = ("obs_id", "physical_filter", "day_obs", "group")


@dataclass(frozen=True, slots=True)
class RawReport:
    """What became of raw files.

    Attributes
    ----------
    refs
        The new datasets.
    exposures
        How many exposures are new.
    present
        Files whose datasets were there already, with the same bytes.
    skipped
        Files that were left out, each with the reason.
    """

    refs: tuple[DatasetRef, ...]
    exposures: int
    present: tuple[str, ...]
    skipped: tuple[tuple[str, SkyfsError], ...]


@dataclass(frozen=True, slots=True)
class _Raw:
    """A frame and the dataset that it is to be."""

    frame: Frame
    run: str
    type_name: str

    @property
    def data_id(self) -> dict[str, object]:
        """Its data ID."""
        seen = self.frame.observation
        return {
            "instrument": self.frame.definition.name,
            "exposure": seen.id,
            "detector": seen.detector,
        }

    @property
    def id(self) -> UUID:
        """The id that it has at every site."""
        return raw_id(self.type_name, self.run, self.data_id)


def ingest_raws(  # noqa: PLR0913 - all but the first two have a default
    repository: Repository,
    files: Paths,
    *,
    run: str | None = None,
    type_name: str = "raw",
    mode: str = "auto",
    instrument: Described | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> RawReport:
    """Take raw files in, in one transaction.

    Of files of one detector only headers are read. A file of several is stored once; each detector is a
    dataset, the primary HDU followed by its own, and is read for its digest. The instrument, its filters and
    detectors, the nights and exposures are recorded on the way. Files that are there already, with the same
    bytes, are no change.

    Parameters
    ----------
    files
        Files, globs and folders (all FITS files below them).
    run
        The RUN. Default: ``<instrument>/raw/all``.
    type_name
        The dataset type, of instrument, exposure and detector; registered when it is new, as ``Hdus``.
    mode
        As for `Repository.ingest`.
    instrument
        A name, or a YAML file. Default: each file's header tells, among those that ship with skyfs and
        those that were added to the repository.
    on_error
        ``skip``: go on without files that cannot be taken; the report has them with the reasons.

    Raises
    ------
    BadContent
        When a file is truncated, or no FITS file.
    BadDataId
        When a header is of no known instrument, or lacks something.
    Conflict
        When a raw is there with other bytes, or files of one exposure do not agree.
    Unsupported
        When a file holds several detectors, and is packed as a whole (``.fits.gz``).
    """
    if on_error not in ("raise", "skip"):
        raise BadArgument(f"on_error={on_error!r}", "no such way", "raise or skip")
    skip = on_error == "skip"
    frames, failed = read_all(FrameReader(repository, instrument), fits_files(files), skip=skip)
    raws = [_Raw(one, run or f"{one.definition.name}/raw/all", type_name) for one in frames]
    with repository.transaction():
        repository.register(type_name, DIMENSIONS, _storage_class(repository, type_name))
        new, present = _sort(repository, raws, failed, skip=skip)
        exposures = _record(repository, [one.frame for one in new])
        refs = _ingest(repository, new, mode)
    return RawReport(tuple(refs), exposures, tuple(present), tuple(failed))


def _storage_class(repository: Repository, type_name: str) -> str:
    known = repository.registry.current().types.get(type_name)
    return "Hdus" if known is None else known.type.storage_class


# -- what is new ---------------------------------------------------------------------------------------


def _sort(
    repository: Repository, raws: Sequence[_Raw], failed: list[tuple[str, SkyfsError]], *, skip: bool
) -> tuple[list[_Raw], list[str]]:
    """Give the raws that are new, and the files whose datasets are there; what clashes fails."""
    with Comparing() as comparing:
        return _sorted(_Present(repository, comparing), raws, failed, skip=skip)


def _sorted(
    there: _Present, raws: Sequence[_Raw], failed: list[tuple[str, SkyfsError]], *, skip: bool
) -> tuple[list[_Raw], list[str]]:
    leading: dict[tuple[str, int], _Raw] = {}
    taken: dict[UUID, str] = {}
    new: list[_Raw] = []
    present: list[str] = []
    for raw in raws:
        path = raw.frame.path
        try:
            if there.has(raw):
                present.append(path)
                continue
            if raw.id in taken:
                raise Conflict(f"ingest {path!r}", f"{taken[raw.id]!r} is the same raw", "give one of them")
            key = (raw.frame.definition.name, raw.frame.observation.id)
            _check_agreement(raw, leading[key].frame.observation.exposure if key in leading else None)
            there.check_exposure(raw)
        except SkyfsError as error:
            if not skip:
                raise
            failed.append((path, error))
            continue
        leading.setdefault(key, raw)
        taken[raw.id] = path
        new.append(raw)
    return new, present


def _check_agreement(raw: _Raw, other: Mapping[str, object] | None) -> None:
    """Refuse an exposure that differs in what identifies it from the same one of another file."""
    own, known = raw.frame.observation.exposure, other or {}
    # What others recorded, an import perhaps, may lack some of it.
    differing = [name for name in _AGREED if known.get(name) is not None and known[name] != own[name]]
    if differing:
        name = differing[0]
        raise Conflict(
            f"ingest {raw.frame.path!r}",
            f"its {name} is {own[name]!r}, that of exposure {own['id']} is {known[name]!r}",
            "leave the file out",
        )


class _Present:
    """What a repository has of exposures and raws, read once for each exposure."""

    def __init__(self, repository: Repository, comparing: Comparing) -> None:
        self._repository = repository
        self._comparing = comparing
        self._raws: dict[tuple[str, str, int], dict[object, Resolved]] = {}
        self._exposures: dict[tuple[str, int], dict[str, object] | None] = {}

    def has(self, raw: _Raw) -> bool:
        """Tell whether a raw is there with the same bytes.

        Raises
        ------
        Conflict
            When it is there with other bytes.
        """
        found = self._of_exposure(raw).get(raw.frame.observation.detector)
        if found is None or not found.locations:
            return False
        if not self._comparing.is_same(raw.frame, found.locations[0]):
            named = f"{found.ref.type.name} {found.ref.data_id!r} of {found.ref.run!r}"
            raise Conflict(f"ingest {raw.frame.path!r}", f"{named} has other bytes", "remove that one first")
        return True

    def check_exposure(self, raw: _Raw) -> None:
        """Refuse an exposure that is recorded as another one."""
        key = (raw.frame.definition.name, raw.frame.observation.id)
        if key not in self._exposures:
            self._exposures[key] = first(self._repository, "exposure", instrument=key[0], id=key[1])
        _check_agreement(raw, self._exposures[key])

    def _of_exposure(self, raw: _Raw) -> dict[object, Resolved]:
        name, number = raw.frame.definition.name, raw.frame.observation.id
        key = (raw.run, name, number)
        if key not in self._raws:
            snapshot = self._repository.registry.current()
            run, entry = snapshot.collections.get(raw.run), snapshot.type(raw.type_name)
            runs = [] if run is None else [run]
            rows = raws_of(self._repository, entry, runs, name, raw.frame.observation.exposure)
            self._raws[key] = {one.resolved.ref.data_id["detector"]: one.resolved for one in rows}
        return self._raws[key]


# -- records and files ---------------------------------------------------------------------------------


def _record(repository: Repository, frames: Sequence[Frame]) -> int:
    """Record what exposures name, and the exposures that are new; give the number of those."""
    for definition in {one.definition.name: one.definition for one in frames}.values():
        _record_instrument(repository, definition)
    known = repository.registry.records
    exposure = repository.registry.universe.element("exposure")
    by_exposure = {(one.definition.name, one.observation.id): one for one in reversed(frames)}
    new = [one for key, one in by_exposure.items() if not known.exists(exposure, key)]
    _insert_missing(repository, "physical_filter", [_filter(one) for one in new])
    _insert_missing(repository, "day_obs", [_night(one) for one in new])
    groups = [{"instrument": one.definition.name, "name": one.observation.exposure["group"]} for one in new]
    repository.insert("group", groups)
    records = [{"instrument": one.definition.name, **one.observation.exposure} for one in new]
    return repository.insert("exposure", records)


def _record_instrument(repository: Repository, definition: Definition) -> None:
    """Record an instrument that is not; one that an import has brought stays as it is."""
    if first(repository, "instrument", name=definition.name) is None:
        insert_definition(repository, definition)


def _filter(frame: Frame) -> dict[str, object]:
    glass = str(frame.observation.exposure["physical_filter"])
    return {"instrument": frame.definition.name, "name": glass, "band": frame.definition.band(glass)}


def _night(frame: Frame) -> dict[str, object]:
    day_obs = frame.observation.exposure["day_obs"]
    return {"instrument": frame.definition.name, "id": day_obs, "timespan": frame.observation.night}


def _insert_missing(repository: Repository, name: str, records: Iterable[dict[str, object]]) -> None:
    """Insert the records whose identity is not there: those of others may say more, or differ."""
    element = repository.registry.universe.element(name)
    missing: dict[tuple[int | str, ...], dict[str, object]] = {}
    for one in records:
        own = coerce(element, one[element.key.name])
        key = (str(one["instrument"]), own)
        if not repository.registry.records.exists(element, key):
            missing.setdefault(key, one)
    repository.insert(name, list(missing.values()))


def _ingest(repository: Repository, raws: Sequence[_Raw], mode: str) -> list[DatasetRef]:
    by_run: dict[str, list[IngestFile]] = {}
    for raw in raws:
        file = IngestFile(raw.frame.path, raw.data_id, raw.frame.extension, raw.id, raw.frame.part)
        by_run.setdefault(raw.run, []).append(file)
    type_name = raws[0].type_name if raws else ""
    refs: list[DatasetRef] = []
    for run, files in by_run.items():
        refs += repository.ingest(files, type_name, run=run, mode=mode)
    return refs
