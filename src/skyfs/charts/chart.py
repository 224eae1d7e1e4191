"""A chart of regions on the sky."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadArgument
from .depth import coloured, depths
from .drawing import Area, Dot, Drawing, Raster, Shape, Words
from .graticule import Frame, graticule
from .outlines import Floats, Outline, outlines
from .projections import Mollweide, Projection, Tangent, projection_for
from .svg import write_svg

COLOURS = ("#3b7fd0", "#d98021", "#2f9e6b", "#cc4455", "#8d62c4", "#9a7b35")
"""Of layers, in order, and from the first again; each is seen on white and on black."""
MOST_DRAWN = 2_000
"""Of more regions the depth is drawn: as SVG, each is some hundred bytes."""
_MOST_CORNERS = 40_000
_SMALLEST_DEG = 1 / 3600
_DOT = 3.0
"""A region smaller than this, in pixels, is drawn as a spot."""
_FINER = 2


@dataclass(frozen=True, slots=True)
class Layer:
    """Regions that are drawn in one colour.

    Attributes
    ----------
    label
        What they are.
    regions
        Encoded regions, each with how many things have it.
    """

    label: str
    regions: Mapping[bytes, int]


class SkyChart:
    """A chart of regions on the sky, ICRS, east to the left.

    The whole sky is in Mollweide's projection, which keeps areas; what lies in a field of 35 degrees about
    its middle is in the tangent plane. Of more than 2000 regions is drawn how many cover each place.

    Parameters
    ----------
    layers
        What to draw.
    notes
        Lines to write below.

    Attributes
    ----------
    count
        How many different regions there are.
    """

    def __init__(self, layers: Sequence[Layer], notes: Sequence[str] = ()) -> None:
        self.layers, self.notes = tuple(layers), tuple(notes)
        self.count = len({region for layer in layers for region in layer.regions})

    def __repr__(self) -> str:
        return f"<SkyChart of {self.count} regions: {', '.join(layer.label for layer in self.layers)}>"

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def to_svg(self, width: int = 720) -> str:
        """Give the chart as SVG, so many pixels wide; its background is that of the page."""
        return write_svg(self.draw(width))

    def to_png(
        self, width: int = 720, *, dark: bool = False, scale: float = 1.0, words: bool = True
    ) -> bytes:
        """Give the chart as PNG on white, or on black; ``scale`` times as large, with words or without."""
        from .png import write_png

        drawing = self.draw(width)
        if not words:
            drawing.shapes[:] = [shape for shape in drawing.shapes if not isinstance(shape, Words)]
        return write_png(drawing, dark=dark, scale=scale)

    def describe(self) -> str:
        """Say in a line what is on the chart, and where that is."""
        every = [one for layer in self.layers for one in _Placed.of(layer).outlines]
        projection = projection_for(every)
        where = "on the whole sky"
        if isinstance(projection, Tangent):
            extent = np.ptp(
                np.concatenate([path for some in projection.place(every) for path in some]), axis=0
            )
            size = " x ".join(f"{side:.3g}°" for side in extent.tolist())
            digits = min(6, 2 - math.floor(math.log10(max(extent.max(), _SMALLEST_DEG))))
            where = f"about {projection.ra_deg:.{digits}f}° {projection.dec_deg:+.{digits}f}° (ICRS), {size}"
        return "; ".join([f"{self.count:,} regions {where}", *self.notes])

    def save(self, path: str | Path) -> Path:
        """Write the chart to a file: ``.svg``, or ``.png`` in twice its size.

        Raises
        ------
        BadArgument
            For another extension.
        """
        path = Path(path)
        if path.suffix.lower() == ".svg":
            path.write_text(self.to_svg(), encoding="utf-8")
        elif path.suffix.lower() == ".png":
            path.write_bytes(self.to_png(scale=2))
        else:
            raise BadArgument(f"save a chart as {str(path)!r}", "it is neither .svg nor .png", "name it so")
        return path

    def draw(self, width: int) -> Drawing:
        """Give the shapes of the chart."""
        listed = [_Placed.of(layer) for layer in self.layers]
        every = [one for layer in listed for one in layer.outlines]
        projection = projection_for(every)
        placed = projection.place(every)
        frame = _frame(projection, placed, width)
        paths = [[frame.pixels(path) for path in some] for some in placed]
        drawing = Drawing(width, round(frame.y + frame.height), self._title())
        single = self.count <= MOST_DRAWN and sum(len(one) for some in paths for one in some) <= _MOST_CORNERS
        if single:
            drawing.shapes.extend(_one_by_one(listed, paths))
            drawing.shapes.extend(graticule(projection, frame))
            legend = [*_swatches(self.layers, frame.x)]
        else:
            raster, deepest = _all_together(listed, paths, frame)
            drawing.shapes.extend([raster, *graticule(projection, frame)])
            legend = [*_ramp(deepest, self.layers, frame.x)]
        return _with_words(drawing, projection, legend, self.notes)

    def _title(self) -> str:
        return f"Sky chart of {self.count} regions: {', '.join(layer.label for layer in self.layers)}"


@dataclass(frozen=True, slots=True)
class _Placed:
    """The outlines of a layer, and how often each stands there."""

    outlines: list[Outline]
    counts: list[int]

    @classmethod
    def of(cls, layer: Layer) -> _Placed:
        found: list[Outline] = []
        counts: list[int] = []
        for region, count in layer.regions.items():
            parts = outlines(region)
            found += parts
            counts += [count] * len(parts)
        return cls(found, counts)


def _frame(projection: Projection, placed: list[list[Floats]], width: int) -> Frame:
    """Choose what part of the plane is shown."""
    if isinstance(projection, Mollweide):
        scale = (width - 52) / 4
        return Frame(-2.0, 1.0, 44.0, 8.0, 4 * scale, 2 * scale, scale)
    points = np.concatenate([path for some in placed for path in some])
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    size = np.maximum((high - low) * 1.16, _SMALLEST_DEG)
    # Neither a ribbon nor a tower.
    size = np.maximum(size, (size[1] * 0.8, size[0] * 0.4))
    inner = width - 98.0
    scale = inner / size[0]
    corner = middle + size * (-0.5, 0.5)
    return Frame(float(corner[0]), float(corner[1]), 60.0, 24.0, inner, float(size[1] * scale), float(scale))


def _one_by_one(listed: list[_Placed], paths: list[list[Floats]]) -> Iterator[Shape]:
    waiting = iter(paths)
    for number, layer in enumerate(listed):
        colour = COLOURS[number % len(COLOURS)]
        # Where many overlap it shall still be seen how many.
        opacity = round(min(0.3, max(0.05, 0.6 / math.sqrt(max(len(layer.outlines), 1)))), 3)
        for _ in layer.outlines:
            yield _shape(next(waiting), colour, opacity)


def _shape(paths: list[Floats], colour: str, opacity: float) -> Shape:
    corners = np.concatenate(paths) if paths else np.zeros((1, 2))
    if np.ptp(corners, axis=0).max() < _DOT:
        x, y = corners.mean(axis=0).tolist()
        return Dot(x, y, colour)
    return Area(paths, colour, opacity)


def _all_together(listed: list[_Placed], paths: list[list[Floats]], frame: Frame) -> tuple[Raster, int]:
    counts = [count for layer in listed for count in layer.counts]
    corner = (frame.x, frame.y)
    finer = ([(path - corner) * _FINER for path in some] for some in paths)
    size = (math.ceil(frame.width * _FINER), math.ceil(frame.height * _FINER))
    found = depths(*size, zip(finer, counts, strict=True))
    deepest = int(found.max())
    where = (frame.x, frame.y, size[0] / _FINER, size[1] / _FINER)
    return Raster(*where, coloured(found, deepest)), deepest


# -- below the chart -----------------------------------------------------------------------------------


def _swatches(layers: Sequence[Layer], left: float) -> Iterator[Sequence[Shape]]:
    for number, layer in enumerate(layers):
        colour = COLOURS[number % len(COLOURS)]
        square = np.array([(left, -9), (left + 10, -9), (left + 10, 0), (left, 0)], np.float64)
        yield [Area([square], colour, 0.4), Words(left + 16, 0, layer.label)]


def _ramp(deepest: int, layers: Sequence[Layer], left: float) -> Iterator[Sequence[Shape]]:
    if deepest > 1:
        steps = np.round(np.geomspace(1, deepest, 120)).astype(np.int64)
        width = 160.0
        bar = Raster(left + 16, -9, width, 9, coloured(steps[None], deepest))
        ends = [Words(left + 10, 0, "1", anchor="end"), Words(left + width + 22, 0, f"{deepest} at a place")]
        yield [bar, *ends]
    yield from ([Words(left, 0, layer.label)] for layer in layers)


def _with_words(
    drawing: Drawing, projection: Projection, legend: Sequence[Sequence[Shape]], notes: Sequence[str]
) -> Drawing:
    """Write legend and notes below what is drawn."""
    left = 44.0 if isinstance(projection, Mollweide) else 60.0
    y = drawing.height + (22.0 if isinstance(projection, Mollweide) else 54.0)
    rows: list[Sequence[Shape]] = [*legend, *([Words(left, 0, note)] for note in notes)]
    for row in rows:
        drawing.shapes.extend(_down(shape, y) for shape in row)
        y += 17
    return Drawing(drawing.width, round(y - 4), drawing.title, drawing.shapes)


def _down(shape: Shape, by: float) -> Shape:
    match shape:
        case Area(paths, colour, opacity):
            return Area([np.add(path, (0, by)) for path in paths], colour, opacity)
        case Words(x, y, text, size, anchor):
            return Words(x, y + by, text, size, anchor)
        case Raster(x, y, width, height, rgba):
            return Raster(x, y + by, width, height, rgba)
    return shape
