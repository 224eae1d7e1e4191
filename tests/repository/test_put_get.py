"""Putting, getting and finding datasets through the Python door."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

import skyfs
from skyfs.errors import (
    Ambiguous,
    BadArgument,
    BadDataId,
    Conflict,
    Exists,
    NoBytes,
    NotFound,
    ReadOnly,
    SkyfsError,
    UnknownFormat,
    Unsupported,
)
from skyfs.model.dataset import DatasetRef
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import EXPOSURES, data_id


def test_a_pickled_repository_is_opened_again_elsewhere(repo: Repository) -> None:
    repo.run = "u/spawned"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        refs = list(pool.map(_put_one, [repo] * 3, range(3)))
    assert [repo.get(ref) for ref in refs] == [{"n": number} for number in range(3)]
    with skyfs.open(repo.root, run="u/spawned") as reader, pytest.raises(ReadOnly):
        _put_one(pickle.loads(pickle.dumps(reader)), 4)  # noqa: S301 - our own value


def _put_one(repo: Repository, number: int) -> DatasetRef:
    with repo:
        return repo.put({"n": number}, "metrics", **data_id(detector=number))


def test_what_was_given_for_once_is_in_no_pickle(repo: Repository) -> None:
    with (
        skyfs.open(repo.root, overrides={"on_missing": "fail"}) as other,
        pytest.raises(Unsupported, match="secrets"),
    ):
        pickle.dumps(other)


def test_what_was_put_comes_back_by_every_name(repo: Repository) -> None:
    value = {"seeing": 0.61, "stars": [1, 2], "name": "ünï"}
    ref = repo.put(value, "metrics", run="u/me/r1", **data_id())
    path = "/u/me/r1/metrics/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.json"
    assert repo.path(ref) == path
    assert repo.get(ref) == value
    assert repo.get(path) == value
    assert repo.get("metrics", collections="u/me/r1", **data_id()) == value
    assert (
        repo.find("metrics", collections=["u/me/r1"], instrument="HSC", obs_id="HSCA903334", full_name="1_0")
        == ref
    )
    assert repo.find("metrics", collections="u/me/r1", physical_filter="HSC-I", band="i", **data_id()) == ref
    assert isinstance(ref.id, UUID)
    assert ref.id.version == 7
    assert pickle.loads(pickle.dumps(ref)) == ref  # noqa: S301 - our own value


def test_the_default_collections_and_run_are_those_of_open(repo: Repository) -> None:
    with skyfs.open("sky", writable=True, collections="u/me/r1", run="u/me/r1") as other:
        other.put({"n": 1}, "summary")
        assert other.get("summary") == {"n": 1}
    with pytest.raises(BadArgument, match="which RUN"):
        repo.put({"n": 1}, "summary")
    with pytest.raises(BadArgument, match="which collections"):
        repo.get("summary")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({**data_id(), "detector": 9}, NotFound, "detector=9 is not recorded"),
        ({**data_id(), "exposure": 1}, NotFound, "exposure=1 is not recorded"),
        ({"instrument": "HSC", "exposure": EXPOSURES[0]}, BadDataId, "no detector"),
        ({**data_id(), "band": "g"}, BadDataId, "band is 'i', not 'g'"),
        ({**data_id(), "day_obs": 20131103}, BadDataId, "day_obs is 20131102"),
        ({**data_id(), "detektor": 1}, BadDataId, "did you mean detector"),
        ({**data_id(), "detector": "x"}, BadDataId, "a whole number of 64 bits"),
        ({**data_id(), "detector": 1.5}, BadDataId, "a whole number of 64 bits"),
        ({**data_id(), "instrument": ""}, BadDataId, "a text is wanted"),
        ({**data_id(), "obs_id": "nope"}, NotFound, "obs_id='nope'"),
        ({**data_id(), "obs_id": "HSCA903336"}, BadDataId, "exposure is"),
    ],
)
def test_a_wrong_data_id_is_refused_and_nothing_changes(
    repo: Repository, given: dict[str, Any], error: type[SkyfsError], words: str
) -> None:
    before = snapshot(repo.root)
    with pytest.raises(error, match=words):
        repo.put({}, "metrics", run="u/me/r1", **given)
    assert snapshot(repo.root) == before


def test_refusals_of_put_change_nothing(repo: Repository) -> None:
    repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
    before = snapshot(repo.root)
    with pytest.raises(Exists, match="replace"):
        repo.put({"n": 2}, "metrics", run="u/me/r1", **data_id())
    with pytest.raises(NotFound, match=r"no dataset type 'metricks'.*did you mean metrics"):
        repo.put({"n": 2}, "metricks", run="u/me/r1", **data_id())
    with pytest.raises(NotFound, match=r"no dataset type 'stars' \(register it first"):
        repo.put({"n": 2}, "stars", run="u/me/r1", **data_id())
    with pytest.raises(BadArgument):
        repo.put(object(), "metrics", run="u/me/r1", **data_id(detector=1))
    with pytest.raises(UnknownFormat):
        repo.put({"n": 2}, "metrics", run="u/me/r1", extension=".nope", **data_id(detector=1))
    assert snapshot(repo.root) == before


def test_replace_gives_a_new_dataset_and_removes_the_old_bytes(repo: Repository) -> None:
    old = repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
    new = repo.put({"n": 2}, "metrics", run="u/me/r1", replace=True, **data_id())
    assert new.id != old.id
    assert (
        repo.path(new) == "/u/me/r1/metrics/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.json"
    )
    assert repo.get("metrics", collections="u/me/r1", **data_id()) == {"n": 2}
    with pytest.raises(NotFound):
        repo.get(old)
    assert len(list((repo.root / "data" / "u").rglob("*.json"))) == 1


def test_a_transaction_is_all_or_nothing(repo: Repository) -> None:
    before = snapshot(repo.root)
    with pytest.raises(RuntimeError, match="stop"), repo.transaction():  # noqa: PT012 - all of it is taken back
        repo.register("extra", ["detector"], "Text")
        repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
        assert repo.get("metrics", collections="u/me/r1", **data_id()) == {"n": 1}
        raise RuntimeError("stop")
    assert snapshot(repo.root) == before
    with repo.transaction():
        ref = repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
        with pytest.raises(Exists):
            repo.put({"n": 2}, "metrics", run="u/me/r1", **data_id())
        repo.put({"n": 3}, "metrics", run="u/me/r1", **data_id(detector=1))
    assert repo.get(ref) == {"n": 1}
    assert repo.get("metrics", collections="u/me/r1", **data_id(detector=1)) == {"n": 3}


def test_a_chain_is_searched_in_order(repo: Repository) -> None:
    for run, number in (("u/a", 1), ("u/b", 2)):
        repo.put({"n": number}, "metrics", run=run, **data_id())
    repo.put({"n": 3}, "metrics", run="u/b", **data_id(detector=1))
    repo.chain("u/inner", ["u/b"])
    repo.chain("u/all", ["u/a", "u/inner"])
    assert repo.get("metrics", collections="u/all", **data_id()) == {"n": 1}
    assert repo.get("metrics", collections="u/all", **data_id(detector=1)) == {"n": 3}
    repo.chain("u/all", ["u/inner", "u/a"])
    assert repo.get("metrics", collections="u/all", **data_id()) == {"n": 2}
    with pytest.raises(NotFound, match="has others of that type"):
        repo.get("metrics", collections="u/all", **data_id(detector=2))
    with pytest.raises(NotFound, match=r"no collection 'u/al'.*did you mean u/all"):
        repo.get("metrics", collections="u/al", **data_id())
    with pytest.raises(ValueError, match="contains itself"):
        repo.chain("u/inner", ["u/all"])


def test_calibrations_are_found_by_time(repo: Repository) -> None:
    key: dict[str, Any] = {"instrument": "HSC", "detector": 0, "physical_filter": "HSC-I"}
    first = repo.put(np.ones(3), "flat", run="c/1", **key)
    second = repo.put(np.zeros(3), "flat", run="c/2", **key)
    repo.certify([first], "calib", None, "2013-11-02T08:30:00")
    repo.certify([second], "calib", "2013-11-02T08:30:00", None)
    short: dict[str, Any] = {"instrument": "HSC", "detector": 0}
    assert repo.find("flat", collections="calib", exposure=EXPOSURES[0], **short).id == first.id
    assert repo.find("flat", collections="calib", visit=EXPOSURES[1], **short).id == second.id
    assert repo.find("flat", collections="calib", time="2013-11-02T08:29:59", **key).id == first.id
    assert repo.find("flat", collections="calib", time="2013-11-02T08:30:00", **key).id == second.id
    with pytest.raises(Ambiguous, match="add exposure=, time= or valid="):
        repo.find("flat", collections="calib", **key)
    with pytest.raises(Ambiguous, match="2 match"):
        repo.find("flat", collections="calib", time=("2013-11-01", "2013-11-03"), **key)
    with pytest.raises(Conflict, match="overlapping"):
        repo.certify([first], "calib", "2013-11-02T10:00:00", None)
    with pytest.raises(BadDataId, match="physical_filter of exposure"):
        repo.find("flat", collections="calib", exposure=EXPOSURES[0], physical_filter="HSC-G", **short)


def test_declared_datasets_are_found_but_have_no_bytes(repo: Repository) -> None:
    (ref,) = repo.declare("metrics", [data_id()], run="u/me/r1")
    assert repo.find("metrics", collections="u/me/r1", **data_id()) == ref
    with pytest.raises(NoBytes, match="declared"):
        repo.get(ref)
    with pytest.raises(Exists):
        repo.declare("metrics", [data_id()], run="u/me/r1")
    put = repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
    assert put.id == ref.id
    assert repo.get(ref) == {"n": 1}


def test_inputs_are_recorded(repo: Repository) -> None:
    first = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    second = repo.put({"n": 2}, "summary", run="u/a", inputs=[first, first.id])
    rows = [
        line
        for line in snapshot(repo.root)[1]
        if 'INTO "provenance"' in line or line.startswith("provenance:")
    ]
    assert len(rows) == 1
    assert first.id.hex.upper() in rows[0].upper() or repr(first.id.bytes) in rows[0]
    assert repo.get(second) == {"n": 2}


def test_a_read_only_repository_refuses_every_change(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
    repo.close()
    before = snapshot(repo.root)
    with skyfs.open(repo.root) as reader:
        changes: list[Callable[[], object]] = [
            lambda: reader.put({}, "metrics", run="u/me/r1", **data_id(detector=1)),
            lambda: reader.register("x", [], "Dict"),
            lambda: reader.insert("band", [{"name": "z"}]),
            lambda: reader.remove([ref]),
            lambda: reader.remove_run("u/me/r1"),
            lambda: reader.tag([ref], "t"),
            lambda: reader.chain("c", ["u/me/r1"]),
            lambda: reader.lock("u/me/r1"),
            lambda: reader.declare("metrics", [data_id(detector=2)], run="u/me/r1"),
            lambda: reader.ingest([skyfs.IngestFile(__file__, {}, ".txt")], "summary", run="u/x"),
        ]
        for change in changes:
            with pytest.raises(ReadOnly, match="writable=True"):
                change()
        assert reader.get(ref) == {"n": 1}
    assert snapshot(repo.root) == before


def test_moving_the_folder_moves_the_repository(repo: Repository, tmp_path: Path) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/me/r1", **data_id())
    repo.close()
    moved = repo.root.rename(tmp_path / "elsewhere")
    with skyfs.open(moved) as again:
        assert again.get(ref) == {"n": 1}
