"""Real images and tables through every conversion that applies, against what astropy reads of them."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from skyfs.formats import Formats
from skyfs.testing.format_suite import MemorySource

from .samples import image, load, same_column, small_table

FORMATS = Formats.load()


def files(folder: Path | None, tmp_path: Path) -> list[Path]:
    """Give images: real ones where there are some, a made one otherwise."""
    if folder is not None:
        names = (
            "HorseHead.fits",
            "M13_blue_0001.fits",
            "spitzer_example_image.fits",
            "reprojected_sdss_r.fits.bz2",
        )
        return [path for name in names if (path := folder / "images" / name).exists()]
    path = tmp_path / "made.fits"
    with path.open("wb") as file:
        made = image()
        # It goes into an HDU that an Exposure only carries along: astropy's compression moves cards there.
        made.uncertainty = None
        FORMATS.write(made, file, ".fits", "Image")
    return [path]


@pytest.fixture
def shared() -> Path | None:
    """The folder of real files beside the checkout, if there is one."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    return folder if folder.is_dir() else None


def converted(data: bytes, storage_class: str, first: str, second: str) -> bytes:
    file = io.BytesIO()
    FORMATS.convert(MemorySource(data), first, storage_class, second, file)
    return file.getvalue()


def read(data: bytes, extension: str, storage_class: str) -> Any:
    return load(FORMATS, MemorySource(data), extension, storage_class)


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_images(shared: Path | None, tmp_path: Path) -> None:
    for path in files(shared, tmp_path):
        extension = path.name[path.name.index(".") :]
        data = path.read_bytes()
        with fits.open(path) as hdus:
            pixels = next(hdu.data for hdu in hdus if hdu.data is not None and hdu.data.ndim == 2)
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
        whole = read(data, extension, "Exposure")
        assert np.array_equal(whole.image, pixels, equal_nan=True)
        for second in (".h5", ".asdf", ".fits.fz", ".fits.gz"):
            there = converted(data, "Exposure", extension, second)
            assert read(there, second, "Exposure") == whole, (path.name, second)
            # What is equal says so by all cards: compare the positions on the sky apart.
            back = read(converted(there, "Exposure", second, ".fits"), ".fits", "Exposure")
            assert back == whole, (path.name, second)
            if whole.wcs is not None and whole.wcs.has_celestial:
                corners = [[0.0, 0.0], [float(pixels.shape[1]), float(pixels.shape[0])]]
                assert np.allclose(
                    back.wcs.all_pix2world(corners, 0),
                    whole.wcs.all_pix2world(corners, 0),
                    rtol=0,
                    atol=1e-11,
                )
        assert np.array_equal(
            read(converted(data, "Hdus", extension, ".npy"), ".npy", "Array"), pixels, equal_nan=True
        )
        for second in (".png", ".jpg", ".json"):
            assert len(converted(data, "Hdus", extension, second)) > (50 if shared is None else 300)


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_tables(shared: Path | None) -> None:
    if shared is None:
        whole, extension, data = small_table(), ".ecsv", b""
        file = io.BytesIO()
        FORMATS.write(whole, file, extension, "Table")
        data = file.getvalue()
    else:
        extension = ".xml"
        data = (shared / "tables" / "spitzer_example_catalog.xml").read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = Table.read(shared / "tables" / "spitzer_example_catalog.xml")
    ours = read(data, extension, "Table")
    assert len(ours) == len(whole)
    for second in (".parquet", ".h5", ".asdf", ".ecsv", ".fits"):
        found = read(converted(data, "Table", extension, second), second, "Table")
        assert found.colnames == ours.colnames
        for name in ours.colnames:
            assert same_values(found[name], ours[name]), (second, name)


def same_values(left: Any, right: Any) -> bool:
    """As `same_column`, but FITS and ECSV may give text another width and empty units."""
    if np.asarray(right).dtype.kind in "USO":
        return [str(one) for one in left] == [str(one) for one in right]
    same_unit = str(left.unit or "") == str(right.unit or "")
    return same_column(left, right) or (same_unit and bool(np.ma.allequal(left, right)))
