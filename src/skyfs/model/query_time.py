"""Time literals of query expressions: ``[format/]value[/scale]``."""

from __future__ import annotations

import re
import warnings
from typing import Any

from ..errors import BadArgument
from .quoting import shown
from .timespan import parse_time, to_tai_ns

_INT64 = 2**63
# Not ut1: it needs a table of the Earth's rotation, which astropy would load from the internet.
_SCALES = ("utc", "tai", "tt", "tdb", "tcb", "tcg")
_UTC_FORMATS = ("iso", "isot", "fits", "yday", "unix")
_SHAPES = (
    ("mjd", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)", re.ASCII)),
    ("iso", re.compile(r"\d{4}-\d\d?-\d\d?( \d\d?:\d\d(:\d\d(\.\d*)?)?)?", re.ASCII)),
    ("isot", re.compile(r"\d{4}-\d\d?-\d\d?t\d\d?:\d\d(:\d\d(\.\d*)?)?", re.ASCII | re.IGNORECASE)),
    ("fits", re.compile(r"[-+]\d{5}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d*)?)?", re.ASCII)),
    ("yday", re.compile(r"\d{4}:\d{3}(:\d\d:\d\d(:\d\d(\.\d*)?)?)?", re.ASCII)),
)
_EXACT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,9})?)?", re.ASCII)
# Bounds what astropy is asked to read; no format needs more.
_VALUE = re.compile(r"[-+\w.: ]{1,60}", re.ASCII)
_EXAMPLE = "write T'2020-03-30T12:00:00', T'2020-03-30/tai', T'58938.5' (MJD, TAI) or T'jyear/2020.5'"


def parse_literal(text: str) -> int:
    """Read ``2020-03-30 12:00:00``, ``mjd/58938.5/tai`` and so on as TAI nanoseconds.

    Without a scale iso, isot, fits, yday and unix are UTC, cxcsec is TT, the others are TAI; without a format
    a number is an MJD.

    Raises
    ------
    BadArgument
        When it is no time, or outside of the years 1677 to 2262.
    """
    form, value, scale = _parts(text.replace("+00:00", ""))
    if scale == "tai" and form in ("iso", "isot") and _EXACT.fullmatch(value):
        tai_ns = parse_time(value)
    else:
        tai_ns = _by_astropy(value, form, scale)
    if not -_INT64 < tai_ns < _INT64 - 1:
        raise BadArgument(f"bad time {shown(text)}", "outside of the years 1677 to 2262")
    return tai_ns


def _parts(text: str) -> tuple[str, str, str]:
    head, *rest = text.split("/")
    form, value, scale = "", head, ""
    if len(rest) == 1 and rest[0].lower() in (*_SCALES, "ut1", "local"):
        scale = rest[0].lower()
    elif len(rest) in (1, 2):
        form, value, scale = head.lower(), rest[0], rest[1].lower() if rest[1:] else ""
    if len(rest) > 2 or not _VALUE.fullmatch(value):
        raise BadArgument(f"bad time {shown(text)}", "not of the form [format/]value[/scale]", _EXAMPLE)
    form = form or _guess(value)
    if not scale:
        scale = "utc" if form in _UTC_FORMATS else "tai"
    if scale not in _SCALES:
        raise BadArgument(
            f"bad time {shown(text)}", f"no scale {shown(scale)}", f"one of {', '.join(_SCALES)}"
        )
    return form, value.upper() if form == "isot" else value, scale


def _guess(value: str) -> str:
    for form, shape in _SHAPES:
        if shape.fullmatch(value):
            return form
    raise BadArgument(f"bad time {shown(value)}", "no known form of a time", _EXAMPLE)


def _by_astropy(value: str, form: str, scale: str) -> int:
    from astropy.time import Time

    formats: Any = Time.FORMATS
    if form not in formats:
        raise BadArgument(f"bad time {shown(value)}", f"no format {shown(form)}", _EXAMPLE)
    with warnings.catch_warnings():
        # erfa calls years before 1960 and some years from now dubious in UTC.
        warnings.simplefilter("ignore")
        try:
            return to_tai_ns(Time(value, format=form, scale=scale)) or 0
        # Each format of astropy has errors of its own; none of them is the user's to handle.
        except Exception:  # noqa: BLE001
            raise BadArgument(f"bad time {shown(value)}", f"not of the format {form}", _EXAMPLE) from None
