"""Pixels of uncompressed FITS images, read by the rows that a part needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from skyfs.abc.source import ByteSource
from skyfs.model.ranges import Range

from .fits_layout import Extent
from .fits_window import Window
from .planned import read_planned

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
# Pixels that are nearer than this are read with those between: a request costs as much.
_DENSE = 1024
# Kept in memory at once, and planned at once.
_BATCH_BYTES = 64 << 20
_BATCH_RANGES = 1 << 16


def read_pixels(source: ByteSource, extent: Extent, windows: Sequence[Window]) -> np.ndarray:
    """Give the pixels of the windows (x first) as they are stored, big-endian, in one fetch."""
    dtype = np.dtype(_DTYPES[extent.bitpix])
    shape = tuple(window.count for window in reversed(windows))
    if not prod(shape):
        return np.empty(shape, dtype)
    ranges, dense = _runs(extent, windows, dtype.itemsize)
    found = np.frombuffer(b"".join(read_planned(source, ranges)), dtype)
    # What is dense was read with the pixels between, in the file's order; the others come as they are wanted.
    read = [high - low + 1 for low, high in dense] + [window.count for window in windows[len(dense) :]]
    taken = [window.within(low) for window, (low, _) in zip(windows, dense, strict=False)]
    taken += [slice(None)] * (len(windows) - len(dense))
    return found.reshape(read[::-1])[tuple(taken[::-1])]


def in_batches(windows: Sequence[Window], itemsize: int) -> Iterator[tuple[Window, ...]]:
    """Divide windows along the slowest axis, so that each part fits into memory."""
    slowest = max((axis for axis, window in enumerate(windows) if window.count > 1), default=0)
    inner = prod(window.count for window in windows[:slowest])
    rows = max(1, min(_BATCH_BYTES // (inner * itemsize), _BATCH_RANGES // max(1, inner // windows[0].count)))
    for begin in range(0, windows[slowest].count, rows):
        part = windows[slowest].part(begin, begin + rows)
        yield (*windows[:slowest], part, *windows[slowest + 1 :])


def _runs(
    extent: Extent, windows: Sequence[Window], itemsize: int
) -> tuple[list[Range], list[tuple[int, int]]]:
    """Give the byte ranges in the order of the part, and the pixels that each has of the fastest axes."""
    size, dense = itemsize, []
    for window, length in zip(windows, extent.axes, strict=True):
        if abs(window.step) > 1 and abs(window.step) * size > _DENSE:
            break
        dense.append((window.low, window.high))
        if window.high - window.low + 1 < length:
            break
        size *= length
    strides = [itemsize * prod(extent.axes[:axis]) for axis in range(len(windows))]
    start = extent.data_start + sum(low * stride for (low, _), stride in zip(dense, strides, strict=False))
    size = itemsize * prod(high - low + 1 for low, high in dense)
    starts = np.array([start])
    for window, stride in reversed(list(zip(windows, strides, strict=True))[len(dense) :]):
        starts = (starts[:, np.newaxis] + np.array(window.pixels) * stride).ravel()
    return [(start, start + size) for start in starts.tolist()], dense
