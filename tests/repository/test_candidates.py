"""What could go into a dataset that does not exist yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from skyfs.errors import BadDataId, NotFound
from skyfs.model.dataset import DatasetRef
from skyfs.model.region import box
from skyfs.querying.candidates import Candidates
from skyfs.repository import Repository

RAW, CALIB, REFS, OUT = "HSC/raw", "HSC/calib", "refcats", "u/me/out"
EVERYTHING = [OUT, RAW, CALIB, REFS]
FIRST, SECOND, GREEN = 903334, 903336, 903340
PATCH: dict[str, Any] = {"skymap": "rings", "tract": 1, "patch": 0}


def _record_sky(repo: Repository) -> None:
    span = ("2013-11-02T10:00:00", "2013-11-02T10:01:00")
    green = {"instrument": "HSC", "id": GREEN, "physical_filter": "HSC-G", "day_obs": 20131102}
    repo.insert("exposure", [{**green, "obs_id": "g", "group": "g", "timespan": span}])
    repo.insert("visit", [{**green, "name": "g", "timespan": span}])
    for visit in (FIRST, SECOND, GREEN):
        repo.insert("visit_definition", [{"instrument": "HSC", "exposure": visit, "visit": visit}])
        # Detectors lie side by side, a degree each; the second visit is far off but for its detector 2.
        offset = 0 if visit != SECOND else -2
        regions = [
            {"instrument": "HSC", "visit": visit, "detector": n, "region": box(10 + offset + n, 0, 0.9, 0.9)}
            for n in range(3)
        ]
        repo.insert("visit_detector_region", regions)
    repo.insert(
        "skymap", [{"name": "rings", "hash": b"1", "tract_max": 9, "patch_nx_max": 9, "patch_ny_max": 9}]
    )
    repo.insert("tract", [{"skymap": "rings", "id": 1, "region": box(10, 0, 5, 5)}])
    patches = [{"id": n, "cell_x": 0, "cell_y": n, "region": box(10, 2 * n, 0.8, 0.8)} for n in range(2)]
    repo.insert("patch", [{"skymap": "rings", "tract": 1, **patch} for patch in patches])


def _store(repo: Repository) -> None:
    for visit in (FIRST, SECOND, GREEN):
        for detector in range(3):
            repo.put({}, "raw", run=RAW, instrument="HSC", exposure=visit, detector=detector)
    for pixel in list(repo.data_ids(["htm7"], where="htm7.region OVERLAPS BOX(10, 0, 3, 3)")):
        repo.put({}, "refcat", run=REFS, htm7=pixel["htm7"])
    halves = [(None, "2013-11-02T08:30:00"), ("2013-11-02T08:30:00", None)]
    for number, (begin, end) in enumerate(halves):
        for name in ("HSC-I", "HSC-G"):
            for detector in range(3):
                identity: dict[str, Any] = {
                    "instrument": "HSC",
                    "physical_filter": name,
                    "detector": detector,
                }
                flat = repo.put({}, "flat2", run=f"HSC/flats/{number}", **identity)
                repo.certify([flat], CALIB, begin, end)


@pytest.fixture
def sky(repo: Repository) -> Repository:
    """Three exposures, their calibrations, reference shards, and a skymap of two patches."""
    repo.register("raw", ["exposure", "detector"], "Dict")
    repo.register("calexp", ["visit", "detector"], "Dict")
    repo.register("flat2", ["detector", "physical_filter"], "Dict", calibration=True)
    repo.register("refcat", ["htm7"], "Dict")
    repo.register("coadd", ["patch", "band"], "Dict")
    repo.register("skyMap", ["skymap"], "Dict")
    with repo.transaction():
        repo.create_collection(OUT, "RUN")
        _record_sky(repo)
        _store(repo)
    return repo


def exposures(refs: Iterable[DatasetRef]) -> list[tuple[object, object]]:
    return sorted((ref.data_id["exposure"], ref.data_id["detector"]) for ref in refs)


def candidates(repo: Repository, **changes: Any) -> Candidates:  # noqa: ANN401 - whatever candidates() takes
    return repo.candidates("coadd", **{"collections": EVERYTHING, **PATCH, "band": "i", **changes})


def test_raws_are_those_that_overlap_in_the_band(sky: Repository) -> None:
    assert exposures(candidates(sky).refs("raw")) == [(FIRST, 0), (SECOND, 2)]
    assert exposures(candidates(sky, band="g").refs("raw")) == [(GREEN, 0)]
    assert candidates(sky, patch=1).refs("raw") == []


def test_calibrations_serve_the_exposures_that_they_are_valid_for(sky: Repository) -> None:
    graph = candidates(sky)
    served = {exposures([raw])[0]: graph.inputs(raw) for raw in graph.refs("raw")}
    found = {
        raw: [(flat.type.name, flat.run, flat.data_id["detector"]) for flat in flats]
        for raw, flats in served.items()
    }
    assert found == {
        (FIRST, 0): [("flat2", "HSC/flats/0", 0)],
        (SECOND, 2): [("flat2", "HSC/flats/1", 2)],
    }
    assert {flat.data_id["physical_filter"] for flat in graph.refs("flat2")} == {"HSC-I"}
    assert all(edge.serves is not None for edge in graph.edges if edge.input.type.name == "flat2")
    assert candidates(sky, patch=1).refs("flat2") == []


def test_the_first_collection_calibrates(sky: Repository) -> None:
    identity: dict[str, Any] = {"instrument": "HSC", "physical_filter": "HSC-I", "detector": 0}
    better = sky.put({}, "flat2", run="HSC/flats/better", **identity)
    sky.certify([better], "best", "2013-11-02T07:00:00", "2013-11-02T08:30:00")
    sky.chain("HSC/chain", ["best", *EVERYTHING])
    graph = candidates(sky, collections="HSC/chain")
    runs = {exposures([raw])[0]: [flat.run for flat in graph.inputs(raw)] for raw in graph.refs("raw")}
    assert runs == {(FIRST, 0): ["HSC/flats/better"], (SECOND, 2): ["HSC/flats/1"]}


def test_what_straddles_a_change_is_served_by_both(sky: Repository) -> None:
    middle = "2013-11-02T08:00:30"
    assert sky.decertify(CALIB, "flat2", "2013-11-02T08:00:00", "2013-11-02T08:30:00") == 6
    later = list(sky.query("flat2", collections="HSC/flats/1"))
    early = list(sky.query("flat2", collections="HSC/flats/0"))
    sky.certify(early, CALIB, "2013-11-02T08:00:00", middle)
    sky.certify(later, CALIB, middle, "2013-11-02T08:30:00")
    graph = candidates(sky)
    (raw,) = (one for one in graph.refs("raw") if one.data_id["exposure"] == FIRST)
    assert sorted(flat.run for flat in graph.inputs(raw)) == ["HSC/flats/0", "HSC/flats/1"]


def test_shards_are_those_that_overlap(sky: Repository) -> None:
    wanted = {one["htm7"] for one in sky.data_ids(["htm7"], **PATCH)}
    found = {ref.data_id["htm7"] for ref in candidates(sky).refs("refcat")}
    assert found == wanted
    assert 0 < len(found) < sky.query("refcat", collections=REFS).count()


def test_what_is_of_the_target_itself_or_unrelated(sky: Repository) -> None:
    sky.put({}, "skyMap", run="skymaps", skymap="rings")
    sky.put({"n": 1}, "summary", run=RAW)
    sky.put({}, "coadd", run=OUT, **PATCH, band="i")
    graph = candidates(sky, collections=[*EVERYTHING, "skymaps"])
    assert {ref.type.name for ref in graph} == {"raw", "flat2", "refcat", "skyMap"}
    assert (graph.type.name, dict(graph.data_id)) == ("coadd", {**PATCH, "band": "i"})
    assert {ref.type.name for ref in graph.inputs()} == {"raw", "refcat", "skyMap"}


def test_inputs_are_chosen_by_name(sky: Repository) -> None:
    assert {ref.type.name for ref in candidates(sky, inputs=["ref*"])} == {"refcat"}
    assert {ref.type.name for ref in candidates(sky, inputs="raw")} == {"raw"}
    # Calibrations serve what was observed: of nothing observed there is none.
    assert len(candidates(sky, inputs="flat2")) == 0
    with pytest.raises(NotFound, match="rew"):
        candidates(sky, inputs="rew")


def test_provenance_is_in_the_graph(sky: Repository) -> None:
    (raw,) = (ref for ref in candidates(sky).refs("raw") if ref.data_id["exposure"] == FIRST)
    identity: dict[str, Any] = {"instrument": "HSC", "visit": FIRST, "detector": 0}
    calexp = sky.put({}, "calexp", run=OUT, inputs=[raw], **identity)
    graph = candidates(sky)
    recorded = [(edge.input, edge.serves) for edge in graph.edges if edge.recorded]
    assert recorded == [(raw, calexp)]
    assert raw in graph.inputs(calexp)
    assert calexp in graph.inputs()


def test_other_targets_have_candidates_too(sky: Repository) -> None:
    of_visit = sky.candidates("calexp", collections=EVERYTHING, instrument="HSC", visit=SECOND, detector=2)
    assert exposures(of_visit.refs("raw")) == [(SECOND, 2)]
    assert [flat.run for flat in of_visit.inputs() if flat.type.name == "flat2"] == ["HSC/flats/1"]
    of_pixel = sky.candidates("refcat", collections=RAW, htm7=of_visit.refs("refcat")[0].data_id["htm7"])
    assert (SECOND, 2) in exposures(of_pixel)


def test_the_graph_is_a_table(sky: Repository) -> None:
    graph = candidates(sky)
    table = graph.to_table()
    assert len(table) == len(graph.edges) == len(graph)
    raw = {str(ref.id) for ref in graph.refs("raw")}
    flats = table[table["dataset_type"] == "flat2"]
    assert set(flats["serves"]) == raw
    assert set(flats["physical_filter"]) == {"HSC-I"}
    assert table["serves"].mask.sum() == len(graph.inputs())
    assert graph.to_table("pandas")["recorded"].sum() == 0


def test_what_cannot_be_asked(sky: Repository) -> None:
    with pytest.raises(BadDataId, match="no band"):
        sky.candidates("coadd", collections=EVERYTHING, **PATCH)
    with pytest.raises(NotFound, match="patch 7"):
        candidates(sky, patch=7)
    with pytest.raises(NotFound, match="no dataset type"):
        sky.candidates("nothing", collections=EVERYTHING)
    with pytest.raises(NotFound, match="no collection"):
        candidates(sky, collections="nowhere")
