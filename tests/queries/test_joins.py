"""Dimensions that follow from others, relations, records, collections and times."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.errors import BadArgument, BadDataId, BadDefinition, InvalidQuery, NotFound
from skyfs.repository import Repository

from .conftest import Survey


def test_a_relation_says_which_exposures_make_a_visit(survey: Survey) -> None:
    """Visit 1 has no definition, in either camera."""
    found = {
        (one["instrument"], one["visit"], one["exposure"])
        for one in survey.repo.data_ids(["visit", "exposure"])
    }
    assert found == {
        (one["instrument"], one["id"], one["id"] + 100) for one in survey.visits if one["id"] != 1
    }


def test_implied_values_agree_when_both_are_asked_for(survey: Survey) -> None:
    """Of each visit its own band and night, not all of them."""
    rows = [(one["instrument"], one["visit"], one["band"]) for one in survey.repo.data_ids(["visit", "band"])]
    bands = survey.bands
    assert sorted(rows) == sorted(
        (one["instrument"], one["id"], bands[one["physical_filter"]])
        for one in survey.visits
        if one["physical_filter"] in bands
    )
    nights = {
        (one["visit"], one["day_obs"]) for one in survey.repo.data_ids(["visit", "day_obs"], instrument="A")
    }
    assert nights == {(one["id"], one["day_obs"]) for one in survey.visits if one["instrument"] == "A"}


def test_a_condition_on_another_dimension_gives_each_answer_once(survey: Survey) -> None:
    """Detectors of visits: a visit is one answer."""
    found = [one["visit"] for one in survey.repo.data_ids(["visit"], where="detector < 2", instrument="A")]
    assert found == [one["id"] for one in survey.visits if one["instrument"] == "A"]


def test_keys_by_any_of_their_names(survey: Survey) -> None:
    """Alternate keys, and the dimension's own column."""
    repo = survey.repo
    assert [dict(one) for one in repo.data_ids(["detector"], full_name="A1")] == [
        {"instrument": "A", "detector": 1}
    ]
    assert repo.data_ids(["detector"], where="detector.id = 1 AND detector.full_name = 'A1'").count() == 1
    assert repo.query("calexp", collections="runs/all", full_name="A1").count() == 7


def test_records(survey: Survey) -> None:
    """Records by expression, by column, of dimensions that overlap, sorted."""
    repo = survey.repo
    long = [one["id"] for one in survey.visits if one["exposure_time"] == 30.5 and one["instrument"] == "A"]
    assert [
        one["id"] for one in repo.records("visit", where="visit.exposure_time > 30", instrument="A")
    ] == long
    assert [one["full_name"] for one in repo.records("detector", purpose="GUIDE")] == ["A1", "B1"]
    assert [one["full_name"] for one in repo.records("detector", purpose=None)] == ["A2"]
    both = repo.records("visit", where="tract = 1", skymap="s1")
    assert {(one["instrument"], one["id"]) for one in both} == {
        (one["instrument"], one["visit"]) for one in repo.data_ids(["visit"], skymap="s1", tract=1)
    }
    ordered = [one["id"] for one in repo.records("visit", order_by=["-visit"], instrument="B")]
    assert ordered == [4, 3, 2, 1, 0]
    assert repo.records("visit_definition").count() == len(survey.visits) - 2
    first = next(iter(repo.records("exposure", where="has_simulated", bind={})), None)
    assert first is None or first["has_simulated"] is True
    with pytest.raises(BadDefinition, match="pixels"):
        repo.records("htm7")


def test_collections_in_order_of_search(survey: Survey) -> None:
    """Chains, lists and globs; the first that has a data ID, or all."""
    repo = survey.repo
    runs = [ref.run for ref in repo.query("calexp", collections="runs/both")]
    assert runs.count("runs/third") == len(list(repo.query("calexp", collections="runs/third")))
    assert len(runs) == repo.query("calexp", collections="runs/all").count()
    other = [ref.run for ref in repo.query("calexp", collections=["runs/all", "runs/third"])]
    assert set(other) == {"runs/all"}
    assert repo.query("calexp", collections="runs/*", find_first=False).count() == len(runs) + runs.count(
        "runs/third"
    )
    assert repo.query(["calexp", "note"], collections="runs/all").count() == len(runs) + 1
    assert {ref.type.name for ref in repo.query("*o*", collections="runs/all")} == {"coadd", "note"}


