"""Drawings as SVG: one element, without style sheets, scripts or anything from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from io import BytesIO

import numpy as np

from ..errors import printable
from .drawing import GREY, Area, Dot, Drawing, Line, Raster, Shape, Words
from .outlines import Floats


def write_svg(drawing: Drawing) -> str:
    """Give the SVG of a drawing; its background is that of the page."""
    size = f'width="{drawing.width}" height="{drawing.height}" viewBox="0 0 {drawing.width} {drawing.height}"'
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif">',
            f"<title>{text_of(drawing.title)}</title>",
            *map(_element, drawing.shapes),
            "</svg>",
        ]
    )


def text_of(text: str) -> str:
    """Escape text for HTML and SVG, and show what a reader could not see."""
    return escape(printable(text))


def _element(shape: Shape) -> str:
    match shape:
        case Area(paths, colour, opacity):
            moves = "".join(f"M{_points(path)}Z" for path in paths)
            how = f'fill="{colour}" fill-opacity="{opacity:g}" stroke="{colour}" stroke-width="0.8"'
            return f'<path d="{moves}" {how} fill-rule="evenodd" stroke-linejoin="round"/>'
        case Line(points, opacity, width, colour):
            how = f'fill="none" stroke="{colour}" stroke-opacity="{opacity:g}" stroke-width="{width:g}"'
            return f'<path d="M{_points(points)}" {how}/>'
        case Dot(x, y, colour, radius):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"/>'
        case Words(x, y, text, size, anchor):
            where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
            return f'<text {where} fill="{GREY}">{text_of(text)}</text>'
        case Raster():
            return _image(shape)


def _points(points: Floats) -> str:
    rows: Iterable[list[float]] = np.round(points, 1).tolist()
    return "L".join(f"{x:g} {y:g}" for x, y in rows)


def _image(raster: Raster) -> str:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(raster.rgba).save(file, format="PNG", optimize=True)
    data = b64encode(file.getvalue()).decode()
    where = f'x="{raster.x:.1f}" y="{raster.y:.1f}" width="{raster.width:.1f}" height="{raster.height:.1f}"'
    return f'<image {where} preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
