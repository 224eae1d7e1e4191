"""Zarr → groups in memory, and values of arrays. This module imports zarr."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from skyfs.abc.contents import Contents
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .buffer import Buffer
from .unpacking import check_size
from .zarr_store import ContentsStore

if TYPE_CHECKING:
    from zarr import Array, Group

    AnyArray = Array[Any]


def read_copy(contents: Contents, source: ByteSource) -> Group | AnyArray:
    """Open the root read-only, with all its chunks in memory as they are encoded."""
    whole = Buffer(source.read_all())
    make = default_buffer_prototype().buffer.from_bytes
    files = {one.path: make(contents.open(whole, one.path).read_all()) for one in contents.files()}
    return zarr.open(MemoryStore(files, read_only=True), mode="r")


def read_values(contents: Contents, source: ByteSource, slices: object) -> np.ndarray:
    """Read values of the only array."""
    root = zarr.open(ContentsStore(contents, source), mode="r")
    array = _only_array(root)
    _check_sizes(array, slices, source.size)
    forward, flips = _forward(slices, array.shape)
    values = np.asarray(array[forward])
    return values[flips] if flips else values


def _check_sizes(array: AnyArray, slices: object, stored_bytes: int) -> None:
    """Refuse an array whose values, or one of whose chunks, would fill the memory."""
    size = array.dtype.itemsize
    check_size("the Zarr array's chunk", math.prod(array.chunks) * size, stored_bytes)
    if slices is ...:
        check_size("the Zarr array", math.prod(array.shape) * size, stored_bytes)


def _forward(slices: object, shape: tuple[int, ...]) -> tuple[tuple[slice | int, ...], tuple[slice, ...]]:
    """Give slices without negative steps, which zarr has not, and what turns the values round."""
    forward: list[slice | int] = []
    flips: list[slice] = []
    for one, size in zip(_expanded(slices, shape), shape, strict=True):
        if not isinstance(one, slice):
            forward.append(one)
            continue
        hit = range(size)[one]
        step = abs(hit.step)
        low, high = (min(hit[0], hit[-1]), max(hit[0], hit[-1]) + 1) if hit else (0, 0)
        forward.append(slice(low, high, step))
        flips.append(slice(None, None, -1 if hit.step < 0 else 1))
    return tuple(forward), tuple(flips) if any(one.step < 0 for one in flips) else ()


def _expanded(slices: object, shape: tuple[int, ...]) -> list[slice | int]:
    """Give one slice or integer for each axis.

    Raises
    ------
    BadArgument
        When it is no basic indexing, or does not fit the shape.
    """
    given = slices if isinstance(slices, tuple) else (slices,)
    for one in given:
        if not (one is ... or isinstance(one, slice | int | np.integer)) or isinstance(one, bool):
            todo = "slices, integers and Ellipsis, as in numpy: np.s_[y0:y1, x0:x1]"
            raise BadArgument(f"slices {slices!r}", f"{one!r} is none", todo)
    try:
        np.broadcast_to(np.int8(0), shape)[given]
    except (IndexError, TypeError, ValueError) as error:
        raise BadArgument(f"slices {slices!r} of an array of shape {shape}", str(error)) from None
    dots = given.index(...) if any(one is ... for one in given) else len(given)
    missing = len(shape) - sum(one is not ... for one in given)
    return [*given[:dots], *[slice(None)] * missing, *given[dots + 1 :]]


def _only_array(root: Group | AnyArray) -> AnyArray:
    if isinstance(root, zarr.Array):
        return root
    arrays = list(root.arrays())
    if len(arrays) == 1:
        return arrays[0][1]
    names = ", ".join(sorted(name for name, _ in arrays)[:8]) or "none"
    what = "an array of a Zarr group"
    raise BadContent(what, f"which one? Its arrays are: {names}", "read the group, or open it by its path")
