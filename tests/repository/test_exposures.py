"""Exposures in a repository: whole, in components and in other formats, through Python and paths."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

import skyfs
from skyfs.formats.exposure import Exposure, Mask
from skyfs.repository import Repository

WHERE: dict[str, Any] = {"instrument": "MyCam", "detector": 1}
FOLDER = "/u/me/r1/calexp/instrument=MyCam"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repository]:
    """A repository with one exposure."""
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as repo:
        repo.insert("instrument", [{"name": "MyCam"}])
        repo.insert("detector", [{"instrument": "MyCam", "id": 1, "full_name": "S1"}])
        repo.register("calexp", ["instrument", "detector"], "Exposure")
        pixels = np.arange(600, dtype="f4").reshape(20, 30)
        mask = Mask((pixels > 500).astype("i4") << 2, {"BAD": 0, "SAT": 2})
        repo.put(Exposure(pixels, mask, pixels + 1), "calexp", run="u/me/r1", **WHERE)
        yield repo


def test_whole_and_components(repo: Repository) -> None:
    whole: Any = repo.get("calexp", collections="u/me/r1", **WHERE)
    assert isinstance(whole, Exposure)
    mask: Any = repo.get("calexp", collections="u/me/r1", component="mask", **WHERE)
    assert mask == whole.mask
    assert mask.flagged("SAT").sum() == 99
    image: Any = repo.get("calexp", collections="u/me/r1", component="image", **WHERE)
    assert isinstance(image, CCDData)
    assert np.array_equal(image.data, whole.image)
    as_array: Any = repo.get("calexp", collections="u/me/r1", as_="numpy", **WHERE)
    assert np.array_equal(as_array, whole.image)


def test_other_extensions_and_components_by_path(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    with fits.open(io.BytesIO(fs.cat_file(f"{FOLDER}/detector=1.fits"))) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE"]
        assert hdus["MASK"].header["MP_SAT"] == 2
    with h5py.File(io.BytesIO(fs.cat_file(f"{FOLDER}/detector=1.h5"))) as file:
        assert file["image"].shape == (20, 30)
    assert np.load(io.BytesIO(fs.cat_file(f"{FOLDER}/detector=1.npy"))).shape == (20, 30)
    assert fs.cat_file(f"{FOLDER}/detector=1.asdf").startswith(b"#ASDF")
    for path in (f"{FOLDER}/detector=1.jpg", "/u/me/r1/calexp.variance/instrument=MyCam/detector=1.jpg"):
        assert fs.cat_file(path).startswith(b"\xff\xd8")
    with fits.open(io.BytesIO(fs.cat_file("/u/me/r1/calexp.mask/instrument=MyCam/detector=1.fits"))) as hdus:
        assert hdus[1].header["MP_SAT"] == 2
    array = np.load(io.BytesIO(fs.cat_file("/u/me/r1/calexp.variance/instrument=MyCam/detector=1.npy")))
    assert array[0, 0] == 1.0
    for wrong in (f"{FOLDER}/detector=1.parquet", f"{FOLDER}/detector=1.txt"):
        with pytest.raises(FileNotFoundError):
            fs.cat_file(wrong)
