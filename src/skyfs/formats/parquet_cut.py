"""Rows and columns of parquet files: only the row groups and column chunks that are needed are fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument
from skyfs.model.row_filter import Apply, Constant, Expression, Name, Row, conjuncts, names
from skyfs.model.selectors import Selector

from .arrow_table import arrow_to_table, arrow_values
from .column_choice import chosen_columns, require_table_selectors, row_filter
from .parquet_file import ParquetFile
from .row_evaluation import select
from .row_values import Value, array, constant
from .slicing import row_slice

if TYPE_CHECKING:
    from astropy.table import Table

# So many bytes of row groups are fetched at once, and so many rows are written as one.
_BATCH_BYTES = 64 << 20
_GROUP_ROWS = 1 << 20
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "~": "~"}
_APPROXIMATELY = 1e-7


def cut_parquet(source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
    """Write the rows and columns that the selectors name, with units and metadata, as a parquet file.

    Row groups whose statistics exclude the filter are not fetched; of the others first the columns that the
    filter names, then those that are kept where rows are left.

    Raises
    ------
    BadArgument
        When there is no such column, or the filter does not fit.
    Unsupported
        When a selector is about images or HDUs.
    """
    require_table_selectors(selectors, ".parquet")
    found = ParquetFile(source)
    columns = found.columns()
    logical = list(columns)
    kept = [part for index in chosen_columns(logical, selectors) for part in columns[logical[index]]]
    expression = row_filter(selectors)
    schema = found.described(kept)
    if expression is not None:
        # On no rows: wrong filters are refused before anything is read.
        select(expression, _Rows(found, found.schema.empty_table(), 1))
    with parquet.ParquetWriter(file, schema, compression=_compression(found)) as writer:
        for table in _gathered(_parts(found, kept, expression), schema):
            writer.write_table(table, row_group_size=_GROUP_ROWS)


def read_rows(source: ByteSource, slices: object) -> Table:
    """Read rows of a table, ``np.s_[10:20]``; only the row groups that hold them are fetched."""
    found = ParquetFile(source)
    rows = row_slice(slices, found.metadata.num_rows)
    low, high = (min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1) if rows else (0, 0)
    starts = _starts(found)
    groups = [one for one in found.row_groups if starts[one] < high and starts[one] + found.rows(one) > low]
    every = found.schema.names
    tables = [one for batch in _batches(found, groups, every) for one in found.read(batch, every)]
    whole = pa.concat_tables(tables) if tables else found.schema.empty_table()
    part = whole.slice(low - (starts[groups[0]] if groups else 0), high - low)
    table = arrow_to_table(part.replace_schema_metadata(found.schema.metadata))
    step = rows.step if rows else 1
    return table if step == 1 else table[::step]


def _starts(found: ParquetFile) -> list[int]:
    """Give the number of the first row of each row group, from 0."""
    starts, start = [], 0
    for group in found.row_groups:
        starts.append(start)
        start += found.rows(group)
    return starts


def _compression(found: ParquetFile) -> str:
    if not found.metadata.num_row_groups or not found.metadata.num_columns:
        return "zstd"
    kind = str(found.metadata.row_group(0).column(0).compression).lower()
    return (
        "none" if kind == "uncompressed" else kind if kind in ("snappy", "gzip", "brotli", "lz4") else "zstd"
    )


def _batches(found: ParquetFile, groups: Sequence[int], columns: Sequence[str]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for group in groups:
        own = found.size(group, columns)
        if batch and size + own > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(group)
        size += own
    if batch:
        yield batch


def _parts(found: ParquetFile, kept: Sequence[str], expression: Expression | None) -> Iterator[pa.Table]:
    """Give the kept columns and rows of each row group that has some."""
    starts = _starts(found)
    if expression is None:
        for batch in _batches(found, found.row_groups, kept):
            yield from found.read(batch, kept)
        return
    asked = names(expression)
    tested = [name for name in found.schema.names if name.lower() in asked]
    possible = [one for one in found.row_groups if _may_hold(expression, found, one, starts[one])]
    for batch in _batches(found, possible, [*tested, *kept]):
        tables = dict(zip(batch, found.read(batch, tested), strict=True))
        chosen = {}
        for group, table in tables.items():
            mask = select(expression, _Rows(found, table, starts[group] + 1, found.rows(group)))
            if mask.any():
                chosen[group] = mask
        yield from _kept(found, kept, chosen, tables)


def _kept(
    found: ParquetFile, kept: Sequence[str], chosen: dict[int, np.ndarray], tables: dict[int, pa.Table]
) -> Iterator[pa.Table]:
    groups = list(chosen)
    there = tables[groups[0]].column_names if groups else []
    other = [name for name in kept if name not in there]
    more = found.read(groups, other) if groups and other else [None] * len(groups)
    for group, rest in zip(groups, more, strict=True):
        columns = {name: tables[group][name] if name in there else rest[name] for name in kept}
        yield pa.table(columns).filter(pa.array(chosen[group]))


def _gathered(parts: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Put small parts together, so that a row group is worth its name."""
    waiting: list[pa.Table] = []
    for part in parts:
        waiting.append(part.replace_schema_metadata(None))
        if sum(map(len, waiting)) >= _GROUP_ROWS:
            yield pa.concat_tables(waiting).cast(schema)
            waiting = []
    yield pa.concat_tables(waiting).cast(schema) if waiting else schema.empty_table()


