"""Instruments that ship with skyfs: the right detectors and filters, recorded once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from astro_metadata_translator.translators import DecamTranslator, HscTranslator

from skyfs import instruments
from skyfs.errors import NotFound
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

COUNTS = {"DECam": 62, "HSC": 112, "LATISS": 1, "LSSTCam": 205, "MegaPrime": 36, "SuprimeCam": 10}


def names(instrument: str) -> dict[int, str]:
    return {one.id: one.full_name for one in instruments.load(instrument).detectors.values()}


def test_every_one_has_its_detectors() -> None:
    assert {name: len(instruments.load(name).detectors) for name in instruments.SHIPPED} == COUNTS
    assert set(instruments.names()) == set(COUNTS)


def test_decam_is_numbered_from_one() -> None:
    found = names("DECam")
    assert sorted(found) == list(range(1, 63))
    assert (found[1], found[31], found[32], found[61], found[62]) == ("S29", "S7", "N1", "N30", "N31")
    assert found == DecamTranslator.detector_names | {61: "N30"}
    first = instruments.load("DECam").detectors[1]
    assert (first.raft, first.name_in_raft, first.purpose) == ("S", "29", "SCIENCE")


def test_hsc_has_eight_focus_detectors() -> None:
    found = instruments.load("HSC")
    assert [found.detectors[n].full_name for n in range(112)] == HscTranslator._DETECTOR_NUM_TO_UNIQUE_NAME  # noqa: SLF001 - the only other list of them
    assert [one.id for one in found.detectors.values() if one.purpose == "FOCUS"] == list(range(104, 112))
    assert (found.detectors[50].raft, found.detectors[50].name_in_raft) == ("1", "12")


def test_lsstcam_has_science_guider_and_wavefront_detectors() -> None:
    found = instruments.load("LSSTCam").detectors
    purposes = Counter(one.purpose for one in found.values())
    assert purposes == {"SCIENCE": 189, "GUIDER": 8, "WAVEFRONT": 8}
    assert sorted(found) == list(range(205))
    known = {0: "R01_S00", 8: "R01_S22", 94: "R22_S11", 188: "R43_S22", 189: "R00_SG0", 191: "R00_SW0"}
    known |= {195: "R04_SW0", 199: "R40_SW0", 203: "R44_SW0", 204: "R44_SW1"}
    assert {number: found[number].full_name for number in known} == known
    assert (found[94].raft, found[94].name_in_raft) == ("R22", "S11")


def test_megaprime_has_no_rafts() -> None:
    found = instruments.load("MegaPrime").detectors
    assert [one.full_name for one in found.values()] == [f"ccd{n:02}" for n in range(36)]
    assert {one.raft for one in found.values()} == {None}


@pytest.mark.parametrize(
    ("instrument", "physical_filter", "band"),
    [
        ("DECam", "z DECam SDSS c0004 9260.0 1520.0", "z"),
        ("DECam", "Y DECam c0005 10095.0 1130.0", "y"),
        ("DECam", "VR DECam c0007 6300.0 2600.0", "VR"),
        ("DECam", "N662 DECam c0009 6620.0 172.0", "N662"),
        ("HSC", "HSC-R2", "r"),
        ("HSC", "NB0921", "N921"),
        ("MegaPrime", "i.MP9702", "i"),
        ("MegaPrime", "r", "r"),
        ("SuprimeCam", "W-S-R+", "r"),
        ("SuprimeCam", "N-B-L921", "N921"),
        ("LSSTCam", "i_39", "i"),
        ("LSSTCam", "none", "white"),
        ("LATISS", "SDSSr_65mm~empty", "r"),
        ("LATISS", "empty~SDSSg_65mm", "g"),
        ("LATISS", "empty~holo4_003", "white"),
    ],
)
def test_filters_have_bands(instrument: str, physical_filter: str, band: str) -> None:
    assert instruments.load(instrument).band(physical_filter) == band


@pytest.mark.parametrize("name", instruments.SHIPPED)
def test_added_as_records_once(repo: Repository, name: str) -> None:
    known = instruments.add(repo, name)
    before = snapshot(repo.root)
    instruments.add(repo, name.lower())
    assert snapshot(repo.root) == before
    detectors = {one["id"]: one for one in repo.records("detector", instrument=name)}
    assert {number: one["full_name"] for number, one in detectors.items()} == names(name)
    (record,) = repo.records("instrument", name=name)
    assert record["detector_max"] > max(names(name))  # type: ignore[operator]
    assert record["visit_max"] >= 2 * record["exposure_max"]  # type: ignore[operator]
    found: dict[Any, Any] = {
        one["name"]: one["band"] for one in repo.records("physical_filter", instrument=name)
    }
    assert found == dict(known.bands)
    systems = {one["name"]: one["id"] for one in repo.records("visit_system", instrument=name)}
    assert systems == {"one-to-one": 0, "by-group": 1}
    assert not (repo.root / "instruments").exists()


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(NotFound, match=r"no instrument 'DECAN'.*DECam, HSC, LATISS"):
        instruments.load("DECAN")
