"""A small repository, and ways to run the command line on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

import skyfs
from skyfs.cli import main
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

NIGHT, VISIT = 20131102, 903334


def _fill(repo: Repository) -> None:
    repo.insert("instrument", [{"name": "HSC"}])
    repo.insert("detector", [{"instrument": "HSC", "id": n, "full_name": f"1_{n}"} for n in range(3)])
    repo.insert("physical_filter", [{"instrument": "HSC", "name": "HSC-I", "band": "i"}])
    span = ("2013-11-02T08:00:00", "2013-11-02T08:01:00")
    visit = {"instrument": "HSC", "id": VISIT, "physical_filter": "HSC-I", "day_obs": NIGHT, "timespan": span}
    repo.insert("visit", [visit])
    repo.register("calexp", ["visit", "detector"], "Image")
    repo.register("src", ["visit", "detector"], "Table")
    repo.register("metrics", ["visit"], "Dict")
    repo.register("flat", ["detector", "physical_filter"], "Hdus", calibration=True)
    identity: dict[str, Any] = {"instrument": "HSC", "visit": VISIT}
    for detector in range(2):
        pixels = np.arange(100, dtype=np.float32).reshape(10, 10) + detector
        repo.put(fits.PrimaryHDU(pixels), "calexp", run="HSC/runs/a", **identity, detector=detector)
        table = Table({"id": [1, 2, 3], "flux": [1.5, 2.5, 3.5]})
        repo.put(table, "src", run="HSC/runs/a", **identity, detector=detector)
    repo.put({"seeing": 0.7, "n": 3}, "metrics", run="HSC/runs/a", **identity)
    for run, value, begin, end in (("old", 1, None, "2013-06-01"), ("new", 2, "2013-06-01", None)):
        data = fits.HDUList([fits.PrimaryHDU(np.full((4, 4), value, np.int16))])
        flat = repo.put(
            data, "flat", run=f"HSC/calib/{run}", instrument="HSC", detector=0, physical_filter="HSC-I"
        )
        repo.certify([flat], "HSC/calib", begin, end)
    repo.chain("HSC/defaults", ["HSC/runs/a", "HSC/calib"])


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that each test gets a copy of."""
    folder = tmp_path_factory.mktemp("template")
    with skyfs.create(folder / "sky", options={"durability": "process"}) as repo:
        _fill(repo)
    return folder / "sky"


@pytest.fixture
def sky(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that the command line takes when none is named."""
    root = tmp_path / "sky"
    shutil.copytree(template, root)
    monkeypatch.setenv("SKYFS_REPO", str(root))
    monkeypatch.chdir(tmp_path)
    return root


@dataclass(frozen=True)
class Command:
    """Runs the command line in this process."""

    def __call__(self, *arguments: str | Path) -> Result:
        """Run it whatever comes out."""
        return CliRunner().invoke(main, [str(one) for one in arguments])

    def lines(self, *arguments: str | Path) -> list[str]:
        """Run it, demand success and give the lines of its output."""
        result = self(*arguments)
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
        return result.stdout.splitlines()

    def json(self, *arguments: str | Path) -> object:
        """Run it, demand success and read its output as JSON."""
        found: object = json.loads("\n".join(self.lines(*arguments)))
        return found

    def fails(self, *arguments: str | Path, status: int = 1) -> str:
        """Run it, demand one line on standard error and nothing on standard output; give the line."""
        result = self(*arguments)
        lines = result.stderr.splitlines()
        assert (result.exit_code, result.stdout, len(lines)) == (status, "", 1), result.output
        assert lines[0].startswith("skyfs: ")
        return lines[0]


@pytest.fixture
def run() -> Command:
    """The command line in this process."""
    return Command()


@dataclass(frozen=True)
class Shell:
    """Runs ``python -m skyfs`` in processes of their own."""

    def __call__(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run it and wait."""
        command = [sys.executable, "-m", "skyfs", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, env=os.environ | environment, check=False, timeout=240
        )


@pytest.fixture
def shell() -> Shell:
    """The command line in processes of their own."""
    return Shell()


@pytest.fixture
def unchanged(sky: Path) -> Iterator[None]:
    """Demand that the test leaves registry and disk as they were."""
    before = snapshot(sky)
    yield
    assert snapshot(sky) == before
    assert not [path for path in sky.rglob("*") if path.suffix == ".tmp"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
