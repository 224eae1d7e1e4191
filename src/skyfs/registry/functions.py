"""Functions of the sphere, for statements to call."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from ..errors import BadArgument, InvalidQuery, SkyfsError

_raised = threading.local()


def define(connection: sqlite3.Connection) -> None:
    """Give a connection the functions.

    ``skyfs_overlaps(region, region)``
        Whether two encoded regions overlap.
    ``skyfs_cells(region)``
        The cells of a region as a JSON list of ``cell * 2 + own``.
    ``skyfs_pixels(name, region)``
        The pixels that overlap a region as a JSON list.
    ``skyfs_region(name, pixel)``
        The region of a pixel.
    """
    functions: dict[str, Callable[..., Any]] = {
        "skyfs_overlaps": overlap,
        "skyfs_cells": cells_of,
        "skyfs_pixels": pixels_of,
        "skyfs_region": region_of,
    }
    for name, function in functions.items():
        n_arguments = 1 if name == "skyfs_cells" else 2
        connection.create_function(name, n_arguments, _reporting(function), deterministic=True)


def raised() -> SkyfsError | None:
    """Give the error that a function raised in this thread's last statement, once."""
    error: SkyfsError | None = getattr(_raised, "error", None)
    _raised.error = None
    return error


def _reporting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep an error, of which SQLite says only that there was one; no value gives no value."""

    @wraps(function)
    def call(*arguments: object) -> object:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except SkyfsError as error:
            _raised.error = error
            raise

    return call


# Two regions that share several cells are compared for each of these.
@lru_cache(maxsize=16_384)
def overlap(a: bytes, b: bytes) -> int:
    """Tell whether two encoded regions overlap."""
    return int(_exact_test()(a, b))


@lru_cache(maxsize=1)
def _exact_test() -> Callable[[bytes, bytes], bool]:
    from ..model.region_overlap import overlaps

    return overlaps


@lru_cache(maxsize=4096)
def cells_of(region: bytes) -> str:
    """Give the cells of a region."""
    from ..model.region_cells import covering

    return json.dumps([cell * 2 + own for cell, own in covering(region)])


@lru_cache(maxsize=256)
def pixels_of(name: str, region: bytes) -> str:
    """Give the pixels that overlap a region; raises InvalidQuery when they are too many."""
    from ..model.pixels import pixels

    try:
        return json.dumps(pixels(name, region))
    except BadArgument as error:
        raise InvalidQuery("bad query", str(error), "name a coarser pixelization, or fewer regions") from None


@lru_cache(maxsize=65_536)
def region_of(name: str, pixel: int) -> bytes | None:
    """Give the region of a pixel."""
    from ..model.pixels import pixel_region

    try:
        return pixel_region(name, pixel)
    except BadArgument:
        return None  # there is no such pixel: nothing overlaps it
