"""Datasets that are folders, by the kernel: a stored Zarr, and FITS seen as Zarr."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from astropy.io import fits
from zarr.storage import MemoryStore

from skyfs.repository import Repository

from .conftest import Mounting, Sky, raw_path


def test_a_mounted_fits_is_a_folder_of_zarr(sky: Sky) -> None:
    folder = sky.at(raw_path().replace(".fits", ".zarr"))
    root: Any = zarr.open(folder, mode="r")
    assert "zarr.json" in os.listdir(folder)
    with fits.open(sky.at(raw_path())) as hdus:
        assert np.array_equal(root["0"][...], hdus[0].data)
        assert np.array_equal(root["SCI"][...], hdus["SCI"].data)


def test_a_mounted_zarr_is_copied_by_programs(empty: Repository, mounting: Mounting, tmp_path: Path) -> None:
    values = np.arange(10_000).reshape(100, 100)
    group = zarr.create_group(MemoryStore(), attributes={"survey": "test"})
    group.create_array("flux", data=values, chunks=(30, 30))
    empty.register("cube", ["instrument"], "ZarrGroup")
    empty.put(group, "cube", run="u/me/r1", instrument="HSC")
    leaf = mounting.start(empty) / "u/me/r1/cube/instrument=HSC.zarr"
    assert leaf.is_dir()
    subprocess.run(["cp", "-r", leaf, tmp_path / "out.zarr"], check=True)
    copied: Any = zarr.open(tmp_path / "out.zarr", mode="r")
    mounted: Any = zarr.open(leaf, mode="r")
    for root in (copied, mounted):
        assert root.attrs["survey"] == "test"
        assert np.array_equal(root["flux"][...], values)
    sizes = {path.relative_to(leaf): path.stat().st_size for path in leaf.rglob("*") if path.is_file()}
    assert len(sizes) == 16 + 2
    assert all((tmp_path / "out.zarr" / path).stat().st_size == size for path, size in sizes.items())
