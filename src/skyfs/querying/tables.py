"""Answers → tables of the libraries that people use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import BadArgument, MissingPackage
from ..model.timespan import Timespan


def make_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str], kind: str) -> Any:  # noqa: ANN401
    """Give rows as a table: ``astropy``, ``pandas`` or ``arrow``.

    A timespan is two columns, ``timespan_begin`` and ``timespan_end``, of TAI nanoseconds; no value and no
    bound are masked.

    Raises
    ------
    BadArgument
        For another kind.
    MissingPackage
        When the library is not installed.
    """
    import pyarrow as pa

    makers: Mapping[str, Callable[[Any], Any]] = {
        "astropy": _astropy,
        "pandas": _pandas,
        "arrow": lambda table: table,
    }
    if kind not in makers:
        raise BadArgument(f"to_table({kind!r})", "no such kind", f"there are {', '.join(makers)}")
    listed = list(rows)
    split = (_columns(name, [row.get(name) for row in listed]) for name in columns)
    return makers[kind](pa.table({name: pa.array(values) for some in split for name, values in some}))


def _columns(name: str, values: list[object]) -> Iterable[tuple[str, list[object]]]:
    if any(isinstance(value, Timespan) for value in values) or name == "timespan":
        spans = [value if isinstance(value, Timespan) else None for value in values]
        yield f"{name}_begin", [None if span is None else span.begin_ns for span in spans]
        yield f"{name}_end", [None if span is None else span.end_ns for span in spans]
    else:
        yield name, values


def _astropy(table: Any) -> Any:  # noqa: ANN401 - libraries without types
    from astropy.table import Column, MaskedColumn, Table

    found = Table()
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        if None not in values:
            found[name] = Column(values, dtype=object if _is_bytes(values) else None)
            continue
        filler = next((value for value in values if value is not None), 0)
        plain = [filler if value is None else value for value in values]
        found[name] = MaskedColumn(
            plain, mask=[value is None for value in values], dtype=object if _is_bytes(plain) else None
        )
    return found


def _is_bytes(values: list[object]) -> bool:
    # numpy's own bytes lose zeros at the end.
    return bool(values) and isinstance(values[0], bytes)


def _pandas(table: Any) -> Any:  # noqa: ANN401 - libraries without types
    try:
        return table.to_pandas()
    except ImportError:
        raise MissingPackage("to_table('pandas')", "pandas is not installed", "pip install pandas") from None
