"""A drawing: shapes in pixels, x to the right and y down, which `svg` and `png` write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .outlines import Floats

Anchor = Literal["start", "middle", "end"]

GREY = "#7d7d7d"
"""Lines and words: readable on white (4.1 to 1), and on the black of notebooks and terminals (4.6 to 1)."""


@dataclass(frozen=True, slots=True)
class Area:
    """What is in an odd number of closed paths, filled and with its border."""

    paths: Sequence[Floats]
    colour: str
    opacity: float = 0.3


@dataclass(frozen=True, slots=True)
class Line:
    """An open line."""

    points: Floats
    opacity: float = 0.45
    width: float = 0.8
    colour: str = GREY


@dataclass(frozen=True, slots=True)
class Dot:
    """A spot that can be seen, whatever the size of what it stands for."""

    x: float
    y: float
    colour: str
    radius: float = 2.0


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; ``y`` is its base line."""

    x: float
    y: float
    text: str
    size: float = 11.0
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True)
class Raster:
    """Pixels with colours and opacity, (rows, columns, 4), the first row on top."""

    x: float
    y: float
    width: float
    height: float
    rgba: NDArray[np.uint8]


Shape = Area | Line | Dot | Words | Raster


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes, the first at the bottom.

    Attributes
    ----------
    width, height
        In pixels.
    title
        What it shows, for those who cannot see it.
    """

    width: int
    height: int
    title: str
    shapes: list[Shape] = field(default_factory=list)
