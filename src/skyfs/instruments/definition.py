"""What is known of an instrument before its first exposure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import BadDataId, NotFound
from .keywords import Rule

ONE_TO_ONE, BY_GROUP = "one-to-one", "by-group"


@dataclass(frozen=True, slots=True)
class Detector:
    """A sensor.

    Attributes
    ----------
    extension
        EXTNAME of its HDU in a file that holds several detectors.
    """

    id: int
    full_name: str
    name_in_raft: str
    raft: str | None
    purpose: str
    extension: str


@dataclass(frozen=True, slots=True)
class Numbering:
    """Upper ends (exclusive) of the numbers of exposures, visits and detectors."""

    exposure_max: int
    visit_max: int
    detector_max: int


@dataclass(frozen=True, slots=True)
class Definition:
    """An instrument, as its YAML file describes it.

    Attributes
    ----------
    match
        Keyword → values: a header with one of them is of this instrument.
    translator
        Name of a translator of astro_metadata_translator; empty when there is none.
    defaults
        Keyword → value, for headers without it.
    rules
        Column of an exposure → how its value is made from a header, where no translator is installed.
    layout
        ``primary``: a file is one detector, described by its primary header. ``extensions``: each
        detector has an HDU, described by its own header and the primary one.
    bands, patterns
        Physical filter → band, and regular expressions for further filters → template of the band.
    night_begins_s
        Seconds after midnight (TAI) at which the night, and with it day_obs, begins; None: as the
        translator says.
    visit_systems
        Name → number.
    source
        The mapping that it was read from.
    """

    name: str
    class_name: str
    match: Mapping[str, tuple[str, ...]]
    translator: str
    defaults: Mapping[str, object]
    rules: Mapping[str, Rule]
    layout: str
    detectors: Mapping[int, Detector]
    bands: Mapping[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]
    numbering: Numbering
    night_begins_s: float | None
    visit_systems: Mapping[str, int]
    visit_system: str
    source: Mapping[str, object] = field(repr=False)

    def detector(self, given: object) -> Detector:
        """Give a detector by number, or by full name in any case.

        Raises
        ------
        NotFound
            When it has no such detector.
        """
        text = str(given).strip()
        if text.isascii() and text.isdigit() and int(text) in self.detectors:
            return self.detectors[int(text)]
        for one in self.detectors.values():
            if one.full_name.lower() == text.lower():
                return one
        raise NotFound(f"no detector {text!r} of {self.name}", f"it has {len(self.detectors)}")

    def band(self, physical_filter: str) -> str:
        """Give the band of a filter.

        Raises
        ------
        BadDataId
            When neither table nor patterns know it.
        """
        if physical_filter in self.bands:
            return self.bands[physical_filter]
        for pattern, band in self.patterns:
            found = pattern.fullmatch(physical_filter)
            if found:
                return found.expand(band)
        raise BadDataId(
            f"the filter {physical_filter!r}",
            f"{self.name} is defined without it",
            "add it to filters: in a YAML file of your own, and give that as instrument",
        )
