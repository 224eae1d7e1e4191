"""Selectors: the part of a dataset that a path names, as the CFITSIO extended file name writes it.

Reference: CFITSIO User's Guide, chapter "Extended File Name Syntax". ``circle`` and ``box`` are ours.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from glob import has_magic

from ..errors import BadPath
from .quoting import shown

# Where selectors may begin: a bracket right after an extension.
_START = re.compile(r"\.[a-z][a-z0-9]*\[")
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|[\[\]'\"]")
# Deeper nesting is no expression; the bound keeps the search for the first selector linear.
_MAX_DEPTH = 8

_PER_DEG = {"": 1.0, "deg": 1.0, "d": 1.0, "arcmin": 60.0, "arcsec": 3600.0, "mas": 3.6e6}
_ANGLE = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)([a-z]*)", re.ASCII)
_MAX_HDU_DIGITS = 9
_HDU_NAME = re.compile(r"([A-Za-z_][\w-]*)(?:\s*,\s*(\d{1,9}))?", re.ASCII)
_AXIS = re.compile(r"(?:(-?\*)|(\d{1,18})\s*:\s*(\d{1,18}))\s*(?::\s*(\d{1,18}))?", re.ASCII)
_COLUMN = re.compile(r"-?[A-Za-z_*?#][\w*?#.-]*|-[A-Za-z_*?#][\w*?#.-]*\+", re.ASCII)
_OPERATOR = re.compile(
    r"[<>~]|[=!]=|=|&&|\|\||\.(?:eq|ne|lt|le|gt|ge|and|or|not)\.|\w\(", re.ASCII | re.IGNORECASE
)
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
    """Columns of a table: with wildcards ``*``, ``?`` and ``#``; ``-x`` leaves one out, ``-x*+`` all such."""

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
        return f"[circle {_number(self.ra_deg)} {_number(self.dec_deg)} {_number(self.radius_deg)}]"


@dataclass(frozen=True, slots=True)
class Box:
    """A box on the sky around a position; ICRS, degrees."""

    ra_deg: float
    dec_deg: float
    width_deg: float
    height_deg: float

    def __str__(self) -> str:
        sizes = f"{_number(self.width_deg)} {_number(self.height_deg)}"
        return f"[box {_number(self.ra_deg)} {_number(self.dec_deg)} {sizes}]"


def _number(value: float) -> str:
    """Write equal numbers alike: 1 as 1.0, and -0.0 as 0.0."""
    return repr(float(value) + 0.0)


Selector = Hdu | HduName | Section | Columns | RowFilter | Circle | Box


def split_selectors(text: str) -> tuple[str, tuple[Selector, ...]]:
    """Cut the selectors off the end of a path.

    They begin at the first ``[`` that follows an extension and from which on all is well-formed selectors;
    a path without such an end comes back whole.
    """
    if not text.endswith("]"):
        return text, ()
    for match in _START.finditer(text):
        start = match.end() - 1
        try:
            return text[:start], _parse_from(text, start)
        except BadPath:
            continue
    return text, ()


def is_pattern(path: str) -> bool:
    """Tell whether a path has wildcards; brackets of a selector are none."""
    return has_magic(split_selectors(path)[0])


def explain_selectors(path: str) -> None:
    """Raise what is wrong with the brackets of a path in which `split_selectors` finds no selectors."""
    *_, start = (-1, *(match.end() - 1 for match in _START.finditer(path)))
    if start >= 0:
        _parse_from(path, start)
    found = path[path.find("[") :]
    raise BadPath(f"bad path {shown(path)}", f"no extension before the selector {shown(found)}", "...fits[1]")


def parse_selectors(text: str) -> tuple[Selector, ...]:
    """Parse ``[...][...]``.

    Raises
    ------
    BadPath
        When a bracket is not closed, a selector is not of the grammar, or an HDU does not come first.
    """
    return _parse_from(text, 0)


def _parse_from(text: str, start: int) -> tuple[Selector, ...]:
    bodies = _bodies(text, start)
    selectors = [_parse_one(body) for body in bodies]
    for index, selector in enumerate(selectors[1:], 1):
        of_table = all(isinstance(one, Hdu | HduName | Columns | RowFilter) for one in selectors[:index])
        if isinstance(selector, HduName) and selector.version is None and of_table:
            # A column of truth values is a condition.
            selectors[index] = RowFilter(selector.name)
        elif isinstance(selector, Hdu | HduName):
            raise _bad(bodies[index], "an HDU is not the first selector", "write the HDU first, once")
    return tuple(selectors)


def _bad(body: str, found: str, todo: str) -> BadPath:
    return BadPath(f"bad selector {shown(f'[{body}]')}", found, todo)


