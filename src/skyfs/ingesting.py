"""Taking existing files in as datasets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from uuid import UUID

from .abc.source import ByteSource
from .abc.store import Adoption
from .errors import (
    BadArgument,
    BadContent,
    IsDirectory,
    NotFound,
    StoreError,
    UnknownFormat,
    Unsupported,
)
from .formats.catalog import Formats
from .formats.fits_part import FitsPart, find_part
from .model.dataset import DatasetRef, Location
from .planning import Target
from .stores.local import LocalStore
from .writing import Writer

IN_PLACE = "in-place"
MODES = ("auto", "copy", "move", "link", "symlink", "direct")

_EXTENSIONS = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]*)+$")


@dataclass(frozen=True, slots=True)
class IngestFile:
    """A file to take in.

    Attributes
    ----------
    path
        A local file.
    data_id
        What it is: values of the type's dimensions.
    extension
        Its format, when the file's name does not tell.
    id
        The dataset's id, when it follows from what it is, as a raw's does; None: a new one.
    part
        The HDU that it is, of a FITS file that holds many datasets; such files stay where they are (mode
        ``direct``). None: the whole file.
    """

    path: str | os.PathLike[str]
    data_id: Mapping[str, object]
    extension: str | None = None
    id: UUID | None = None
    part: int | None = None


class Ingester:
    """Checks files and hands them to the writer, all at once."""

    def __init__(self, root: Path, writer: Writer, formats: Formats) -> None:
        self._root = root
        self._writer = writer
        self._formats = formats
        self._files = LocalStore("/", name=IN_PLACE, writable=False)

    def ingest(
        self, files: Sequence[IngestFile], type_name: str, run: str, *, mode: str, replace: bool
    ) -> list[DatasetRef]:
        """Take files in: see `Repository.ingest`."""
        if mode not in MODES:
            raise BadArgument(f"ingest mode {mode!r}", "no such mode", f"one of {', '.join(MODES)}")
        if not files:
            return []
        paths = [os.path.abspath(os.fspath(file.path)) for file in files]
        targets = [
            Target(type_name, run, file.data_id, self._extension(path, file.extension), (), replace, file.id)
            for path, file in zip(paths, files, strict=True)
        ]
        for path, extension in dict.fromkeys(zip(paths, (one.extension for one in targets), strict=True)):
            self._check(path, extension)
        targets = [
            self._capture(path, target, file.part)
            for path, target, file in zip(paths, targets, files, strict=True)
        ]
        inside = [
            mode == "direct" or (mode == "auto" and Path(path).is_relative_to(self._root)) for path in paths
        ]
        if len(set(inside)) > 1:
            raise BadArgument(
                "ingest with mode auto", "some files lie in the repository, some outside", "name a mode"
            )
        pairs = list(zip(paths, targets, strict=True))
        if inside[0]:
            places = [
                self._location(path, target, file.part)
                for (path, target), file in zip(pairs, files, strict=True)
            ]
            return self._writer.refer(list(zip(places, targets, strict=True)))
        if any(file.part is not None for file in files):
            raise Unsupported(f"ingest parts with mode {mode!r}", "the file holds others too", "mode direct")
        return self._writer.adopt(pairs, Adoption.COPY if mode == "auto" else Adoption(mode))

    def _extension(self, path: str, given: str | None) -> str:
        if given is not None:
            self._formats.format(given)
            return given
        found = extension_of(os.path.basename(path), self._formats)
        if found is None:
            name = os.path.basename(path)
            raise UnknownFormat(f"ingest {path!r}", f"no format for {name!r}", "give extension=")
        return found

    def _check(self, path: str, extension: str) -> None:
        try:
            with self._open(path) as source:
                self._formats.check(source, extension)
        except BadContent as error:
            raise BadContent(f"ingest {path!r}", str(error), error.todo) from None

    def _capture(self, path: str, target: Target, part: int | None) -> Target:
        """Read what the type captures from a file, or from one dataset of many in it."""
        if not self._writer.captures(target.type_name):
            return target
        with self._open(path) as whole:
            source = whole if part is None else FitsPart(whole, *find_part(whole, target.extension, part))
            captured = self._writer.capture(target.type_name, source, target.extension)
        return changed(target, captured=captured)

    def _open(self, path: str) -> ByteSource:
        if os.path.isdir(path):
            raise IsDirectory(f"ingest {path!r}", "it is a directory", "name the files in it")
        try:
            return self._files.open(path[1:])
        except (NotFound, StoreError) as error:
            raise type(error)(f"ingest {path!r}", error.found or str(error), error.todo) from None

    def _location(self, path: str, target: Target, part: int | None) -> Location:
        # The real path: a folder that is a link may come to point elsewhere.
        key = os.path.realpath(path)[1:]
        found = self._files.stat(key)
        where, size = None, found.size
        if part is not None:
            with self._open(path) as whole:
                where, size = find_part(whole, target.extension, part)
        return Location(IN_PLACE, key, target.extension, size, found.mtime_ns, part=where, owned=False)


def extension_of(name: str, formats: Formats) -> str | None:
    """Give the longest known extension of a file's name, in lower case; None when there is none."""
    found = _EXTENSIONS.search(name)
    parts = found.group().lower().split(".")[1:] if found else []
    for start in range(len(parts)):
        extension = "." + ".".join(parts[start:])
        if formats.knows(extension):
            return extension
    return None if parts else ""
