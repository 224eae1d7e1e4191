"""Instruments: described in YAML, recorded; their raws taken in, visits defined, calibrations certified."""

from __future__ import annotations

from .adding import add
from .cameras import SHIPPED, Described, load, names
from .curated import CuratedReport, ingest_curated
from .definition import BY_GROUP, ONE_TO_ONE, Definition, Detector
from .raws import RawReport, ingest_raws
from .visits import VisitCounts, define_visits

__all__ = [
    "BY_GROUP",
    "ONE_TO_ONE",
    "SHIPPED",
    "CuratedReport",
    "Definition",
    "Described",
    "Detector",
    "RawReport",
    "VisitCounts",
    "add",
    "define_visits",
    "ingest_curated",
    "ingest_raws",
    "load",
    "names",
]
