"""Lines of a manifest ↔ their text: UTF-8 JSON, one object a line, with the one key that names what it is.

::

    {"skyfs": {"manifest": 1, "repository": NAME, "at": "2026-11-29T05:00:00Z"}}
    {"universe": {...}}
    {"type": {"name", "dimensions", "storage_class", "calibration", "immutable", "capture"}}
    {"collection": {"name", "kind", "owner", "locked", "doc", "children"}}
    {"attach": {"name", "requires", "columns"}}   {"detach": NAME}
    {"records": {"element", "columns", "rows"}}
    {"datasets": {"type", "run", "rows": [[uuid, created_ms, [values], [inputs], {captured}|null, [files]]]}}
        file: [store, key|null, extension, size, mtime_ns, sha256|null, owned, component|null, part|null]
        part: [hdu, head, start, file_size, file_sha256|null]
    {"tag": {"collection", "ids"}}   {"untag": {"collection", "ids"}}
    {"certify": {"collection", "rows": [[uuid, begin_ns|null, end_ns|null]]}}
    {"decertify": {"collection", "type", "begin", "end", "levels"}}
    {"remove": [uuid]}   {"clear": COLLECTION}   {"drop": COLLECTION}   {"retime": [[uuid, mtime_ns]]}
    {"rebase": {"store", "old", "new"}}
    {"transaction": {"id", "at", "lines"}}   {"undone": ID}

What is read may come from anybody: every line is checked before anything is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NoReturn, Protocol

from ..errors import BadContent, VersionError
from .capture import Scalar
from .dataset import Part
from .manifest_line import (
    VERSION,
    AttachLine,
    CertifyLine,
    ClearLine,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    DecertifyLine,
    DetachLine,
    DropLine,
    FileRow,
    Header,
    Line,
    RebaseLine,
    RecordsLine,
    RemoveLine,
    RetimeLine,
    TagLine,
    TransactionLine,
    TypeLine,
    UndoneLine,
    UniverseLine,
    UntagLine,
)
from .manifest_reading import READERS
from .quoting import shown

MAX_LINE_BYTES = 64 * 2**20
"""A longer line is refused: a thousand rows with regions of a thousand corners have 40 MB."""


def parse(text: str | bytes, where: str) -> Line:
    """Read a line; ``where`` names it in messages.

    Raises
    ------
    BadContent
        When it is not well formed.
    VersionError
        When the manifest is of a later version.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadContent(where, f"not JSON: {error}", "the manifest is damaged, or is none") from None
    if not isinstance(found, dict) or len(found) != 1:
        raise BadContent(where, "not an object with one key", "the manifest is damaged, or is none")
    ((name, value),) = found.items()
    reader = READERS.get(name)
    if reader is None:
        raise BadContent(where, f"a line of the unknown kind {shown(name)}", "use a newer version of skyfs")
    try:
        return reader(value)
    except VersionError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadContent(f"{where}, {name}", _reason(error), "the manifest is damaged, or is none") from None


class Lines(Protocol):
    """What lines are read from: a file, or a stream."""

    def readline(self, size: int, /) -> bytes:
        """Give a line, or as much of it as ``size`` allows."""


def read_lines(file: Lines, origin: str) -> Iterator[Line]:
    """Read all lines of a file, one at a time; raises as `parse`, also for a last line that is cut."""
    number = 0
    while text := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield whole_line(text, f"{origin}, line {number}")


def whole_line(text: bytes, where: str) -> Line:
    """Read a line with its end; raises as `parse`, also when it has none."""
    if len(text) > MAX_LINE_BYTES:
        raise BadContent(where, f"over {MAX_LINE_BYTES} bytes", "the manifest is damaged, or is none")
    if not text.endswith(b"\n"):
        raise BadContent(where, "it is cut", "the manifest is incomplete: get all of it")
    return parse(text, where)


