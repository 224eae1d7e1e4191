"""The survey, or a user's own FITS files, in a repository."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadContent, NotFound, StoreError, UnknownFormat, look_for
from ..model.dataset import DatasetRef
from ..repository import Repository
from ..writing.ingester import IngestFile, extension_of
from .survey import Survey

CHAIN = "SkyCam/defaults"
OWN_RUN = "my/files"
_FITS = re.compile(r"(\.(fits|fit)(\.(gz|bz2|fz))?|\.fz)$", re.IGNORECASE)


def load_survey(repository: Repository, survey: Survey) -> list[DatasetRef]:
    """Take the whole survey in, all or nothing: records, types, files, validity ranges, a chain."""
    refs: list[DatasetRef] = []
    with repository.transaction():
        for element, records in survey.records.items():
            repository.insert(element, records)
        for one in survey.types:
            repository.register(
                one.name, one.dimensions, one.storage_class, calibration=one.calibration, capture=one.capture
            )
        for type_name, run in dict.fromkeys((file.type, file.run) for file in survey.files):
            refs += _ingest(repository, survey, type_name, run)
        repository.chain(CHAIN, ["SkyCam/runs/simulated", "SkyCam/raw/all", "SkyCam/calib"])
    return refs


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What was made of a folder of files.

    Attributes
    ----------
    taken
        Each file with the path it has now.
    skipped
        Files that could not be taken, with the reason.
    """

    taken: tuple[tuple[Path, str], ...]
    skipped: tuple[tuple[Path, str], ...]


def load_files(repository: Repository, folder: Path) -> OwnFiles:
    """Take the FITS files below a folder in, where they are: nothing is copied.

    Each becomes a dataset without dimensions in the RUN ``my/files``, named after its file.

    Raises
    ------
    NotFound
        When there is no FITS file below the folder, or none that can be read.
    """
    if not folder.is_dir():
        raise NotFound(f"no folder {str(folder)!r}", todo=look_for(folder))
    taken: list[tuple[Path, str]] = []
    skipped: list[tuple[Path, str]] = []
    names: set[str] = set()
    for path in _fits_below(folder):
        name = _unused(_name_of(path), names)
        try:
            taken.append((path, _take(repository, path, name)))
        except (BadContent, NotFound, StoreError, UnknownFormat, OSError) as error:
            names.discard(name)
            skipped.append((path, str(error)))
    if not taken:
        reason = (
            f"{len(skipped)} cannot be read: {skipped[0][1]}" if skipped else "none has a name of a FITS file"
        )
        raise NotFound(
            f"no FITS files below {str(folder)!r}", reason, ".fits, .fit, .fits.gz, .fits.bz2, .fits.fz"
        )
    return OwnFiles(tuple(taken), tuple(skipped))


def _ingest(repository: Repository, survey: Survey, type_name: str, run: str) -> list[DatasetRef]:
    files = [file for file in survey.files if (file.type, file.run) == (type_name, run)]
    wanted = [IngestFile(file.path, file.data_id) for file in files]
    refs = repository.ingest(wanted, type_name, run=run, mode="move")
    for file, ref in zip(files, refs, strict=True):
        if file.valid is not None:
            repository.certify([ref], survey.calibrations[str(file.data_id["instrument"])], *file.valid)
    return refs


def _take(repository: Repository, path: Path, name: str) -> str:
    extension = extension_of(path.name, repository.formats)
    if not extension:
        raise UnknownFormat(f"ingest {str(path)!r}", "no format has its extension", "rename it to .fits")
    with repository.transaction():
        repository.register(name, [], repository.formats.storage_class_for(extension))
        wanted = IngestFile(path, {}, extension)
        (ref,) = repository.ingest([wanted], name, run=OWN_RUN, mode="direct")
    return repository.path(ref)


def _fits_below(folder: Path) -> Iterator[Path]:
    for above, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if _FITS.search(name):
                yield Path(above, name)


def _name_of(path: Path) -> str:
    """Give the file's name as a dataset type: without extensions, letters, digits and ``_`` only."""
    stem = _FITS.sub("", path.name)
    return re.sub(r"\W", "_", stem, flags=re.ASCII) or "file"


def _unused(name: str, names: set[str]) -> str:
    number, wanted = 1, name
    while wanted in names:
        number += 1
        wanted = f"{name}_{number}"
    names.add(wanted)
    return wanted