def test_fields_of_datasets(survey: Survey) -> None:
    """The RUN, the collection it was found in, the id, the time of arrival."""
    repo = survey.repo
    ref = next(iter(repo.query("calexp", collections="runs/both")))
    for where, count in [
        ("calexp.run = 'runs/third' AND collection = 'runs/third'", 11),
        ("GLOB(calexp.run, '*all')", 20),
        ("calexp.ingest_date > T'2020-01-01T00:00:00'", 31),
        ("ingest_date < T'2020-01-01T00:00:00'", 0),
        (f"calexp.dataset_id = UUID('{ref.id}')", 1),
    ]:
        query = repo.query("calexp", collections="runs/both", where=where)
        assert query.count() == len(list(query)) == count, where


def test_excluding(survey: Survey, tmp_path: Path) -> None:
    """A file of ids or paths, or these themselves."""
    repo = survey.repo
    query = repo.query("calexp", collections="runs/all")
    refs = list(query)
    listed = tmp_path / "bad.txt"
    listed.write_text("# bad\n\n" + "\n".join(str(ref.id) for ref in refs[:3]), encoding="utf-8")
    for exclude in (str(listed), refs[:3], [ref.id for ref in refs[:3]]):
        left = repo.query("calexp", collections="runs/all", exclude=exclude)
        assert [ref.id for ref in left] == [ref.id for ref in refs[3:]]
        assert left.count() == len(refs) - 3
        assert [ref.id for ref in left.limit(2)] == [ref.id for ref in refs[3:5]]
    note = repo.query("note", collections="runs/all", exclude=["/runs/all/note.txt"])
    assert not note.any()
    with pytest.raises(BadArgument, match="neither a path nor an id"):
        repo.query("calexp", collections="runs/all", exclude=["what"])


def test_tables(survey: Survey) -> None:
    """The answers as tables of three libraries, no value masked."""
    query = survey.repo.query("calexp", collections="runs/all", instrument="A").limit(5)
    table = query.to_table()
    assert table.colnames == ["dataset_type", "instrument", "visit", "detector", "run", "id"]
    assert list(table["visit"]) == [ref.data_id["visit"] for ref in query]
    assert list(query.to_table("pandas")["id"]) == [str(ref.id) for ref in query]
    records = survey.repo.records("visit").to_table("arrow")
    assert records.num_rows == len(survey.visits)
    assert records["timespan_begin"].null_count == 2
    masked = survey.repo.records("visit").to_table()
    assert masked["timespan_end"].mask.sum() == 2
    with pytest.raises(BadArgument, match="astropy, pandas, arrow"):
        query.to_table("excel")


def test_paths(survey: Survey) -> None:
    """Canonical paths of what has bytes."""
    assert list(survey.repo.query("note", collections="runs/*").paths()) == ["/runs/all/note.txt"]
    assert not list(survey.repo.query("calexp", collections="runs/all").paths())


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("visit.exposure_time > 1000 AND detector = 1", "nothing has visit.exposure_time > 1000"),
        ("instrument = 'A' AND physical_filter = 'B-r'", "none of these has physical_filter = 'B-r'"),
        ("visit >= 0", "found"),
    ],
)
def test_explaining(survey: Survey, where: str, said: str) -> None:
    """Why there is no answer, in words."""
    assert said in survey.repo.query("calexp", collections="runs/all", where=where).explain()


def test_explaining_what_is_not_there_at_all(survey: Survey) -> None:
    """No dataset of the type in these collections."""
    assert "no coadd" in survey.repo.query("coadd", collections="runs/third").explain()


