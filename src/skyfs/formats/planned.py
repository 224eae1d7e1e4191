"""Ranges of a source, fetched as planned: all at once, neighbours together."""

from __future__ import annotations

from collections.abc import Sequence

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent
from skyfs.model.ranges import Range, plan


def read_planned(source: ByteSource, wanted: Sequence[Range]) -> list[memoryview]:
    """Give the wanted ranges, in order, from one call of `ByteSource.read_many`.

    Raises
    ------
    BadContent
        When the source ends before one of them does.
    """
    planned = plan(wanted, source.cost)
    fetched = source.read_many(planned.fetches) if planned.fetches else []
    for (start, stop), data in zip(planned.fetches, fetched, strict=True):
        if len(data) != stop - start:
            found = f"{len(data)} of the {stop - start} bytes from byte {start} are there"
            raise BadContent("the file is truncated", found, f"it has {source.size} bytes")
    return planned.cut(fetched)
