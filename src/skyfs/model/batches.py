"""Iterables in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Give lists of ``size`` items, the last one shorter."""
    # itertools.batched is new in Python 3.12.
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
