"""What SQL of different databases spells, or means, differently: values here, text for each database.

SQLite's meaning is the meaning: integers that overflow become floats, what is divided by nothing is nothing,
``%`` works on the whole parts.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Column = sa.ColumnElement[Any]

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that is compared byte by byte, whatever the database's language is."""

UNLIMITED = 2**63 - 1
"""As many rows as there are."""


class _Of(FunctionElement[Any]):
    inherit_cache = True

    def __init__(self, *arguments: Column) -> None:
        super().__init__(*arguments)
        self.type = sa.types.NullType()


class Spelled(sa.sql.ClauseElement):
    """A statement that PostgreSQL gets in another form."""

    inherit_cache = False

    def __init__(self, usual: sa.sql.ClauseElement, postgresql: sa.sql.ClauseElement) -> None:
        self.usual, self.postgresql = usual, postgresql


@compiles(Spelled)
def _usual(statement: Spelled, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as SQLAlchemy calls it
    return str(compiler.process(statement.usual, **options))


@compiles(Spelled, "postgresql")
def _other(statement: Spelled, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return str(compiler.process(statement.postgresql, **options))


class Then(sa.sql.selectable.Join):
    """``a CROSS JOIN b``: SQLite goes through the tables in the order given."""

    inherit_cache = True


@compiles(Then)
def _then(join: Then, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as SQLAlchemy calls it
    options["asfrom"] = True
    left = compiler.process(join.left, **options)
    right = compiler.process(join.right, **options)
    return f"{left} CROSS JOIN {right}"


class Integers(_Of):
    """The numbers of a JSON list, as rows with the column ``value``."""

    name = "integers"


class Floats(_Of):
    """The same of floats."""

    name = "floats"


class Texts(_Of):
    """The same of texts."""

    name = "texts"


class Truths(_Of):
    """The same of truth values."""

    name = "truths"


ITEMS = {"int": Integers, "float": Floats, "string": Texts, "bool": Truths}
"""Rows of a list by the kind of its items."""


def _items(items: _Of, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(items.clauses, **options)})"


def _items_of_kind(items: _Of, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"skyfs_{items.name}({compiler.process(items.clauses, **options)})"


for _kind in ITEMS.values():
    compiles(_kind)(_items)
    compiles(_kind, "postgresql")(_items_of_kind)


class Glob(_Of):
    """Whether a text matches a pattern in which only ``*`` and ``?`` have a meaning."""

    name = "glob"


@compiles(Glob)
def _glob(glob: Glob, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    text, pattern = (compiler.process(one, **options) for one in glob.clauses)
    return f"({text} GLOB replace({pattern}, '[', '[[]'))"


@compiles(Glob, "postgresql")
def _glob_by_function(glob: Glob, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"skyfs_glob({compiler.process(glob.clauses, **options)})"


class Arithmetic(_Of):
    """Two numbers added, subtracted or multiplied.

    Parameters
    ----------
    operator
        ``+``, ``-``, ``*``.
    whole
        Whether both are integers.
    """

    inherit_cache = False
    name = "arithmetic"

    def __init__(self, operator: str, a: Column, b: Column, *, whole: bool) -> None:
        super().__init__(a, b)
        self.operator, self.whole = operator, whole


@compiles(Arithmetic)
def _arithmetic(node: Arithmetic, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    a, b = (compiler.process(one, **options) for one in node.clauses)
    return f"({a} {node.operator} {b})"


@compiles(Arithmetic, "postgresql")
def _arithmetic_without_overflow(
    node: Arithmetic,
    compiler: SQLCompiler,
    **options: Any,  # noqa: ANN401
) -> str:
    kind = "NUMERIC" if node.whole else "FLOAT"
    a, b = (f"CAST({compiler.process(one, **options)} AS {kind})" for one in node.clauses)
    return f"({a} {node.operator} {b})"


class Quotient(_Of):
    """A fraction, of integers too; nothing when divided by nothing."""

    name = "quotient"


@compiles(Quotient)
def _quotient(node: Quotient, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    a, b = (f"CAST({compiler.process(one, **options)} AS FLOAT)" for one in node.clauses)
    return f"({a} / {b})"


@compiles(Quotient, "postgresql")
def _quotient_or_null(node: Quotient, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    a, b = (f"CAST({compiler.process(one, **options)} AS FLOAT)" for one in node.clauses)
    return f"({a} / NULLIF({b}, 0))"


class Remainder(_Of):
    """What is left of the whole part of one number when divided by that of another; nothing for nothing."""

    name = "remainder"


@compiles(Remainder)
def _remainder(node: Remainder, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    a, b = (compiler.process(one, **options) for one in node.clauses)
    return f"({a} % {b})"


@compiles(Remainder, "postgresql")
def _remainder_or_null(node: Remainder, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    a, b = (f"TRUNC(CAST({compiler.process(one, **options)} AS NUMERIC))" for one in node.clauses)
    return f"({a} % NULLIF({b}, 0))"


class Exactly(_Of):
    """A number that is to be kept as it is: PostgreSQL makes a decimal of 15 digits of a float."""

    name = "exactly"


@compiles(Exactly)
def _exactly(node: Exactly, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return str(compiler.process(node.clauses, **options))


@compiles(Exactly, "postgresql")
def _exactly_by_text(node: Exactly, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"CAST(CAST({compiler.process(node.clauses, **options)} AS TEXT) AS NUMERIC)"
