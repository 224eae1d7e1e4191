"""Tables in memory: astropy, arrow, pandas and structured arrays made into one another.

The arrow form follows what astropy's parquet files hold: the metadata key ``table_meta_yaml`` has units,
formats, descriptions and meta (as in ECSV), ``table::len::NAME`` the width of text columns. Different from
there, masked values are arrow nulls, so that every other program sees them as missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from skyfs.errors import BadArgument

from .table_meta import META, header_of, parse_header

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Column, Table

_WIDTH = "table::len::"


def table_to_arrow(table: Table) -> pa.Table:
    """Make an arrow table that `arrow_to_table` turns back into an equal one.

    Raises
    ------
    BadArgument
        When a column has values that arrow has not (complex, mixed objects).
    """
    from astropy.table import MaskedColumn, serialize
    from astropy.utils.data_info import serialize_context_as

    with serialize_context_as("parquet"):
        encoded = serialize.represent_mixins_as_columns(table, exclude_classes=(MaskedColumn,))
    metadata = {META.decode(): header_of(encoded)}
    arrays = []
    for name, column in encoded.columns.items():
        if column.dtype.kind in "US":
            metadata[f"{_WIDTH}{name}"] = str(column.dtype.itemsize // (4 if column.dtype.kind == "U" else 1))
        arrays.append(_to_arrow(name, column))
    arrow = pa.Table.from_arrays(arrays, names=list(encoded.columns))
    return arrow.replace_schema_metadata(metadata)


def _to_arrow(name: str, column: Column) -> pa.Array:
    mask = np.ma.getmaskarray(column) if hasattr(column, "mask") else None
    data = np.ma.getdata(column) if mask is not None else np.asarray(column)
    data = np.asarray(data)
    try:
        if data.ndim == 1:
            return _flat(data, mask)
        width = int(np.prod(data.shape[1:]))
        values = _flat(data.reshape(-1), None if mask is None else mask.reshape(-1))
        # from_arrays cannot tell the number of rows of empty cells.
        if width == 0:
            return pa.array([[]] * len(data), pa.list_(values.type, 0))
        return pa.FixedSizeListArray.from_arrays(values, width)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0]
        raise BadArgument(
            f"column {name!r} of type {data.dtype}", f"arrow cannot hold it: {reason}"
        ) from error


def _flat(data: np.ndarray, mask: np.ndarray | None) -> pa.Array:
    kind = data.dtype.kind
    if kind == "O":
        hidden = [False] * len(data) if mask is None else mask.tolist()
        pairs = zip(data.tolist(), hidden, strict=True)
        return pa.array([None if gone else value for value, gone in pairs])
    if kind == "U":
        return pa.array(data.astype(object), pa.string(), mask=mask)
    if kind == "S":
        return pa.array(data.astype(object), pa.binary(), mask=mask)
    if kind == "M" and data.dtype.name.endswith(("[Y]", "[M]", "[W]", "[h]", "[m]")):
        # Arrow has days, seconds and finer.
        data = data.astype("datetime64[s]")
    return pa.array(data.astype(data.dtype.newbyteorder("="), copy=False), mask=mask)


def arrow_to_table(arrow: pa.Table) -> Table:
    """Make an astropy table, of tables that skyfs, astropy, pandas or any other program wrote.

    Nulls become masked values; text becomes fixed-width unicode; times without our metadata become
    ``datetime64`` columns (UTC when they have a time zone); lists, structs and decimals become objects.
    """
    from astropy.table import Table, serialize

    metadata = {
        key.decode(): value.decode()
        for key, value in (arrow.schema.metadata or {}).items()
        if key == META or key.startswith(_WIDTH.encode())
    }
    told = metadata.get(META.decode())
    header = {} if told is None else parse_header([told])
    attributes = {item["name"]: item for item in header.get("datatype", ())}
    table = Table(meta=header.get("meta"))
    for name, values in zip(arrow.column_names, arrow.columns, strict=True):
        width = metadata.get(f"{_WIDTH}{name}")
        table[name] = _column(values, None if width is None else int(width), attributes.get(name, {}))
    # The metadata of times, coordinates and quantities is astropy's own, and only it can put them together.
    if "__serialized_columns__" in table.meta:
        return serialize._construct_mixins_from_columns(table)  # noqa: SLF001 - there is no public door
    return table


def arrow_values(values: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    """Give the values of a column, and which of them are missing; what numpy has no type for, as objects."""
    return _from_arrow(_contiguous(values), None, None)


def _column(values: pa.ChunkedArray, width: int | None, attributes: Mapping[str, object]) -> Column:
    from astropy.table import Column, MaskedColumn

    data, mask = _from_arrow(_contiguous(values), width, _cell_shape(attributes))
    info = {key: attributes[key] for key in ("unit", "format", "description", "meta") if key in attributes}
    if mask is None or not np.any(mask):
        return Column(data, **info)
    return MaskedColumn(data, mask=mask, **info)


def _contiguous(values: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def _cell_shape(attributes: Mapping[str, object]) -> tuple[int, ...] | None:
    """Give the shape of a cell, from an ECSV subtype such as ``float64[2,3]``."""
    _, bracket, shape = str(attributes.get("subtype", "")).partition("[")
    sizes = json.loads(f"[{shape}") if bracket else []
    return tuple(sizes) if sizes and all(isinstance(n, int) for n in sizes) else None


def _from_arrow(
    values: pa.Array, width: int | None, shape: tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Give values, which belong to the caller, and which of them are missing."""
    kind = values.type
    if pa.types.is_fixed_size_list(kind) and values.null_count == 0:
        data, mask = _from_arrow(values.flatten(), width, None)
        shape = (len(values), *(shape or (kind.list_size,)))
        return data.reshape(shape), None if mask is None else mask.reshape(shape)
    mask = np.asarray(values.is_null()) if values.null_count else None
    if pa.types.is_null(kind):
        return np.zeros(len(values)), np.ones(len(values), dtype=bool)
    if _is_text(kind) or (_is_binary(kind) and width is not None):
        return _text(values, width), mask
    if pa.types.is_nested(kind) or _is_binary(kind) or pa.types.is_decimal(kind) or pa.types.is_time(kind):
        return _objects(values), mask
    if mask is not None and not pa.types.is_temporal(kind):
        values = values.fill_null(False if pa.types.is_boolean(kind) else 0)
    return np.array(values.to_numpy(zero_copy_only=False)), mask


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _text(values: pa.Array, width: int | None) -> np.ndarray:
    letter, empty = ("U", "") if _is_text(values.type) else ("S", b"")
    listed = [empty if item is None else item for item in values.to_pylist()]
    longest = max(map(len, listed), default=0)
    return np.array(listed, dtype=f"{letter}{max(width or 1, longest)}")