def test_narrowing(survey: Survey) -> None:
    """Conditions add up; a query can be asked again."""
    query = survey.repo.data_ids(["visit"], instrument="A")
    assert [one["visit"] for one in query.where("visit > :low", low=2).where("visit < 5")] == [3, 4]
    assert query.count() == 7
    assert [one["visit"] for one in query.order_by("-visit").limit(2)] == [6, 5]


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda repo: repo.query("nothing", collections="runs/all"), NotFound, "no dataset type 'nothing'"),
        (lambda repo: repo.query("note*x", collections="runs/all"), NotFound, "no dataset type 'note.x'"),
        (lambda repo: repo.query("note", collections="runs/al"), NotFound, "did you mean runs/all"),
        (lambda repo: repo.query("calexp", collections="runs/all", vist=3), BadDataId, "did you mean visit"),
        (lambda repo: repo.query("calexp", collections="runs/all", visit="x"), BadDataId, "visit"),
        (lambda repo: repo.data_ids(["vist"]), BadDefinition, "did you mean visit"),
        (lambda repo: repo.data_ids(["visit"], order_by="vist"), InvalidQuery, "no name 'vist'"),
        (lambda repo: repo.data_ids(["visit"], bind={"a": 1}), BadArgument, "bind= without where="),
        (lambda repo: repo.data_ids(["visit"]).limit(-1), BadArgument, "limit"),
        (lambda repo: repo.records("vist"), BadDefinition, "no dimension .vist."),
        (lambda repo: repo.query("calexp"), BadArgument, "which collections"),
    ],
)
def test_bad_questions(survey: Survey, ask: object, error: type[Exception], message: str) -> None:
    """Refused at once, with what would do."""
    with pytest.raises(error, match=message):
        ask(survey.repo)  # type: ignore[operator]


# -- calibrations --------------------------------------------------------------------------------------


@pytest.fixture
def calibrated(tmp_path: Path) -> Repository:
    """Give three flats of one detector, one after another, and exposures before, in, and across them."""
    repo = skyfs.create(tmp_path / "repo", name=None)
    repo.insert("instrument", [{"name": "A"}])
    repo.insert("physical_filter", [{"instrument": "A", "name": f, "band": "r"} for f in ("A-r", "A-i")])
    repo.insert("detector", [{"instrument": "A", "id": 0, "full_name": "d"}])
    repo.insert("day_obs", [{"instrument": "A", "id": 20140101}])
    times = {
        1: ("2014-01-02", "2014-01-03"),
        2: ("2014-01-31", "2014-02-02"),
        3: ("2013-01-01", "2013-01-02"),
    }
    repo.insert(
        "exposure",
        [
            {
                "instrument": "A",
                "id": n,
                "obs_id": str(n),
                "physical_filter": "A-r",
                "group": "g",
                "day_obs": 20140101,
            }
            | {"timespan": span}
            for n, span in times.items()
        ],
    )
    repo.register("flat", ["detector", "physical_filter"], "Image", calibration=True)
    months = ["2014-01-01", "2014-02-01", "2014-03-01", None]
    for number, (begin, end) in enumerate(pairwise(months)):
        refs = repo.declare(
            "flat", [{"instrument": "A", "detector": 0, "physical_filter": "A-r"}], run=f"r{number}"
        )
        repo.certify(refs, "calib", begin, end)
    repo.declare("flat", [{"instrument": "A", "detector": 0, "physical_filter": "A-r"}], run="r9")
    repo.chain("all", ["calib", "r9"])
    return repo


def test_calibrations_by_exposure(calibrated: Repository) -> None:
    """The time and the filter of the exposure choose; what straddles gives both."""
    repo = calibrated

    def runs(collections: str, exposure: int) -> list[str]:
        query = repo.query("flat", collections=collections, instrument="A", exposure=exposure)
        found = [ref.run for ref in query]
        assert query.count() == len(found)
        return sorted(found)

    assert runs("calib", 1) == ["r0"]
    assert runs("calib", 2) == ["r0", "r1"]
    assert runs("calib", 3) == []
    assert runs("all", 3) == ["r9"], "the next in the chain, where nothing is valid"
    assert runs("all", 1) == ["r0"]
    by_time = repo.query(
        "flat", collections="calib", where="flat.timespan OVERLAPS T'2014-02-10T00:00:00/tai'"
    )
    assert [ref.run for ref in by_time] == ["r1"]
    ordered = repo.query("flat", collections="all").order_by("-flat.timespan.begin")
    assert [ref.run for ref in ordered][:3] == ["r2", "r1", "r0"]
    assert "valid_begin" in repo.query("flat", collections="calib").to_table().colnames


