"""Lines of equal right ascension and declination, with their labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .drawing import Anchor, Line, Shape, Words
from .outlines import Floats
from .projections import Mollweide, Projection, Tangent

_STEPS = (90.0, 45.0, 30.0, 15.0, 10.0, 5.0, 2.0, 1.0)
_LINES = 6
"""At most about so many lines cross the frame in one direction."""
_POINTS = 181
_ROW, _COLUMN = 28.0, 66.0
"""So far apart lines are at least, in pixels, about: labels must have room."""
_CLOSE, _LETTER = 14.0, 6.5
"""Labels nearer to one another than this, or than their letters are wide, in pixels, are left out."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The plane's part that is shown, and where it is drawn.

    Attributes
    ----------
    left, top
        Of the picture's upper left corner, in the plane; its y is up.
    x, y, width, height
        Where it is drawn, in pixels.
    scale
        Pixels per unit of the plane.
    """

    left: float
    top: float
    x: float
    y: float
    width: float
    height: float
    scale: float

    def pixels(self, points: Floats) -> Floats:
        """Give points of the plane as pixels."""
        return np.asarray((points - (self.left, self.top)) * (self.scale, -self.scale) + (self.x, self.y))


def graticule(projection: Projection, frame: Frame) -> list[Shape]:
    """Draw the lines and labels that fit a projection."""
    if isinstance(projection, Mollweide):
        return list(_whole_sky(projection, frame))
    if isinstance(projection, Tangent):
        return list(_field(projection, frame))
    raise TypeError(f"no graticule for {projection!r}")


# -- the whole sky -------------------------------------------------------------------------------------


def _whole_sky(projection: Mollweide, frame: Frame) -> Iterator[Shape]:
    # One part in a million short of half a turn: the edge on the other side is that of the same meridian.
    half = 180 - 2e-4
    lat, lon = np.linspace(-90, 90, _POINTS), np.linspace(-half, half, _POINTS)
    for offset in range(-150, 180, 30):
        meridian = np.full(_POINTS, projection.centre_deg + offset)
        yield Line(frame.pixels(projection.project(meridian, lat)))
    for dec in range(-60, 90, 30):
        parallel = frame.pixels(projection.project(projection.centre_deg + lon, np.full(_POINTS, float(dec))))
        yield Line(parallel)
        x, y = min(map(tuple, parallel.tolist()))
        yield Words(x - 5, y + (4 if dec == 0 else -6 if dec > 0 else 12), _dec(dec, 0), anchor="end")
    east, west = (
        projection.project(np.full(_POINTS, projection.centre_deg + side), lat) for side in (half, -half)
    )
    yield Line(frame.pixels(np.concatenate([east, west[::-1], east[:1]])), opacity=0.9)
    for offset in range(-120, 180, 60):
        ra = projection.centre_deg + offset
        ((x, y),) = frame.pixels(projection.project(np.array([ra]), np.array([0.0]))).tolist()
        yield Words(x + 3, y - 4, _ra(ra, 0))


# -- a field -------------------------------------------------------------------------------------------


def _field(projection: Tangent, frame: Frame) -> Iterator[Shape]:
    width, height = frame.width / frame.scale, frame.height / frame.scale
    radius = _radius(frame)
    dec_step = _step(height / min(_LINES, frame.height / _ROW))
    across = width / min(_LINES, frame.width / _COLUMN)
    ra_step = min(90.0, _step(across / max(math.cos(math.radians(projection.dec_deg)), 0.05)))
    if abs(projection.dec_deg) + radius >= 89:
        ra_step = max(ra_step, 30.0)
    taken: list[tuple[float, float]] = []
    for ra in _multiples(projection.ra_deg, _reach(projection, radius), ra_step):
        yield from _meridian(projection, frame, ra, ra_step, taken)
    for dec in _multiples(projection.dec_deg, radius, dec_step):
        if abs(dec) < 90:
            yield from _parallel(projection, frame, dec, dec_step, taken)
    yield Line(_border(frame), opacity=0.9)
    middle = frame.x + frame.width / 2
    yield Words(middle, frame.y + frame.height + 32, "right ascension (ICRS)", anchor="middle")
    yield Words(frame.x - 8, frame.y - 8, "declination", anchor="middle")


def _radius(frame: Frame) -> float:
    """Give how far a corner of the frame can be from where the plane touches the sphere, in degrees."""
    right, bottom = frame.left + frame.width / frame.scale, frame.top - frame.height / frame.scale
    far = max(math.hypot(x, y) for x in (frame.left, right) for y in (frame.top, bottom))
    return math.degrees(math.atan(math.radians(far)))


def _reach(projection: Tangent, radius: float) -> float:
    """Give how far right ascensions within a radius can be from that of the centre, in degrees."""
    if abs(projection.dec_deg) + radius >= 89.5:
        return 180.0
    # Of a circle about the centre, the farthest meridian touches it.
    sine = math.sin(math.radians(radius)) / math.cos(math.radians(projection.dec_deg))
    return math.degrees(math.asin(min(1.0, sine)))


def _meridian(
    projection: Tangent, frame: Frame, ra: float, step: float, taken: list[tuple[float, float]]
) -> Iterator[Shape]:
    half = _radius(frame) * 1.05
    dec = np.linspace(max(-90, projection.dec_deg - half), min(90, projection.dec_deg + half), _POINTS)
    pieces = _inside(frame, frame.pixels(projection.project(np.full(_POINTS, ra), dec)))
    yield from (Line(piece) for piece in pieces)
    yield from _label(frame, pieces, _ra(ra, _digits(step)), ("bottom", "top", "left", "right"), taken)


def _parallel(
    projection: Tangent, frame: Frame, dec: float, step: float, taken: list[tuple[float, float]]
) -> Iterator[Shape]:
    reach = min(180.0, 1.05 * _reach(projection, _radius(frame)))
    ra = projection.ra_deg + np.linspace(-reach, reach, 2 * _POINTS - 1)
    pieces = _inside(frame, frame.pixels(projection.project(ra, np.full(len(ra), dec))))
    yield from (Line(piece) for piece in pieces)
    text = _dec(dec, _digits(step))
    labels = list(_label(frame, pieces, text, ("left",), taken))
    if not labels and len(pieces) == 1 and not _side(frame, *pieces[0][0]):
        # It goes round a pole that is in the frame.
        x, y = pieces[0][len(pieces[0]) // 2]
        labels = [Words(float(x) + 3, float(y) - 3, text, 10)]
    yield from labels


def _label(
    frame: Frame, pieces: list[Floats], text: str, sides: tuple[str, ...], taken: list[tuple[float, float]]
) -> Iterator[Words]:
    """Write a label where a line meets the first of two sides that it meets, if there is room."""
    ends = [tuple(map(float, point)) for piece in pieces for point in (piece[0], piece[-1])]
    for side in sides:
        found = [(x, y) for x, y in ends if _side(frame, x, y) == side]
        for x, y in found[:1]:
            wide = _CLOSE if side in ("left", "right") else max(_CLOSE, _LETTER * len(text))
            if all(abs(x - a) > wide or abs(y - b) > _CLOSE for a, b in taken):
                taken.append((x, y))
                yield _at(side, x, y, text)
        if found:
            return


def _at(side: str, x: float, y: float, text: str) -> Words:
    places: dict[str, tuple[float, float, Anchor]] = {
        "bottom": (0, 15, "middle"),
        "top": (0, -6, "middle"),
        "left": (-5, 4, "end"),
        "right": (5, 4, "start"),
    }
    dx, dy, anchor = places[side]
    return Words(x + dx, y + dy, text, anchor=anchor)


def _side(frame: Frame, x: float, y: float) -> str:
    distances = {
        "bottom": abs(y - frame.y - frame.height),
        "top": abs(y - frame.y),
        "left": abs(x - frame.x),
        "right": abs(x - frame.x - frame.width),
    }
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] < 0.5 else ""


def _border(frame: Frame) -> Floats:
    right, bottom = frame.x + frame.width, frame.y + frame.height
    corners = [(frame.x, frame.y), (right, frame.y), (right, bottom), (frame.x, bottom), (frame.x, frame.y)]
    return np.array(corners)


def _inside(frame: Frame, points: Floats) -> list[Floats]:
    """Give the parts of a line within the frame."""
    pieces: list[list[tuple[float, float]]] = []
    end: tuple[float, float] | None = None
    for here, following in zip(points[:-1].tolist(), points[1:].tolist(), strict=True):
        part = _clipped(frame, here, following)
        if part is None:
            end = None
        elif end is not None and math.dist(end, part[0]) < 1e-6:
            pieces[-1].append(part[1])
            end = part[1]
        else:
            pieces.append(list(part))
            end = part[1]
    return [np.array(piece) for piece in pieces]


def _clipped(
    frame: Frame, here: list[float], following: list[float]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Give the part of a segment within the frame (Liang and Barsky 1984)."""
    begin, end = 0.0, 1.0
    lows, highs = (frame.x, frame.y), (frame.x + frame.width, frame.y + frame.height)
    for start, stop, low, high in zip(here, following, lows, highs, strict=True):
        if not (math.isfinite(start) and math.isfinite(stop)):
            return None
        change = stop - start
        if change == 0:
            if not low <= start <= high:
                return None
            continue
        near, far = sorted(((low - start) / change, (high - start) / change))
        begin, end = max(begin, near), min(end, far)
    if begin >= end:
        return None
    (x, y), dx, dy = here, following[0] - here[0], following[1] - here[1]
    return (x + begin * dx, y + begin * dy), (x + end * dx, y + end * dy)


# -- numbers -------------------------------------------------------------------------------------------


def _step(wanted: float) -> float:
    """Give the smallest round step that is not smaller."""
    rounds = [*reversed(_STEPS)]
    if wanted > rounds[-1]:
        return rounds[-1]
    if wanted > 0.5:
        return next(step for step in rounds if step >= wanted)
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * 0.999)


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _multiples(middle: float, reach: float, step: float) -> list[float]:
    first, last = math.ceil((middle - reach) / step), math.floor((middle + reach) / step)
    found = [number * step for number in range(first, last + 1)]
    # All the way round, the first is the last.
    return found[:-1] if reach >= 180 and len(found) > 360 / step else found


def _ra(ra: float, digits: int) -> str:
    return f"{round(ra, digits) % 360:.{digits}f}°"


def _dec(dec: float, digits: int) -> str:
    return f"{dec:+.{digits}f}°" if round(dec, digits) else f"{0:.{digits}f}°"
