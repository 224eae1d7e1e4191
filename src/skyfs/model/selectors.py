"""Selectors: the part of a dataset that a path names, as the CFITSIO extended file name writes it.

Reference: CFITSIO User's Guide, chapter "Extended File Name Syntax". ``circle`` and ``box`` are ours.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..errors import BadPath

EXTENSION_AT_END = re.compile(r"(?:\.[a-z][a-z0-9]*)+$")

_UNITS_DEG = {"": 1.0, "deg": 1.0, "d": 1.0, "arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3.6e6}
_ANGLE = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([a-z]*)")
_HDU_NAME = re.compile(r"([A-Za-z_][\w-]*)(?:\s*,\s*(\d+))?", re.ASCII)
_AXIS = re.compile(r"(?:(-?\*)|(\d+)\s*:\s*(\d+))\s*(?::\s*(\d+))?", re.ASCII)
_COLUMN = re.compile(r"-?[A-Za-z_*?#][\w*?#.-]*", re.ASCII)
_OPERATOR = re.compile(r"[<>]|[=!]=|=|&&|\|\||\.(?:eq|ne|lt|le|gt|ge|and|or|not)\.|\w\(", re.ASCII | re.IGNORECASE)
_ESCAPE = re.compile(r"%(25|2F|5B|5D|0[0-9A-F]|1[0-9A-F]|7F)", re.IGNORECASE)
_TO_ESCAPE = re.compile(r"[%/\[\]\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Hdu:
    """An HDU by number: 0 is the primary."""

    number: int

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclass(frozen=True, slots=True)
class HduName:
    """An HDU by EXTNAME, and EXTVER when several have the name."""

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return f"[{self.name}]" if self.version is None else f"[{self.name},{self.version}]"


@dataclass(frozen=True, slots=True)
class AxisRange:
    """Pixels of one axis: 1-based, both ends inclusive; ``first > last`` reverses; None is the whole axis."""

    first: int | None = None
    last: int | None = None
    step: int = 1
    reverse: bool = False

    def __str__(self) -> str:
        span = ("-*" if self.reverse else "*") if self.first is None else f"{self.first}:{self.last}"
        return span if self.step == 1 else f"{span}:{self.step}"


@dataclass(frozen=True, slots=True)
class Section:
    """A FITS section; the first axis is x, which varies fastest."""

    axes: tuple[AxisRange, ...]

    def __str__(self) -> str:
        return f"[{','.join(map(str, self.axes))}]"


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table; a leading ``-`` leaves one out, ``*`` and ``?`` are wildcards."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"[col {';'.join(self.names)}]"


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Rows of a table for which an expression is true."""

    expression: str

    def __str__(self) -> str:
        return f"[{_TO_ESCAPE.sub(lambda match: f'%{ord(match.group()):02X}', self.expression)}]"