def _bodies(text: str, start: int) -> list[str]:
    """Give what stands in each bracket; brackets nest, and mean nothing within quotes."""
    rest = text[start : start + 200]
    bodies: list[str] = []
    depth, begin, end = 0, start, start
    if text[start : start + 1] not in ("[", ""):
        raise BadPath(
            f"bad selector {shown(rest)}", f"{rest[0]!r} stands outside of the brackets", "[...][...]"
        )
    for match in _TOKEN.finditer(text, start):
        found = match.group()
        if found == "[":
            depth += 1
            begin = match.end() if depth == 1 else begin
        elif found == "]":
            depth -= 1
        elif len(found) == 1:
            raise BadPath(f"bad selector {shown(rest)}", f"the quote {found} is not closed", "close it")
        if depth > _MAX_DEPTH:
            raise BadPath(f"bad selector {shown(rest)}", "brackets are nested too deeply", "[...][...]")
        if not depth:
            bodies.append(text[begin : match.start()])
            end = match.end()
            if text[end : end + 1] not in ("[", ""):
                found = f"{text[end]!r} stands outside of the brackets"
                raise BadPath(f"bad selector {shown(rest)}", found, "[...][...]")
    if depth:
        raise BadPath(f"bad selector {shown(rest)}", "the bracket [ is not closed", "close it with ]")
    return bodies


def _parse_one(body: str) -> Selector:
    text = body.strip()
    keyword = text.split(maxsplit=1)[0].lower() if text else ""
    if text.isascii() and text.isdigit():
        if len(text) > _MAX_HDU_DIGITS:
            raise _bad(body, "no file has so many HDUs", "[0] is the primary, [1] the first extension")
        return Hdu(int(text))
    if keyword == "col" and text[3:]:
        return _parse_columns(text[3:], body)
    if keyword in ("circle", "box") and len(text.split()) > 1:
        return _parse_sky(keyword, text.split()[1:], body)
    name = _HDU_NAME.fullmatch(text)
    if name:
        return HduName(name[1], int(name[2]) if name[2] else None)
    axes = [_AXIS.fullmatch(axis.strip()) for axis in text.split(",")]
    if all(axes):
        return Section(tuple(_axis(match, body) for match in axes if match))
    return _parse_filter(text, body)


def _axis(match: re.Match[str], body: str) -> AxisRange:
    step = int(match[4] or 1)
    if match[1]:
        axis = AxisRange(step=step, reverse=match[1] == "-*")
    else:
        axis = AxisRange(int(match[2]), int(match[3]), step)
    if step < 1 or axis.first == 0 or axis.last == 0:
        raise _bad(body, f"{match.group()!r}", "pixels count from 1, steps are at least 1")
    return axis


def _parse_columns(text: str, body: str) -> Columns:
    names = tuple(name.strip() for name in re.split("[;,]", text) if name.strip())
    wrong = [name for name in names if not _COLUMN.fullmatch(name)]
    if wrong or not names:
        raise _bad(
            body, f"{wrong[0] if wrong else ''!r} is no column", "[col ra;dec]; none is made of others"
        )
    return Columns(names)


def _parse_sky(keyword: str, words: list[str], body: str) -> Circle | Box:
    usage = "[circle ra dec radius]" if keyword == "circle" else "[box ra dec width height]"
    values = [value for value in map(_angle_deg, words) if value is not None]
    if len(words) != len(usage.split()) - 1 or len(values) != len(words):
        raise _bad(body, "not the numbers it takes", f"{usage}, degrees or 30arcsec")
    ra, dec, width, height = values[0], values[1], values[2], values[-1]
    if not -90 <= dec <= 90 or not 0 < width <= 360 or not 0 < height <= 180 or not -360 <= ra <= 360:
        raise _bad(body, "not on the sphere", "-360 <= ra <= 360, -90 <= dec <= 90, 0 < sizes <= 180")
    # A tiny negative ra rounds up to 360 itself, which is 0.
    ra = ra % 360.0 % 360.0
    return Circle(ra, dec, width) if keyword == "circle" else Box(ra, dec, width, height)


def _angle_deg(word: str) -> float | None:
    match = _ANGLE.fullmatch(word)
    if not match or match[2] not in _PER_DEG:
        return None
    value = float(match[1]) / _PER_DEG[match[2]]
    return value if math.isfinite(value) else None


def _parse_filter(text: str, body: str) -> RowFilter:
    expression = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    if not _OPERATOR.search(expression) or not _balanced(expression):
        todo = "[2], [SCI], [1:500,1:500], [col ra;dec], [flux > 100] or [circle ra dec radius]"
        raise _bad(body, f"{shown(text)} is none of the kinds", todo)
    return RowFilter(expression)


def _balanced(expression: str) -> bool:
    depth = 0
    for char in re.sub(r"'[^']*'|\"[^\"]*\"", "", expression):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0
