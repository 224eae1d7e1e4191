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
    """What is made of some arguments, which stand as {0}, {1} in the SQL of each database."""

    inherit_cache = True
    usual: str
    postgresql: str

    def __init__(self, *arguments: Column) -> None:
        super().__init__(*arguments)
        self.type = sa.types.NullType()


@compiles(_Of)
def _usual(node: _Of, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as SQLAlchemy calls it
    return node.usual.format(*(compiler.process(one, **options) for one in node.clauses))


@compiles(_Of, "postgresql")
def _other(node: _Of, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return node.postgresql.format(*(compiler.process(one, **options) for one in node.clauses))


class Spelled(sa.sql.ClauseElement):
    """A statement that PostgreSQL gets in another form."""

    inherit_cache = False

    def __init__(self, usual: sa.sql.ClauseElement, postgresql: sa.sql.ClauseElement) -> None:
        self.usual, self.postgresql = usual, postgresql


@compiles(Spelled)
def _spelled(statement: Spelled, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return str(compiler.process(statement.usual, **options))


@compiles(Spelled, "postgresql")
def _spelled_otherwise(statement: Spelled, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
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
    usual, postgresql = "json_each({0})", "skyfs_integers({0})"


class Floats(_Of):
    """The same of floats."""

    name = "floats"
    usual, postgresql = "json_each({0})", "skyfs_floats({0})"


class Texts(_Of):
    """The same of texts."""

    name = "texts"
    usual, postgresql = "json_each({0})", "skyfs_texts({0})"


class Truths(_Of):
    """The same of truth values."""

    name = "truths"
    usual, postgresql = "json_each({0})", "skyfs_truths({0})"


ITEMS = {"int": Integers, "float": Floats, "string": Texts, "bool": Truths}
"""Rows of a list by the kind of its items."""


class Glob(_Of):
    """Whether a text matches a pattern in which only ``*`` and ``?`` have a meaning."""

    name = "glob"
    usual, postgresql = "({0} GLOB replace({1}, '[', '[[]'))", "skyfs_glob({0}, {1})"


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
        kind = "NUMERIC" if whole else "FLOAT"  # which do not overflow
        self.usual = f"({{0}} {operator} {{1}})"
        self.postgresql = f"(CAST({{0}} AS {kind}) {operator} CAST({{1}} AS {kind}))"


class Quotient(_Of):
    """A fraction, of integers too; nothing when divided by nothing."""

    name = "quotient"
    usual = "(CAST({0} AS FLOAT) / CAST({1} AS FLOAT))"
    postgresql = "(CAST({0} AS FLOAT) / NULLIF(CAST({1} AS FLOAT), 0))"


class Remainder(_Of):
    """What is left of the whole part of one number when divided by that of another; nothing for nothing."""

    name = "remainder"
    usual = "({0} % {1})"
    postgresql = "(TRUNC(CAST({0} AS NUMERIC)) % NULLIF(TRUNC(CAST({1} AS NUMERIC)), 0))"


class Exactly(_Of):
    """A number that is to be kept as it is: PostgreSQL makes a decimal of 15 digits of a float."""

    name = "exactly"
    usual, postgresql = "{0}", "CAST(CAST({0} AS TEXT) AS NUMERIC)"
