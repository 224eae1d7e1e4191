"""An image for people: 8-bit grey, stretched by zscale, north where ds9 would show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from skyfs.errors import Unsupported

MAX_SIDE = 2048
# JPEG's usual 75 blurs single pixels, which stars are.
_SAVING: Mapping[str, Mapping[str, Any]] = {"PNG": {}, "JPEG": {"quality": 95}}


def write_preview(array: np.ndarray, file: BinaryIO, kind: str = "PNG") -> None:
    """Write a picture, PNG or JPEG, of a 2-d array (axes of length 1 are dropped).

    The first row is at the bottom. Contrast is IRAF's zscale (Tody 1986) of the finite pixels; others are
    black. Images of more than 2048 pixels on a side are averaged in square blocks.

    Raises
    ------
    Unsupported
        When the array has not two axes, or is not of numbers.
    """
    from PIL import Image

    plane = np.squeeze(array) if array.ndim > 2 else array
    if plane.ndim != 2 or plane.size == 0 or plane.dtype.kind not in "iufb":
        raise Unsupported(
            f"preview of an array of {array.dtype} of shape {array.shape}", "it needs a 2-d image"
        )
    grey = _stretch(_averaged(plane, -(-max(plane.shape) // MAX_SIDE)))
    Image.fromarray(np.ascontiguousarray(grey[::-1])).save(file, format=kind, **_SAVING[kind])


def _averaged(plane: np.ndarray, side: int) -> np.ndarray:
    """Average blocks of ``side`` × ``side`` pixels, leaving out what is not finite."""
    if side == 1:
        return plane.astype(np.float64)
    rows, columns = (np.arange(0, length, side) for length in plane.shape)
    averaged = np.empty((len(rows), len(columns)))
    # By strips of blocks: whole survey images in float64 would need several times their size.
    for row, start in enumerate(rows):
        strip = plane[start : start + side].astype(np.float64)
        finite = np.isfinite(strip)
        total = np.add.reduceat(np.where(finite, strip, 0.0).sum(axis=0), columns)
        count = np.add.reduceat(finite.sum(axis=0), columns)
        averaged[row] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return averaged


def _stretch(plane: np.ndarray) -> np.ndarray:
    """Map to 0–255."""
    from astropy.visualization import ZScaleInterval

    finite = np.isfinite(plane)
    if not finite.any():
        return np.zeros(plane.shape, np.uint8)
    low, high = ZScaleInterval().get_limits(plane[finite])
    span = high - low if high > low else 1.0
    scaled = np.clip((np.where(finite, plane, low) - low) / span, 0.0, 1.0)
    grey: np.ndarray = (scaled * 255 + 0.5).astype(np.uint8)
    return grey
