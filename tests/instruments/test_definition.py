"""Instruments in YAML: what is refused, and how rules make values of headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

import skyfs
from skyfs import instruments
from skyfs.errors import BadDataId, BadDefinition, Conflict, NotFound
from skyfs.instruments.keywords import parse_rule
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

Change = Callable[[dict[str, Any]], object]

MINI: dict[str, Any] = {
    "name": "MiniCam",
    "aliases": ["Mini Cam 2000"],
    "numbering": {"exposure_max": 1_000_000},
    "night_begins_hours": 12,
    "detectors": [
        {"names": ["left", "right"], "raft": "A"},
        {"first": 7, "names": "aux", "purpose": "GUIDER"},
    ],
    "filters": {"bands": {"Red 1": "r"}, "patterns": {"(?i)blue.*": "b"}},
    "header": {
        "exposure": "FRAME",
        "physical_filter": "FILT",
        "detector": "CHIP",
        "begin": {"keyword": "DATE-OBS", "scale": "utc"},
        "exposure_time": {"keyword": "EXPMIN", "unit": "min"},
    },
}


def test_a_mapping_or_a_file_defines_and_is_kept(repo: Repository, tmp_path: Path) -> None:
    file = tmp_path / "mini.yaml"
    file.write_text(yaml.safe_dump(MINI))
    made = instruments.add(repo, file)
    assert made.name == "MiniCam"
    found = [
        (one["id"], one["full_name"], one["raft"]) for one in repo.records("detector", instrument="MiniCam")
    ]
    assert found == [(0, "left", "A"), (1, "right", "A"), (7, "aux", None)]
    (record,) = repo.records("instrument", name="MiniCam")
    assert (record["detector_max"], record["visit_max"]) == (8, 2_000_000)
    assert instruments.load("mini cam 2000", repo) == instruments.load(MINI)
    assert "MiniCam" in instruments.names(repo)
    before = snapshot(repo.root)
    instruments.add(repo, MINI)
    assert snapshot(repo.root) == before


def test_a_change_needs_replace(repo: Repository) -> None:
    instruments.add(repo, MINI)
    changed = {
        **MINI,
        "numbering": {"exposure_max": 2_000_000},
        "detectors": [*MINI["detectors"], {"first": 9, "names": "new"}],
    }
    before = snapshot(repo.root)
    with pytest.raises(Conflict, match="visit_max"):
        instruments.add(repo, changed)
    assert snapshot(repo.root) == before
    instruments.add(repo, changed, replace=True)
    assert len(list(repo.records("detector", instrument="MiniCam"))) == 4
    assert instruments.load("MiniCam", repo).numbering.exposure_max == 2_000_000


def put(path: str, value: object) -> Change:
    """Give a change that sets the value of a key, named by dots."""

    def change(mapping: dict[str, Any]) -> None:
        *above, last = path.split(".")
        for key in above:
            mapping = mapping[key]
        mapping[last] = value

    return change


BAD: dict[str, tuple[Change, str]] = {
    "unknown key": (put("detector", []), r"unknown key 'detector'.*did you mean detectors\?"),
    "no name": (lambda one: one.pop("name"), "name: None"),
    "a name that leaves the folder": (put("name", "../evil"), "name: '../evil'"),
    "a name of the wrong type": (put("name", 12), "name: 12.*text is wanted"),
    "no detectors": (put("detectors", []), "a list of blocks"),
    "detectors as text": (put("detectors", "left"), "a list of blocks"),
    "a block with an unknown key": (put("detectors", [{"name": "x"}]), "unknown key 'name'"),
    "a name twice": (put("detectors", [{"names": ["a", "A"]}]), "1 A is given twice"),
    "a number twice": (put("detectors", [{"names": ["a"]}, {"names": ["b"]}]), "0 b is given twice"),
    "a pattern that does not match": (
        put("detectors", [{"names": ["a"], "pattern": "b"}]),
        "does not match 'a'",
    ),
    "a bad pattern": (put("detectors", [{"names": ["a"], "pattern": "("}]), "regular expression"),
    "a negative number": (put("detectors", [{"first": -1, "names": ["a"]}]), "first: -1"),
    "detectors over the maximum": (put("numbering.detector_max", 3), "there is a detector 7"),
    "no numbering": (lambda one: one.pop("numbering"), "numbering: None is no mapping"),
    "a truth value as number": (put("numbering.exposure_max", True), "exposure_max: True"),  # noqa: FBT003 - the value
    "no filters": (put("filters", {}), "give bands"),
    "a band that is no text": (put("filters.bands", {"r": 1}), "its values are to be texts"),
    "a band of a group that is not there": (put("filters.patterns", {"r": r"\2"}), "names a group"),
    "a long filter": (put("filters.bands", {"r" * 40: "r"}), "more than 32 characters"),
    "a night that is too long": (put("night_begins_hours", 30), "night_begins_hours: 30"),
    "an unknown column": (put("header.colour", "X"), "unknown key 'colour'"),
    "no exposure": (lambda one: one["header"].pop("exposure"), "no exposure"),
    "no detector": (lambda one: one["header"].pop("detector"), "no detector"),
    "a rule without a source": (put("header.exposure", {"unit": "s"}), "not one source"),
    "a rule with two sources": (put("header.exposure", {"value": 1, "keyword": "A"}), "not one source"),
    "a rule of the wrong type": (put("header.exposure", 5), "5 is no mapping"),
    "a unit that there is not": (
        put("header.exposure_time", {"keyword": "E", "unit": "jiffy"}),
        "unit of astropy",
    ),
    "a unit of length": (put("header.exposure_time", {"keyword": "E", "unit": "m"}), "time or angle"),
    "a template with an attribute": (put("header.obs_id", {"template": "{A.__class__}"}), "template"),
    "a template with an index": (put("header.obs_id", {"template": "{A[0]}"}), "template"),
    "a template that does not end": (put("header.obs_id", {"template": "{A"}), "template"),
    "a scale that there is not": (put("header.begin.scale", "gmt"), "scale: 'gmt'"),
    "an unknown visit system": (put("visit_systems", {"mine": 1}), "unknown key 'mine'"),
    "two visit systems of one number": (put("visit_systems", {"one-to-one": 1, "by-group": 1}), "own number"),
    "neither translator nor header": (lambda one: one.pop("header"), "neither translator nor header"),
    "a bad layout": (put("layout", "sideways"), "primary, extensions"),
    "a keyword that is no text": (put("match", {"CAM": [1]}), "list of texts"),
}


@pytest.fixture(scope="module")
def untouched(template: Path) -> Iterator[Repository]:
    """Give a repository that all tests share, as none of them changes it."""
    with skyfs.open(template, writable=True) as repository:
        yield repository


@pytest.mark.parametrize("case", BAD)
def test_bad_definitions_change_nothing(untouched: Repository, tmp_path: Path, case: str) -> None:
    change, message = BAD[case]
    mapping = deepcopy(MINI)
    change(mapping)
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(mapping))
    before = snapshot(untouched.root)
    for given in (mapping, file):
        with pytest.raises(BadDefinition, match=message):
            instruments.add(untouched, given)
    assert snapshot(untouched.root) == before


@pytest.mark.parametrize("text", ["- a\n- b\n", "name: [\n", "!!python/object:os.system {}\n", "\0"])
def test_what_is_no_mapping_is_refused(untouched: Repository, tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(BadDefinition, match=r"bad\.yaml"):
        instruments.add(untouched, str(file))


def test_a_file_that_is_not_there(untouched: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.yaml"):
        instruments.add(untouched, tmp_path / "none.yaml")


# -- rules ---------------------------------------------------------------------------------------------

HEADER = {
    "A": "  x1 ",
    "EMPTY": "  ",
    "N": 7,
    "T": "12",
    "H": "01:30:00",
    "D": "-00:30:00",
    "B": True,
    "F": 2.5,
}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("A", "x1"),
        (["EMPTY", "MISSING", "A"], "x1"),
        ("EMPTY", None),
        ({"keyword": "EMPTY", "default": "none"}, "none"),
        ({"value": "fixed"}, "fixed"),
        ({"template": "{A}-{N:05d}-{T:3d}"}, "x1-00007- 12"),
        ({"template": "{A}-{EMPTY}", "default": "no"}, "no"),
        ({"keyword": "A", "pattern": r"x(\d)"}, "1"),
        ({"keyword": "A", "pattern": "y"}, None),
        ({"keyword": "A", "replace": {"x": "Y", "1": ""}}, "Y"),
        ({"keyword": "A", "map": {"x1": "one"}, "case": "upper"}, "one"),
        ({"keyword": "A", "case": "upper"}, "X1"),
        ({"keyword": "N", "map": {"7": "seven"}}, "seven"),
    ],
    ids=str,
)
def test_rules_for_text(rule: object, found: str | None) -> None:
    assert parse_rule(rule, "test").text(HEADER) == found


@pytest.mark.parametrize(
    ("rule", "unit", "found"),
    [
        ({"keyword": "F", "unit": "min"}, "s", 150.0),
        ({"keyword": "T"}, "s", 12.0),
        ({"keyword": "H", "unit": "hourangle"}, "deg", 22.5),
        ({"keyword": "D", "unit": "deg"}, "deg", -0.5),
        ({"keyword": "F", "factor": -1, "offset": 90}, "deg", 87.5),
    ],
    ids=str,
)
def test_rules_for_numbers(rule: object, unit: str, found: float) -> None:
    assert parse_rule(rule, "test").number(HEADER, unit) == pytest.approx(found, abs=1e-12)


def test_rules_for_whole_numbers_and_truth() -> None:
    plus = {"keyword": "A", "map": {"x1": 1000}}
    assert parse_rule({"keyword": "T", "plus": plus}, "test").integer(HEADER) == 1012
    assert parse_rule("B", "test").boolean(HEADER) is True
    assert parse_rule({"keyword": "A", "map": {"x1": False}}, "test").boolean(HEADER) is False


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        ("A", lambda rule: rule.integer(HEADER)),
        ("F", lambda rule: rule.integer(HEADER)),
        ("A", lambda rule: rule.number(HEADER, "s")),
        ("B", lambda rule: rule.number(HEADER, "s")),
        ("A", lambda rule: rule.boolean(HEADER)),
        ("A", lambda rule: rule.time(HEADER)),
        ({"template": "{A:05d}"}, lambda rule: rule.text(HEADER)),
    ],
    ids=[
        "text as integer",
        "fraction as integer",
        "text as number",
        "truth as number",
        "text as truth",
        "text as time",
        "template",
    ],
)
def test_ill_typed_values_name_keyword_and_value(rule: object, read: Callable[[Any], object]) -> None:
    with pytest.raises(BadDataId, match=r"(A|F|B) is .*ill-typed"):
        read(parse_rule(rule, "test"))
