"""Drawings as PNG, on white or on black."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from .drawing import GREY, Area, Dot, Drawing, Line, Raster, Shape, Words

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from .outlines import Floats

_FINER = 3
"""Pillow draws hard edges; drawn so much larger and averaged they are soft."""
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def write_png(drawing: Drawing, *, scale: float = 1.0, dark: bool = False) -> bytes:
    """Give the PNG of a drawing, ``scale`` times as large."""
    from PIL import Image, ImageDraw

    width, height = round(drawing.width * scale), round(drawing.height * scale)
    image = Image.new("RGB", (width * _FINER, height * _FINER), "#14171a" if dark else "white")
    pen = _Pen(image, ImageDraw.Draw(image, "RGBA"), scale * _FINER)
    for shape in drawing.shapes:
        pen.draw(shape)
    file = BytesIO()
    image.resize((width, height), Image.Resampling.BOX).save(file, format="PNG", optimize=True)
    return file.getvalue()


class _Pen:
    """Draws shapes into an image."""

    def __init__(self, image: Image, draw: ImageDraw, scale: float) -> None:
        self._image, self._draw, self._scale = image, draw, scale

    def draw(self, shape: Shape) -> None:
        match shape:
            case Area():
                self._area(shape)
            case Line(points, opacity, width, colour):
                self._line(points, colour, opacity, width)
            case Dot(x, y, colour, radius):
                corners = ((x - radius, y - radius), (x + radius, y + radius))
                box = [value * self._scale for corner in corners for value in corner]
                self._draw.ellipse(box, fill=colour)
            case Words():
                self._words(shape)
            case Raster():
                self._raster(shape)

    def _area(self, area: Area) -> None:
        paths = [path for path in area.paths if len(path) > 1]
        colour = _colour(area.colour, area.opacity)
        if len(paths) == 1:
            self._draw.polygon(self._points(paths[0]), fill=colour)
        elif paths:
            self._image.paste(colour[:3], mask=self._mask(paths, colour[3]))
        for path in paths:
            closed = [*self._points(path), self._points(path)[0]]
            self._draw.line(closed, fill=_colour(area.colour, 1), width=max(1, round(0.8 * self._scale)))

    def _mask(self, paths: list[Floats], strength: int) -> Image:
        """Draw what is in an odd number of paths."""
        from PIL import Image, ImageChops, ImageDraw

        mask = Image.new("1", self._image.size)
        for path in paths:
            one = Image.new("1", self._image.size)
            ImageDraw.Draw(one).polygon(self._points(path), fill=1)
            mask = ImageChops.logical_xor(mask, one)
        return mask.convert("L").point(lambda value: strength if value else 0)

    def _line(self, points: Floats, colour: str, opacity: float, width: float) -> None:
        # Lines that are joined are drawn over themselves where they bend: opacity is of the whole.
        thick = max(1, round(width * self._scale))
        self._draw.line(self._points(points), fill=_colour(colour, opacity), width=thick)

    def _words(self, words: Words) -> None:
        from PIL import ImageFont

        from ..errors import printable

        font = ImageFont.load_default(words.size * self._scale)
        where = (words.x * self._scale, words.y * self._scale)
        self._draw.text(where, printable(words.text), fill=GREY, font=font, anchor=_ANCHORS[words.anchor])

    def _raster(self, raster: Raster) -> None:
        from PIL import Image

        size = (round(raster.width * self._scale), round(raster.height * self._scale))
        picture = Image.fromarray(raster.rgba).resize(size, Image.Resampling.NEAREST)
        self._image.paste(picture, (round(raster.x * self._scale), round(raster.y * self._scale)), picture)

    def _points(self, points: Floats) -> list[tuple[float, float]]:
        return [(x, y) for x, y in (points * self._scale).tolist()]


def _colour(colour: str, opacity: float) -> tuple[int, int, int, int]:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue, round(255 * opacity)
