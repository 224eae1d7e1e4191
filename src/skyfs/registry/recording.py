"""What a transaction changes, as lines of the manifest: collected while it runs, logged before its commit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol
from uuid import UUID

from ..model.collection import Collection
from ..model.dataid import Value
from ..model.dataset import DatasetRef, DatasetType, Location
from ..model.element import Element
from ..model.manifest import captured_json, part_json, write
from ..model.manifest_line import (
    MAX_ROWS,
    AttachLine,
    CertifyLine,
    CollectionLine,
    DecertifyLine,
    DigestLine,
    Line,
    RemoveLine,
    RetimeLine,
    TagLine,
    TypeLine,
    UntagLine,
)
from ..model.timespan import Timespan
from .artifacts import follows
from .captured import Values
from .changelog import ChangeLog
from .database import Database
from .keys import DefaultKeys
from .record_lines import to_line

_SPOOL_BYTES = 2**20
_BEGUN, _LOGGED = "log", "logged"


@dataclass(frozen=True, slots=True)
class _Position:
    """How far the lines of a transaction go: those of a part of it that failed are written over."""

    size: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """What datasets of one line have in common."""

    type_name: str
    run: str


class Made(Protocol):
    """A new dataset."""

    @property
    def ref(self) -> DatasetRef:
        """What it is."""

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where its bytes are."""

    @property
    def inputs(self) -> tuple[UUID, ...]:
        """What it was made from."""

    @property
    def captured(self) -> Values:
        """What was read from its bytes."""


