"""Who may remove what, through which collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import skyfs
from skyfs.errors import Locked, NotAllowed
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository

A = "/Cam/runs/a"
LEVELS = "calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1"
ONE = f"{A}/{LEVELS}.json"


def test_a_run_deletes(fs: SkyFileSystem, repo: Repository) -> None:
    fs.rm_file(ONE)
    assert not fs.exists(ONE)
    assert not fs.exists(f"/best/{LEVELS}.json")
    assert not (repo.root / "data" / ONE[1:]).exists()
    fs.pipe_file(ONE, b"{}")
    assert fs.cat(ONE) == b"{}"


def test_a_tagged_collection_untags(fs: SkyFileSystem) -> None:
    fs.rm(f"/best/{LEVELS}.json")
    assert not fs.exists("/best")
    assert fs.exists(ONE)


def test_a_tree_goes_at_once(fs: SkyFileSystem, repo: Repository) -> None:
    kept = [name for name in fs.find("/Cam/runs") if "/calexp/" not in name]
    fs.rm("/Cam/runs/*/calexp", recursive=True)
    assert fs.find("/Cam/runs") == kept
    fs.rm("/Cam/runs", recursive=True)
    assert not fs.exists("/Cam/runs")
    assert not list((repo.root / "data" / "Cam" / "runs").rglob("*.json"))


def test_patterns(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    with pytest.raises(FileNotFoundError, match="matches"):
        fs.rm(f"{A}/calexp/*/*/visit=9*/*")
    unchanged()


def test_patterns_remove(fs: SkyFileSystem) -> None:
    fs.rm(f"{A}/calexp/*/*/visit=101/detector=[12].json")
    assert fs.glob(f"{A}/calexp/*/*/visit=101/*") == [ONE.replace("detector=1", "detector=21")]


def test_a_locked_run(fs: SkyFileSystem, repo: Repository) -> None:
    repo.lock("Cam/runs/a")
    for path in (ONE, A, "/Cam/runs"):
        with pytest.raises(Locked):
            fs.rm(path, recursive=True)
    with pytest.raises(Locked):
        fs.pipe_file(f"{A}/new.txt", b"")
    assert fs.exists(ONE)


@pytest.mark.usefixtures("unchanged")
def test_another_users_run(fs: SkyFileSystem, repo: Repository) -> None:
    repo.user = "somebody"
    with pytest.raises(NotAllowed, match="you are somebody"):
        fs.rm(ONE)
    with pytest.raises(NotAllowed, match="you are somebody"):
        fs.rm("/Cam/runs", recursive=True)


def test_an_administrator(fs: SkyFileSystem, repo: Repository) -> None:
    repo.user, repo.config = "somebody", replace(repo.config, admins=("somebody",))
    fs.rm(ONE)
    assert not fs.exists(ONE)


def test_a_node_that_is_collection_and_type(repo: Repository, fs: SkyFileSystem) -> None:
    fs.pipe_file("/Cam/runs/a/calexp/inner.txt", b"x")
    assert "inner.txt" in {name.rpartition("/")[2] for name in fs.ls(f"{A}/calexp", detail=False)}
    with pytest.raises(NotAllowed, match="both a collection and a dataset type"):
        fs.rm(f"{A}/calexp", recursive=True)
    assert fs.exists(ONE)
    fs.rm(f"{A}/calexp/inner.txt")
    fs.rm(f"{A}/calexp", recursive=True)
    assert not fs.exists(ONE)
    assert repo.types("inner")


def test_in_place_files_stay(repo: Repository, fs: SkyFileSystem) -> None:
    kept = repo.root.parent / "kept.json"
    kept.write_bytes(b"{}")
    levels: dict[str, object] = {"instrument": "Cam", "visit": 111, "detector": 2}
    repo.ingest([skyfs.IngestFile(kept, levels)], "calexp", run="u/direct", mode="direct")
    fs.rm("/u/direct", recursive=True)
    assert not fs.exists("/u/direct")
    assert kept.read_bytes() == b"{}"
