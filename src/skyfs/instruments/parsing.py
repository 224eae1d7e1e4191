"""From a mapping, as YAML has it, to the definition of an instrument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import BadDefinition
from ..model.section import Section
from .definition import BY_GROUP, ONE_TO_ONE, Definition, Detector, Numbering
from .keywords import Rule, parse_rule

_KEYS = (
    *("name", "class_name", "aliases", "match", "translator", "header", "layout", "detectors", "filters"),
    *("numbering", "night_begins_hours", "visit_systems", "visit_system", "defaults"),
)
_BLOCK = ("first", "names", "rafts", "sensors", "pattern", "raft", "purpose", "extension")
_NAME = re.compile(r"[A-Za-z0-9][\w+. -]*", re.ASCII)
# Lengths of columns in the default universe.
_MAX_NAME = 32
_MAX_DETECTORS = 100_000

TEXTS = (
    *("obs_id", "physical_filter", "group", "observation_type", "observation_reason"),
    *("target_name", "science_program"),
)
INTEGERS = ("exposure", "day_obs", "seq_num", "seq_start", "seq_end")
SECONDS = ("exposure_time", "dark_time")
DEGREES = ("tracking_ra", "tracking_dec", "sky_angle", "azimuth", "zenith_angle")
TRUTHS = ("has_simulated", "can_see_sky")
TIMES = ("begin", "end")
COLUMNS = (*INTEGERS, *TEXTS, *SECONDS, *DEGREES, *TRUTHS, *TIMES, "detector")
_NEEDED = ("exposure", "physical_filter", "begin")


def parse(value: object, where: str) -> Definition:
    """Read a definition.

    Parameters
    ----------
    value
        The mapping.
    where
        What to call it in errors.

    Raises
    ------
    BadDefinition
        When a key is unknown, a value ill-typed, or detectors have the same number or name.
    """
    section = Section(value, f"the instrument of {where}", _KEYS)
    name = section.text("name")
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise section.error("name", f"letters, digits and _+.- and blanks, {_MAX_NAME} at most")
    detectors = _detectors(section)
    systems = _systems(section)
    bands, patterns = _filters(section)
    return Definition(
        name=name,
        class_name=_short(section, section.text("class_name", f"skyfs:{name}"), "class_name", 64),
        match=_match(section, name),
        translator=section.text("translator") if "translator" in section else "",
        defaults=_defaults(section),
        rules=_rules(section, one=len(detectors) == 1),
        layout=section.choice("layout", ("primary", "extensions"), "primary"),
        detectors=detectors,
        bands=bands,
        patterns=patterns,
        numbering=_numbering(section, max(detectors)),
        night_begins_s=_night(section),
        visit_systems=systems,
        visit_system=section.choice("visit_system", tuple(systems), next(iter(systems))),
        source=value if isinstance(value, Mapping) else {},
    )


def _match(section: Section, name: str) -> dict[str, tuple[str, ...]]:
    if "match" not in section:
        return {"INSTRUME": (name, *section.texts("aliases"))}
    inner = Section(section.raw("match"), f"{section.where}: match", None)
    return {keyword: inner.texts(keyword) for keyword, _ in section.items("match")}


def _defaults(section: Section) -> dict[str, object]:
    found = dict(section.items("defaults"))
    if not all(isinstance(value, str | int | float) for value in found.values()):
        raise section.error("defaults", "KEYWORD: VALUE lines are wanted")
    return found


def _rules(section: Section, *, one: bool) -> dict[str, Rule]:
    if "header" not in section:
        if "translator" not in section:
            raise BadDefinition(
                section.where, "neither translator nor header", "say how to read its headers by one of them"
            )
        return {}
    where = f"{section.where}: header"
    inner = Section(section.raw("header"), where, COLUMNS)
    missing = [key for key in (*_NEEDED, *(() if one else ("detector",))) if key not in inner]
    if missing:
        raise BadDefinition(where, f"no {missing[0]}", "say which keyword has it")
    return {key: parse_rule(value, f"{where}: {key}") for key, value in section.items("header")}


def _detectors(section: Section) -> dict[int, Detector]:
    blocks = section.raw("detectors")
    if not isinstance(blocks, list) or not blocks:
        raise section.error("detectors", "a list of blocks is wanted")
    found: dict[int, Detector] = {}
    names: set[str] = set()
    for number, block in enumerate(blocks, 1):
        where = f"{section.where}: detectors: block {number}"
        for one in _block(Section(block, where, _BLOCK)):
            if one.id in found or one.full_name.lower() in names:
                raise BadDefinition(where, f"{one.id} {one.full_name} is given twice", "give each once")
            if len(found) >= _MAX_DETECTORS:
                raise BadDefinition(where, "too many detectors", f"{_MAX_DETECTORS} at most")
            found[one.id] = one
            names.add(one.full_name.lower())
    return found


def _block(block: Section) -> Iterator[Detector]:
    """Give the detectors of a block: named one by one, or each sensor of each raft."""
    if ("names" in block) == ("rafts" in block and "sensors" in block):
        raise BadDefinition(block.where, "no names", "give names, or rafts and sensors")
    if "names" in block:
        listed = block.texts("names")
    else:
        listed = tuple(f"{raft}_{one}" for raft in block.texts("rafts") for one in block.texts("sensors"))
    text = r"(?P<raft>[^_]+)_(?P<name_in_raft>.+)" if "rafts" in block else ""
    pattern = block.pattern("pattern", block.text("pattern", text)) if text or "pattern" in block else None
    for number, name in enumerate(listed, block.integer("first", 0)):
        groups = _parts(block, pattern, _short(block, name, "names", _MAX_NAME))
        yield Detector(
            id=number,
            full_name=name,
            name_in_raft=groups.get("name_in_raft") or name,
            raft=groups.get("raft") or (block.text("raft") if "raft" in block else None),
            purpose=_short(block, block.text("purpose", "SCIENCE"), "purpose", _MAX_NAME),
            extension=block.text("extension", "{name}").replace("{name}", name).replace("{id}", str(number)),
        )


def _parts(block: Section, pattern: re.Pattern[str] | None, name: str) -> dict[str, str | None]:
    """Give the named groups of the pattern in a detector's name."""
    if pattern is None:
        return {}
    found = pattern.fullmatch(name)
    if found is None:
        raise block.error("pattern", f"it does not match {name!r}")
    return found.groupdict()


