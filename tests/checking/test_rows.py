"""Rows damaged by direct SQL: each kind is found under its own code, and mended where that is possible."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.errors import StoreError

from .conftest import VISITS, Place, at, codes, sqlite_place

Sql = Callable[[str], list[tuple[Any, ...]]]
Damage = Callable[[Sql, Place], None]


def _do(*statements: str) -> Damage:
    def damage(sql: Sql, place: Place) -> None:
        for statement in statements:
            names = {
                "metrics": place.member("metrics"),
                "flat": place.member("flat"),
                "valid": place.member("flat", "valid"),
                "rubbish": "x'00ff'" if place.tables.startswith("SELECT name") else "'\\x00ff'::bytea",
            }
            sql(statement.format(**names))

    return damage


_ONE = "(SELECT min(id) FROM dataset)"
_TAGGED = "(SELECT id FROM collection WHERE name = 'u/tagged')"
_GONE = "(SELECT max(id) + 100 FROM collection)"

# The damage, what is found of it, and what of that stays when it was repaired.
DAMAGES = {
    "membership gone": (
        _do(f"DELETE FROM {{metrics}} WHERE dataset_id = {_ONE} AND collection_id != {_TAGGED}"),
        {"dataset-without-membership", "wrong-summary"},
        set(),
    ),
    "dataset gone": (
        _do(f"DELETE FROM dataset WHERE id = {_ONE}"),
        {"member-without-dataset", "location-without-dataset", "captured-without-dataset", "extra-file"},
        set(),
    ),
    "tagged dataset gone": (
        _do(f"UPDATE {{metrics}} SET dataset_id = 999 WHERE collection_id = {_TAGGED}"),
        {"tag-without-dataset", "wrong-stored"},
        set(),
    ),
    "certified dataset gone": (
        _do("UPDATE {valid} SET dataset_id = 999 WHERE dataset_id = (SELECT max(dataset_id) FROM {valid})"),
        {"certification-without-dataset", "wrong-stored"},
        set(),
    ),
    "membership in a collection that is gone": (
        _do(f"UPDATE {{metrics}} SET collection_id = {_GONE} WHERE collection_id = {_TAGGED}"),
        {"member-without-collection", "wrong-summary"},
        set(),
    ),
    "artifact gone": (
        _do(f"DELETE FROM artifact WHERE id = {_ONE}"),
        {"location-without-artifact", "extra-file"},
        set(),
    ),
    "location of a dataset that is gone": (
        _do("INSERT INTO location (dataset_id, artifact_id) VALUES (999, 1)"),
        {"location-without-dataset", "wrong-artifact-count"},
        set(),
    ),
    "location gone": (
        _do(f"DELETE FROM location WHERE dataset_id = {_ONE}"),
        {"artifact-without-location", "wrong-stored", "extra-file"},
        set(),
    ),
    "artifact with a wrong count": (
        _do("UPDATE artifact SET datasets = 7 WHERE id = 1"),
        {"wrong-artifact-count"},
        set(),
    ),
    "wrong summary": (_do("UPDATE summary SET datasets = 99 WHERE datasets = 4"), {"wrong-summary"}, set()),
    "summary gone": (_do("DELETE FROM summary"), {"wrong-summary"}, set()),
    "summary of nothing": (
        _do(f"INSERT INTO summary (collection_id, type_id, stored, datasets) VALUES ({_GONE}, 1, 1, 3)"),
        {"wrong-summary"},
        set(),
    ),
    "summary of no type": (
        _do("INSERT INTO summary (collection_id, type_id, stored, datasets) VALUES (1, 99, 1, 3)"),
        {"wrong-summary"},
        set(),
    ),
    "overlapping validity": (
        _do(
            "UPDATE {valid} SET begin_ns = begin_ns - 1000"
            " WHERE begin_ns = (SELECT max(begin_ns) FROM {valid})"
        ),
        {"overlapping-validity"},
        {"overlapping-validity"},
    ),
    "captured value of a dataset that is gone": (
        _do("INSERT INTO captured (dataset_id, name_id, number) VALUES (999, 1, 2)"),
        {"captured-without-dataset"},
        set(),
    ),
    "provenance of a dataset that is gone": (
        _do(
            "UPDATE provenance SET dataset_id = 999"
            " WHERE dataset_id = (SELECT max(dataset_id) FROM provenance)"
        ),
        {"provenance-without-dataset"},
        set(),
    ),
    "a record gone": (
        _do("DELETE FROM record_detector WHERE detector = 1"),
        {"missing-record"},
        {"missing-record"},
    ),
    "a record gone that is only a key": (
        _do("DELETE FROM record_day_obs"),
        {"missing-record", "orphan-record"},
        set(),
    ),
    "a record that another one needs gone": (
        _do("DELETE FROM record_physical_filter"),
        {"missing-record", "orphan-record"},
        {"missing-record", "orphan-record"},
    ),
    "listed under another data ID": (
        _do(f"UPDATE {{metrics}} SET detector = 2 WHERE dataset_id = {_ONE} AND collection_id != {_TAGGED}"),
        {"wrong-data-id"},
        set(),
    ),
    "listed twice": (
        _do(
            "INSERT INTO {metrics} SELECT type_id, collection_id, stored, instrument, day_obs, visit, 2, "
            f"dataset_id FROM {{metrics}} WHERE dataset_id = {_ONE}"
        ),
        {"wrong-data-id", "wrong-summary"},
        set(),
    ),
    "listed in place of another": (
        _do(
            f"UPDATE {{metrics}} SET dataset_id = {_ONE} WHERE dataset_id = (SELECT max(dataset_id) FROM "
            f"{{metrics}}) AND collection_id != {_TAGGED}"
        ),
        {"wrong-data-id", "dataset-without-membership"},
        set(),
    ),
    "listed in another night": (
        _do(f"UPDATE {{metrics}} SET day_obs = 20140101 WHERE dataset_id = {_ONE}"),
        {"wrong-data-id", "missing-record"},
        set(),
    ),
    "certified for another filter": (
        _do("UPDATE {valid} SET detector = 1"),
        {"wrong-data-id"},
        set(),
    ),
    "a region that is none": (
        _do(f"UPDATE record_visit SET region = {{rubbish}} WHERE visit = {VISITS[0]}"),
        {"stale-region-index"},
        {"stale-region-index"},
    ),
    "an id that is none": (
        _do(f"UPDATE dataset SET uuid = {{rubbish}} WHERE id = {_ONE}"),
        {"unreadable-row"},
        {"unreadable-row"},
    ),
    "a data ID that is none": (
        _do(f"UPDATE dataset SET data_id = 'rubbish' WHERE id = {_ONE}"),
        {"dataset-unreadable"},
        {"dataset-unreadable"},
    ),
    "regions not indexed": (_do("DELETE FROM overlap_visit"), {"stale-region-index"}, set()),
    "regions indexed wrongly": (
        _do("UPDATE overlap_visit SET cell = cell + 1000000 WHERE own = 0"),
        {"stale-region-index"},
        set(),
    ),
    "RUN gone": (
        _do(f"UPDATE dataset SET run_id = {_GONE} WHERE id = {_ONE}"),
        {"dataset-without-run", "dataset-without-membership", "extra-file"},
        {"dataset-without-run", "dataset-without-membership", "extra-file"},
    ),
    "dataset type gone": (
        _do(f"UPDATE dataset SET type_id = 99 WHERE id = {_ONE}"),
        {"dataset-without-type", "member-without-dataset", "dataset-unreadable"},
        {"dataset-without-type", "dataset-unreadable", "extra-file"},
    ),
    "listed without bytes": (
        _do(f"UPDATE {{metrics}} SET stored = 0 WHERE dataset_id = {_ONE}"),
        {"wrong-stored", "wrong-summary"},
        set(),
    ),
    "text of an extension gone": (
        _do("UPDATE artifact SET extension_id = 999 WHERE id = 1"),
        {"artifact-without-name", "dataset-unreadable"},
        {"artifact-without-name", "dataset-unreadable"},
    ),
}


def test_a_sound_repository_is_clean(place: Place) -> None:
    report = place.check(digests=True)
    assert report.clean
    assert (report.files, report.found, report.undigested) == (6, 0, 0)
    assert report.read_bytes == sum(len(data) for data in place.files().values())


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_repaired(place: Place, damage: str) -> None:
    act, found, left = DAMAGES[damage]
    with place.sql() as sql:
        act(sql, place)
    before = place.dump(), place.files()
    report = place.check(digests=True)
    assert codes(report) == found
    assert not report.clean
    assert (place.dump(), place.files()) == before  # to look changes nothing
    for finding in report.findings:
        assert all((finding.what, finding.found, finding.todo))
        assert not finding.repaired
    repaired = place.check(digests=True, repair=True)
    assert codes(repaired) == left
    assert codes(place.check(digests=True)) == left
    quarantined = [one for one in place.files() if "quarantine" in one]
    assert bool(quarantined) == bool(repaired.quarantine)
    assert bool(repaired.quarantine) == ("extra-file" in found - left)


def test_membership_comes_back_with_all_levels(place: Place) -> None:
    with place.sql() as sql:
        sql(f"DELETE FROM {place.member('metrics')}")
    assert place.check(repair=True).clean
    with skyfs.open(place.root) as repo:
        found = repo.query("metrics", collections="u/r")
        assert found.count() == 4
        assert repo.get("metrics", collections="u/r", **at(VISITS[1], 1)) == {"n": 1}
        listed = skyfs.filesystem(repo).ls("/u/r/metrics/instrument=HSC/day_obs=20131102", detail=False)
        assert [path.rpartition("=")[2] for path in listed] == [str(visit) for visit in VISITS]


def test_membership_that_another_dataset_has_taken_is_left(place: Place) -> None:
    with skyfs.open(place.root) as repo:
        first = repo.find("metrics", collections="u/r", **at())
    with place.sql() as sql:
        sql(f"DELETE FROM {place.member('metrics')} WHERE dataset_id = 1")
    with skyfs.open(place.root, writable=True) as repo:
        second = repo.put({"n": 5}, "metrics", run="u/r", extension=".yaml", **at())
    report = place.check(repair=True)
    assert codes(report) == {"dataset-without-membership"}
    assert place.check().findings[0].what.endswith(first.id.hex)
    with skyfs.open(place.root) as repo:
        assert repo.find("metrics", collections="u/r", **at()) == second


def test_chain_of_a_collection_that_is_gone(place: Place) -> None:
    with place.sql() as sql:
        sql("DELETE FROM collection WHERE name = 'inner'")
    with skyfs.open(place.root) as repo, pytest.raises(StoreError, match="skyfs check --repair"):
        repo.get("metrics", collections="outer", **at())
    report = place.check()
    assert codes(report) == {"chain-names-nothing"}
    assert "all files" in report.skipped[0]  # nothing else can be read before that is mended
    assert place.check(repair=True).clean
    with skyfs.open(place.root) as repo:
        assert [str(one.name) for one in repo.collections("outer")] == ["outer"]
        assert repo.query("flat", collections="outer").any()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE dimension_group SET dimensions = '[' WHERE id = 1", "dimension_group 1"),
        ("UPDATE dimension_group SET dimensions = '[\"nothing\"]' WHERE id = 1", "dimension_group 1"),
        ("UPDATE dataset_type SET capture = '{' WHERE name = 'metrics'", "dataset_type 'metrics'"),
        ("UPDATE dataset_type SET name = '../../x' WHERE name = 'metrics'", "dataset_type '../../x'"),
        ("UPDATE collection SET kind = 'WHAT' WHERE name = 'cal'", "collection 'cal'"),
        ("INSERT INTO attachment VALUES ('quality', '{}')", "attachment 'quality'"),
    ],
)
def test_definitions_that_cannot_be_read(place: Place, statement: str, named: str) -> None:
    """Nobody can open anything then: the check says which row it is, and changes nothing."""
    with place.sql() as sql:
        sql(statement)
        sql("UPDATE meta SET value = '100' WHERE key = 'catalogue'")
    files, rows = place.files(), place.dump()
    with skyfs.open(place.root) as repo, pytest.raises(StoreError, match="skyfs check tells which"):
        repo.get("metrics", collections="u/r", **at())
    report = place.check(repair=True)
    assert "unreadable-row" in codes(report)
    assert named in [one.what for one in report.findings]
    assert "all files" in report.skipped[-1]
    assert (place.files(), place.dump()) == (files, rows)


def test_chain_that_contains_itself(place: Place) -> None:
    with place.sql() as sql:
        names: dict[str, int] = {row[0]: row[1] for row in sql("SELECT name, id FROM collection")}
        sql(f"INSERT INTO chain VALUES ({names['inner']}, 5, {names['outer']})")
    report = place.check(repair=True)
    assert codes(report) == {"chain-cycle"}
    assert "'outer' -> 'inner' -> 'outer'" in report.findings[0].found.replace(
        "'inner' -> 'outer' -> 'inner'", "'outer' -> 'inner' -> 'outer'"
    )


def test_many_broken_rows_are_counted_and_the_first_described(place: Place) -> None:
    with place.sql() as sql:
        rows = ", ".join(f"({number}, 1, 1)" for number in range(10_000, 12_500))
        sql(f"INSERT INTO captured (dataset_id, name_id, number) VALUES {rows}")
    report = place.check()
    assert report.tallies["captured-without-dataset"].found == 2500
    assert len(report.findings) == 1000
    repaired = place.check(repair=True)
    assert repaired.tallies["captured-without-dataset"].repaired == 2500
    assert repaired.clean
    assert place.check().clean


def test_a_damaged_database_file(sqlite_template: Path, tmp_path: Path) -> None:
    root = tmp_path / "sky"
    shutil.copytree(sqlite_template, root)
    place = sqlite_place(root)
    with place.sql() as sql:
        sql("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page,),) = sql("SELECT rootpage FROM sqlite_master WHERE name = 'provenance_outputs'")
        ((size,),) = sql("PRAGMA page_size")
    with (root / "registry.sqlite3").open("r+b") as file:
        # Rows of an index begin at the end of its page.
        file.seek(page * size - 2)
        last = file.read(1)
        file.seek(page * size - 2)
        file.write(bytes([last[0] ^ 1]))
    report = place.check()
    assert codes(report) == {"database-damaged"}
    assert "provenance_outputs" in report.findings[0].found
    with place.sql() as sql:
        sql("DELETE FROM summary")
    before = place.dump()
    assert codes(place.check(repair=True)) == {"database-damaged", "wrong-summary"}
    assert place.dump() == before  # who repairs it might damage it more


def test_a_damaged_index_of_postgresql(postgres_place: Place) -> None:
    with postgres_place.sql() as sql:
        sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'artifact_parts'::regclass")
    report = postgres_place.check()
    assert codes(report) == {"database-damaged"}
    assert "artifact_parts" in report.findings[0].found
