"""Errors that say which entry of an export they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Conflict, Exists, SkyfsError


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Put the name of an entry before the errors of the body."""
    try:
        yield
    except Exists as error:
        # Not a matter of replacing: the export and the repository disagree about what is there.
        todo = "another dataset has that data ID: remove it, or import into another repository"
        raise Conflict(f"{where}: {error.asked}", error.found, todo) from None
    except SkyfsError as error:
        raise type(error)(f"{where}: {error.asked}", error.found, error.todo) from None
