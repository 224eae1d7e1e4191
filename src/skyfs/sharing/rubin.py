"""Lines of a manifest → the YAML export of a Rubin data butler, written as it comes.

The text is written by hand: YAML libraries take a hundred times as long. What the butler has no word for is
left out: captured values, provenance, side tables, owners, and datasets without bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO
from uuid import UUID

from ..errors import Unsupported
from ..model.collection import Collection, CollectionKind
from ..model.dimensions import DimensionGroup, Universe
from ..model.manifest_line import (
    CertifyLine,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    FileRow,
    Line,
    RecordsLine,
    TagLine,
    TypeLine,
)
from .travelling import travelling

_FORMATTERS = "lsst.daf.butler.formatters"
_OBS = "lsst.obs.base.formatters.fitsExposure"
# Storage class and formatter of the butler, for ours and an extension.
_KINDS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Dict", ".json"): ("StructuredDataDict", f"{_FORMATTERS}.json.JsonFormatter"),
    ("Dict", ".yaml"): ("StructuredDataDict", f"{_FORMATTERS}.yaml.YamlFormatter"),
    ("Table", ".parquet"): ("ArrowAstropy", f"{_FORMATTERS}.parquet.ParquetFormatter"),
    ("Table", ".ecsv"): ("AstropyTable", f"{_FORMATTERS}.astropyTable.AstropyTableFormatter"),
    ("Image", ".fits"): ("ImageF", f"{_OBS}.FitsImageFormatter"),
    ("Exposure", ".fits"): ("ExposureF", f"{_OBS}.FitsExposureFormatter"),
}
_REGIONS = {
    "c": "Circle",
    "e": "Ellipse",
    "b": "Box",
    "p": "ConvexPolygon",
    "u": "UnionRegion",
    "i": "IntersectionRegion",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# YAML wants these escaped, and JSON does not.
_UNPRINTABLE = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff\u2028\u2029\ufeff]")

# A butler knows bands from their filters alone.
_WITHOUT_RECORDS = frozenset(("band",))

Locate = Callable[[FileRow], str]
"""Gives the path or URL of a file."""


class RubinExport:
    """Writes an export.

    Parameters
    ----------
    universe
        That of the butler.
    locate
        Gives paths and URLs of files.
    """

    def __init__(self, universe: Universe, locate: Locate, file: IO[bytes]) -> None:
        self._universe = universe
        self._locate = locate
        self._file = file
        self._types: dict[str, TypeLine] = {}
        self._collections: set[str] = set()
        self._writers: Mapping[type, Callable[..., Iterable[str]]] = {
            RecordsLine: self._records,
            CollectionLine: self._collection,
            TypeLine: self._type,
            DatasetsLine: self._datasets,
            TagLine: self._tags,
            CertifyLine: self._validity,
        }
        self._written: set[str] = set()
        self._left_out: set[UUID] = set()
        self.datasets = 0

    def write(self, lines: Iterable[Line]) -> int:
        """Write all lines; give how many datasets they have.

        Raises
        ------
        Unsupported
            When the butler has no storage class, or no way to read the files, of a type; or other dimensions.
        """
        self._put(self._head())
        for line in lines:
            writer = self._writers.get(type(line))
            if writer is not None:
                self._put(writer(line))
        return self.datasets

    def _put(self, pieces: Iterable[str]) -> None:
        self._file.write("".join(pieces).encode())

    def _head(self) -> Iterator[str]:
        universe = self._universe
        if universe.namespace != "daf_butler":
            found = f"they are those of {universe.namespace}:{universe.name}"
            raise Unsupported("a Rubin export of these dimensions", found, "butlers have daf_butler")
        yield "description: Butler Data Repository Export\nversion: 1.0.2\n"
        yield f"universe_version: {universe.version}\nuniverse_namespace: {universe.namespace}\ndata:\n"

    def _records(self, line: RecordsLine) -> Iterator[str]:
        if line.element not in self._universe.elements or line.element in _WITHOUT_RECORDS:
            return
        yield f"- type: dimension\n  element: {line.element}\n  records:\n"
        element = self._universe.element(line.element)
        kinds = {column.name: column.type for column in (*element.keys, *element.metadata)}
        for row in line.rows:
            pairs = (
                _field(name, kinds.get(name, ""), value)
                for name, value in zip(line.columns, row, strict=True)
            )
            yield f"  - {{{', '.join(pairs)}}}\n"

    def _collection(self, line: CollectionLine) -> Iterator[str]:
        one = line.collection
        if one.locked or (one.kind is not CollectionKind.CHAINED and one.name in self._collections):
            return  # the lock of a RUN that was written already
        self._collections.add(one.name)
        yield from _collection_text(one)

    def _type(self, line: TypeLine) -> Iterator[str]:
        # Its storage class depends on its files.
        self._types[line.name] = line
        yield ""

    def _datasets(self, line: DatasetsLine) -> Iterator[str]:
        known = self._types[line.type_name]
        group = self._universe.group(known.dimensions)
        rows = [(row, file) for row in line.rows for file in travelling(row)]
        self._left_out.update(row.id for row in line.rows if not row.files)
        if not rows:
            return
        storage_class, formatter = _kind(known, [file for _, file in rows])
        yield from self._type_text(known, group, storage_class)
        yield f"- type: dataset\n  dataset_type: {_text(known.name)}\n  run: {_text(line.run)}\n  records:\n"
        for row, file in rows:
            yield _dataset(row, group, self._locate(file), formatter)
            self.datasets += 1

    def _tags(self, line: TagLine) -> Iterator[str]:
        ids = [one for one in line.ids if one not in self._left_out]
        return _tags(line.collection, ids) if ids else iter(())

    def _validity(self, line: CertifyLine) -> Iterator[str]:
        rows = tuple([row for row in line.rows if row[0] not in self._left_out])
        return _validity(CertifyLine(line.collection, rows)) if rows else iter(())

    def _type_text(self, known: TypeLine, group: DimensionGroup, storage_class: str) -> Iterator[str]:
        if known.name in self._written:
            return
        self._written.add(known.name)
        names = ", ".join((*group.required, *group.implied))
        yield f"- type: dataset_type\n  name: {_text(known.name)}\n  dimensions: [{names}]\n"
        yield f"  storage_class: {storage_class}\n  is_calibration: {json.dumps(known.calibration)}\n"


def _kind(known: TypeLine, files: Iterable[FileRow]) -> tuple[str, str]:
    """Give storage class and formatter for the files of a line."""
    found = set()
    for file in files:
        what = f"a Rubin export of {known.name}"
        if file.part is not None or file.component is not None:
            raise Unsupported(what, "its datasets are parts of files, or of several files", "leave it out")
        kind = _KINDS.get((known.storage_class, file.extension))
        if kind is None:
            reason = f"butlers read no {known.storage_class} of {file.extension or 'files without extension'}"
            raise Unsupported(what, reason, "leave the type out")
        found.add(kind)
    if len(found) > 1:
        raise Unsupported(
            f"a Rubin export of {known.name}", "its files are of several formats", "leave it out"
        )
    return found.pop()


def _dataset(row: DatasetRow, group: DimensionGroup, path: str, formatter: str) -> str:
    values = [f"{name}: {_scalar(value)}" for name, value in zip(group.required, row.values, strict=True)]
    return (
        f"  - dataset_id: [!uuid {row.id}]\n    data_id: [{{{', '.join(values)}}}]\n"
        f"    path: {_text(path)}\n    formatter: {formatter}\n"
    )


def _collection_text(one: Collection) -> Iterator[str]:
    yield f"- type: collection\n  collection_type: {one.kind}\n  name: {_text(one.name)}\n"
    if one.doc:
        yield f"  doc: {_text(one.doc)}\n"
    if one.kind is CollectionKind.RUN:
        yield "  host: null\n  timespan_begin: null\n  timespan_end: null\n"
    if one.kind is CollectionKind.CHAINED:
        yield f"  children: [{', '.join(map(_text, one.children))}]\n"


def _tags(collection: str, ids: Iterable[UUID]) -> Iterator[str]:
    yield f"- type: associations\n  collection: {_text(collection)}\n  collection_type: TAGGED\n"
    yield f"  dataset_ids: [{', '.join(f'!uuid {one}' for one in ids)}]\n"


def _validity(line: CertifyLine) -> Iterator[str]:
    yield f"- type: associations\n  collection: {_text(line.collection)}\n  collection_type: CALIBRATION\n"
    yield "  validity_ranges:\n"
    ranges: dict[tuple[int | None, int | None], list[str]] = {}
    for one, begin, end in line.rows:
        ranges.setdefault((begin, end), []).append(f"!uuid {one}")
    for (begin, end), ids in ranges.items():
        span = f"{{begin: {_time(begin)}, end: {_time(end)}}}"
        yield f"  - timespan: !lsst.daf.butler.Timespan {span}\n    dataset_ids: [{', '.join(ids)}]\n"


# -- values --------------------------------------------------------------------------------------------


def _field(name: str, kind: str, value: object) -> str:
    if name == "timespan":
        ends = value if isinstance(value, list) else (None, None)
        return f"datetime_begin: {_time(ends[0])}, datetime_end: {_time(ends[1])}"
    if value is not None and name == "region":
        return f"region: {_region(str(value))}"
    if value is not None and kind == "bytes":
        return f'{name}: !!binary "{value}"'
    return f"{name}: {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        text = repr(value)
        # YAML takes 1e-05 for a text.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return json.dumps(value)


def _text(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _time(tai_ns: int | None) -> str:
    if tai_ns is None:
        return "null"
    seconds, rest = divmod(tai_ns, 10**9)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    return f"!butler_time/tai/iso '{moment}.{rest:09d}'"


def _region(encoded: str) -> str:
    data = base64.b64decode(encoded)
    kind = _REGIONS.get(chr(data[0])) if data else None
    if kind is None:
        raise Unsupported(
            "a Rubin export of a region", "it is of no kind that butlers know", "mend the record"
        )
    return f"!<lsst.sphgeom.{kind}> {{encoded: {data.hex()}}}"
