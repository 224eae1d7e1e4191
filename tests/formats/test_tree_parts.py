"""Selectors on HDF5 and ASDF files: the same part as of FITS."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from astropy.wcs import WCS

from skyfs.errors import BadArgument, BadContent, SkyfsError, Unsupported
from skyfs.formats import Formats
from skyfs.formats.buffer import Buffer
from skyfs.model.selectors import parse_selectors

from .samples import same_array

EXTENSIONS = (".h5", ".asdf")
FORMATS = Formats.load()


def written(value: object, extension: str, storage_class: str) -> bytes:
    file = io.BytesIO()
    FORMATS.write(value, file, extension, storage_class)
    return file.getvalue()


def cut(data: bytes, extension: str, selectors: str) -> bytes:
    file = io.BytesIO()
    FORMATS.cut(Buffer(data), extension, parse_selectors(selectors), file)
    return file.getvalue()


def image() -> CCDData:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 20.5, "CRPIX2": 15.5})
    header.update({"CRVAL1": 150.0, "CRVAL2": 2.0, "CD1_1": -1e-4, "CD2_2": 1e-4})
    pixels = np.random.default_rng(1).normal(size=(30, 40))
    return CCDData(
        pixels, unit="adu", wcs=WCS(header), mask=pixels > 1, uncertainty=StdDevUncertainty(np.abs(pixels))
    )


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize(
    ("section", "slices"),
    [("[3:7,2:4]", np.s_[1:4, 2:7]), ("[*,*:10]", np.s_[::10, :]), ("[30:11:3,-*]", np.s_[::-1, 29:9:-3])],
)
def test_a_section_of_an_image(extension: str, section: str, slices: tuple[slice, slice]) -> None:
    whole = image()
    part = FORMATS.read(
        Buffer(cut(written(whole, extension, "Image"), extension, section)), extension, "Image"
    )
    assert isinstance(part, CCDData)
    assert same_array(part.data, whole.data[slices])
    assert same_array(part.mask, whole.mask[slices])
    assert same_array(part.uncertainty.array, whole.uncertainty.array[slices])
    assert part.unit == whole.unit
    y, x = np.mgrid[:30, :40]
    there = whole.wcs.all_pix2world(x[slices], y[slices], 0)
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    kept = part.wcs.all_pix2world(x, y, 0)
    assert np.abs(np.array(kept) - np.array(there)).max() < 1e-9


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_section_of_an_array(extension: str) -> None:
    whole = np.arange(120, dtype="i4").reshape(4, 5, 6)
    part = FORMATS.read(
        Buffer(cut(written(whole, extension, "Array"), extension, "[6:1,2:3,*]")), extension, "Array"
    )
    assert same_array(part, whole[:, 1:3, ::-1])


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_rows_and_columns_of_a_table(extension: str) -> None:
    whole = Table({"ra": np.arange(9.0), "dec": -np.arange(9.0), "flux": np.arange(9) * 50}, meta={"N": 1})
    data = cut(written(whole, extension, "Table"), extension, "[col ra;flux][flux > 100]")
    part = FORMATS.read(Buffer(data), extension, "Table")
    assert isinstance(part, Table)
    assert part.colnames == ["ra", "flux"]
    assert same_array(part["flux"].data, np.arange(3, 9) * 50)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize(
    ("value", "storage_class", "selectors", "error"),
    [
        (np.zeros((3, 4)), "Array", "[1:5,1:1]", BadArgument),
        (np.zeros((3, 4)), "Array", "[1:2]", BadArgument),
        (np.zeros((3, 4)), "Array", "[1]", SkyfsError),
        (np.zeros((3, 4)), "Array", "[circle 1 2 3]", SkyfsError),
        (Table({"a": [1, 2]}), "Table", "[col b]", BadArgument),
        (Table({"a": [1, 2]}), "Table", "[1:2,1:2]", SkyfsError),
        ({"a": {"b": 1}}, "Dict", "[1:2,1:2]", BadContent),
        ({"a": {"b": 1}}, "Dict", "[a > 1]", BadContent),
    ],
)
def test_what_does_not_fit_is_refused(
    extension: str, value: object, storage_class: str, selectors: str, error: type[SkyfsError]
) -> None:
    data = written(value, extension, storage_class)
    with pytest.raises(error):
        cut(data, extension, selectors)
    assert issubclass(error, SkyfsError)


def test_a_table_is_told_that_it_has_no_sections() -> None:
    data = written(Table({"a": [1, 2]}), ".asdf", "Table")
    with pytest.raises((Unsupported, BadContent)):
        cut(data, ".asdf", "[1:2,1:2]")
