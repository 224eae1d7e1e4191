"""Removing, locking, and whose a RUN is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import skyfs
from skyfs.errors import Locked, NotAllowed, NotFound
from skyfs.model.collection import Collection, CollectionKind
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.writing.ingester import IngestFile

from ..stores.crash import killed, run_child
from .conftest import data_id


def test_a_removed_dataset_is_gone_from_everywhere(repo: Repository) -> None:
    empty = snapshot(repo.root)[0]
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    repo.tag([ref], "u/t")
    repo.chain("u/all", ["u/t", "u/a"])
    repo.remove([ref])
    for collection in ("u/a", "u/t", "u/all"):
        with pytest.raises(NotFound):
            repo.find("metrics", collections=collection, **data_id())
    assert snapshot(repo.root)[0] == empty
    with pytest.raises(NotFound, match="gone already"):
        repo.remove([ref])
    repo.put({"n": 2}, "metrics", run="u/a", **data_id())


def test_one_is_removed_and_another_put_in_one_transaction(repo: Repository, tmp_path: Path) -> None:
    """The old bytes lie under their key until the commit: until then it may be taken back."""
    (tmp_path / "given.json").write_text('{"n": 3}')
    files = [IngestFile(tmp_path / "given.json", data_id(detector=1))]
    old = [repo.put({"n": 1}, "metrics", run="u/a", **data_id(detector=number)) for number in range(2)]

    def change(*, fails: bool) -> None:
        repo.remove(old)
        repo.put({"n": 2}, "metrics", run="u/a", **data_id())
        repo.ingest(files, "metrics", run="u/a")
        assert repo.get("metrics", collections="u/a", **data_id()) == {"n": 2}
        if fails:
            raise RuntimeError("stop")

    before, path = snapshot(repo.root), repo.path(old[0])
    with pytest.raises(RuntimeError, match="stop"), repo.transaction():
        change(fails=True)
    assert snapshot(repo.root) == before
    assert repo.get(old[1]) == {"n": 1}
    with repo.transaction():
        change(fails=False)
    assert repo.get("metrics", collections="u/a", **data_id()) == {"n": 2}
    assert repo.get("metrics", collections="u/a", **data_id(detector=1)) == {"n": 3}
    assert len(list((repo.root / "data").rglob("*.json"))) == 2
    assert repo.path(repo.find("metrics", collections="u/a", **data_id())) == path


def test_what_a_writer_left_who_died_is_in_nobodys_way(repo: Repository) -> None:
    """Also when the repository is open all the time, so that nobody has looked after it."""

    def die() -> None:
        with skyfs.open(repo.root, writable=True) as other, other.transaction():
            other.put({"n": 1}, "metrics", run="u/a", **data_id())
            os.kill(os.getpid(), signal.SIGKILL)

    assert killed(run_child(die))
    assert list((repo.root / "data").rglob("*.json"))
    repo.put({"n": 2}, "metrics", run="u/a", **data_id())
    assert repo.get("metrics", collections="u/a", **data_id()) == {"n": 2}
    assert repo.recover() == 1
    assert repo.get("metrics", collections="u/a", **data_id()) == {"n": 2}
    assert len(list((repo.root / "data").rglob("*.json"))) == 1


def test_untagging_leaves_the_dataset(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    repo.tag([ref], "u/t")
    repo.untag([ref], "u/t")
    assert repo.get(ref) == {"n": 1}
    with pytest.raises(NotFound):
        repo.find("metrics", collections="u/t", **data_id())


def test_a_locked_run_takes_and_gives_nothing(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    repo.lock("u/a")
    before = snapshot(repo.root)
    changes: list[Callable[[], object]] = [
        lambda: repo.put({"n": 2}, "metrics", run="u/a", **data_id(detector=1)),
        lambda: repo.remove([ref]),
        lambda: repo.remove_run("u/a"),
        lambda: repo.declare("metrics", [data_id(detector=1)], run="u/a"),
    ]
    for change in changes:
        with pytest.raises(Locked, match="unlock"):
            change()
    assert snapshot(repo.root) == before
    repo.lock("u/a", locked=False)
    repo.remove([ref])


def test_only_owner_and_administrator_remove(repo: Repository) -> None:
    repo.registry.collections.create(Collection("u/other", CollectionKind.RUN, owner="somebody"))
    ref = repo.put({"n": 1}, "metrics", run="u/other", **data_id())
    changes: list[Callable[[], object]] = [
        lambda: repo.remove([ref]),
        lambda: repo.remove_run("u/other"),
        lambda: repo.lock("u/other"),
    ]
    for change in changes:
        with pytest.raises(NotAllowed, match="belongs to somebody"):
            change()
    assert repo.get(ref) == {"n": 1}


def test_remove_run(repo: Repository) -> None:
    empty = snapshot(repo.root)[0]
    refs = [repo.put({"n": n}, "metrics", run="u/a", **data_id(detector=n)) for n in range(3)]
    repo.put({"n": 1}, "summary", run="u/a")
    repo.declare("metrics", [data_id(903336)], run="u/a")
    repo.tag(refs[:1], "u/t")
    repo.chain("u/all", ["u/a"])
    with pytest.raises(NotAllowed, match=r"in the chain 'u/all'.*unlink=True"):
        repo.remove_run("u/a")
    repo.remove_run("u/a", unlink=True)
    assert [one.name for one in repo.collections()] == ["u/all", "u/t"]
    assert repo.collections("u/all")[0].children == ()
    assert snapshot(repo.root)[0] == empty


def test_remove_collection_leaves_the_datasets(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    repo.tag([ref], "u/t")
    repo.chain("u/all", ["u/t"])
    with pytest.raises(NotAllowed, match="chain"):
        repo.remove_collection("u/t")
    with pytest.raises(NotAllowed, match="remove_run"):
        repo.remove_collection("u/a")
    repo.remove_collection("u/all")
    repo.remove_collection("u/t")
    assert [one.name for one in repo.collections()] == ["u/a"]
    assert repo.get(ref) == {"n": 1}


def test_writing_where_it_may_not_be_written(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="u/a", **data_id())
    repo.tag([ref], "u/t")
    repo.chain("u/all", ["u/a"])
    for collection, kind in (("u/t", "TAGGED"), ("u/all", "CHAINED")):
        with pytest.raises(NotAllowed, match=kind):
            repo.put({"n": 2}, "metrics", run=collection, **data_id(detector=1))
    with pytest.raises(NotAllowed, match="no calibration type"):
        repo.certify([ref], "calib")