def _filters(section: Section) -> tuple[dict[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    inner = Section(section.raw("filters"), f"{section.where}: filters", ("bands", "patterns"))
    bands = dict(inner.text_items("bands"))
    patterns = tuple((inner.pattern("patterns", key), band) for key, band in inner.text_items("patterns"))
    for pattern, band in patterns:
        try:
            pattern.sub(band, "")
        except (re.error, IndexError):
            raise inner.error(
                "patterns", f"{band!r} names a group that {pattern.pattern!r} has not"
            ) from None
    if not bands and not patterns:
        raise section.error("filters", "give bands: {FILTER: BAND}, patterns, or both")
    for name in (*bands, *bands.values()):
        _short(inner, name, "bands", _MAX_NAME)
    return bands, patterns


def _numbering(section: Section, last_detector: int) -> Numbering:
    keys = ("exposure_max", "visit_max", "detector_max")
    inner = Section(section.raw("numbering"), f"{section.where}: numbering", keys)
    exposure_max = inner.integer("exposure_max")
    numbering = Numbering(
        exposure_max,
        inner.integer("visit_max", 2 * exposure_max),
        inner.integer("detector_max", last_detector + 1),
    )
    if last_detector >= numbering.detector_max:
        raise inner.error("detector_max", f"there is a detector {last_detector}")
    return numbering


def _night(section: Section) -> float | None:
    if "night_begins_hours" not in section:
        return None if "translator" in section else 0.0
    hours = section.number("night_begins_hours")
    if not -24 < hours < 24:
        raise section.error("night_begins_hours", "hours after midnight TAI, between -24 and 24")
    return hours * 3600


def _systems(section: Section) -> dict[str, int]:
    given = section.items("visit_systems") or [(ONE_TO_ONE, 0), (BY_GROUP, 1)]
    inner = Section(dict(given), f"{section.where}: visit_systems", (ONE_TO_ONE, BY_GROUP))
    systems = {name: inner.integer(name) for name, _ in given}
    if len(set(systems.values())) < len(systems):
        raise section.error("visit_systems", "each needs its own number")
    return systems


def _short(section: Section, text: str, key: str, length: int) -> str:
    if len(text) > length:
        raise section.error(key, f"{text!r} has more than {length} characters")
    return text
