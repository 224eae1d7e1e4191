"""Hostile paths of the tree."""

from __future__ import annotations

from .texts import LEAVING, NAMES, NUMBERS, mangled

ONE = "/Cam/runs/a/calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1.json"
_LEVELS = "/Cam/runs/a/calexp/instrument=Cam/day_obs=20260101/visit=101"
_PLACES = ("/.by-id/{}", "/.records/{}.csv", "/{}/x/y", "/Cam/{}/calexp/visit=1.json", f"{_LEVELS}/{{}}.json")

NEVER = [
    *(place.format(name) for place in _PLACES for name in NAMES if name not in ("*", "?", "**", "[!a]", ".")),
    *(f"{_LEVELS}/detector={value}.json" for value in (*NUMBERS, *LEAVING, "9" * 5000)),
    *(
        f"{ONE}[{part}]"
        for part in (*LEAVING, *NUMBERS, "1" * 400, "circle nan 0 1", "col a;;b", "1:,1:", "[" * 900)
    ),
]
"""What can be no dataset."""

MISSING = [*NEVER, *(path for path in mangled(ONE, 300, 1) if path.rstrip("/") != ONE)]
"""What is no dataset here; some of it could be written, or is a pattern."""

EXPRESSIONS = [
    "(" * 20_000,
    "(" * 20_000 + "1=1" + ")" * 20_000,
    "NOT " * 20_000 + "visit = 1",
    " AND ".join(["visit = "] * 3),
    "visit = 1" + " OR visit = 1" * 50_000 + ")",
    "-" * 20_000 + "1 = 1 =",
    "visit IN (1..99999999999999999999:0)",
    "visit IN (" + "1," * 100_000 + ")",
    "visit = " + "9" * 100_000,
    "visit.exposure_time > 1e999999 )",
    "visit = :missing",
    "visit = ?1",
    "visit = $1",
    "visit = %s",
    "visit = {0}",
    "__import__('os').system('id')",
    "visit.__class__ = 1",
    "visit = 1; DROP TABLE dataset",
    "visit = 1 UNION SELECT * FROM dataset",
    "instrument = 'x' -- comment",
    "instrument = load_extension('x')",
    "GLOB(instrument, '" + "*a" * 30_000 + "')x",
    "sqlite_master.name = 'x'",
    "dataset.id = 1",
    "instrument = 'x",
    "CASE WHEN 1 THEN 2 END",
    "visit = (SELECT 1)",
    "instrument = x'41'",
    "POINT(1e999, 0) OVERLAPS visit.region",
    "CIRCLE(0, 0, -1) OVERLAPS visit.region",
    "POLYGON(" + "(0, 0), " * 50 + ") OVERLAPS visit.region",
    "T'9999-99-99' < visit.timespan.begin",
    "visit.timespan OVERLAPS (T'mjd/1e400', NULL)",
    *mangled("visit.exposure_time > 30 AND instrument = 'Cam' AND detector IN (1..5)", 260, 2),
]
"""No query, or one that the language does not know; some of those that are mangled are still queries."""
