"""Parts of FITS files that selectors name, as files of their own: the primary HDU, then the selected one.

The primary HDU is the selected one, or gives its header alone: its data are no part of what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument
from skyfs.model.selectors import Box, Circle, Columns, Hdu, HduName, RowFilter, Section, Selector

from . import fits_table_cut
from .fits_image_cut import cut_image
from .fits_layout import Extent, extents
from .fits_pieces import copy_hdu, write_primary

_TABLES = ("BINTABLE", "TABLE")


def cut(source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
    """Write the part that the selectors name; the source is an uncompressed FITS file.

    Raises
    ------
    BadArgument
        When there is no such HDU, or the selectors do not go with what it holds.
    """
    primary, chosen = _choose(source, selectors)
    rest = tuple(one for one in selectors if not isinstance(one, Hdu | HduName))
    if not rest:
        if chosen.index:
            write_primary(primary, file)
        copy_hdu(source, chosen, file)
    elif _is_table(chosen):
        _require(rest, (Columns, RowFilter), f"HDU {chosen.index} is a table", "[col a;b] or [a > 1]")
        fits_table_cut.cut_table(source, chosen, primary, rest, file)
    else:
        what = f"HDU {chosen.index} {_shape(chosen)}"
        _require(rest, (Section, Circle, Box), what, "[1:500,1:500] or [circle ra dec radius]")
        cut_image(source, primary, chosen, rest, file)


def _choose(source: ByteSource, selectors: Sequence[Selector]) -> tuple[Extent, Extent]:
    """Give the primary HDU and the selected one; headers after it are not read."""
    seen: list[Extent] = []
    for extent in extents(source):
        seen.append(extent)
        if _is_meant(extent, selectors[0]):
            return seen[0], extent
    there = "; ".join(f"{one.index} {one.name} {_shape(one)}".replace("  ", " ") for one in seen[:20])
    raise BadArgument(f"selector {selectors[0]}", "no HDU of the file is meant", f"there are: {there}")


def _is_meant(extent: Extent, selector: Selector) -> bool:
    """Tell whether a selector means an HDU; one that names none means the first that it can cut (CFITSIO)."""
    if isinstance(selector, Hdu):
        return extent.index == selector.number
    if isinstance(selector, HduName):
        named = extent.name.upper() == selector.name.upper()
        return named and selector.version in (None, extent.version)
    if isinstance(selector, Columns | RowFilter):
        return _is_table(extent)
    return bool(extent.image_axes)


def _is_table(extent: Extent) -> bool:
    return extent.kind in _TABLES and not extent.compressed


def _require(selectors: Sequence[Selector], kinds: tuple[type[Selector], ...], found: str, todo: str) -> None:
    for selector in selectors:
        if not isinstance(selector, kinds):
            raise BadArgument(f"selector {selector}", found, todo)


def _shape(extent: Extent) -> str:
    """Say what an HDU holds."""
    if extent.image_axes:
        return f"(image {' × '.join(map(str, extent.image_axes))})"
    return "(table)" if _is_table(extent) else "(no data)" if extent.data_size == 0 else f"({extent.kind})"
