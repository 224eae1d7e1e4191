"""How many regions cover each pixel: what is drawn when there are too many to draw one by one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .outlines import Floats

Depths = NDArray[np.int64]

_RAMP = np.array([(62, 108, 192), (52, 158, 150), (120, 178, 70), (232, 168, 48)], np.float64)
"""Blue, green, amber: seen on white and on black, in order also by those who see no red."""


def depths(width: int, height: int, regions: Iterable[tuple[Sequence[Floats], int]]) -> Depths:
    """Count regions, given as closed paths in pixels with how often each stands there.

    What is smaller than a pixel covers the one that it is in.
    """
    found = np.zeros((height, width), np.int64)
    for paths, count in regions:
        for path in paths:
            _add(found, path, count)
    return found


def _add(found: Depths, path: Floats, count: int) -> None:
    from PIL import Image, ImageDraw

    height, width = found.shape
    left, top = (max(0, math.floor(value)) for value in path.min(axis=0).tolist())
    right, bottom = (math.floor(value) for value in path.max(axis=0).tolist())
    left, top = min(left, width - 1), min(top, height - 1)
    right, bottom = min(max(right, left), width - 1), min(max(bottom, top), height - 1)
    size = (right - left + 1, bottom - top + 1)
    if max(size) <= 2:
        x, y = path.mean(axis=0).tolist()
        found[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)] += count
        return
    mask = Image.new("L", size)
    # Pillow's pixels have their middle at whole numbers, ours at halves.
    ImageDraw.Draw(mask).polygon([(x - left - 0.5, y - top - 0.5) for x, y in path.tolist()], fill=1)
    found[top : bottom + 1, left : right + 1] += count * np.asarray(mask, np.int64)


def coloured(found: Depths, deepest: int) -> NDArray[np.uint8]:
    """Give depths as colours (rows, columns, 4); nothing is clear."""
    grade = np.log(np.maximum(found, 1)) / max(math.log(max(deepest, 2)), 1e-9)
    place = np.clip(grade, 0, 1) * (len(_RAMP) - 1)
    colours = np.stack([np.interp(place, range(len(_RAMP)), _RAMP[:, band]) for band in range(3)], axis=-1)
    opaque = np.where(found > 0, 255, 0)
    return np.concatenate([colours, opaque[..., None]], axis=-1).astype(np.uint8)
