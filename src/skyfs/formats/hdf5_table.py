"""Tables ↔ HDF5: a dataset for each column, or rows in one dataset as astropy and many others write them.

What an HDF5 dataset cannot say (units, masks, times, order) is in the YAML of ECSV, in a dataset beside: the
convention of astropy's own HDF5 tables. Units are attributes as well, where other programs look for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skyfs.errors import BadArgument, BadContent

from .hdf5_file import load, members, read_dataset
from .hdf5_layout import Layout
from .hdf5_tree import escape, storable, unescape
from .table_meta import header_of, parse_header

if TYPE_CHECKING:
    import h5py
    from astropy.table import Table

META = "__table_column_meta__"
_WIDTH, _TIME = "text_width", "datetime64"
_ROWS = "table"


def write_columns(file: h5py.File, table: Table, layout: Layout) -> None:
    """Write a dataset for each column into the root group."""
    encoded, header = _encoded(table)
    for name, column in encoded.columns.items():
        array = np.asarray(column)
        dataset = layout.create(file, escape(name), _storable(array, name))
        if array.dtype.kind == "U":
            dataset.attrs[_WIDTH] = array.dtype.itemsize // 4
        elif array.dtype.kind in "mM":
            dataset.attrs[_TIME] = array.dtype.str[1:]
        if column.unit is not None:
            dataset.attrs["unit"] = str(column.unit)
    file.create_dataset(META, data=header)


def write_rows(file: h5py.File, table: Table, layout: Layout) -> None:
    """Write one dataset of records, as astropy does: its Table.read takes it."""
    encoded, header = _encoded(table)
    fields = []
    for name, column in encoded.columns.items():
        array = np.asarray(column)
        if array.dtype.kind in "OmM":
            raise BadArgument(
                f"column {name!r} of type {array.dtype}", "HDF5 has no such values", "convert it"
            )
        # Records of HDF5 hold text as bytes.
        fields.append((name, np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array))
    records = np.empty(len(encoded), [(name, array.dtype, array.shape[1:]) for name, array in fields])
    for name, array in fields:
        records[name] = array
    layout.create(file, _ROWS, records)
    file.create_dataset(f"{_ROWS}.{META}", data=header)


def read_table(file: h5py.File, columns: Sequence[str] | None = None, rows: slice = slice(None)) -> Table:
    """Read the table of a file, or some columns and rows of it.

    Raises
    ------
    BadContent
        When there is none, or several.
    """
    found = dict(members(file))
    datasets = {name: value for name, value in found.items() if isinstance(value, load().Dataset)}
    records = {name: value for name, value in datasets.items() if value.dtype.names is not None}
    if len(records) == 1:
        ((name, dataset),) = records.items()
        return _of_records(dataset, datasets.get(f"{name}.{META}"), columns, rows)
    header = datasets.pop(META, None)
    datasets = {name: dataset for name, dataset in datasets.items() if dataset.shape}
    if records or len({d.shape[:1] for d in datasets.values()} - {()}) != 1:
        names = ", ".join(found) or "nothing"
        raise BadContent("no table in the HDF5 file", f"it has {names}", "columns are datasets of one length")
    chosen = {unescape(name): dataset for name, dataset in datasets.items()}
    arrays = {name: _column(chosen[name], rows) for name in _wanted(chosen, columns, header)}
    units = {name: chosen[name].attrs.get("unit") for name in arrays}
    return _decoded(arrays, header, units)


def read_rows(file: h5py.File, slices: object) -> Table:
    """Read what ``table[slices]`` is, of one slice of rows.

    Raises
    ------
    BadArgument
        When it is something else.
    """
    if isinstance(slices, tuple) and len(slices) == 1:
        slices = slices[0]
    if slices is Ellipsis:
        slices = slice(None)
    if not isinstance(slices, slice):
        raise BadArgument(f"slices={slices!r}", "of a table", "give one slice of rows: np.s_[10:20]")
    step = 1 if slices.step is None else slices.step
    if step > 0:
        return read_table(file, rows=slices)
    # HDF5 goes forwards only.
    return read_table(file)[slices]


def _encoded(table: Table) -> tuple[Table, np.ndarray]:
    """Give plain columns only, and the YAML that tells how they belong together."""
    from astropy.table import serialize
    from astropy.utils.data_info import serialize_context_as

    with serialize_context_as("hdf5"):
        encoded = serialize.represent_mixins_as_columns(table)
    lines = [line.encode("utf-8") for line in header_of(encoded).split("\n")]
    return encoded, np.array(lines)


def _storable(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind in "mM":
        return array.view("i8")
    return storable(array, f"column {name!r}")


def _column(dataset: h5py.Dataset, rows: slice) -> np.ndarray:
    array = read_dataset(dataset, rows)
    width, time = dataset.attrs.get(_WIDTH), dataset.attrs.get(_TIME)
    if time is not None:
        return array.view(np.dtype(str(time)))
    if array.dtype.kind == "U":
        # At least as wide as it was written.
        least = np.dtype(f"U{max(int(width or 1), 1)}")
        return array.astype(np.promote_types(array.dtype, least)) if width else array
    return array


def _wanted(chosen: Mapping[str, object], columns: Sequence[str] | None, header: object) -> list[str]:
    """Give the names of columns to read; masks and parts of times come with what they belong to."""
    if columns is None:
        return list(chosen)
    named = [name for name in chosen if name in columns or name.rpartition(".")[0] in columns]
    missing = [
        name for name in columns if name not in named and not any(n.startswith(f"{name}.") for n in named)
    ]
    if missing:
        raise BadArgument(f"column {missing[0]!r}", "not in the table", f"columns are: {', '.join(chosen)}")
    return [name for name in chosen if name in named] if header is not None else list(columns)


def _of_records(
    dataset: h5py.Dataset, header: h5py.Dataset | None, columns: Sequence[str] | None, rows: slice
) -> Table:
    records = read_dataset(dataset, rows)
    names = _wanted(dict.fromkeys(records.dtype.names or ()), columns, header)
    return _decoded({name: np.array(records[name]) for name in names}, header, {})


def _decoded(
    arrays: Mapping[str, np.ndarray], header: h5py.Dataset | None, units: Mapping[str, Any]
) -> Table:
    from astropy.table import Column, Table, serialize

    told: Mapping[str, Any] = {}
    if header is not None:
        lines = [
            line.decode("utf-8") if isinstance(line, bytes) else str(line) for line in read_dataset(header)
        ]
        told = parse_header(lines)
    described = {item["name"]: item for item in told.get("datatype", ())}
    order = [name for name in described if name in arrays] + [n for n in arrays if n not in described]
    table = Table(meta=told.get("meta"))
    for name in order:
        item = described.get(name, {"unit": units.get(name)})
        info = {
            key: item[key] for key in ("unit", "format", "description", "meta") if item.get(key) is not None
        }
        table[name] = Column(_text(arrays[name], item), **info)
    return _mixins(table, serialize)


def _mixins(table: Table, serialize: Any) -> Table:  # noqa: ANN401 - a module
    """Put times, quantities and masked columns together, of those whose parts are all there."""
    parts = table.meta.get("__serialized_columns__")
    if not isinstance(parts, dict):
        return table
    kept = {
        name: told for name, told in parts.items() if _sources(told) <= set(table.colnames) and _sources(told)
    }
    table.meta["__serialized_columns__"] = kept
    return serialize._construct_mixins_from_columns(table)  # noqa: SLF001 - there is no public door


def _sources(told: object) -> set[str]:
    """Give the names of the columns that a serialized one is made of."""
    if not isinstance(told, Mapping):
        return set()
    named = told.get("name")
    here = {named} if isinstance(named, str) and set(told) <= {"name"} else set()
    return here.union(*(_sources(value) for value in told.values() if isinstance(value, Mapping)))


def _text(array: np.ndarray, item: Mapping[str, Any]) -> np.ndarray:
    """Make text of bytes, unless they were written as bytes, or are none."""
    if array.dtype.kind != "S" or item.get("datatype") == "bytes":
        return array
    try:
        return np.char.decode(array, "utf-8") if array.size else array.astype("U1")
    except UnicodeDecodeError:
        return array
