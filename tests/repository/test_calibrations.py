"""Calibrations: certified for ranges of time, found by what was observed."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import skyfs
from skyfs.errors import (
    Ambiguous,
    BadArgument,
    BadDataId,
    Conflict,
    NotAllowed,
    NotFound,
    ReadOnly,
    SkyfsError,
)
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository

FLAT: dict[str, Any] = {"instrument": "HSC", "physical_filter": "HSC-I", "detector": 0}
FIRST: dict[str, Any] = {"exposure": 903334}
SECOND: dict[str, Any] = {"exposure": 903336}
# The exposures are of a minute from 08:00 and 09:00 on.
CHANGE = "2013-11-02T08:30:00"
FOLDER = "/calib/flat/instrument=HSC/detector=0/physical_filter=HSC-I"


@pytest.fixture
def flats(repo: Repository) -> Repository:
    """One flat until 08:30, another one from then on."""
    for run, value, begin, end in (("old", 1, None, CHANGE), ("new", 2, CHANGE, None)):
        ref = repo.put(np.full((2, 2), value), "flat", run=run, **FLAT)
        repo.certify([ref], "calib", begin, end)
    return repo


@pytest.fixture
def fs(flats: Repository) -> SkyFileSystem:
    return skyfs.filesystem(flats)


def ranges(repo: Repository, where: str | None = None) -> list[tuple[str, str]]:
    return sorted((ref.run, str(ref.valid)) for ref in repo.query("flat", collections="calib", where=where))


# -- find ------------------------------------------------------------------------------------------------


def test_the_observation_tells_the_time(flats: Repository) -> None:
    own: dict[str, Any] = {"instrument": "HSC", "detector": 0}
    assert flats.find("flat", collections="calib", **own, **FIRST).run == "old"
    assert flats.find("flat", collections="calib", **own, **SECOND).run == "new"
    assert flats.find("flat", collections="calib", **own, visit=903336).run == "new"
    value: Any = flats.get("flat", collections="calib", **own, **SECOND)
    assert value.tolist() == [[2, 2], [2, 2]]


def test_ranges_are_half_open(flats: Repository) -> None:
    times: list[tuple[object, str]] = [
        ("2013-11-02T08:29:59.999999999", "old"),
        (CHANGE, "new"),
        (("2013-11-02T08:00:00", CHANGE), "old"),
        ((CHANGE, "2013-11-02T08:30:01"), "new"),
        ((None, "2000-01-01"), "old"),
    ]
    for time, run in times:
        assert flats.find("flat", collections="calib", time=time, **FLAT).run == run


def test_what_straddles_two_is_ambiguous_and_both_are_listed(flats: Repository) -> None:
    span = ("2013-11-02T08:29:30", "2013-11-02T08:30:30")
    more = {"group": "s", "day_obs": 20131102, "timespan": span, "physical_filter": "HSC-I", "obs_id": "s"}
    flats.insert("exposure", [{"instrument": "HSC", "id": 5, **more}])
    match = r"2 match: valid=min--20131102T083000, valid=20131102T083000--max"
    with pytest.raises(Ambiguous, match=match) as caught:
        flats.find("flat", collections="calib", instrument="HSC", detector=0, exposure=5)
    assert "a time that lies in one of them" in str(caught.value)
    with pytest.raises(Ambiguous, match=match):
        flats.find("flat", collections="calib", time=span, **FLAT)


def test_without_a_time_only_one_range_is_clear(flats: Repository) -> None:
    with pytest.raises(Ambiguous, match=r"2 match.*add exposure=, time= or valid="):
        flats.find("flat", collections="calib", **FLAT)
    flats.decertify("calib", "flat", CHANGE)
    assert flats.find("flat", collections="calib", **FLAT).run == "old"


def test_the_first_collection_that_has_a_valid_one_wins(flats: Repository) -> None:
    better = flats.put(np.full((2, 2), 3), "flat", run="better", **FLAT)
    flats.certify([better], "best", "2013-11-02T08:00:00", "2013-11-02T08:00:30")
    flats.chain("inner", ["best"])
    flats.chain("all", ["inner", "calib"])
    own: dict[str, Any] = {"instrument": "HSC", "detector": 0}
    assert flats.find("flat", collections="all", **own, **FIRST).run == "better"
    assert flats.find("flat", collections="all", **own, **SECOND).run == "new"
    assert flats.find("flat", collections=["calib", "best"], **own, **FIRST).run == "old"


def test_times_and_values_that_contradict(flats: Repository) -> None:
    with pytest.raises(BadDataId, match="physical_filter of exposure 903334 is 'HSC-I', not 'HSC-G'"):
        flats.find("flat", collections="calib", **{**FLAT, "physical_filter": "HSC-G"}, **FIRST)
    with pytest.raises(NotFound, match="exposure=7"):
        flats.find("flat", collections="calib", instrument="HSC", detector=0, exposure=7)
    with pytest.raises(NotFound, match="no flat"):
        flats.find("flat", collections="calib", instrument="HSC", detector=1, **FIRST)


# -- paths -----------------------------------------------------------------------------------------------


def test_paths_are_listed_with_their_ranges(fs: SkyFileSystem) -> None:
    names = [f"{FOLDER}/valid={valid}.npy" for valid in ("20131102T083000--max", "min--20131102T083000")]
    assert fs.ls(FOLDER, detail=False) == names
    assert fs.find("/calib") == names
    assert [fs.info(name)["run"] for name in names] == ["new", "old"]


def test_paths_name_what_was_observed_through_chains_too(fs: SkyFileSystem, flats: Repository) -> None:
    flats.chain("all", ["calib"])
    flats.chain("outer", ["all"])
    observed = [(903334, "old"), (903336, "new")]
    for prefix, (exposure, run) in product(("/calib", "/all", "/outer"), observed):
        for path in (
            f"{prefix}/flat/instrument=HSC/exposure={exposure}/detector=0.npy",
            f"{prefix}/flat/detector=0/physical_filter=HSC-I/instrument=HSC/visit={exposure}.npy",
        ):
            found = fs.info(path)
            assert found["run"] == run
            assert str(found["name"]).startswith(f"{prefix}{FOLDER.removeprefix('/calib')}/valid=")
            assert fs.cat(path) == fs.cat(found["name"])
    listed = fs.ls(f"/outer{FOLDER.removeprefix('/calib')}", detail=False)
    assert [name.rpartition("/")[2] for name in listed] == [
        "valid=20131102T083000--max.npy",
        "valid=min--20131102T083000.npy",
    ]


def test_ambiguous_paths_say_so(fs: SkyFileSystem) -> None:
    with pytest.raises(Ambiguous, match="add exposure=, time= or valid="):
        fs.cat(f"{FOLDER}.npy")
    with pytest.raises(FileNotFoundError):
        fs.cat(f"{FOLDER}/valid=20131102T083000--20140101T000000.npy")


# -- certify and decertify -------------------------------------------------------------------------------


def test_a_range_in_the_middle_is_cut_out(flats: Repository) -> None:
    flats.decertify("calib", "flat", CHANGE)
    assert flats.decertify("calib", "flat", "2013-01-01", "2013-02-01") == 1
    assert ranges(flats) == [
        ("old", "20130201T000000--20131102T083000"),
        ("old", "min--20130101T000000"),
    ]
    # What is free can be certified anew, up to the very moment.
    again = flats.put(np.zeros((2, 2)), "flat", run="again", **FLAT)
    with pytest.raises(Conflict, match="overlapping"):
        flats.certify([again], "calib", "2013-01-01", "2013-02-01T00:00:00.000000001")
    flats.certify([again], "calib", "2013-01-01", "2013-02-01")
    assert flats.find("flat", collections="calib", time="2013-01-31", **FLAT).run == "again"


def test_decertify_takes_some_data_ids_or_all(flats: Repository) -> None:
    other = flats.put(np.zeros((2, 2)), "flat", run="old", **{**FLAT, "detector": 1})
    flats.certify([other], "calib", None, None)
    assert flats.decertify("calib", "flat", detector=1, physical_filter="HSC-G") == 0
    assert flats.decertify("calib", "flat", full_name="1_1", instrument="HSC") == 1
    assert ranges(flats, "detector = 1") == []
    assert flats.decertify("calib", "flat", "2000-01-01", instrument="HSC") == 2
    assert ranges(flats) == [("old", "min--20000101T000000")]
    assert flats.decertify("calib", "flat") == 1
    assert flats.decertify("calib", "flat") == 0
    assert flats.find("flat", collections="old", **FLAT).run == "old"
    flats.remove_collection("calib")


def test_refused_changes_of_validity_change_nothing(flats: Repository) -> None:
    before = ranges(flats)
    refused: list[tuple[type[SkyfsError], tuple[Any, ...], dict[str, Any]]] = [
        (NotAllowed, ("old", "flat"), {}),
        (NotFound, ("nowhere", "flat"), {}),
        (NotFound, ("calib", "flut"), {}),
        (BadDataId, ("calib", "flat"), {"band": "i"}),
        (BadDataId, ("calib", "flat"), {"exposure": 903334}),
        (BadDataId, ("calib", "flat"), {"detector": "zero"}),
        (BadArgument, ("calib", "flat", CHANGE, CHANGE), {}),
        (BadArgument, ("calib", "flat", "yesterday"), {}),
    ]
    for error, arguments, data_id in refused:
        with pytest.raises(error):
            flats.decertify(*arguments, **data_id)
    assert ranges(flats) == before
    with skyfs.open(str(flats.root)) as reader, pytest.raises(ReadOnly):
        reader.decertify("calib", "flat")


def test_listings_follow_what_is_certified(fs: SkyFileSystem, flats: Repository) -> None:
    flats.decertify("calib", "flat", CHANGE, physical_filter="HSC-I")
    assert fs.ls(FOLDER, detail=False) == [f"{FOLDER}/valid=min--20131102T083000.npy"]
    flats.decertify("calib", "flat")
    assert not fs.exists("/calib")
    (found,) = flats.query("flat", collections="old")
    assert found.valid is None