class Recorder:
    """Collects the lines of what this thread's transaction changes; without a log it does nothing."""

    def __init__(self, database: Database, log: ChangeLog | None) -> None:
        self._database = database
        self._log = log
        self._keys = DefaultKeys()
        # One transaction writes at a time.
        self._spool: IO[bytes] | None = None
        self.on = log is not None
        if log is not None:
            database.watch(self)

    def add(self, line: Line) -> None:
        """Take a line down, inside of a transaction."""
        if self.on:
            self._write(write(line))

    def collection(self, collection: Collection) -> None:
        """Take down what a collection is now."""
        self.add(CollectionLine(collection))

    def type(self, one: DatasetType) -> None:
        """Take down a new dataset type."""
        flags = (one.storage_class, one.calibration, one.immutable)
        self.add(TypeLine(one.name, one.group.required, *flags, one.capture))

    def side(self, element: Element) -> None:
        """Take down a new side table."""
        columns = tuple((column.name, column.type) for column in element.metadata)
        self.add(AttachLine(element.name, element.requires, columns))

    def records(self, element: Element, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take down records that are new or replaced, as their user knows them."""
        for some in _parts(rows) if self.on else ():
            self.add(to_line(element, some))

    def datasets(self, head: Head, texts: Sequence[str], times: Sequence[int], made: Sequence[Made]) -> None:
        """Take down datasets of one type and RUN that are new, or were declared and have bytes now.

        ``texts`` are their required values, as JSON lists without brackets; ``times`` are milliseconds.
        """
        if self.on:
            rows = zip(texts, times, made, strict=True)
            self._write_rows(head, [self._row(*row) for row in rows])

    def declared(self, head: Head, texts: Sequence[str], times: Sequence[int], ids: Sequence[bytes]) -> None:
        """Take down new datasets without bytes."""
        if self.on:
            rows = zip(texts, times, ids, strict=True)
            self._write_rows(
                head, [f'["{_id(uuid)}",{time},[{text}],[],null,[]]' for text, time, uuid in rows]
            )

    def tagged(self, collection: str, refs: Iterable[DatasetRef], *, out: bool = False) -> None:
        """Take down that datasets were tagged; ``out``: untagged."""
        for some in _parts([ref.id for ref in refs]) if self.on else ():
            kind = UntagLine if out else TagLine
            self.add(kind(collection, tuple(some)))

    def certified(self, collection: str, refs: Iterable[DatasetRef], span: Timespan) -> None:
        """Take down that datasets were certified."""
        for some in _parts([ref.id for ref in refs]) if self.on else ():
            rows = tuple([(one, span.begin_ns, span.end_ns) for one in some])
            self.add(CertifyLine(collection, rows))

    def decertified(
        self, collection: str, type_name: str, span: Timespan, levels: Mapping[str, Value]
    ) -> None:
        """Take down that a range of time was taken out."""
        pairs = tuple(levels.items())
        self.add(DecertifyLine(collection, type_name, span.begin_ns, span.end_ns, pairs))

    def removed(self, ids: Sequence[UUID]) -> None:
        """Take down that datasets were removed."""
        for some in _parts(ids) if self.on else ():
            self.add(RemoveLine(tuple(some)))

    def retimed(self, ref: DatasetRef, mtime_ns: int) -> None:
        """Take down that bytes have another time."""
        self.add(RetimeLine(((ref.id, mtime_ns),)))

    def digested(self, ref_id: UUID, store: str, size: int, sha256: bytes) -> None:
        """Take down the digest of a file that was taken in unread."""
        self.add(DigestLine(((ref_id, store, size, sha256),)))

    # -- what the database calls -----------------------------------------------------------------------

    def committing(self, scratch: dict[str, object]) -> None:
        """Append what was taken down to the log."""
        position = scratch.get(_BEGUN)
        if self._log is not None and self._spool is not None and isinstance(position, _Position):
            scratch[_LOGGED] = self._log.append(self._spool, position.size, position.lines)

    def failed(self, scratch: Mapping[str, object]) -> None:
        """Say in the log that the transaction, if it got so far, was not committed."""
        name = scratch.get(_LOGGED)
        if self._log is not None and isinstance(name, str):
            self._log.undo(name)

    def ended(self) -> None:
        """Forget what was taken down."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def close(self) -> None:
        """Make the log durable."""
        if self._log is not None:
            self._log.sync()

    # Text made by hand takes 5 µs for a dataset (bulk inserts: 15 µs); by way of values it would be 13 µs.
    def _write_rows(self, head: Head, rows: Sequence[str]) -> None:
        start = f'{{"datasets":{{"type":{_text(head.type_name)},"run":{_text(head.run)},"rows":['
        for some in _parts(rows):
            self._write(f"{start}{','.join(some)}]}}}}\n".encode())

    def _row(self, text: str, created_ms: int, made: Made) -> str:
        inputs = ",".join([f'"{one}"' for one in dict.fromkeys(made.inputs)])
        captured = _json(captured_json(made.captured)) if made.captured else "null"
        files = ",".join([self._file(made.ref, place) for place in made.locations])
        return f'["{_id(made.ref.id.bytes)}",{created_ms},[{text}],[{inputs}],{captured},[{files}]]'

    def _file(self, ref: DatasetRef, place: Location) -> str:
        key = "null" if follows(ref, place, self._keys) else _json(place.key)
        part = "null" if place.part is None else _json(part_json(place.part))
        digest = "null" if place.sha256 is None else f'"{place.sha256.hex()}"'
        where = f"[{_text(place.store)},{key},{_text(place.extension)},{place.size},{place.mtime_ns}"
        owned = "true" if place.owned else "false"
        return f"{where},{digest},{owned},{_text(place.component)},{part}]"

    def _write(self, text: bytes) -> None:
        scratch = self._database.scratch
        if scratch is None:
            return
        position = scratch.get(_BEGUN)
        if not isinstance(position, _Position):
            # That of a savepoint that failed, or of a parent process, is no longer wanted.
            self.ended()
            position = _Position()
        if self._spool is None:
            self._spool = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - `ended` closes it
        self._spool.seek(position.size)
        self._spool.write(text)
        scratch[_BEGUN] = _Position(position.size + len(text), position.lines + 1)


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), MAX_ROWS):
        yield rows[start : start + MAX_ROWS]


def _id(uuid: bytes) -> str:
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=1_000)
def _text(text: str | None) -> str:
    return _json(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
