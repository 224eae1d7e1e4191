"""Which columns of a table ``[col ...]`` keeps, as CFITSIO decides it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skyfs.errors import BadArgument, Unsupported
from skyfs.model.row_filter import Expression, joined, parse
from skyfs.model.selectors import Columns, RowFilter, Selector


def chosen_columns(names: Sequence[str], selectors: Sequence[Selector]) -> list[int]:
    """Give the numbers of the columns that are kept, from 0, in the table's order.

    ``*`` stands for any characters, ``?`` for one, ``#`` for digits; the case of letters does not count. With
    one or more ``-name`` all but these are kept; of several columns that ``-name*`` fits, the first is left
    out, with ``-name*+`` all of them are.

    Raises
    ------
    BadArgument
        When there is no such column.
    """
    clauses = [name for one in selectors if isinstance(one, Columns) for name in one.names]
    kept, dropped = set[int](), set[int]()
    for clause in clauses:
        name = clause.lstrip("-")
        every = clause.startswith("-") and name.endswith("+")
        pattern = name.removesuffix("+") if every else name
        left = [index for index in _matches(names, pattern) if index not in dropped]
        if not left and not every:
            raise BadArgument(f"column {name!r}", "no column has that name", f"there are: {', '.join(names)}")
        if clause.startswith("-"):
            dropped.update(left if every else left[:1])
        else:
            kept.update(left)
    if dropped or not kept:
        return [index for index in range(len(names)) if index not in dropped]
    return sorted(kept)


def _matches(names: Sequence[str], pattern: str) -> list[int]:
    signs = {"*": ".*", "?": ".", "#": "[0-9]+"}
    expression = re.compile(
        "".join(signs.get(one, re.escape(one)) for one in pattern), re.IGNORECASE | re.DOTALL
    )
    return [index for index, name in enumerate(names) if expression.fullmatch(name.rstrip())]


def row_filter(selectors: Sequence[Selector]) -> Expression | None:
    """Give the condition that all row filters make together; None when there are none."""
    return joined([parse(one.expression) for one in selectors if isinstance(one, RowFilter)])


def require_table_selectors(selectors: Sequence[Selector], extension: str) -> None:
    """Refuse what selects no rows or columns.

    Raises
    ------
    Unsupported
        When there is such a selector.
    """
    for selector in selectors:
        if not isinstance(selector, Columns | RowFilter):
            found = f"a {extension!r} file is one table"
            raise Unsupported(f"selector {selector}", found, "[col a;b] or [a > 1], of rows [#row <= 10]")
