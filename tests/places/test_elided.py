"""Types that are kept in memory: they leave no byte on disk."""

from __future__ import annotations

from typing import Any

import pytest

import skyfs
from skyfs.errors import Exists, NotFound, Unsupported
from skyfs.ingesting import IngestFile
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import Make, at

STORES: list[dict[str, Any]] = [
    {"name": "ram", "url": "memory://", "types": ["src", "met*"]},
    {"name": "disk", "url": "data"},
]


@pytest.fixture
def repo(make: Make) -> Repository:
    """A repository that keeps metrics in memory, and has one stored dataset."""
    repo = make(STORES)
    repo.put({"v": 0}, "filters", run="r", instrument="Cam", physical_filter="Cam r")
    return repo


def test_no_byte_of_it_is_on_disk(repo: Repository) -> None:
    before = snapshot(repo.root)
    ref = repo.put({"n": 1}, "metrics", run="r", **at())
    repo.put({"n": 2}, "metrics", run="only/here", **at(1))
    with pytest.raises(Exists):
        repo.put({"n": 3}, "metrics", run="r", **at())
    assert repo.get(ref) == repo.get("metrics", collections="r", **at()) == {"n": 1}
    assert repo.get("/only/here/metrics/instrument=Cam/detector=1.json") == {"n": 2}
    assert snapshot(repo.root) == before
    with skyfs.open(repo.root) as other, pytest.raises(NotFound):
        other.get("metrics", collections="r", **at())


def test_it_is_found_queried_and_listed_beside_what_is_stored(repo: Repository) -> None:
    refs = [repo.put({"n": n}, "metrics", run="r", **at(n)) for n in range(3)]
    repo.chain("all", ["r"])
    assert list(repo.query("metrics", collections="all", where="detector > 0")) == refs[1:]
    assert repo.find("metrics", collections="all", **at(2)) == refs[2]
    fs = skyfs.filesystem(repo)
    assert fs.ls("/r", detail=False) == ["/r/filters", "/r/metrics"]
    paths = [f"/r/metrics/instrument=Cam/detector={n}.json" for n in range(3)]
    assert fs.ls("/r/metrics/instrument=Cam", detail=False) == fs.glob("/r/met*/*/*") == paths
    assert [path for path in fs.find("/") if "metrics" in path] == paths
    assert fs.cat(paths[0]).split() == [b"{", b'"n":', b"0", b"}"]
    assert repo.path(refs[0]) == paths[0]


def test_files_written_by_path_stay_in_memory_too(repo: Repository) -> None:
    before = snapshot(repo.root)
    fs = skyfs.filesystem(repo)
    fs.pipe_file("/r/metrics/instrument=Cam/detector=0.json", b"{}")
    assert fs.cat("/r/metrics/instrument=Cam/detector=0.json") == b"{}"
    assert snapshot(repo.root) == before


def test_removing(repo: Repository) -> None:
    ref = repo.put({"n": 1}, "metrics", run="r", **at())
    repo.remove([ref])
    with pytest.raises(NotFound):
        repo.get(ref)
    again = repo.put({"n": 2}, "metrics", run="r", **at())
    repo.remove_run("r")
    with pytest.raises(NotFound):
        repo.get(again)
    assert skyfs.filesystem(repo).ls("/") == []


def test_a_transaction_takes_it_back(repo: Repository) -> None:
    def fail() -> None:
        with repo.transaction():
            repo.put({"n": 1}, "metrics", run="r", **at())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(NotFound):
        repo.get("metrics", collections="r", **at())
    repo.put({"n": 1}, "metrics", run="r", **at())


def test_what_needs_the_registry_is_refused(repo: Repository, tmp_path: Any) -> None:  # noqa: ANN401
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(Unsupported, match="in memory only"):
        repo.ingest([IngestFile(tmp_path / "m.json", at())], "metrics", run="r")
    with pytest.raises(Unsupported, match="in memory only"):
        repo.declare("metrics", [at()], run="r")
    ref = repo.put({}, "metrics", run="r", **at())
    with pytest.raises(Unsupported, match="in memory only"):
        repo.tag([ref], "best")
    with pytest.raises(Unsupported, match="in memory only"):
        repo.certify([ref], "calib")
    assert [one.name for one in repo.collections()] == ["r"]
