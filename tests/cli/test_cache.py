"""The command ``cache``, and repositories whose stores are read through the disk cache."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.repository import Repository

from .conftest import Command

RUN = "/u/me/run"


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose store counts as far; give the folder of the store."""
    stores: list[dict[str, Any]] = [{"name": "far", "url": "data", "cache": True}]
    with skyfs.create(tmp_path / "sky", stores=stores, options={"durability": "process"}) as repo:
        _fill(repo)
    monkeypatch.setenv("SKYFS_REPO", str(tmp_path / "sky"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sky" / "data"


def _fill(repo: Repository) -> None:
    repo.insert("instrument", [{"name": "Cam"}])
    repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(3)])
    repo.register("metrics", ["detector"], "Dict")
    for detector in range(3):
        repo.put({"detector": detector}, "metrics", run=RUN[1:], instrument="Cam", detector=detector)


def leaf(detector: int) -> str:
    return f"{RUN}/metrics/instrument=Cam/detector={detector}.json"


def status(run: Command) -> dict[str, object]:
    found = run.json("cache", "status", "--json")
    assert isinstance(found, dict)
    return found


def test_what_is_read_is_kept_in_the_users_cache(far: Path, run: Command, home: Path) -> None:
    before = status(run)
    assert (before["folder"], before["entries"], before["oldest"]) == (str(home / "cache" / "skyfs"), 0, None)
    assert not (home / "cache" / "skyfs").exists()
    text = run("cat", leaf(1)).stdout
    shutil.rmtree(far)
    assert run("cat", leaf(1)).stdout == text
    after = status(run)
    assert (after["entries"], after["bytes"], after["pinned"], after["parts"]) == (1, len(text), 0, 0)
    assert str(after["oldest"]).endswith("Z")
    assert run.lines("cache", "status")[2] == f"bytes\t{len(text)}"


def test_a_near_store_is_not_cached(far: Path, run: Command, tmp_path: Path, home: Path) -> None:
    assert far.is_dir()
    with skyfs.create(tmp_path / "near") as repo:
        _fill(repo)
    run.lines("-r", tmp_path / "near", "cat", leaf(1))
    assert not (home / "cache" / "skyfs").exists()
    assert "is not read through it" in run.fails("-r", tmp_path / "near", "cache", "pin", leaf(1))


@pytest.mark.usefixtures("far")
def test_the_folder_is_that_of_the_configuration_or_of_the_environment(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYFS_CACHE", str(tmp_path / "mine"))
    assert status(run)["folder"] == str(tmp_path / "mine")
    with (tmp_path / "sky" / "skyfs.yaml").open("a") as file:
        file.write("cache: {folder: kept, quota: 5 MB, group: true}\n")
    assert (status(run)["folder"], status(run)["quota"]) == (str(tmp_path / "sky" / "kept"), 5_000_000)
    run.lines("cat", leaf(1))
    assert (tmp_path / "sky" / "kept").stat().st_mode & 0o7777 == 0o2770
    assert not (tmp_path / "mine").exists()
    monkeypatch.delenv("SKYFS_REPO")
    assert status(run)["folder"] == str(tmp_path / "mine")


def test_clear(far: Path, run: Command) -> None:
    assert far.is_dir()
    for detector in range(3):
        run.lines("cat", leaf(detector))
    run.lines("cache", "pin", leaf(0))
    assert run.lines("cache", "clear") == ["2 files, 40 B"]
    assert (status(run)["entries"], status(run)["pinned"]) == (1, 1)
    assert run.lines("cache", "clear", "--all") == ["1 files, 20 B"]
    assert (status(run)["entries"], status(run)["pinned"]) == (0, 0)


def test_verify(far: Path, run: Command, home: Path) -> None:
    assert far.is_dir()
    for detector in range(3):
        run.lines("cat", leaf(detector))
    assert run.lines("cache", "verify") == []
    damaged = min((home / "cache" / "skyfs" / "content").glob("*/c*"))
    os.truncate(damaged, 3)
    result = run("cache", "verify")
    assert (result.exit_code, result.stdout.split("\t")[0], result.stderr) == (1, str(damaged), "")
    assert not damaged.exists()
    assert run.json("cache", "verify", "--json") == []
    assert status(run)["entries"] == 2


def test_pin_brings_what_is_not_here(far: Path, run: Command) -> None:
    assert run.lines("cache", "pin", leaf(0), f"{RUN}/metrics/*/detector=2.json") == [leaf(0), leaf(2)]
    assert (status(run)["entries"], status(run)["pinned"]) == (2, 2)
    shutil.rmtree(far)
    assert run.lines("cat", leaf(2))
    assert run.lines("cache", "unpin", leaf(1), leaf(2)) == [leaf(2)]
    assert status(run)["pinned"] == 1
    assert "detector=1" in run.fails("cache", "pin", leaf(1))


@pytest.mark.usefixtures("far")
def test_pin_of_a_folder(run: Command) -> None:
    assert "-r" in run.fails("cache", "pin", RUN)
    assert run.lines("cache", "pin", "-r", RUN) == [leaf(detector) for detector in range(3)]
    assert run.lines("cache", "unpin", "-r", RUN) == [leaf(detector) for detector in range(3)]


def test_a_read_only_repository_writes_its_cache_and_nothing_else(far: Path, home: Path) -> None:
    root = far.parent
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    with skyfs.open(root) as repo:
        assert repo.get("metrics", collections=RUN[1:], instrument="Cam", detector=1) == {"detector": 1}
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert len(list((home / "cache" / "skyfs" / "content").glob("*/c*"))) == 1


def test_a_replaced_dataset_is_not_stale(far: Path) -> None:
    with skyfs.open(far.parent, writable=True) as repo:
        identity: dict[str, Any] = {"instrument": "Cam", "detector": 1}
        for value in ({"detector": 1}, {"detector": 7}, {"detector": 8}):
            if value["detector"] > 1:
                repo.put(value, "metrics", run=RUN[1:], replace=True, **identity)
            assert repo.get("metrics", collections=RUN[1:], **identity) == value