class _Rows:
    """Rows of a row group, as expressions see them."""

    def __init__(self, found: ParquetFile, table: pa.Table, first: int, count: int | None = None) -> None:
        self._found, self._table, self.first = found, table, first
        self.count = len(table) if count is None else count

    def column(self, name: str) -> Value | None:
        wanted = name.strip().lower()
        found = next((one for one in self._table.column_names if one.lower() == wanted), None)
        if found is None:
            return None
        value = array(*arrow_values(self._table[found]))
        if value is None:
            kind = self._table.schema.field(found).type
            raise BadArgument(
                f"column {found!r} in a row filter", f"its values are {kind}", "use plain columns"
            )
        return value

    def keyword(self, name: str) -> Value | None:
        meta = {key.lower(): value for key, value in self._found.meta().items()}
        return constant(meta[name.lower()]) if name.lower() in meta else None

    def columns(self) -> tuple[str, ...]:
        return tuple(self._found.schema.names)


# -- statistics ----------------------------------------------------------------------------------------


def _may_hold(expression: Expression, found: ParquetFile, group: int, start: int) -> bool:
    """Tell whether rows of a row group may pass, by the least and greatest values of its columns."""
    return all(_may_pass(one, found, group, start) for one in conjuncts(expression))


def _may_pass(condition: Expression, found: ParquetFile, group: int, start: int) -> bool:
    if not isinstance(condition, Apply):
        return True
    if condition.function == "between":
        middle, low, high = condition.arguments
        sides = (Apply(">=", (middle, low)), Apply("<=", (middle, high)))
        return all(_may_pass(one, found, group, start) for one in sides)
    if condition.function not in _MIRRORED:
        return True
    operator, (left, right) = condition.function, condition.arguments
    if _number(left) is not None:
        operator, left, right = _MIRRORED[operator], right, left
    limit = _number(right)
    bounds = _bounds(left, found, group, start)
    return limit is None or bounds is None or _overlaps(operator, bounds, limit)


def _overlaps(operator: str, bounds: tuple[float, float], limit: float) -> bool:
    low, high = bounds
    if operator in ("==", "~"):
        margin = _APPROXIMATELY if operator == "~" else 0
        return low - margin <= limit <= high + margin
    return {">": high > limit, ">=": high >= limit, "<": low < limit, "<=": low <= limit}[operator]


def _number(expression: Expression) -> float | None:
    if isinstance(expression, Apply) and expression.function == "neg":
        inner = _number(expression.arguments[0])
        return None if inner is None else -inner
    value = expression.value if isinstance(expression, Constant) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bounds(expression: Expression, found: ParquetFile, group: int, start: int) -> tuple[float, float] | None:
    if isinstance(expression, Row):
        return start + 1, start + found.rows(group)
    if not isinstance(expression, Name) or expression.keyword:
        return None
    wanted = expression.name.strip().lower()
    name = next((one for one in found.schema.names if one.lower() == wanted), None)
    return None if name is None else found.bounds(group, name)
