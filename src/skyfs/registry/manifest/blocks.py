"""Change logs read again: whole blocks in the order in which they were committed.

Blocks of one machine are in that order; those of several machines are put together by their times.
"""

from __future__ import annotations

import heapq
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import IO

from ...errors import BadContent
from ...model.manifest import MAX_LINE_BYTES, parse, whole_line, write
from ...model.manifest_line import Header, Line, UniverseLine
from ..changelog import FOLDER, SUFFIX

WHOLE = f"whole{SUFFIX}"
"""A description of all that the registry held when it was written; logs go on from there."""

_HEAD = (b'{"skyfs":', b'{"universe":')
_ROOM = b" " * 48
_MARKS = (b'{"transaction":', b'{"undone":', b'{"closed":')
_PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Block:
    """What one transaction has changed.

    Attributes
    ----------
    at_ns
        When it was committed.
    by
        Who wrote it: a name of its own for each time that a process opens a log.
    in_doubt
        Whether it may be that it was never committed: nothing says what came of its writer.
    """

    id: str
    at_ns: int
    by: str
    path: Path
    start: int
    size: int
    crc: int
    in_doubt: bool = False

    def lines(self) -> Iterator[Line]:
        """Give its lines; raises BadContent."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            while (at := file.tell() - self.start) < self.size:
                text = file.readline(MAX_LINE_BYTES + 1)
                yield parse(text, f"{self.path.name}, byte {self.start + at}")


@dataclass(frozen=True, slots=True)
class _Mark:
    """``undone`` or ``closed``, and whose."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class _Torn:
    """What is neither a whole block nor a mark."""

    start: int
    what: str


@dataclass(slots=True)
class Seen:
    """What all lines after the first are together: so that none is lost, or changed, unseen."""

    lines: int = 0
    crc: int = 0

    def add(self, text: bytes) -> None:
        """Take one line more."""
        self.lines += 1
        if self.lines > 1:
            self.crc = zlib.crc32(text, self.crc)

    @property
    def told(self) -> list[int]:
        """What the first line says of the others."""
        return [self.lines, self.crc]

    def agrees(self, told: object) -> bool:
        """Tell whether this is what the first line, if it says anything, says."""
        return told is None or told == self.told


def write_whole(lines: Iterable[Line], file: IO[bytes]) -> None:
    """Write a description whose first line says what all others are together."""
    seen, first = Seen(), None
    for line in lines:
        text = write(line)
        if first is None and isinstance(line, Header):
            first, text = line, text[:-1] + _ROOM + b"\n"
        file.write(text)
        seen.add(text)
    if first is not None:
        size = len(write(first)) + len(_ROOM) - 1
        told = write(replace(first, more={**first.more, "content": seen.told}))[:-1]
        file.seek(0)
        file.write(told.ljust(size) + b"\n")


@dataclass(slots=True)
class Past:
    """All that the manifests of a repository tell.

    Attributes
    ----------
    whole
        The description that logs go on from; None when there is none.
    logs
        The logs to be read after it.
    universe
        The dimensions; None when no file could be read.
    complete
        Whether it tells of all that the registry ever held.
    damaged
        Files, and what of them cannot be read.
    """

    whole: Path | None = None
    logs: list[Path] = field(default_factory=list)
    universe: Mapping[str, object] | None = None
    complete: bool = False
    damaged: list[str] = field(default_factory=list)
    _undone: set[str] = field(default_factory=set)
    _last: dict[str, str] = field(default_factory=dict)
    _ending: object = None

    @classmethod
    def of(cls, root: Path) -> Past:
        """Look through all manifests of a repository, once, without keeping more than their ends."""
        past, folder = cls(), root / FOLDER
        replaced: set[str] = set()
        whole = folder / WHOLE
        if whole.is_file():
            past.whole, past.complete = whole, True
            more = past._begin(whole)
            past._ending = more.get("content")
            replaced = set(_texts(more.get("replaces")))
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path != whole and path.name not in replaced:
                past.logs.append(path)
                past.complete |= bool(past._begin(path).get("whole"))
                past._survey(path)
        return past

    def blocks(self) -> Iterator[Block]:
        """Give all that was committed, or may have been, in order."""
        yield from heapq.merge(*map(self._blocks, self.logs), key=attrgetter("at_ns"))

    def described(self) -> Iterator[Line]:
        """Give the lines of the description, but for those that are damaged."""
        if self.whole is None:
            return
        seen = Seen()
        with self.whole.open("rb") as file:
            while text := file.readline(MAX_LINE_BYTES + 1):
                seen.add(text)
                try:
                    yield whole_line(text, f"{self.whole.name}, line {seen.lines}")
                except BadContent as error:
                    self.damaged.append(f"{error}; all other lines are taken")
        if not seen.agrees(self._ending):
            self.damaged.append(
                f"{self.whole.name}: it is not what was written: lines are missing or changed"
            )

    def _begin(self, path: Path) -> Mapping[str, object]:
        """Read what a file begins with; give what its header says."""
        with path.open("rb") as file:
            header, universe = _head_line(file, path), _head_line(file, path)
        if isinstance(universe, UniverseLine) and self.universe is None:
            self.universe = universe.mapping
        return header.more if isinstance(header, Header) else {}

    def _survey(self, path: Path) -> None:
        for found in _events(path):
            if isinstance(found, Block):
                self._last[found.by] = found.id
            elif isinstance(found, _Torn):
                self.damaged.append(f"{path.name}, byte {found.start}: {found.what}")
            elif found.kind == "undone":
                self._undone.add(found.name)
            else:
                self._last.pop(found.name, None)

    def _blocks(self, path: Path) -> Iterator[Block]:
        doubtful = set(self._last.values())
        for found in _events(path):
            if isinstance(found, Block) and found.id not in self._undone:
                yield found if found.id not in doubtful else replace(found, in_doubt=True)


def _head_line(file: IO[bytes], path: Path) -> Line | None:
    text = file.readline(MAX_LINE_BYTES)
    try:
        return parse(text, path.name)
    except BadContent:
        return None


def _events(path: Path) -> Iterator[Block | _Mark | _Torn]:
    """Give the whole blocks and the marks of a log, and where something else stands."""
    with path.open("rb") as file:
        torn = False
        while text := file.readline(_PIECE_BYTES):
            start = file.tell() - len(text)
            found = _event(text, file, path)
            # What follows a torn head may be the next block; of its lines the first is told.
            if found is not None:
                yield found
            elif not torn and text.strip() and not text.startswith(_HEAD):
                yield _Torn(start, "what stands there is no whole change: it was not committed, or is lost")
            torn = found is None and (torn or bool(text.strip()))
            if isinstance(found, Block):
                file.seek(found.start + found.size)


def _event(text: bytes, file: IO[bytes], path: Path) -> Block | _Mark | None:
    if not text.startswith(_MARKS):
        return None
    start = file.tell()
    found = _read(text, path, start)
    if isinstance(found, Block) and not _is_whole(file, found):
        file.seek(start)
        return None
    return found


def _read(text: bytes, path: Path, start: int) -> Block | _Mark | None:
    try:
        ((kind, value),) = json.loads(text).items()
        if isinstance(value, str):
            return _Mark(kind, value)
        numbers = (int(value["at"]), str(value["by"]), path, start, int(value["bytes"]), int(value["crc"]))
        return Block(str(value["id"]), *numbers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _is_whole(file: IO[bytes], block: Block) -> bool:
    left, crc = block.size, 0
    while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
        crc, left = zlib.crc32(piece, crc), left - len(piece)
    return left == 0 and crc == block.crc


def _texts(value: object) -> Iterable[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else ()
