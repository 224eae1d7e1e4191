"""Many files at once: one call for each far store, and parts of files on their way together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from click.testing import CliRunner
from zarr.storage import MemoryStore

import skyfs
from skyfs.cli import main
from skyfs.errors import SkyfsError
from skyfs.formats.fits_part import FitsPart
from skyfs.repository import Repository
from skyfs.stores.retrying import RetryingStore
from skyfs.testing.servers import S3Server
from skyfs.writing.ingester import IngestFile

from .conftest import Make, at, files

PATIENCE_S = 20.0


@pytest.fixture
def far(make: Make, s3: S3Server, request: pytest.FixtureRequest) -> Repository:
    """A repository on S3, without a cache."""
    bucket = s3.bucket(f"bulk-{request.node.name[5:30].replace('_', '-')}x")
    store = {"name": "far", "url": bucket, "options": dict(s3.options), "cache": False}
    return make([store])


@pytest.fixture
def bulk_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files each bulk copy of a far store was asked for."""
    calls: list[int] = []
    original = RetryingStore.copy_many

    def noting(self: RetryingStore, items: Sequence[Any], done: Any) -> list[SkyfsError | None]:  # noqa: ANN401
        calls.append(len(items))
        return original(self, items, done)

    monkeypatch.setattr(RetryingStore, "copy_many", noting)
    return calls


def test_parts_of_far_files_are_read_together(
    far: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.register("raw", ["detector"], "Hdus")
    camera = tmp_path / "camera.fits"
    images = [fits.ImageHDU(np.full((4, 5), n, "i2")) for n in range(3)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(camera)
    far.ingest([IngestFile(camera, at(n), part=n + 1) for n in range(3)], "raw", run="r")
    paths = [f"/r/raw/instrument=Cam/detector={n}.fits" for n in range(3)]
    fs = skyfs.filesystem(far)
    wanted = {path: fs.cat_file(path) for path in paths}
    # Broken, and so an error, unless three reads are under way at once.
    together = threading.Barrier(3, timeout=PATIENCE_S)
    original = FitsPart.read_all

    def meeting(self: FitsPart) -> bytes:
        together.wait()
        return original(self)

    monkeypatch.setattr(FitsPart, "read_all", meeting)
    assert fs.cat(paths) == wanted


def test_cp_out_is_one_call(far: Repository, tmp_path: Path, bulk_calls: list[int]) -> None:
    for n in range(3):
        far.put({"n": n}, "metrics", run="r", **at(n))
    far.close()
    out = tmp_path / "out"
    out.mkdir()
    ran = CliRunner().invoke(main, ["-r", str(far.root), "cp", ":/r/metrics/*/*.json", str(out)])
    assert ran.exit_code == 0, ran.output
    assert files(out) == [f"detector={n}.json" for n in range(3)]
    assert bulk_calls == [3]


def test_cp_out_refuses_before_it_writes(far: Repository, tmp_path: Path, bulk_calls: list[int]) -> None:
    for run in ("r", "s"):
        far.put({"n": run}, "metrics", run=run, **at())
    far.close()
    out = tmp_path / "out"
    out.mkdir()
    both = [f":/{run}/metrics/instrument=Cam/detector=0.json" for run in ("r", "s")]
    ran = CliRunner().invoke(main, ["-r", str(far.root), "cp", *both, str(out)])
    assert ran.exit_code == 1
    assert "two sources would have that name" in ran.output
    assert files(out) == []
    assert bulk_calls == []


def test_folders_are_copied_within_by_one_call(far: Repository, bulk_calls: list[int]) -> None:
    far.register("cube", ["detector"], "ZarrGroup")
    for n in range(3):
        made = zarr.create_group(MemoryStore())
        made.create_array("a", data=np.arange(3) + n)
        far.put(made, "cube", run="r", **at(n))
    fs = skyfs.filesystem(far)
    fs.copy("/r/cube", "/s/cube", recursive=True)
    assert bulk_calls == [3]
    assert [path.replace("/s/", "/r/") for path in fs.find("/s")] == fs.find("/r")
    assert list(fs.cat("/s", recursive=True).values()) == list(fs.cat("/r", recursive=True).values())
