"""Which pixels of an image a part takes: for each axis where it begins, how many, and in which steps."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import SupportsIndex, cast

from skyfs.errors import BadArgument
from skyfs.model.selectors import AxisRange, Section


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels of one axis, counted from 0: ``first``, ``first + step``...; a negative step reverses."""

    first: int
    count: int
    step: int = 1

    @property
    def low(self) -> int:
        """The lowest pixel."""
        return min(self.first, self.last)

    @property
    def high(self) -> int:
        """The highest pixel."""
        return max(self.first, self.last)

    @property
    def last(self) -> int:
        """The last pixel; before the first when there is none."""
        return self.first + (self.count - 1) * self.step

    @property
    def pixels(self) -> range:
        """All of them, in order."""
        return range(self.first, self.first + self.count * self.step, self.step)

    def part(self, begin: int, end: int) -> Window:
        """Give some of them, counted as they come."""
        return Window(self.first + begin * self.step, min(end, self.count) - begin, self.step)

    def within(self, low: int) -> slice:
        """Give the slice that takes them out of all pixels from ``low`` on."""
        stop = self.last + self.step - low
        return slice(self.first - low, stop if stop >= 0 else None, self.step)

    def is_whole(self, size: int) -> bool:
        """Tell whether it is an axis of that size, unchanged."""
        return self == Window(0, size)


def section_windows(section: Section, axes: Sequence[int]) -> tuple[Window, ...]:
    """Give the windows of a FITS section, x first, as CFITSIO reads it.

    Axes that the section leaves out are whole; further ones than the image has may be ``1:1``.

    Raises
    ------
    BadArgument
        When the section leaves the image.
    """
    given = (*section.axes, *[AxisRange()] * (len(axes) - len(section.axes)))
    sizes = (*axes, *[1] * (len(given) - len(axes)))
    windows = []
    for axis, size in zip(given, sizes, strict=True):
        first, last = (1, size) if axis.first is None or axis.last is None else (axis.first, axis.last)
        if max(first, last) > size:
            shown = " × ".join(map(str, axes))
            raise BadArgument(f"section {section}", f"the image has {shown} pixels", "stay within it")
        if axis.reverse:
            first, last = last, first
        step = axis.step if first <= last else -axis.step
        windows.append(Window(first - 1, abs(last - first) // axis.step + 1, step))
    return tuple(windows[: len(axes)])


def slice_windows(slices: object, shape: Sequence[int]) -> tuple[tuple[Window, ...], tuple[int, ...]]:
    """Give the windows of numpy's basic indexing, in numpy's order of axes, and which axes integers drop.

    Raises
    ------
    BadArgument
        When it is no basic indexing, or does not fit the shape.
    """
    windows, dropped = [], []
    for axis, (index, size) in enumerate(zip(_full(slices, shape), shape, strict=True)):
        if isinstance(index, slice):
            try:
                pixels = range(size)[index]
            except (TypeError, ValueError) as error:
                raise _refused(slices, shape, str(error)) from None
            windows.append(Window(pixels.start, len(pixels), pixels.step))
        else:
            if not -size <= index < size:
                raise _refused(slices, shape, f"axis {axis} has {size} pixels, not {index}")
            windows.append(Window(index % size, 1))
            dropped.append(axis)
    return tuple(windows), tuple(dropped)


def _full(slices: object, shape: Sequence[int]) -> tuple[slice | int, ...]:
    """Give one slice or integer for each axis."""
    given: tuple[object, ...] = slices if isinstance(slices, tuple) else (slices,)
    kinds = [_kind(one) for one in given]
    if None in kinds or kinds.count("ellipsis") > 1:
        raise _refused(slices, shape, "not numpy's basic indexing")
    missing = len(shape) - len(given) + kinds.count("ellipsis")
    if missing < 0:
        raise _refused(slices, shape, "more indices than axes")
    place = kinds.index("ellipsis") if "ellipsis" in kinds else len(given)
    full = (*given[:place], *[slice(None)] * missing, *given[place + 1 :])
    return tuple(
        one if isinstance(one, slice) else operator.index(cast("SupportsIndex", one)) for one in full
    )


def _kind(index: object) -> str | None:
    """Tell what an index is; None when basic indexing has it not (True would be an axis of its own)."""
    if isinstance(index, slice):
        return "slice"
    if isinstance(index, EllipsisType):
        return "ellipsis"
    is_scalar = not isinstance(index, bool) and getattr(index, "ndim", 0) == 0
    return "integer" if is_scalar and isinstance(index, SupportsIndex) else None


def _refused(slices: object, shape: Sequence[int], found: str) -> BadArgument:
    todo = f"the image has the shape {tuple(shape)}: np.s_[y0:y1, x0:x1], counted from 0"
    return BadArgument(f"slices={slices!r:.200}", found, todo)