def write(line: Line) -> bytes:
    """Give the text of a line, with its end.

    Raises
    ------
    BadContent
        When a text in it cannot be written as UTF-8.
    """
    name, writer = _WRITERS[type(line)]
    text = json.dumps({name: writer(line)}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError as error:
        raise BadContent(f"manifest line {name!r}", str(error)) from None


def write_lines(lines: Iterable[Line], file: IO[bytes]) -> int:
    """Write lines one after the other; give how many bytes."""
    total = 0
    for line in lines:
        text = write(line)
        file.write(text)
        total += len(text)
    return total


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r}"
    found: str = getattr(error, "found", "")
    return f"{error.args[0]}: {found}" if found else str(error)


# -- writing -------------------------------------------------------------------------------------------


def _header(line: Header) -> object:
    return {"manifest": VERSION, "repository": line.repository, "at": line.at, **line.more}


def _type(line: TypeLine) -> object:
    capture = [list(pair) for pair in line.capture]
    return {
        "name": line.name,
        "dimensions": line.dimensions,
        "storage_class": line.storage_class,
        "calibration": line.calibration,
        "immutable": line.immutable,
        "capture": capture,
    }


def _collection(line: CollectionLine) -> object:
    one = line.collection
    flags = {"owner": one.owner, "locked": one.locked, "doc": one.doc}
    return {"name": one.name, "kind": str(one.kind), **flags, "children": one.children}


def _datasets(line: DatasetsLine) -> object:
    return {"type": line.type_name, "run": line.run, "rows": [_dataset(row) for row in line.rows]}


def _dataset(row: DatasetRow) -> list[object]:
    inputs = [str(one) for one in row.inputs]
    captured = captured_json(row.captured) or None
    return [str(row.id), row.created_ms, row.values, inputs, captured, [_file(file) for file in row.files]]


def captured_json(values: Iterable[tuple[str, Scalar]]) -> dict[str, object]:
    """Give captured values as JSON has them."""
    return {name: _scalar(value) for name, value in values}


def _scalar(value: object) -> object:
    # JSON has no infinity; a list, because a text would be a text.
    return [repr(value)] if isinstance(value, float) and value - value != 0 else value


def _file(row: FileRow) -> list[object]:
    where = [row.store, row.key, row.extension, row.size, row.mtime_ns, _hex(row.sha256), row.owned]
    return [*where, row.component, None if row.part is None else part_json(row.part)]


def part_json(part: Part) -> list[object]:
    """Give a part of a file as JSON has it."""
    return [part.hdu, part.head, part.start, part.file_size, _hex(part.file_sha256)]


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()


def _members(line: TagLine | UntagLine) -> object:
    return {"collection": line.collection, "ids": [str(one) for one in line.ids]}


def _decertify(line: DecertifyLine) -> object:
    span = {"begin": line.begin_ns, "end": line.end_ns}
    return {"collection": line.collection, "type": line.type_name, **span, "levels": dict(line.levels)}


_Writer = Callable[[Any], object]
_WRITERS: dict[type, tuple[str, _Writer]] = {
    Header: ("skyfs", _header),
    UniverseLine: ("universe", lambda line: line.mapping),
    TypeLine: ("type", _type),
    CollectionLine: ("collection", _collection),
    AttachLine: (
        "attach",
        lambda line: {"name": line.name, "requires": line.requires, "columns": line.columns},
    ),
    DetachLine: ("detach", lambda line: line.name),
    RecordsLine: (
        "records",
        lambda line: {"element": line.element, "columns": line.columns, "rows": line.rows},
    ),
    DatasetsLine: ("datasets", _datasets),
    TagLine: ("tag", _members),
    UntagLine: ("untag", _members),
    CertifyLine: (
        "certify",
        lambda line: {"collection": line.collection, "rows": [[str(one), *span] for one, *span in line.rows]},
    ),
    DecertifyLine: ("decertify", _decertify),
    RemoveLine: ("remove", lambda line: [str(one) for one in line.ids]),
    ClearLine: ("clear", lambda line: line.collection),
    DropLine: ("drop", lambda line: line.collection),
    RetimeLine: ("retime", lambda line: [[str(one), mtime_ns] for one, mtime_ns in line.rows]),
    RebaseLine: ("rebase", lambda line: {"store": line.store, "old": line.old, "new": line.new}),
    TransactionLine: (
        "transaction",
        lambda line: {"id": line.id, "at": line.at_ns, "lines": line.lines},
    ),
    UndoneLine: ("undone", lambda line: line.id),
}
