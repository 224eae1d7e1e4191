"""A document → the entries of an export."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from uuid import UUID

from ..errors import BadArgument, VersionError
from ..model.collection import Collection, CollectionKind
from ..model.quoting import shown
from ..model.timespan import Timespan
from .document import parse
from .entries import AssociationsEntry, CollectionEntry, DatasetsEntry, Export, File, RecordsEntry, TypeEntry
from .shapes import (
    Fields,
    bad,
    dataset_id,
    dataset_ids,
    flag,
    mapping,
    mappings,
    one_or_more,
    sequence,
    text,
    texts,
    value,
)
from .tags import span

_VERSION = re.compile(r"1\.0\.\d{1,9}", re.ASCII)


def read_export(document: str, origin: str) -> Export:
    """Read the text of an export.

    Parameters
    ----------
    document
        The YAML.
    origin
        Its name, for messages.

    Raises
    ------
    BadContent
        When it is no export, or an entry is not well formed.
    VersionError
        When its format is of a version that is not known.
    """
    fields = mapping(parse(document, origin), origin, "the document")
    _check_version(fields, origin)
    export = Export(
        _universe_version(fields, origin),
        text(fields, "universe_namespace", origin) if "universe_namespace" in fields else "daf_butler",
    )
    for number, entry in enumerate(mappings(fields, "data", origin), 1):
        where = f"{origin}: entry {number}"
        kind = text(entry, "type", where)
        if kind not in _KINDS:
            raise bad(where, f"type: {shown(kind)}", f"one of {', '.join(_KINDS)}")
        _KINDS[kind](export, entry, where)
    return export


def _check_version(fields: Fields, origin: str) -> None:
    found = value(fields, "version", origin)
    # The integer 0 is what was written before there were versions, and means 1.0.0.
    if (isinstance(found, str) and _VERSION.fullmatch(found)) or (found == 0 and type(found) is int):
        return
    raise VersionError(f"import {origin}", f"its format is version {shown(found)}", "1.0.x can be read")


def _universe_version(fields: Fields, origin: str) -> int:
    found = fields.get("universe_version", 0)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise bad(origin, f"universe_version: {shown(found)}", "a whole number is wanted")
    return found


def _records(export: Export, entry: Fields, where: str) -> None:
    element = text(entry, "element", where)
    where = f"{where} (dimension {element})"
    records = [_record(one, where) for one in mappings(entry, "records", where)]
    export.records.append(RecordsEntry(where, element, records))


def _record(given: Fields, where: str) -> dict[str, object]:
    """Bring begin and end of a record together."""
    record = dict(given)
    if "datetime_begin" in record or "datetime_end" in record:
        ends = [value(record, f"datetime_{end}", where) for end in ("begin", "end")]
        try:
            record["timespan"] = span(*ends)
        except BadArgument as error:
            raise bad(f"{where}, {_named(given)}", str(error)) from None
        del record["datetime_begin"], record["datetime_end"]
    return record


def _named(record: Fields) -> str:
    keys = [name for name in ("instrument", "id", "name") if name in record]
    return f"the record {', '.join(f'{name}={record[name]}' for name in keys)}"


def _run(export: Export, entry: Fields, where: str) -> None:
    name = text(entry, "name", where)
    export.collections.append(
        CollectionEntry(f"{where} (run {name})", Collection(name, CollectionKind.RUN, doc=_doc(entry, where)))
    )


def _collection(export: Export, entry: Fields, where: str) -> None:
    name = text(entry, "name", where)
    where = f"{where} (collection {name})"
    kind = _kind(entry, where)
    children: tuple[str, ...] = ()
    if kind is CollectionKind.CHAINED:
        children = tuple(_child(one, where) for one in sequence(entry, "children", where))
    found = Collection(name, kind, children, doc=_doc(entry, where))
    export.collections.append(CollectionEntry(where, found))


def _child(found: object, where: str) -> str:
    # Old exports have pairs: the child, and which types are looked for in it.
    name = found[0] if isinstance(found, list) and len(found) == 2 else found
    if not isinstance(name, str):
        raise bad(where, f"the child {shown(found)}", "a name is wanted")
    return name


def _kind(entry: Fields, where: str) -> CollectionKind:
    name = text(entry, "collection_type", where)
    if name not in CollectionKind.__members__:
        raise bad(where, f"collection_type: {shown(name)}", f"one of {', '.join(CollectionKind)}")
    return CollectionKind[name]


def _doc(entry: Fields, where: str) -> str:
    return text(entry, "doc", where) if entry.get("doc") else ""


def _type(export: Export, entry: Fields, where: str) -> None:
    name = text(entry, "name", where)
    where = f"{where} (dataset type {name})"
    dimensions, storage_class = texts(entry, "dimensions", where), text(entry, "storage_class", where)
    found = TypeEntry(where, name, dimensions, storage_class, flag(entry, "is_calibration", where))
    export.types.append(found)


def _datasets(export: Export, entry: Fields, where: str) -> None:
    name, run = text(entry, "dataset_type", where), text(entry, "run", where)
    where = f"{where} (datasets {name} in {run})"
    all_ids: list[UUID] = []
    all_data_ids: list[Fields] = []
    files: list[File] = []
    for record in mappings(entry, "records", where):
        ids, data_ids = (one_or_more(record, field, where) for field in ("dataset_id", "data_id"))
        if len(ids) != len(data_ids):
            raise bad(where, f"{len(ids)} ids for {len(data_ids)} data IDs", "as many as datasets are wanted")
        first = len(all_ids)
        all_ids += [dataset_id(one, where) for one in ids]
        all_data_ids += [mapping(one, where, "a data ID") for one in data_ids]
        if record.get("path") is not None:
            files.append(File(text(record, "path", where), first, len(all_ids)))
    export.datasets.append(DatasetsEntry(where, name, run, all_ids, all_data_ids, files))


def _associations(export: Export, entry: Fields, where: str) -> None:
    name = text(entry, "collection", where)
    where = f"{where} (associations of {name})"
    kind = _kind(entry, where)
    ids: list[tuple[Timespan | None, list[UUID]]] = []
    if kind is CollectionKind.TAGGED:
        ids.append((None, dataset_ids(entry, "dataset_ids", where)))
    elif kind is CollectionKind.CALIBRATION:
        ranges = mappings(entry, "validity_ranges", where)
        ids += [(_validity(one, where), dataset_ids(one, "dataset_ids", where)) for one in ranges]
    else:
        raise bad(where, f"collection_type: {kind}", "TAGGED and CALIBRATION ones have associations")
    export.associations.append(AssociationsEntry(where, name, ids))


def _validity(fields: Fields, where: str) -> Timespan:
    if "timespan" in fields:
        found = fields["timespan"]
        if not isinstance(found, Timespan):
            raise bad(where, f"timespan: {shown(found)}", "!lsst.daf.butler.Timespan is wanted")
        return found
    try:
        return span(value(fields, "begin", where), value(fields, "end", where))
    except BadArgument as error:
        raise bad(where, str(error)) from None


_KINDS: Mapping[str, Callable[[Export, Fields, str], None]] = {
    "dimension": _records,
    "run": _run,
    "collection": _collection,
    "dataset_type": _type,
    "dataset": _datasets,
    "associations": _associations,
}
