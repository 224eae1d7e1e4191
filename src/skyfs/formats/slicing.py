"""``slices=``: numpy's basic indexing, of arrays, images and the rows of tables."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Any, SupportsIndex, cast

from skyfs.errors import BadArgument, Unsupported
from skyfs.model.quoting import shown

_TODO = "give numpy's, as np.s_[y0:y1, x0:x1]: 0-based, half-open, y first"


@dataclass(frozen=True, slots=True)
class AxisSlice:
    """What is taken of an axis: ``range(start, stop, step)``; an integer takes one and drops the axis."""

    indices: range
    drops: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """The first index that is taken and the one after the last, whichever way it goes."""
        taken = self.indices
        return (0, 0) if not taken else (min(taken[0], taken[-1]), max(taken[0], taken[-1]) + 1)


def refuse_text(slices: object) -> None:
    """Refuse a FITS section given as text: it would be read from 1, with x first.

    Raises
    ------
    BadArgument
        When slices are text.
    """
    if isinstance(slices, str | bytes):
        found = "text: a section [x1:x2,y1:y2] belongs to the path"
        raise BadArgument(f"slices={slices!r}", found, _TODO)


def normalised(slices: object, shape: tuple[int, ...]) -> tuple[AxisSlice, ...]:
    """Give what is taken of each axis.

    Raises
    ------
    BadArgument
        When the slices are of another kind, are more than there are axes, or an integer lies outside.
    """
    refuse_text(slices)
    parts = list(slices) if isinstance(slices, tuple) else [slices]
    if sum(part is Ellipsis for part in parts) > 1:
        raise BadArgument(f"slices={slices!r}", "more than one ...", _TODO)
    named = len(parts) - sum(part is Ellipsis for part in parts)
    if named > len(shape):
        raise BadArgument(f"slices={slices!r}", f"there are {len(shape)} axes: {_spelled(shape)}", _TODO)
    if Ellipsis not in [part for part in parts if isinstance(part, EllipsisType)]:
        parts.append(Ellipsis)
    at = next(index for index, part in enumerate(parts) if part is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (len(shape) - named)
    return tuple(_of_axis(part, size, slices, shape) for part, size in zip(parts, shape, strict=True))


def _of_axis(part: object, size: int, slices: object, shape: tuple[int, ...]) -> AxisSlice:
    if isinstance(part, slice):
        try:
            return AxisSlice(range(*part.indices(size)))
        except (TypeError, ValueError) as error:
            raise BadArgument(f"slices={slices!r}", str(error), _TODO) from None
    # An array of one element has an index too.
    if isinstance(part, bool) or not isinstance(part, SupportsIndex) or hasattr(part, "__len__"):
        raise BadArgument(f"slices={slices!r}", f"{part!r} is neither a slice nor an integer", _TODO)
    number = part.__index__()
    if not -size <= number < size:
        raise BadArgument(f"slices={slices!r}", f"{number} lies outside of the axes {_spelled(shape)}", _TODO)
    return AxisSlice(range(number % size, number % size + 1), drops=True)


def row_slice(slices: object, count: int) -> range:
    """Give which rows of a table are taken.

    Raises
    ------
    BadArgument
        When it is no single slice.
    """
    (rows,) = normalised(slices, (count,))
    if rows.drops:
        raise BadArgument(f"slices={slices!r}", "of a table an integer is no table", "np.s_[5:6] is one row")
    return rows.indices


def sliced(value: object, slices: object) -> object:
    """Slice an object that was read whole.

    Raises
    ------
    BadArgument
        When the slices do not fit.
    Unsupported
        When it is no array, image, mask or table.
    """
    import numpy as np
    from astropy.nddata import NDData
    from astropy.table import Table

    from .exposure import Mask

    if isinstance(value, Table):
        rows = row_slice(slices, len(value))
        stop = rows.stop if rows.stop >= 0 else None
        return value[rows.start : stop : rows.step].copy() if rows else value[:0].copy()
    if isinstance(value, np.ndarray):
        normalised(slices, value.shape)
        return np.array(value[cast("Any", slices)])
    if isinstance(value, Mask):
        normalised(slices, value.array.shape)
        return value[slices]
    if isinstance(value, NDData) and hasattr(value, "__getitem__") and value.data is not None:
        normalised(slices, value.data.shape)
        return value[slices]
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise Unsupported(f"slices={shown(slices)}", f"a {kind} has none", "take the part of what get() gives")


def _spelled(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "of a single value"