def _objects(values: pa.Array) -> np.ndarray:
    """Give Python objects; lists of numbers become arrays."""
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return np.array(values.to_numpy(zero_copy_only=False))
    objects = np.empty(len(values), dtype=object)
    objects[:] = values.to_pylist()
    return objects


def frame_to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Make an arrow table; an index becomes columns, unless it only counts rows."""
    counts_rows = frame.index.name is None and frame.index.nlevels == 1 and frame.index.dtype.kind in "iu"
    kept = frame if counts_rows else frame.reset_index()
    return pa.Table.from_pandas(kept, preserve_index=False)


def frame_to_table(frame: pd.DataFrame) -> Table:
    """Make an astropy table; an index becomes columns, unless it only counts rows."""
    return arrow_to_table(frame_to_arrow(frame))


def table_to_frame(table: Table) -> pd.DataFrame:
    """Make a DataFrame; masked integers become pandas' nullable ones. Units and metadata are left behind."""
    return table.to_pandas()


def records_to_table(array: np.ndarray) -> Table:
    """Make a table of a structured array, masked or not."""
    from astropy.table import Table

    if array.dtype.names is None or array.ndim != 1:
        raise BadArgument(
            f"an array of {array.dtype} of shape {array.shape}", "is no table", "name its fields"
        )
    return Table(array)


def table_to_records(table: Table) -> np.ndarray:
    """Make a structured array (a masked one of a table with masked columns)."""
    records: np.ndarray = table.as_array()
    return records