@dataclass(frozen=True, slots=True)
class Circle:
    """The bounding box of a circle on the sky; ICRS, degrees."""

    ra_deg: float
    dec_deg: float
    radius_deg: float

    def __str__(self) -> str:
        return f"[circle {self.ra_deg!r} {self.dec_deg!r} {self.radius_deg!r}]"


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the sky around a position; ICRS, degrees."""

    ra_deg: float
    dec_deg: float
    width_deg: float
    height_deg: float

    def __str__(self) -> str:
        return f"[box {self.ra_deg!r} {self.dec_deg!r} {self.width_deg!r} {self.height_deg!r}]"


Selector = Hdu | HduName | Section | Columns | RowFilter | Circle | Box


def split_selectors(text: str) -> tuple[str, tuple[Selector, ...]]:
    """Cut the selectors off the end of a path.

    They begin at the first ``[`` that follows an extension and from which on all is well-formed selectors;
    a path without such an end comes back whole.
    """
    if not text.endswith("]"):
        return text, ()
    for start in (index for index, char in enumerate(text) if char == "["):
        if EXTENSION_AT_END.search(text[:start]):
            try:
                return text[:start], parse_selectors(text[start:])
            except BadPath:
                continue
    return text, ()


def parse_selectors(text: str) -> tuple[Selector, ...]:
    """Parse ``[...][...]``.

    Raises
    ------
    BadPath
        When a bracket is not closed, a selector is not of the grammar, or an HDU does not come first.
    """
    selectors = tuple(_parse_one(body, text) for body in _bodies(text))
    if any(isinstance(selector, Hdu | HduName) for selector in selectors[1:]):
        raise BadPath(f"bad selector {text!r}", "an HDU is not the first selector", "write the HDU first, once")
    return selectors


def _bodies(text: str) -> list[str]:
    bodies, depth, start, quote = [], 0, 0, ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and depth:
            quote = char
        elif char == "[":
            start = index + 1 if not depth else start
            depth += 1
        elif char == "]" and depth:
            depth -= 1
            if not depth:
                bodies.append(text[start:index])
        elif not depth:
            raise BadPath(f"bad selector {text!r}", f"{char!r} stands outside of the brackets")
    if depth or quote:
        raise BadPath(f"bad selector {text!r}", "a bracket or a quote is not closed")
    return bodies


def _parse_one(body: str, whole: str) -> Selector:
    text = body.strip()
    keyword = text.split(maxsplit=1)[0].lower() if text else ""
    if text.isascii() and text.isdigit():
        return Hdu(int(text))
    if keyword == "col" and text[3:]:
        return _parse_columns(text[3:], whole)
    if keyword in ("circle", "box") and len(text.split()) > 1:
        return _parse_sky(keyword, text.split()[1:], whole)
    name = _HDU_NAME.fullmatch(text)
    if name:
        return HduName(name[1], int(name[2]) if name[2] else None)
    axes = [_AXIS.fullmatch(axis.strip()) for axis in text.split(",")]
    if all(axes):
        return Section(tuple(_axis(match, whole) for match in axes if match))
    return _parse_filter(text, whole)


def _axis(match: re.Match[str], whole: str) -> AxisRange:
    step = int(match[4] or 1)
    if match[1]:
        axis = AxisRange(step=step, reverse=match[1] == "-*")
    else:
        axis = AxisRange(int(match[2]), int(match[3]), step)
    if step < 1 or axis.first == 0 or axis.last == 0:
        raise BadPath(f"bad selector {whole!r}", f"{match.group()!r}", "pixels count from 1, steps are at least 1")
    return axis


def _parse_columns(text: str, whole: str) -> Columns:
    names = tuple(name.strip() for name in text.split(";") if name.strip())
    wrong = [name for name in names if not _COLUMN.fullmatch(name)]
    if wrong or not names:
        raise BadPath(f"bad selector {whole!r}", f"{wrong[0] if wrong else ''!r} is no column", "[col ra;dec]")
    return Columns(names)


def _parse_sky(keyword: str, words: list[str], whole: str) -> Circle | Box:
    usage = "[circle ra dec radius]" if keyword == "circle" else "[box ra dec width height]"
    values = [_angle_deg(word) for word in words]
    if len(words) != len(usage.split()) - 1 or any(value is None for value in values):
        raise BadPath(f"bad selector {whole!r}", "not the numbers it takes", f"{usage}, degrees or 30arcsec")
    ra, dec, *sizes = [float(value) for value in values if value is not None]
    if not -90 <= dec <= 90 or min(sizes) <= 0 or not -360 <= ra <= 360:
        raise BadPath(f"bad selector {whole!r}", "not on the sphere", "-90 <= dec <= 90, sizes above 0")
    ra = ra % 360.0
    return Circle(ra, dec, sizes[0]) if keyword == "circle" else Box(ra, dec, sizes[0], sizes[1])


def _angle_deg(word: str) -> float | None:
    match = _ANGLE.fullmatch(word)
    if not match or match[2] not in _UNITS_DEG:
        return None
    value = float(match[1]) * _UNITS_DEG[match[2]]
    return value if math.isfinite(value) else None


def _parse_filter(text: str, whole: str) -> RowFilter:
    expression = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    if not _OPERATOR.search(expression) or not _balanced(expression):
        todo = "[2], [SCI], [1:500,1:500], [col ra;dec], [flux > 100] or [circle ra dec radius]"
        raise BadPath(f"bad selector {whole!r}", f"{text!r} is none of the kinds", todo)
    return RowFilter(expression)


def _balanced(expression: str) -> bool:
    depth = 0
    for char in re.sub(r"'[^']*'|\"[^\"]*\"", "", expression):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0
