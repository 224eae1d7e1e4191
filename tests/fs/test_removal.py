"""Who may remove what, through which collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import skyfs
from skyfs.errors import IsDirectory, Locked, NotAllowed, NotFound, ReadOnly, SkyfsError
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository

A = "/Cam/runs/a"
LEVELS = "calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1"
ONE = f"{A}/{LEVELS}.json"

REFUSED: list[tuple[str, type[SkyfsError], str]] = [
    (f"{A}/none.json", NotFound, "none"),
    (f"{A}/{LEVELS}.yaml", NotAllowed, ONE),
    (f"{A}/calexp/visit=101/instrument=Cam/detector=1.json", NotAllowed, ONE),
    (f"{A}/calexp/instrument=Cam/visit=101/detector=1.json", NotAllowed, ONE),
    (f"/Cam/all/{LEVELS}.json", NotAllowed, "Cam/runs/b"),
    ("/Cam/all/summary.json", NotAllowed, "Cam/runs/a"),
    (f"/.hive{A}/{LEVELS}/calexp.json", ReadOnly, "own path"),
    ("/.repo/version", ReadOnly, "own path"),
    (A, IsDirectory, "recursive=True"),
    (f"{A}/calexp", IsDirectory, "recursive=True"),
]


@pytest.mark.parametrize(("path", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(
    fs: SkyFileSystem, unchanged: Callable[[], None], path: str, error: type[SkyfsError], message: str
) -> None:
    for remove in (fs.rm, fs.rm_file, lambda path: fs.rm([f"{A}/summary.json", path])):
        with pytest.raises(error, match=message) as caught:
            remove(path)
        assert type(caught.value) is error
        unchanged()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/Cam/all", "Cam/runs/b"),
        ("/Cam/calib/flat", "Cam/calib/made"),
        ("/Cam", "CHAINED|CALIBRATION"),
        ("/", "whole repository"),
        ("/.hive/Cam/runs/a", "own path"),
        ("/Cam/runs/a/calexp/instrument=Cam/visit=102", "stored spelling"),
        ("/Cam/none", "nothing at"),
    ],
)
def test_recursive_refused(fs: SkyFileSystem, unchanged: Callable[[], None], path: str, message: str) -> None:
    with pytest.raises((NotAllowed, NotFound), match=message):
        fs.rm(path, recursive=True)
    unchanged()


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
