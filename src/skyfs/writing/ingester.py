"""Taking existing files in as datasets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from uuid import UUID

from ..abc.source import ByteSource
from ..abc.store import Adoption, Stat
from ..config import roots
from ..errors import (
    BadArgument,
    BadContent,
    IsDirectory,
    NotFound,
    StoreError,
    UnknownFormat,
    Unsupported,
    look_for,
)
from ..formats.catalog import Formats
from ..formats.fits_part import FitsFile, FoundPart
from ..model.dataset import DatasetRef, Location, Part
from ..model.garbage import many_objects
from ..stores.local import LocalSource, LocalStore
from .planner import Target
from .writer import Writer

IN_PLACE = "in-place"
MODES = ("auto", "copy", "move", "link", "symlink", "direct")

_EXTENSIONS = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]*)+$")


@dataclass(frozen=True, slots=True)
class IngestFile:
    """A file to take in, or one dataset of many in a file.

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
        The HDU that it is, from 1, of a FITS file that holds many datasets: it is served as the primary HDU
        followed by that one. None: the whole file.
    type_name
        Its type, when it is not that of the others.
    """

    path: str | os.PathLike[str]
    data_id: Mapping[str, object]
    extension: str | None = None
    id: UUID | None = None
    part: int | None = None
    type_name: str | None = None


# What tells whether a file was written to: its inode, size and time of change.
_State = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file, or one HDU of it, and what it is to be."""

    path: str
    target: Target
    hdu: int | None


@dataclass(slots=True)
class _Examined:
    """Files that were looked at.

    Attributes
    ----------
    targets
        What is to be made of which file, in the order of the arrivals.
    stats
        What the files are.
    states
        What those were that were digested.
    """

    targets: list[tuple[str, Target]] = field(default_factory=list)
    stats: dict[str, Stat] = field(default_factory=dict)
    states: dict[str, _State] = field(default_factory=dict)

    def require_unchanged(self) -> None:
        """Refuse files that were written to since they were read: their digests would be wrong."""
        for path, state in self.states.items():
            if _state(path) != state:
                todo = "ingest it when its writer has finished"
                raise StoreError(f"ingest {path!r}", "it changed while it was read", todo)


