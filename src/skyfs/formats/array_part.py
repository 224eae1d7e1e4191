"""Parts of an array that lies in a file element by element, as `numpy.memmap` would see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, Unsupported
from skyfs.model.ranges import Range
from skyfs.model.selectors import Section, Selector

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


def section_slices(
    selectors: Sequence[Selector], shape: tuple[int, ...], extension: str
) -> tuple[slice, ...]:
    """Give a FITS section (1-based, both ends inclusive, x first) as numpy's slices.

    Raises
    ------
    Unsupported
        When something else than one section is selected.
    BadArgument
        When the section has another number of axes, or leaves the array.
    """
    text = "".join(map(str, selectors))
    if len(selectors) != 1 or not isinstance(selectors[0], Section):
        found = f"a {extension!r} file is one array"
        raise Unsupported(f"selector {text}", found, "[1:500,1:500], 1-based, x first")
    axes = selectors[0].axes[::-1]
    if len(axes) != len(shape):
        raise BadArgument(f"selector {text}", f"the array has the axes {' × '.join(map(str, shape[::-1]))}")
    found_slices = []
    for axis, size in zip(axes, shape, strict=True):
        first, last = (1, size) if axis.first is None else (axis.first, axis.last or size)
        if max(first, last) > size:
            raise BadArgument(
                f"selector {text}", f"an axis has {size} pixels, and {max(first, last)} is asked for"
            )
        first, last = (last, first) if axis.reverse else (first, last)
        step = axis.step if first <= last else -axis.step
        stop = last if step > 0 else last - 2
        found_slices.append(slice(first - 1, stop if stop >= 0 else None, step))
    return tuple(found_slices)


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
