"""Parts of an array that lies in a file element by element, as `numpy.memmap` would see it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyfs.abc.source import ByteSource
from skyfs.model.ranges import Range

from .planned import read_planned
from .slicing import AxisSlice, normalised

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """Where an array begins, its shape and type; with ``fortran`` the first axis varies fastest."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False


def read_part(source: ByteSource, layout: ArrayLayout, slices: object) -> np.ndarray:
    """Read ``array[slices]``, in planned ranges of runs along the fastest axes.

    Raises
    ------
    BadArgument
        When the slices do not fit.
    BadContent
        When the file ends before it should.
    """
    import numpy as np

    taken = normalised(slices, layout.shape)
    # Slowest axis first.
    order = taken[::-1] if layout.fortran else taken
    shape = layout.shape[::-1] if layout.fortran else layout.shape
    box = [one.bounds for one in order]
    sizes = [stop - start for start, stop in box]
    if 0 in sizes or not layout.dtype.itemsize:
        return _picked(np.zeros(sizes, layout.dtype), order, fortran=layout.fortran)
    ranges = _runs(layout, shape, box)
    data = np.frombuffer(b"".join(read_planned(source, ranges)), layout.dtype)
    return _picked(data.reshape(sizes), order, fortran=layout.fortran)


def _runs(layout: ArrayLayout, shape: tuple[int, ...], box: list[tuple[int, int]]) -> list[Range]:
    """Give the byte ranges of a box, one for each run that lies in one piece."""
    import numpy as np

    size = layout.dtype.itemsize
    axis = len(shape)
    # Axes that are taken whole, and the one before them, make one run.
    while axis > 0 and (axis == len(shape) or box[axis] == (0, shape[axis])):
        axis -= 1
    inner = math.prod(shape[axis + 1 :]) if shape else 1
    first, last = box[axis] if shape else (0, 1)
    starts = np.zeros(1, np.int64)
    for number, (begin, end) in enumerate(box[:axis]):
        stride = math.prod(shape[number + 1 :])
        starts = (starts[:, None] + np.arange(begin, end, dtype=np.int64) * stride).reshape(-1)
    starts = layout.start + (starts + first * inner) * size
    length = (last - first) * inner * size
    return [(start, start + length) for start in starts.tolist()]


def _picked(box: np.ndarray, order: tuple[AxisSlice, ...], *, fortran: bool) -> np.ndarray:
    """Take steps and reversals out of the box, and drop the axes of which one element was asked for."""
    import numpy as np

    steps = tuple(0 if one.drops else slice(None, None, one.indices.step or 1) for one in order)
    found = box[steps]
    return np.array(found.T if fortran else found)
