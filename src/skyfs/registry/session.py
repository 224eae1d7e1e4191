"""One connection to a database, and what statements do through it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.engine import Connection

from .statement import Rendered, Rows


class Sink(Protocol):
    """What takes rows."""

    def clear(self) -> None:
        """Forget all rows."""

    def extend(self, rows: Sequence[tuple[Any, ...]], /) -> None:
        """Take some more."""


class Session(ABC):
    """One connection; one thread at a time has it. Errors are the driver's.

    Attributes
    ----------
    connection
        SQLAlchemy's connection.
    seen
        What the version of the catalogue was last read as, with the state of the database then.
    scratch
        What is true only inside of the open transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.seen: tuple[int, int] | None = None
        self.scratch: dict[str, object] = {}
        self.pid = os.getpid()

    @property
    def raw(self) -> Any:  # noqa: ANN401 - a DBAPI connection
        """The driver's connection."""
        return self.connection.connection.dbapi_connection

    @property
    @abstractmethod
    def stale(self) -> bool:
        """Whether it must be closed, and another one taken."""

    @abstractmethod
    def is_current(self, after: Exception | None = None) -> bool:
        """Tell whether what it has just read is what the database holds; ``after`` a read failed that way."""

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction has begun that must be ended."""

    @property
    def is_sound(self) -> bool:
        """Whether a transaction is open, and no error has spoilt it."""
        return self.in_transaction

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction, when no other writer has one open."""

    @abstractmethod
    def command(self, text: str) -> None:
        """Run a statement that gives nothing."""

    @abstractmethod
    def select(self, rendered: Rendered, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Run a SELECT and give all its rows."""

    @abstractmethod
    def pour(self, rendered: Rendered, values: Sequence[object], sink: Sink) -> None:
        """Run a SELECT and hand its rows on, some at a time."""

    @abstractmethod
    def write_many(self, rendered: Rendered, rows: Rows) -> int:
        """Run a statement for each row; give the number of rows touched."""

    @abstractmethod
    def version(self, rendered: Rendered) -> int:
        """Give the number that a SELECT gives; it may be run only when something was committed since."""

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