def test_many_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of many pages, along the key and through the spool, while somebody else writes."""
    monkeypatch.setattr("skyfs.registry.queries.queries.PAGE_ROWS", 7)
    monkeypatch.setattr("skyfs.registry.queries.spool._IN_MEMORY", 10)
    monkeypatch.setattr("skyfs.registry.database._CHUNK_ROWS", 6)
    repo = skyfs.create(tmp_path / "repo", name=None)
    repo.insert("instrument", [{"name": "A"}])
    repo.insert("detector", [{"instrument": "A", "id": n, "full_name": f"d{n}"} for n in range(60)])
    repo.register("bias", ["detector"], "Image", calibration=True)
    refs = repo.declare("bias", [{"instrument": "A", "detector": n} for n in range(50)], run="r")
    repo.certify(refs, "calib", None, None)
    for collection in ("r", "calib"):
        for where in (None, "detector.full_name != 'd3'"):
            query = repo.query("bias", collections=collection, where=where)
            wanted = [n for n in range(50) if n != 3 or where is None]
            assert [ref.data_id["detector"] for ref in query] == wanted
            assert [ref.data_id["detector"] for ref in query.limit(20)] == wanted[:20]
            assert [ref.data_id["detector"] for ref in query.order_by("-detector")] == wanted[::-1]
    going = iter(repo.query("bias", collections="r"))
    next(going)
    repo.declare("bias", [{"instrument": "A", "detector": n} for n in range(50, 60)], run="r")
    assert len(list(going)) == 59
    assert [one["detector"] for one in repo.data_ids(["detector"])] == list(range(60))


def test_columns_of_the_records_asked_for_need_no_name_in_front(survey: Survey) -> None:
    """Also where another dimension has one of that name; and errors show the text that was given."""
    repo = survey.repo
    assert [one["id"] for one in repo.records("detector", where="id > 0", instrument="A")] == [1, 2]
    assert repo.records("visit", where="exposure_time > 30 AND exposure = 100").count() == sum(
        one["exposure_time"] == 30.5 and one["id"] == 0 for one in survey.visits
    )
    with pytest.raises(InvalidQuery, match="character 1, '-->nothing > 0'"):
        repo.records("detector", where="nothing > 0", purpose="GUIDE")
    with pytest.raises(InvalidQuery, match="'-->nothing'"):
        repo.records("detector").order_by("-nothing")
    with pytest.raises(InvalidQuery, match="character 1, '-->x = 3'"):
        repo.data_ids(["visit"], where="visit > 1").where("x = 3")


def test_given_values_that_contradict_each_other_are_refused(survey: Survey) -> None:
    """By the records of a visit, at one remove too; values in expressions only leave nothing."""
    repo, one = survey.repo, survey.visits[0]
    band = survey.bands[one["physical_filter"]]
    visit: dict[str, Any] = {"instrument": one["instrument"], "visit": one["id"]}
    assert repo.data_ids(["visit"], **visit, band=band, day_obs=one["day_obs"]).count() == 1
    for name, wrong in (("day_obs", 20140601), ("band", "z"), ("physical_filter", "B-r")):
        contradiction: dict[str, Any] = {**visit, name: wrong}
        with pytest.raises(BadDataId, match=f"{name} of .* not {wrong!r}"):
            repo.query("calexp", collections="runs/all", **contradiction)
    assert not repo.data_ids(["visit"], where="band = 'z'", **visit).any()
    with pytest.raises(InvalidQuery, match="begins after its end"):
        repo.data_ids(["visit"], where="visit.timespan OVERLAPS (T'2025-01-01', T'2024-01-01')")
