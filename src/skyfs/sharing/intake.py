"""Lines of a manifest, with the bytes they speak of, put into a repository as one change.

A few datasets that are near come while their lines are put in. Of others all lines are put in first, and
taken back: what contradicts is found before a byte moves, and the keys of new files are known. Then bytes go
to the stores, with no transaction open, so that nobody waits for them. Then the lines are put in for good.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import IO, NoReturn

from ..abc.store import Content
from ..errors import Exists, WrongBytes
from ..model.dataset import DatasetType
from ..model.garbage import many_objects
from ..model.manifest import read_lines, write
from ..model.manifest_line import DatasetRow, DatasetsLine, FileRow, Line
from ..registry.manifest.applying import Applier
from ..registry.manifest.arriving import Applied, Carried, OnConflict, Remove
from ..registry.registry import Registry
from ..writing.filler import FileSource, Filler
from ..writing.routes import Route
from ..writing.writer import Writer
from .deliveries import Deliveries
from .planning import Planned, Planner
from .travelling import Names, digest_of, size_of, travelling

Done = Callable[[int], None]
"""Is told of bytes that came."""

_Place = tuple[str, str]

# Others wait so long as these are written: some tenths of a second.
_FEW_ROWS, _FEW_BYTES = 2_000, 32 * 2**20


class _Rehearsed(Exception):
    """Takes back what was put in to see whether it can be."""


class Intake:
    """Puts manifests into a repository.

    Parameters
    ----------
    conflict
        What wins when something else is there.
    owner
        Whom new RUNs belong to.
    remove
        Removes datasets that others take the place of; may refuse to.
    """

    def __init__(
        self, registry: Registry, writer: Writer, conflict: OnConflict, owner: str, remove: Remove
    ) -> None:
        self._registry = registry
        self._writer = writer
        self._conflict = conflict
        self._owner = owner
        self._remove = remove
        self._planner = Planner(registry, writer, conflict)
        self._types: dict[str, DatasetType] = {}
        self._begun: set[_Place] = set()
        self._names = Names()
        self._carried = Carried()

    def refer(self, lines: Iterable[Line], stores: Mapping[str, str]) -> Applied:
        """Put lines in without bytes.

        ``stores`` gives the names that stores have here: files in them stay where they are. Datasets without
        such files are declared.
        """
        with self._writer.transaction():
            return self._apply(_referring(line, stores) for line in lines)

    def bring(self, lines: Iterable[Line], deliveries: Deliveries, done: Done) -> Applied:
        """Put lines in, with the bytes of what is not there yet.

        Raises
        ------
        Conflict, Exists
            When something else is there, and that is not to be passed by.
        BadContent, WrongBytes
            When lines or bytes are not what they should be.
        """
        self._names = Names()
        with many_objects():
            rest = iter(lines)
            few, is_all = _few(rest)
            if is_all and deliveries.near and self._writer.near:
                return self._bring_few(few, deliveries, done)
            return self._bring_many(chain(few, rest), deliveries, done)

    def _apply(self, lines: Iterable[Line]) -> Applied:
        with self._registry.transaction():
            applier = self._applier()
            for line in lines:
                applier.apply(line)
            return applier.finish()

    def _applier(self) -> Applier:
        return Applier(self._registry, self._conflict, self._owner, self._remove, self._carried)

    # -- few ---------------------------------------------------------------------------------------------

    def _bring_few(self, lines: Iterable[Line], deliveries: Deliveries, done: Done) -> Applied:
        waiting = _Waiting()
        with self._writer.transaction():
            applier = self._applier()
            for line in lines:
                if not waiting.lets_pass(line):
                    self._arrive(waiting, applier, deliveries, done)
                if isinstance(line, DatasetsLine):
                    waiting.add(line, self._plan(line))
                else:
                    applier.apply(line)
            self._arrive(waiting, applier, deliveries, done)
            deliveries.end()
            return applier.finish()

    def _arrive(self, waiting: _Waiting, applier: Applier, deliveries: Deliveries, done: Done) -> None:
        """Put lines in whose bytes come together."""
        pairs = waiting.take()
        try:
            with self._writer.bringing() as filler:
                self._fetch(filler, [(line, plan.line) for line, plan in pairs], deliveries, done)
                arrived = _Arrived(filler.publish())
        except Exists:
            # The registry, if it knows of what lies in the way, has the better words for it.
            for _, plan in pairs:
                applier.apply(plan.trial)
            raise
        for line, plan in pairs:
            applier.apply(arrived.line(line, plan.trial))

    # -- many --------------------------------------------------------------------------------------------

    def _bring_many(self, lines: Iterable[Line], deliveries: Deliveries, done: Done) -> Applied:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as planned:
            for line in lines:
                given.write(write(line))
            self._rehearse(_again(given), planned)
            with self._writer.bringing() as filler:
                self._fetch(filler, _Both(given, planned), deliveries, done)
                deliveries.end()
                arrived = _Arrived(filler.publish())
                return self._apply(arrived.line(*pair) for pair in _Both(given, planned))

    def _rehearse(self, lines: Iterable[Line], planned: IO[bytes]) -> None:
        """Put lines in and take them back; write down the same lines with files as they will be here."""
        # Rows alone: what gives way loses its bytes only when it is for good.
        applier = Applier(self._registry, self._conflict, self._owner, None, self._carried.copy())
        with suppress(_Rehearsed), self._registry.transaction():
            for line in lines:
                plan = self._plan(line) if isinstance(line, DatasetsLine) else None
                planned.write(write(line if plan is None else plan.line))
                applier.apply(line if plan is None else plan.trial)
            _take_back()

    # -- bytes -----------------------------------------------------------------------------------------

    def _plan(self, line: DatasetsLine) -> Planned:
        plan = self._planner.plan(line)
        self._types[line.type_name] = self._registry.current().type(line.type_name).type
        return plan

    def _fetch(
        self, filler: Filler, lines: Iterable[tuple[Line, Line]], deliveries: Deliveries, done: Done
    ) -> None:
        for line, plan in lines:
            if not isinstance(line, DatasetsLine) or not isinstance(plan, DatasetsLine):
                continue
            steps = list(self._steps(line, plan))
            deliveries.expect([(name, file) for name, file, places in steps if places])
            for name, file, places in steps:
                if not places:
                    deliveries.pass_by(name, file)
                    continue
                routes = self._planner.routes(self._types[line.type_name], file)
                files = list(zip(routes, [key for _, key in places], strict=False))
                _write(filler, files, file.extension, deliveries.pieces(name, file), done)

    def _steps(self, line: DatasetsLine, plan: DatasetsLine) -> Iterator[tuple[str, FileRow, list[_Place]]]:
        """Give each file that travels with the places where it is wanted."""
        for row, own in zip(line.rows, plan.rows, strict=True):
            targets = _targets(own)
            for file, name in self._names.of(row):
                places = targets.get(file.component, []) if file.part is None else self._shared(file)
                yield name, file, places

    def _shared(self, file: FileRow) -> list[_Place]:
        """Give where a file with many datasets is to be written, the first time."""
        place = self._planner.shared_place(file)
        if place is None or place in self._begun:
            return []
        self._begun.add(place)
        return [place]


def _take_back() -> NoReturn:
    raise _Rehearsed


@dataclass(slots=True)
class _Waiting:
    """Lines of datasets that wait for their bytes, to come together."""

    _pairs: list[tuple[DatasetsLine, Planned]] = field(default_factory=list)
    _sets: set[tuple[str, str]] = field(default_factory=set)

    def lets_pass(self, line: Line) -> bool:
        """Tell whether a line can be seen to before these: it is about no dataset that they may have."""
        if isinstance(line, DatasetsLine):
            return (line.type_name, line.run) not in self._sets
        return not self._pairs

    def add(self, line: DatasetsLine, plan: Planned) -> None:
        """Let a line wait."""
        self._pairs.append((line, plan))
        self._sets.add((line.type_name, line.run))

    def take(self) -> list[tuple[DatasetsLine, Planned]]:
        """Give all, and forget them."""
        pairs, self._pairs = self._pairs, []
        self._sets.clear()
        return pairs


def _few(lines: Iterator[Line]) -> tuple[list[Line], bool]:
    """Give lines as long as they are few, and whether they are all."""
    some: list[Line] = []
    rows = size = 0
    for line in lines:
        some.append(line)
        for row in line.rows if isinstance(line, DatasetsLine) else ():
            rows, size = rows + 1, size + sum(map(size_of, travelling(row)))
        if rows > _FEW_ROWS or size > _FEW_BYTES:
            return some, False
    return some, True


class _Both:
    """The lines of two files, side by side."""

    def __init__(self, given: IO[bytes], planned: IO[bytes]) -> None:
        self._given, self._planned = given, planned

    def __iter__(self) -> Iterator[tuple[Line, Line]]:
        return zip(_again(self._given), _again(self._planned), strict=True)


class _Arrived:
    """Says of planned files what was written; refuses what is not what the manifest says."""

    def __init__(self, written: Mapping[_Place, Content]) -> None:
        self._written = written

    def line(self, given: Line, planned: Line) -> Line:
        """Give a planned line as it is to be put in."""
        if not isinstance(given, DatasetsLine) or not isinstance(planned, DatasetsLine):
            return planned
        pairs = zip(given.rows, planned.rows, strict=True)
        return replace(planned, rows=tuple([self._row(row, own) for row, own in pairs]))

    def _row(self, given: DatasetRow, planned: DatasetRow) -> DatasetRow:
        if planned is given:  # no bytes were wanted
            return planned
        sent = {(file.extension, file.component): file for file in travelling(given)}
        files = [self._file(given, sent.get((own.extension, own.component)), own) for own in planned.files]
        return replace(planned, files=tuple(files))

    def _file(self, row: DatasetRow, sent: FileRow | None, own: FileRow) -> FileRow:
        content = self._written.get((own.store, str(own.key)))
        if content is None:  # a file with many datasets that came with others of them
            return own
        if sent is not None:
            known = (size_of(sent), digest_of(sent) or content.sha256)
            if (content.size, content.sha256) != known:
                found = f"{content.size} bytes with another digest"
                what = f"dataset {row.id}, {own.key!r}"
                raise WrongBytes(what, found, "get the export, or check the repository, again")
        if own.part is not None:
            return replace(own, part=replace(own.part, file_sha256=content.sha256))
        return replace(own, size=content.size, sha256=content.sha256)


def _referring(line: Line, stores: Mapping[str, str]) -> Line:
    if not isinstance(line, DatasetsLine):
        return line
    rows = [replace(row, files=tuple(_here(row, stores))) for row in line.rows]
    return replace(line, rows=tuple(rows))


def _here(row: DatasetRow, stores: Mapping[str, str]) -> Iterator[FileRow]:
    for file in row.files:
        if file.store in stores:
            yield replace(file, store=stores[file.store], owned=False)


def _again(file: IO[bytes]) -> Iterator[Line]:
    """Read lines that were written, from the start."""
    file.seek(0)
    return read_lines(file, "the manifest")


def _targets(own: DatasetRow) -> dict[str | None, list[_Place]]:
    """Give, for each component that travels, where it is to be written; nowhere: it is not wanted."""
    found: dict[str | None, list[_Place]] = {}
    for target in own.files:
        found.setdefault(target.component, []).append((target.store, str(target.key)))
    return found


def _write(
    filler: Filler,
    files: list[tuple[Route, str]],
    extension: str,
    pieces: Iterator[bytes],
    done: Done,
) -> None:
    with filler.create(*files[0]) as file:
        for piece in pieces:
            file.write(piece)
            done(len(piece))
        filler.copy(files[1:], FileSource(file), extension)
