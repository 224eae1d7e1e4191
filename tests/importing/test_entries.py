"""Every kind of entry, every tag."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skyfs
from skyfs.errors import Conflict, NotFound
from skyfs.importing.result import Imported, MappedType
from skyfs.model.timespan import Timespan, parse_time
from skyfs.registry.levels import LevelFilter
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import (
    COLLECTIONS,
    DETECTORS,
    EVERYTHING,
    FILTERS,
    FLATS,
    HEAD,
    INSTRUMENT,
    NIGHT,
    POLYGON,
    TYPES,
    Write,
    class_of_exposures,
)

# The namespace in which the butler makes UUIDs of integer ids.
INTEGERS = UUID("4d4851f4-2890-4d41-8779-5f38a3f5062b")


def flat(number: int) -> UUID:
    return UUID(f"00000000-0000-4000-8000-{number:012}")


def test_result_counts_what_is_new(repo: Repository, write: Write) -> None:
    found = repo.import_export(write(*EVERYTHING))
    mapped = (
        MappedType("flat", "ImageF", "Image"),
        MappedType("calexp", "ExposureF", class_of_exposures(repo)),
        MappedType("summary", "StructuredDataDict", "Dict"),
        MappedType("photoCalib", "PhotoCalib", "Bytes"),
    )
    assert found == Imported(
        records=9,
        collections=6,
        types=4,
        ingested=0,
        declared=5,
        unchanged=0,
        associations=5,
        components=1,
        mapped=mapped,
    )


def test_the_same_again_is_no_change(repo: Repository, write: Write) -> None:
    export = write(*EVERYTHING)
    first = repo.import_export(export)
    before = snapshot(repo.root)
    again = repo.import_export(export)
    counts = (again.records, again.collections, again.types, again.ingested, again.declared)
    assert (counts, again.unchanged) == ((0, 0, 0, 0, 0), 5)
    assert again.mapped == first.mapped
    assert snapshot(repo.root) == before


def test_records_have_their_values(repo: Repository, write: Write) -> None:
    repo.import_export(write(*EVERYTHING))
    (visit,) = repo.records("visit")
    assert visit == {
        "instrument": "Cam",
        "id": 7,
        "name": "v7",
        "physical_filter": "Cam-R",
        "day_obs": 20250101,
        "seq_num": None,
        "exposure_time": 30.5,
        "target_name": None,
        "observation_reason": None,
        "science_program": None,
        "azimuth": None,
        "zenith_angle": None,
        "region": bytes.fromhex(POLYGON),
        "timespan": Timespan.of("2025-01-02T01:00:00.123456789", "2025-01-02T01:00:30"),
    }
    assert [night["timespan"] for night in repo.records("day_obs")] == [
        Timespan.of("2025-01-01T12:00:00", "2025-01-02T12:00:00"),
        Timespan.of("2025-01-02T12:00:00", None),
    ]
    (skymap,) = repo.records("skymap")
    assert skymap["hash"] == bytes.fromhex("2adeecc10f5ee735227fb7e8d4e9e3ddecc7f93b")


def test_collections_have_kind_children_owner_and_doc(repo: Repository, write: Write) -> None:
    repo.import_export(write(COLLECTIONS))
    found = {one.name: (str(one.kind), one.children, one.owner, one.doc) for one in repo.collections()}
    assert found == {
        "outer": ("CHAINED", ("inner", "calib"), "", "All."),
        "inner": ("CHAINED", ("run/a", "best"), "", ""),
        "best": ("TAGGED", (), "", "The best."),
        "calib": ("CALIBRATION", (), "", ""),
        "run/a": ("RUN", (), repo.user, "First."),
        "run/b": ("RUN", (), repo.user, ""),
    }


def test_types_require_what_others_do_not_imply(repo: Repository, write: Write) -> None:
    repo.import_export(write(TYPES))
    found = {one.name: (one.group.required, one.storage_class, one.calibration) for one in repo.types()}
    assert found == {
        "calexp": (("instrument", "visit", "detector"), class_of_exposures(repo), False),
        "flat": (("instrument", "detector", "physical_filter"), "Image", True),
        "photoCalib": (("instrument",), "Bytes", False),
        "summary": ((), "Dict", False),
    }


def test_datasets_keep_their_ids_and_integers_become_the_butlers(repo: Repository, write: Write) -> None:
    repo.import_export(write(*EVERYTHING))
    calexp = repo.find("calexp", collections="run/b", instrument="Cam", visit=7, detector=1)
    assert (calexp.id, calexp.run) == (uuid3(INTEGERS, "5"), "run/b")
    for number, detector, name in ((1, 1, "Cam-G"), (2, 2, "Cam-G"), (3, 1, "Cam-R")):
        data_id = {"instrument": "Cam", "detector": detector, "physical_filter": name}
        assert repo.find("flat", collections="run/a", **data_id).id == flat(number)


def test_associations(repo: Repository, write: Write) -> None:
    repo.import_export(write(*EVERYTHING))
    assert repo.find("calexp", collections="best", instrument="Cam", visit=7, detector=1).run == "run/b"
    tagged = {"instrument": "Cam", "detector": 1, "physical_filter": "Cam-R"}
    assert repo.find("flat", collections="best", **tagged).id == flat(3)
    boundary = parse_time("2025-01-01T00:00:00")
    data_id = {"instrument": "Cam", "detector": 1, "physical_filter": "Cam-G"}
    before = repo.find("flat", collections="calib", time=boundary - 1, **data_id)
    after = repo.find("flat", collections="calib", time=boundary, **data_id)
    assert (before.id, before.valid) == (flat(1), Timespan(None, boundary))
    assert (after.id, after.valid) == (flat(1), Timespan(boundary, None))
    with pytest.raises(NotFound):
        repo.find("flat", collections="calib", time=boundary, **{**data_id, "detector": 2})


def test_associations_of_datasets_that_are_there_already(repo: Repository, write: Write) -> None:
    repo.import_export(write(INSTRUMENT, FILTERS, DETECTORS, COLLECTIONS, TYPES, FLATS))
    association = "- {type: associations, collection: best, collection_type: TAGGED, dataset_ids: [%s]}\n"
    assert repo.import_export(write(association % flat(1))).associations == 1
    data_id = {"instrument": "Cam", "detector": 1, "physical_filter": "Cam-G"}
    assert repo.find("flat", collections="best", **data_id).id == flat(1)


def test_version_0_and_no_universe(repo: Repository, write: Write) -> None:
    assert repo.import_export(write(INSTRUMENT, DETECTORS, head="version: 0\n")).records == 3


def test_an_export_without_entries_is_no_change(repo: Repository, write: Write) -> None:
    before = snapshot(repo.root)
    assert repo.import_export(write("")) == Imported(0, 0, 0, 0, 0, 0, 0)
    assert snapshot(repo.root) == before


def test_observations_of_no_length_last_a_nanosecond(repo: Repository, write: Write) -> None:
    night = NIGHT.replace("2025-01-02 12", "2025-01-01 12")
    repo.import_export(write(INSTRUMENT, night))
    begin = parse_time("2025-01-01T12:00:00")
    assert next(iter(repo.records("day_obs")))["timespan"] == Timespan(begin, begin + 1)


def test_a_type_that_is_there_keeps_its_storage_class(repo: Repository, write: Write) -> None:
    repo.register("calexp", ["visit", "detector"], "Image")
    found = repo.import_export(write(TYPES))
    assert found.types == 3
    assert MappedType("calexp", "ExposureF", "Image") in found.mapped


def test_a_type_of_another_known_storage_class_conflicts(repo: Repository, write: Write) -> None:
    repo.register("summary", [], "Text")
    with pytest.raises(Conflict, match=r"entry 4 \(dataset type summary\).* Text, asked for \(\) Dict"):
        repo.import_export(write(TYPES.replace("StructuredDataDict", "Dict")))


def test_an_empty_chain_gets_its_children(repo: Repository, write: Write) -> None:
    repo.chain("inner", [])
    repo.import_export(write(COLLECTIONS))
    assert repo.collections("inner")[0].children == ("run/a", "best")


def content(repo: Repository) -> object:
    """Give all that a repository says, whatever the order in which it was told."""
    snapshot_now = repo.registry.current()
    held = {}
    for name, collection in snapshot_now.collections.items():
        for entry in snapshot_now.types.values() if not collection.collection.children else ():
            everything = repo.registry.lookup.datasets(
                snapshot_now, [entry], [collection], LevelFilter(), declared=True
            )
            held[name, entry.type.name] = [one.resolved for one in everything]
    records = {name: list(repo.records(name)) for name in repo.registry.universe.elements}
    return records, repo.collections(), repo.types(), held


def imported(folder: Path, *entries: str) -> object:
    export = folder / "export.yaml"
    export.write_text(f"{HEAD}data:\n{''.join(entries)}")
    with skyfs.create(folder / "sky", options={"durability": "process"}) as repo:
        repo.import_export(export)
        return content(repo)


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What a repository holds after the import of everything."""
    return imported(tmp_path_factory.mktemp("plain"), *EVERYTHING)


@settings(max_examples=8)
@given(order=st.permutations(EVERYTHING))
def test_the_order_of_entries_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, in_order: object, order: list[str]
) -> None:
    assert imported(tmp_path_factory.mktemp("order"), *order) == in_order