class Ingester:
    """Checks files and hands them to the writer, all at once."""

    def __init__(self, root: Path, writer: Writer, formats: Formats) -> None:
        self._root = root
        self._writer = writer
        self._formats = formats
        self._files = LocalStore("/", name=IN_PLACE, writable=False)
        self._captured_types: set[str] = set()
        self._folders: dict[str, str] = {}
        self._inside = os.path.join(root, "")

    def ingest(
        self, files: Sequence[IngestFile], type_name: str, run: str, *, mode: str, replace: bool
    ) -> list[DatasetRef]:
        """Take files in: see `Repository.ingest`."""
        if mode not in MODES:
            raise BadArgument(f"ingest mode {mode!r}", "no such mode", f"one of {', '.join(MODES)}")
        if not files:
            return []
        with many_objects():
            arrivals = [self._arrival(file, type_name, run, replace=replace) for file in files]
            stay = self._stay([one.path for one in arrivals], mode)
            examined = self._examine(arrivals)
            if stay:
                return self._refer(examined)
            how = Adoption.COPY if mode == "auto" else Adoption(mode)
            return self._writer.adopt(examined.targets, how, examined.require_unchanged)

    def _refer(self, examined: _Examined) -> list[DatasetRef]:
        """Register files where they are."""
        examined.require_unchanged()
        if any(self._is_inside(path) for path in examined.stats):
            roots.record(self._root)
        places = {path: (self._key(path), there) for path, there in examined.stats.items()}
        return self._writer.refer(
            [(_located(places[path], target), target) for path, target in examined.targets]
        )

    def _arrival(self, file: IngestFile, type_name: str, run: str, *, replace: bool) -> _Arrival:
        path = os.path.abspath(os.fspath(file.path))
        extension = self._extension(path, file.extension)
        name = file.type_name or type_name
        target = Target(name, run, file.data_id, extension, replace=replace, id=file.id)
        return _Arrival(path, target, file.part)

    def _stay(self, paths: Sequence[str], mode: str) -> bool:
        """Tell whether files stay where they are."""
        if mode != "auto":
            return mode == "direct"
        inside = {self._is_inside(path) for path in paths}
        if len(inside) > 1:
            raise BadArgument(
                "ingest with mode auto", "some files lie in the repository, some outside", "name a mode"
            )
        return inside.pop()

    def _is_inside(self, path: str) -> bool:
        return path.startswith(self._inside)

    def _extension(self, path: str, given: str | None) -> str:
        if given is not None:
            self._formats.format(given)
            return given
        found = extension_of(os.path.basename(path), self._formats)
        if found is None:
            name = os.path.basename(path)
            raise UnknownFormat(f"ingest {path!r}", f"no format for {name!r}", "give extension=")
        return found

    # -- reading the files -----------------------------------------------------------------------------

    def _examine(self, arrivals: Sequence[_Arrival]) -> _Examined:
        """Check the files and read of them what is wanted."""
        by_path: dict[str, list[_Arrival]] = {}
        for one in arrivals:
            by_path.setdefault(one.path, []).append(one)
        names = {one.target.type_name for one in arrivals}
        self._captured_types = {name for name in names if self._writer.captures(name)}
        found = _Examined()
        targets: dict[str, Iterator[Target]] = {}
        for path, some in by_path.items():
            try:
                targets[path] = iter(self._read(path, some, found))
            except (BadContent, Unsupported) as error:
                reason = f"{error.asked}: {error.found}" if error.found else error.asked
                raise type(error)(f"ingest {path!r}", reason, error.todo) from None
        found.targets = [(one.path, next(targets[one.path])) for one in arrivals]
        return found

    def _read(self, path: str, arrivals: Sequence[_Arrival], found: _Examined) -> list[Target]:
        many = any(one.hdu is not None for one in arrivals)
        if many:
            found.states[path] = _state(path)
        with self._open(path) as source:
            found.stats[path] = source.stat
            return self._parts(path, arrivals, source) if many else self._wholes(arrivals, source)

    def _wholes(self, arrivals: Sequence[_Arrival], source: ByteSource) -> list[Target]:
        """Check a file that is one dataset, and capture what its type says."""
        for extension in {one.target.extension for one in arrivals}:
            self._formats.check(source, extension)
        return [self._captured(one.target, source) for one in arrivals]

    def _parts(self, path: str, arrivals: Sequence[_Arrival], whole: ByteSource) -> list[Target]:
        """Find and digest the datasets of a file that holds many; its headers are read once."""
        extension = arrivals[0].target.extension
        if any(one.target.extension != extension for one in arrivals):
            raise BadArgument(f"ingest {path!r}", "its datasets have several extensions", "give one of them")
        file = FitsFile(whole, extension)
        targets = []
        for one in arrivals:
            if one.hdu is None:
                target = self._captured(one.target, whole)
                found = FoundPart(Part(0, 0, 0, whole.size), whole.size)
            else:
                found = file.measure(one.hdu)
                target = self._captured(one.target, file.source(found))
            targets.append(changed(target, part=found))
        return targets

    def _captured(self, target: Target, source: ByteSource) -> Target:
        """Read what the type captures."""
        if target.type_name not in self._captured_types:
            return target
        captured = self._writer.capture(target.type_name, source, target.extension)
        return changed(target, captured=captured)

    def _open(self, path: str) -> LocalSource:
        try:
            return self._files.open(path[1:])
        except (NotFound, StoreError) as error:
            if os.path.isdir(path):
                raise IsDirectory(f"ingest {path!r}", "it is a directory", "name the files in it") from None
            todo = error.todo or (look_for(path) if isinstance(error, NotFound) else "")
            raise type(error)(f"ingest {path!r}", error.found or str(error), todo) from None

    def _key(self, path: str) -> str:
        """Give the key of a file that stays where it is."""
        # The real path: a folder that is a link may come to point elsewhere.
        folder, name = os.path.split(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
        key = os.path.join(real, name)
        if os.path.islink(key):
            key = os.path.realpath(key)
        return key[1:]


def _located(place: tuple[str, Stat], target: Target) -> Location:
    (key, there), found = place, target.part
    if found is None:
        return Location(IN_PLACE, key, target.extension, there.size, there.mtime_ns, owned=False)
    where = (target.extension, found.size, there.mtime_ns, found.sha256, found.part)
    return Location(IN_PLACE, key, *where, owned=False)


def _state(path: str) -> _State:
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        kind, todo = (NotFound, look_for(path)) if isinstance(error, FileNotFoundError) else (StoreError, "")
        raise kind(f"ingest {path!r}", getattr(error, "strerror", None) or str(error), todo) from None
    return found.st_ino, found.st_size, found.st_mtime_ns


def extension_of(name: str, formats: Formats) -> str | None:
    """Give the longest known extension of a file's name, in lower case; None when there is none."""
    found = _EXTENSIONS.search(name)
    parts = found.group().lower().split(".")[1:] if found else []
    for start in range(len(parts)):
        extension = "." + ".".join(parts[start:])
        if formats.knows(extension):
            return extension
    return None if parts else ""
