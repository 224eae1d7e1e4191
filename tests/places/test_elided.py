"""Types that are kept in memory: they leave no byte on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import skyfs
from skyfs.errors import Exists, NotFound, Unsupported
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.writing.ingester import IngestFile

from .conftest import Make, at

STORES: list[dict[str, Any]] = [
    {"name": "ram", "url": "memory://", "types": ["src", "met*", "quick*"]},
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


# -- copies --------------------------------------------------------------------------------------------


def cubes(repo: Repository) -> None:
    """Define Zarr datasets that are stored, and such that are kept in memory; put one of each."""
    for name, run in (("cube", "r"), ("quickcube", "only/here")):
        repo.register(name, ["detector"], "ZarrGroup")
        made = zarr.create_group(MemoryStore())
        made.create_array("a", data=np.arange(3) + 1)
        repo.put(made, name, run=run, **at())
    repo.register("atlas", [], "ZarrGroup")
    repo.register("quick", [], "ZarrGroup")
    repo.register("saved", ["detector"], "Dict")


def test_many_are_copied_in_memory_into_it_and_out_of_it(repo: Repository, tmp_path: Path) -> None:
    fs = skyfs.filesystem(repo)
    cubes(repo)
    for n in range(3):
        repo.put({"n": n}, "metrics", run="r", **at(n))
    before = snapshot(repo.root)
    fs.copy("/r/metrics", "/s/metrics", recursive=True)
    assert snapshot(repo.root) == before
    fs.copy("/s/metrics", "/s/saved", recursive=True)
    assert [one.type.name for one in repo.query("saved", collections="s")] == ["saved"] * 3
    before = snapshot(repo.root)
    fs.copy("/s/saved", "/t/metrics", recursive=True)
    fs.get("/t/metrics", str(tmp_path / "out"), recursive=True)
    fs.put(f"{tmp_path}/out/", "/u/metrics", recursive=True)
    assert snapshot(repo.root) == before
    for run in "rstu":
        assert [repo.get("metrics", collections=run, **at(n)) for n in range(3)] == [
            {"n": n} for n in range(3)
        ]
    assert all(repo.get("saved", collections="s", **at(n)) == {"n": n} for n in range(3))


def test_folders_are_copied_both_ways(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    cubes(repo)
    leaf = "instrument=Cam/detector=0.zarr"
    fs.copy(f"/r/cube/{leaf}", "/only/here/quick.zarr", recursive=True)
    fs.copy("/only/here/quick.zarr", "/r/atlas.zarr", recursive=True)
    fs.copy("/only/here/quickcube", "/s/cube", recursive=True)
    fs.copy("/r/cube", "/s/quickcube", recursive=True)
    inside = [f"/{name}" for name in ("a/c/0", "a/zarr.json", "zarr.json")]
    for path in ("/only/here/quick.zarr", "/r/atlas.zarr", f"/s/cube/{leaf}", f"/s/quickcube/{leaf}"):
        assert fs.ls(path, detail=False) == [f"{path}/a", f"{path}/zarr.json"]
        assert fs.find(path) == [path + name for name in inside]
        assert fs.glob(f"{path}/**/*.json") == [path + name for name in inside[1:]]
        assert fs.find(f"{path}/a") == [path + name for name in inside[:2]]
        assert fs.du(path) == sum(fs.size(path + name) for name in inside)
        assert fs.cat(path + inside[0]) == fs.cat(f"/r/cube/{leaf}/a/c/0")
        assert f"{path}/zarr.json" in fs.find("/")


def test_copies_of_both_kinds_are_made_or_none(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    cubes(repo)
    repo.put({"n": 1}, "metrics", run="r", **at())
    repo.put({"n": 2}, "metrics", run="s", **at())
    before, names = snapshot(repo.root), fs.find("/")
    with pytest.raises(Exists):
        fs.copy("/r/", "/s", recursive=True)
    assert (snapshot(repo.root), fs.find("/")) == (before, names)
    fs.copy("/r/", "/s", recursive=True, replace=True)
    assert [path.replace("/s/", "/r/") for path in fs.find("/s")] == fs.find("/r")
    assert repo.get("metrics", collections="s", **at()) == {"n": 1}


def test_types_are_registered_before(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    for targets in (["/s/quick_a.json"], ["/s/quick_a.json", "/s/quick_b.json"]):
        with pytest.raises(NotFound, match="skyfs register quick_a"):
            fs.copy(["/r/filters/instrument=Cam/physical_filter=Cam r.json"] * len(targets), targets)
    assert fs.ls("/", detail=False) == ["/r"]


def test_paths_are_removed(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    paths = [f"/only/here/metrics/instrument=Cam/detector={n}.json" for n in range(3)]
    for n in range(3):
        repo.put({"n": n}, "metrics", run="only/here", **at(n))
    fs.rm(paths[0])
    assert fs.find("/only") == paths[1:]
    fs.rm("/only", recursive=True)
    assert fs.ls("/", detail=False) == ["/r"]
