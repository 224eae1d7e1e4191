"""What JSON of a manifest's lines must look like: strict, because anybody may have written it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from ..errors import BadDefinition, VersionError
from .capture import Scalar, check_capture
from .collection import Collection, CollectionKind, check_collection_name
from .dataid import Value
from .dataset import Part
from .element import ColumnType
from .manifest_line import (
    MAX_ROWS,
    VERSION,
    AttachLine,
    CertifyLine,
    ClearLine,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    DecertifyLine,
    DetachLine,
    DigestLine,
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
from .quoting import shown

_INT64 = 2**63
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EXTENSION = re.compile(r"(?:\.[a-z][a-z0-9]*)*")
_COLUMN_TYPES: Mapping[str, ColumnType] = {
    "int": "int",
    "float": "float",
    "string": "string",
    "bool": "bool",
    "bytes": "bytes",
}
_FLOATS = {repr(value): value for value in (math.inf, -math.inf)}


# -- pieces --------------------------------------------------------------------------------------------


def _bad(what: str, value: object) -> BadDefinition:
    return BadDefinition(f"{what} is {shown(value)}")


def _text(value: object, what: str) -> str:
    if type(value) is not str or "\0" in value:
        raise _bad(what, value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _bad(what, value) from None
    return value


def _whole(value: object, what: str) -> int:
    if type(value) is not int or not -_INT64 <= value < _INT64:
        raise _bad(what, value)
    return value


def _count(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value < _INT64:
        raise _bad(what, value)
    return value


def _bound(value: object, what: str) -> int | None:
    return None if value is None else _whole(value, what)


def _flag(value: object, what: str) -> bool:
    if type(value) is not bool:
        raise _bad(what, value)
    return value


def _listed(value: object, what: str) -> list[Any]:
    if type(value) is not list:
        raise _bad(what, value)
    return value


def _rows(value: object) -> list[Any]:
    rows = _listed(value, "rows")
    if len(rows) > MAX_ROWS:
        raise BadDefinition(f"{len(rows)} rows, {MAX_ROWS} are allowed")
    return rows


def _texts(value: object, what: str) -> tuple[str, ...]:
    return tuple([_text(one, what) for one in _listed(value, what)])


def _id(value: object) -> UUID:
    if type(value) is not str or not _ID.fullmatch(value):
        raise _bad("an id", value)
    return UUID(value)


def _ids(value: object) -> tuple[UUID, ...]:
    return tuple([_id(one) for one in _rows(value)])


def _digest(value: object) -> bytes | None:
    if value is None:
        return None
    if type(value) is not str or not _DIGEST.fullmatch(value):
        raise _bad("sha256", value)
    return bytes.fromhex(value)


def _body(value: object, *names: str) -> dict[str, Any]:
    """Give an object that has exactly these keys."""
    if type(value) is not dict:
        raise _bad("the line", value)
    unknown = value.keys() - set(names)
    if unknown:
        raise BadDefinition(f"unknown {shown(min(unknown))}")
    for name in names:
        if name not in value:
            raise KeyError(name)
    return value


def _name(value: object) -> str:
    return check_collection_name(_text(value, "the collection"))


def _value(value: object) -> Value:
    return value if type(value) is str and "\0" not in value else _whole(value, "a value of a data ID")


# -- lines ---------------------------------------------------------------------------------------------


def _header(value: object) -> Header:
    if type(value) is not dict:
        raise _bad("the header", value)
    more = dict(value)
    version = more.pop("manifest", None)
    if type(version) is not int:
        raise _bad("manifest", version)
    if version != VERSION:
        todo = "use a newer version of skyfs"
        raise VersionError("a manifest", f"version {version}, this skyfs knows {VERSION}", todo)
    return Header(_text(more.pop("repository"), "repository"), _text(more.pop("at"), "at"), more)


def _universe(value: object) -> UniverseLine:
    if type(value) is not dict:
        raise _bad("the universe", value)
    return UniverseLine(value)


def _type(value: object) -> TypeLine:
    body = _body(value, "name", "dimensions", "storage_class", "calibration", "immutable", "capture")
    capture = [_texts(pair, "capture") for pair in _listed(body["capture"], "capture")]
    for name, source in capture:
        check_capture(name, source)
    return TypeLine(
        _text(body["name"], "name"),
        _texts(body["dimensions"], "dimensions"),
        _text(body["storage_class"], "storage_class"),
        _flag(body["calibration"], "calibration"),
        _flag(body["immutable"], "immutable"),
        tuple([(name, source) for name, source in capture]),
    )


def _collection(value: object) -> CollectionLine:
    body = _body(value, "name", "kind", "owner", "locked", "doc", "children")
    children = tuple([_name(child) for child in _listed(body["children"], "children")])
    kind = CollectionKind(body["kind"])
    if children and kind is not CollectionKind.CHAINED:
        raise BadDefinition(f"a {kind} with children")
    flags = (_text(body["owner"], "owner"), _flag(body["locked"], "locked"), _text(body["doc"], "doc"))
    return CollectionLine(Collection(_name(body["name"]), kind, children, *flags))


def _attach(value: object) -> AttachLine:
    body = _body(value, "name", "requires", "columns")
    pairs = [_texts(pair, "a column") for pair in _listed(body["columns"], "columns")]
    columns = tuple([(name, _COLUMN_TYPES[kind]) for name, kind in pairs])
    return AttachLine(_text(body["name"], "name"), _texts(body["requires"], "requires"), columns)


def _records(value: object) -> RecordsLine:
    body = _body(value, "element", "columns", "rows")
    columns = _texts(body["columns"], "columns")
    if len(set(columns)) < len(columns):
        raise BadDefinition("a column stands twice")
    rows = tuple([tuple(_listed(row, "a row")) for row in _rows(body["rows"])])
    if any(len(row) != len(columns) for row in rows):
        raise BadDefinition("a row has more or fewer values than there are columns")
    return RecordsLine(_text(body["element"], "element"), columns, rows)


def _datasets(value: object) -> DatasetsLine:
    body = _body(value, "type", "run", "rows")
    rows = tuple([_dataset(row) for row in _rows(body["rows"])])
    return DatasetsLine(_text(body["type"], "type"), _name(body["run"]), rows)


def _dataset(row: object) -> DatasetRow:
    uuid, created_ms, values, inputs, captured, files = _listed(row, "a dataset")
    return DatasetRow(
        _id(uuid),
        _whole(created_ms, "created_ms"),
        tuple([_value(one) for one in _listed(values, "values")]),
        tuple([_id(one) for one in _listed(inputs, "inputs")]),
        () if captured is None else _captured(captured),
        tuple([_file(file) for file in _listed(files, "files")]),
    )


def _captured(value: object) -> tuple[tuple[str, Scalar], ...]:
    if type(value) is not dict:
        raise _bad("captured", value)
    return tuple([(_text(name, "captured"), _scalar(one)) for name, one in value.items()])


def _scalar(value: object) -> Scalar:
    if type(value) in (bool, float):
        return value  # type: ignore[return-value]
    if type(value) is list and len(value) == 1 and value[0] in _FLOATS:
        return _FLOATS[value[0]]
    return _text(value, "captured") if type(value) is str else _whole(value, "captured")


def _file(row: object) -> FileRow:
    store, key, extension, size, mtime_ns, sha256, owned, component, part = _listed(row, "a file")
    if type(extension) is not str or not _EXTENSION.fullmatch(extension):
        raise _bad("an extension", extension)
    return FileRow(
        _text(store, "a store"),
        None if key is None else check_key(_text(key, "a key")),
        extension,
        _count(size, "size"),
        _whole(mtime_ns, "mtime_ns"),
        _digest(sha256),
        _flag(owned, "owned"),
        None if component is None else _text(component, "component"),
        None if part is None else _part(part),
    )


def check_key(key: str) -> str:
    """Give a key back when it stays below the root of its store."""
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        raise _bad("a key", key)
    return key


def _part(row: object) -> Part:
    hdu, head, start, file_size, file_sha256 = _listed(row, "a part")
    numbers = (_count(hdu, "hdu"), _count(head, "head"), _count(start, "start"))
    return Part(*numbers, _count(file_size, "file_size"), _digest(file_sha256))


def _tag(value: object) -> TagLine:
    body = _body(value, "collection", "ids")
    return TagLine(_name(body["collection"]), _ids(body["ids"]))


def _untag(value: object) -> UntagLine:
    body = _body(value, "collection", "ids")
    return UntagLine(_name(body["collection"]), _ids(body["ids"]))


def _certify(value: object) -> CertifyLine:
    body = _body(value, "collection", "rows")
    rows = []
    for row in _rows(body["rows"]):
        uuid, begin, end = _listed(row, "a row")
        rows.append((_id(uuid), *_span(begin, end)))
    return CertifyLine(_name(body["collection"]), tuple(rows))


def _span(begin: object, end: object) -> tuple[int | None, int | None]:
    first, last = _bound(begin, "begin"), _bound(end, "end")
    if first is not None and last is not None and first >= last:
        raise BadDefinition(f"a range from {first} to {last}")
    return first, last


def _decertify(value: object) -> DecertifyLine:
    body = _body(value, "collection", "type", "begin", "end", "levels")
    levels = body["levels"]
    if type(levels) is not dict:
        raise _bad("levels", levels)
    pairs = tuple([(_text(name, "levels"), _value(one)) for name, one in levels.items()])
    span = _span(body["begin"], body["end"])
    return DecertifyLine(_name(body["collection"]), _text(body["type"], "type"), *span, pairs)


def _retime(value: object) -> RetimeLine:
    rows = []
    for row in _rows(value):
        uuid, mtime_ns = _listed(row, "a row")
        rows.append((_id(uuid), _whole(mtime_ns, "mtime_ns")))
    return RetimeLine(tuple(rows))


def _digests(value: object) -> DigestLine:
    rows = []
    for row in _rows(value):
        uuid, store, size, sha256 = _listed(row, "a row")
        digest = _digest(sha256)
        if digest is None:
            raise _bad("sha256", sha256)
        rows.append((_id(uuid), _text(store, "store"), _count(size, "size"), digest))
    return DigestLine(tuple(rows))


def _rebase(value: object) -> RebaseLine:
    body = _body(value, "store", "old", "new")
    folders = [check_key(_text(body[name], name)) for name in ("old", "new")]
    return RebaseLine(_text(body["store"], "store"), *folders)


def _transaction(value: object) -> TransactionLine:
    body = _body(value, "id", "at", "lines")
    return TransactionLine(_text(body["id"], "id"), _whole(body["at"], "at"), _count(body["lines"], "lines"))


READERS: Mapping[str, Callable[[object], Line]] = {
    "skyfs": _header,
    "universe": _universe,
    "type": _type,
    "collection": _collection,
    "attach": _attach,
    "detach": lambda value: DetachLine(_text(value, "detach")),
    "records": _records,
    "datasets": _datasets,
    "tag": _tag,
    "untag": _untag,
    "certify": _certify,
    "decertify": _decertify,
    "remove": lambda value: RemoveLine(_ids(value)),
    "clear": lambda value: ClearLine(_name(value)),
    "drop": lambda value: DropLine(_name(value)),
    "retime": _retime,
    "digest": _digests,
    "rebase": _rebase,
    "transaction": _transaction,
    "undone": lambda value: UndoneLine(_text(value, "undone")),
}
