"""Headers of image parts: sizes, and world coordinates that stay what they were for every kept pixel.

What changes follows from where a kept pixel was: old = first + step * (new - 1) on each axis (FITS standard
4.0, section 8; SIP: Shupe et al. 2005; LTV and LTM: IRAF; plate constants: Digitized Sky Survey).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skyfs.errors import Unsupported

from .fits_window import Window

if TYPE_CHECKING:
    from astropy.io import fits

_SOLUTION = re.compile(r"(?:(?:CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CROTA)\d+|(?:CD|PC)\d+_\d+)([A-Z]?)")
_SIP = re.compile(r"(AP?|BP?)_(\d+)_(\d+)")
_LOGICAL = re.compile(r"LTV\d+|LTM\d+_\d+")
# Values on grids of pixels, or functions of pixels, in extensions and records that a part does not have.
_BOUND_TO_PIXELS = re.compile(r"CPDIS\d+[A-Z]?|D2IMDIS\d+|PS\d+_0[A-Z]?")
_OF_WHOLE = ("CHECKSUM", "DATASUM")


def cut_header(header: fits.Header, windows: Sequence[Window]) -> None:
    """Make the header of an image that of a part of it; windows are in the order of the FITS axes.

    Raises
    ------
    Unsupported
        When it has distortions that a part cannot carry along.
    """
    before = [int(header[f"NAXIS{axis}"]) for axis in range(1, len(windows) + 1)]
    for axis, window in enumerate(windows, 1):
        header[f"NAXIS{axis}"] = window.count
    for key in _OF_WHOLE:
        header.remove(key, ignore_missing=True, remove_all=True)
    if all(window.is_whole(size) for window, size in zip(windows, before, strict=True)):
        return
    refuse_tables(header)
    for alternate in sorted({match[1] for match in map(_SOLUTION.fullmatch, header) if match}):
        _move_solution(header, windows, alternate)
    _move_polynomials(header, windows)
    _move_logical(header, windows)
    _move_plate(header, windows)


def refuse_tables(header: fits.Header) -> None:
    """Raise Unsupported when world coordinates depend on what is outside of the header, or on its pixels."""
    found = [key for key in header if _BOUND_TO_PIXELS.fullmatch(key)]
    if found:
        raise Unsupported(
            "a part of this image",
            f"its world coordinates need tables or functions of pixels ({found[0]} = {header[found[0]]!r})",
            "take the whole HDU, as in [1]",
        )


def _move_solution(header: fits.Header, windows: Sequence[Window], alternate: str) -> None:
    """Move the reference pixel of one solution, and scale its matrix or increments."""
    cd, pc = _matrix(header, "CD", alternate), _matrix(header, "PC", alternate)
    for axis, window in enumerate(windows, 1):
        if window.first == 0 and window.step == 1:
            continue
        key = f"CRPIX{axis}{alternate}"
        header[key] = (float(header.get(key, 0.0)) - window.first - 1) / window.step + 1
        # Where there is a CD matrix nobody reads CDELT, but CFITSIO scales both.
        key = f"CDELT{axis}{alternate}"
        if window.step != 1 and (not cd or key in header) and not _has_late_distortion(header):
            header[key] = float(header.get(key, 1.0)) * window.step
    steps = [window.step for window in windows]
    for key, (_, column) in cd.items():
        _scale(header, key, _step(steps, column))
    if cd or all(step == 1 for step in steps):
        return
    if _has_late_distortion(header):
        # Sequent distortions (CQDIS) lie between matrix and increments: these must stay.
        for axis in range(1, len(steps) + 1):
            header.setdefault(f"PC{axis}_{axis}{alternate}", 1.0)
        for key, (_, column) in _matrix(header, "PC", alternate).items():
            _scale(header, key, _step(steps, column))
        return
    for key, (row, column) in pc.items():
        _scale(header, key, _step(steps, column) / _step(steps, row))


def _has_late_distortion(header: fits.Header) -> bool:
    return any(key.startswith("CQDIS") for key in header)


def _matrix(header: fits.Header, name: str, alternate: str) -> dict[str, tuple[int, int]]:
    """Give row and column of each element of a matrix that the header has; AIPS wrote PC001002."""
    found = {}
    pattern = re.compile(
        rf"{name}(\d+)_(\d+){alternate}" + ("|PC(\\d{3})(\\d{3})" * (name == "PC" and not alternate))
    )
    for key in header:
        if match := pattern.fullmatch(key):
            row, column = [int(group) for group in match.groups() if group]
            found[key] = (row, column)
    return found


def _step(steps: Sequence[int], axis: int) -> int:
    """Give the step of an axis, which is 1 where the solution has more axes than the image."""
    return steps[axis - 1] if axis <= len(steps) else 1


def _scale(header: fits.Header, key: str, factor: float) -> None:
    if factor != 1:
        header[key] = float(header[key]) * factor


def _move_polynomials(header: fits.Header, windows: Sequence[Window]) -> None:
    """Scale the coefficients of SIP: they multiply powers of pixels, and give pixels."""
    if len(windows) < 2:
        return
    x, y = windows[0].step, windows[1].step
    for key in list(header):
        if match := _SIP.fullmatch(key):
            output = x if match[1].startswith("A") else y
            _scale(header, key, float(x) ** int(match[2]) * float(y) ** int(match[3]) / output)
    for key, step in (("A_DMAX", x), ("B_DMAX", y)):
        if key in header:
            _scale(header, key, 1 / abs(step))


def _move_logical(header: fits.Header, windows: Sequence[Window]) -> None:
    """Move IRAF's transformation from physical to logical pixels, when there is one."""
    if not any(map(_LOGICAL.fullmatch, header)):
        return
    for axis, window in enumerate(windows, 1):
        if window.first == 0 and window.step == 1:
            continue
        key = f"LTV{axis}"
        header[key] = (float(header.get(key, 0.0)) - window.first - 1) / window.step + 1
        if window.step != 1:
            header.setdefault(f"LTM{axis}_{axis}", 1.0)
            for column in range(1, len(windows) + 1):
                if f"LTM{axis}_{column}" in header:
                    _scale(header, f"LTM{axis}_{column}", 1 / window.step)


def _move_plate(header: fits.Header, windows: Sequence[Window]) -> None:
    """Move the corner of a sky survey image on its plate: position = size * (pixel + corner - 0.5)."""
    for axis, (window, letter) in enumerate(zip(windows, "XY", strict=False), 1):
        corner, size = f"CNPIX{axis}", f"{letter}PIXELSZ"
        if corner in header and size in header and (window.first or window.step != 1):
            moved = (window.first + 1 - window.step + float(header[corner]) - 0.5) / window.step + 0.5
            header[corner] = int(moved) if window.step == 1 and moved.is_integer() else moved
            _scale(header, size, window.step)
