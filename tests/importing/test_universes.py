"""Exports of older dimension universes."""

from __future__ import annotations

import pytest

from skyfs.errors import BadContent
from skyfs.model.timespan import Timespan, parse_time
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import DETECTORS, FILTERS, INSTRUMENT, Write

EXPOSURE = """
- type: dimension
  element: exposure
  records:
  - instrument: Cam
    id: 3
    obs_id: x3
    physical_filter: Cam-R
    group_name: 'g 3'
    group_id: 3
    day_obs: 20141117
    datetime_begin: 2014-11-18 12:56:47.112000
    datetime_end: 2014-11-18 13:01:49.092000
"""
VISIT = """
- type: dimension
  element: visit
  records:
  - instrument: Cam
    id: 3
    name: v3
    physical_filter: Cam-R
    visit_system: 0
    seeing: 0.7
    datetime_begin: !butler_time/tai/iso '2014-11-18 23:59:59.999999999'
    datetime_end: !butler_time/tai/iso '2014-11-19 00:01:00'
- type: dimension
  element: visit_system
  records: [{instrument: Cam, id: 0, name: one-to-one}]
- type: dimension
  element: visit_definition
  records: [{instrument: Cam, exposure: 3, visit: 3, visit_system: 0}]
"""
DATASETS = """
- {type: run, name: r}
- type: dataset_type
  name: src
  dimensions: [instrument, visit, visit_system, detector]
  storage_class: SourceCatalog
- type: dataset
  dataset_type: src
  run: r
  records: [{dataset_id: 1, data_id: {instrument: Cam, visit: 3, visit_system: 0, detector: 1}}]
"""


def head(version: int | None) -> str:
    universe = "" if version is None else f"universe_version: {version}\nuniverse_namespace: daf_butler\n"
    return f"version: 1.0.0\n{universe}"


@pytest.mark.parametrize("version", [None, 0])
def test_the_first_universe(repo: Repository, write: Write, version: int | None) -> None:
    export = write(DATASETS, VISIT, EXPOSURE, DETECTORS, FILTERS, INSTRUMENT, head=head(version))
    found = repo.import_export(export)
    assert (found.records, found.declared) == (13, 1)
    assert list(repo.records("visit_system_membership")) == [
        {"instrument": "Cam", "visit": 3, "visit_system": 0}
    ]
    assert list(repo.records("visit_definition")) == [{"instrument": "Cam", "exposure": 3, "visit": 3}]
    assert list(repo.records("group")) == [{"instrument": "Cam", "name": "g 3"}]
    # When the nights begin only the instrument's code knows; the visit's is the date of its begin in TAI.
    assert list(repo.records("day_obs")) == [
        {"instrument": "Cam", "id": 20141117, "timespan": None},
        {"instrument": "Cam", "id": 20141118, "timespan": None},
    ]
    (visit,) = repo.records("visit")
    assert visit["day_obs"] == 20141118
    (exposure,) = repo.records("exposure")
    assert (exposure["group"], exposure["day_obs"]) == ("g 3", 20141117)
    # Times without a tag are UTC, 35 leap seconds behind TAI then.
    begin, end = parse_time("2014-11-18T12:57:22.112"), parse_time("2014-11-18T13:02:24.092")
    assert exposure["timespan"] == Timespan(begin, end)
    assert repo.types()[0].group.required == ("instrument", "visit", "detector")
    assert repo.find("src", collections="r", instrument="Cam", visit=3, detector=1).run == "r"


def test_the_first_universe_again_is_no_change(repo: Repository, write: Write) -> None:
    export = write(VISIT, EXPOSURE, FILTERS, INSTRUMENT, head=head(0))
    repo.import_export(export)
    before = snapshot(repo.root)
    assert repo.import_export(export).records == 0
    assert snapshot(repo.root) == before


def test_nights_that_are_there_stay(repo: Repository, write: Write) -> None:
    span = ("2014-11-17T12:00:00", "2014-11-18T12:00:00")
    repo.import_export(write(INSTRUMENT))
    repo.insert("day_obs", [{"instrument": "Cam", "id": 20141117, "timespan": span}])
    repo.import_export(write(EXPOSURE, FILTERS, head=head(5)))
    (found,) = repo.records("day_obs")
    assert found["timespan"] == Timespan.of(*span)


def test_universe_1_keeps_its_nights(repo: Repository, write: Write) -> None:
    visit = VISIT.replace("seeing: 0.7", "day_obs: 20141117")
    found = repo.import_export(write(visit, EXPOSURE, FILTERS, INSTRUMENT, head=head(1)))
    assert next(iter(repo.records("visit")))["day_obs"] == 20141117
    assert found.records == 10


def test_universe_2_has_visit_systems_of_its_own(repo: Repository, write: Write) -> None:
    visit = VISIT.replace("seeing: 0.7", "day_obs: 20141117")
    export = write(visit, EXPOSURE, FILTERS, INSTRUMENT, head=head(2))
    before = snapshot(repo.root)
    with pytest.raises(ValueError, match=r"dimension visit\): no column 'visit_system'"):
        repo.import_export(export)
    assert snapshot(repo.root) == before


def test_other_namespaces_are_taken_as_they_are(repo: Repository, write: Write) -> None:
    export = write(EXPOSURE, FILTERS, INSTRUMENT, head="version: 1.0.0\nuniverse_namespace: mine\n")
    with pytest.raises(ValueError, match="no column 'group_name'"):
        repo.import_export(export)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    group_name: 'g 3'\n", "", r"\(dimension exposure\): no 'group_name'"),
        ("    visit_system: 0\n", "", r"\(dimension visit\): no 'visit_system'"),
        ("'2014-11-18 23:59:59.999999999'", "", r"bad time|no datetime_begin"),
        ("day_obs: 20141117", "day_obs: [1]", r"\(dimension exposure\): day_obs: \[1\]"),
    ],
)
def test_what_migration_needs_must_be_there(
    repo: Repository, write: Write, old: str, new: str, message: str
) -> None:
    text = VISIT + EXPOSURE
    assert old in text
    export = write(text.replace(old, new), FILTERS, INSTRUMENT, head=head(0))
    before = snapshot(repo.root)
    with pytest.raises(BadContent, match=message):
        repo.import_export(export)
    assert snapshot(repo.root) == before


def test_nights_of_the_export_come_before_made_ones(repo: Repository, write: Write) -> None:
    night = """
- type: dimension
  element: day_obs
  records:
  - instrument: Cam
    id: 20141117
    datetime_begin: !butler_time/tai/iso '2014-11-17 12:00:00'
    datetime_end: !butler_time/tai/iso '2014-11-18 12:00:00'
"""
    repo.import_export(write(EXPOSURE, night, FILTERS, INSTRUMENT, head=head(5)))
    (found,) = repo.records("day_obs")
    assert found["timespan"] == Timespan.of("2014-11-17T12:00:00", "2014-11-18T12:00:00")


@pytest.mark.parametrize("version", [6, 8])
def test_later_universes_name_the_group(repo: Repository, write: Write, version: int) -> None:
    exposure = EXPOSURE.replace("group_name", "group").replace("    group_id: 3\n", "")
    repo.import_export(write(exposure, FILTERS, INSTRUMENT, head=head(version)))
    (found,) = repo.records("exposure")
    assert found["group"] == "g 3"
