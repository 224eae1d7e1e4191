"""Exposures: in memory, in FITS files of skyfs and of the Rubin pipelines, and in components."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS, DistortionLookupTable

from skyfs.errors import BadArgument, BadContent, Unsupported
from skyfs.formats import Formats
from skyfs.formats.exposure import Exposure, Mask
from skyfs.testing.format_suite import MemorySource

from .samples import dump, exposure, image, load, same_array

FORMATS = Formats.load()
COMPONENTS = ("image", "mask", "variance", "psf", "wcs", "header", "others")


def read(data: bytes, extension: str = ".fits", storage_class: str = "Exposure", as_: Any = None) -> Any:
    return load(FORMATS, MemorySource(data), extension, storage_class, as_)


def rubin_file(*, compressed: bool = True) -> bytes:
    """A file with the layout, cards and names that afw writes."""
    shape = (40, 30)
    rng = np.random.default_rng(1)
    primary = fits.PrimaryHDU()
    primary.header["AR_HDU"] = (5, "HDU (1-indexed) of the archive")
    primary.header["HIERARCH EXPINFO_V"] = 2
    primary.header["HIERARCH PSF_ID"] = 12
    primary.header["BUNIT"] = "nJy"
    primary.header["FILTER"] = "r"
    wcs = sip_header()
    hdus = [primary]
    arrays = (
        ("IMAGE", rng.normal(size=shape).astype("f4")),
        ("MASK", rng.integers(0, 2**20, shape, "i4")),
        ("VARIANCE", rng.random(shape).astype("f4")),
    )
    for name, array in arrays:
        header = wcs.copy()
        header["EXTTYPE"] = name
        header["LTV1"] = -17.0
        header["CTYPE1A"] = "LINEAR"
        header["CRVAL1A"] = 17.0
        if name == "MASK":
            header["MP_BAD"], header["MP_SAT"], header["MP_CR"] = 0, 1, 3
            header["HIERARCH MP_DETECTED_NEGATIVE"] = 6
        hdu = fits.CompImageHDU(array, header, name, quantize_level=0.0, compression_type="GZIP_2")
        hdus.append(hdu if compressed else fits.ImageHDU(array, header, name))
    archive = fits.BinTableHDU.from_columns([fits.Column("id", "J", array=[1, 2, 12])], name="ARCHIVE_INDEX")
    archive.header["EXTTYPE"] = "ARCHIVE_INDEX"
    psf = fits.BinTableHDU.from_columns([fits.Column("sigma", "D", array=[2.5])], name="DoubleGaussianPsf")
    file = io.BytesIO()
    fits.HDUList([*hdus, archive, psf]).writeto(file)
    return file.getvalue()


def sip_header() -> fits.Header:
    return fits.Header(
        {
            "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "RADESYS": "ICRS",
            "CRVAL1": 150.12345678901234, "CRVAL2": 2.345678901234567,
            "CRPIX1": 12.123456789012345, "CRPIX2": -5.5,
            "CD1_1": -5.512345678901234e-5, "CD1_2": 1.2345e-8, "CD2_1": 1.1e-8, "CD2_2": 5.51e-5,
            "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1.23456789012345e-7, "B_0_2": -2.00000000012e-7,
            "AP_ORDER": 1, "BP_ORDER": 1, "AP_1_0": 1e-9, "BP_0_1": 1e-9,
        }
    )  # fmt: skip


def sky(wcs: Any) -> np.ndarray:
    pixels = np.mgrid[0:40:7, 0:40:7].reshape(2, -1).T
    return np.asarray(wcs.all_pix2world(pixels, 0))


def test_planes_of_a_mask() -> None:
    mask = Mask(np.array([0, 1, 2, 3, -128], "i1"), {"BAD": 0, "SAT": 1, "EDGE": 7})
    assert mask.bits("BAD", "SAT", "SAT") == 3
    assert mask.flagged("SAT").tolist() == [False, False, True, True, False]
    assert mask.flagged("EDGE").tolist() == [False, False, False, False, True]
    assert mask.flagged().tolist() == [False, True, True, True, True]
    assert np.asarray(mask).dtype == np.int8
    with pytest.raises(BadArgument, match="planes are: BAD, SAT, EDGE"):
        mask.bits("NO_DATA")
    with pytest.raises(BadArgument, match="bits 0 to 7"):
        Mask(mask.array, {"HIGH": 8})
    with pytest.raises(BadArgument, match="integers"):
        Mask(np.zeros(3))


def test_parts_of_another_shape_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"variance of shape \(3,\)"):
        Exposure(np.zeros((2, 2)), variance=np.zeros(3))
    with pytest.raises(BadArgument, match="mask of shape"):
        Exposure(np.zeros((2, 2)), Mask(np.zeros((2, 3), "i4")))


def test_what_makes_exposures_differ() -> None:
    whole = exposure()
    assert whole == exposure()
    assert whole.mask is not None
    changed = fits.HDUList([fits.ImageHDU(np.ones((2, 2), "i2"), name="EXTRA")])
    for other in (
        replace(whole, image=whole.image + 1), replace(whole, variance=None), replace(whole, psf=None),
        replace(whole, mask=replace(whole.mask, planes={"BAD": 1})), replace(whole, wcs=None),
        replace(whole, unit=units.Jy), replace(whole, header=fits.Header()), replace(whole, others=changed),
    ):  # fmt: skip
        assert whole != other


@pytest.mark.parametrize("compressed", [True, False])
def test_what_the_rubin_pipelines_write(*, compressed: bool) -> None:
    data = rubin_file(compressed=compressed)
    found = read(data)
    with fits.open(io.BytesIO(data)) as hdus:
        assert same_array(found.image, hdus["IMAGE"].data.astype("=f4"))
        assert same_array(found.mask.array, hdus["MASK"].data.astype("=i4"))
        assert same_array(found.variance, hdus["VARIANCE"].data.astype("=f4"))
    assert found.mask.planes == {"BAD": 0, "SAT": 1, "CR": 3, "DETECTED_NEGATIVE": 6}
    assert found.unit == units.nJy
    assert found.header["AR_HDU"] == 5
    assert [hdu.name for hdu in found.others] == ["ARCHIVE_INDEX", "DOUBLEGAUSSIANPSF"]
    assert np.array_equal(sky(found.wcs), sky(wcs_in(data)))
    assert found.wcs.pixel_shape == (30, 40)
    written = dump(FORMATS, found, ".fits", "Exposure")
    with fits.open(io.BytesIO(data)) as before, fits.open(io.BytesIO(written)) as after:
        assert [hdu.name for hdu in after] == [hdu.name for hdu in before]
        assert [hdu.header.get("EXTTYPE") for hdu in after] == [hdu.header.get("EXTTYPE") for hdu in before]
        assert after["MASK"].header["MP_SAT"] == 1
        assert after["MASK"].header["MP_DETECTED_NEGATIVE"] == 6
        assert after["IMAGE"].header["LTV1"] == after["VARIANCE"].header["LTV1"] == -17.0
        assert after["MASK"].header["CRVAL1A"] == 17.0
        assert after[4].filebytes() == before[4].filebytes() if not compressed else True
        assert np.array_equal(after[5].data, before[5].data)
        assert after[0].header["BUNIT"] == after[1].header["BUNIT"] == "nJy"
        for name in ("IMAGE", "MASK", "VARIANCE"):
            assert np.array_equal(sky(wcs_in(written, name)), sky(found.wcs))
    assert read(written) == found


def wcs_in(data: bytes, name: str = "IMAGE") -> Any:
    with fits.open(io.BytesIO(data)) as hdus:
        return WCS(hdus[name].header)


@pytest.mark.parametrize("extension", [".fits", ".fits.gz", ".fits.fz"])
def test_written_and_read(extension: str) -> None:
    whole = exposure()
    found = read(dump(FORMATS, whole, extension, "Exposure"), extension)
    assert found == whole
    assert found.image.dtype.isnative
    assert np.array_equal(sky(found.wcs), sky(whole.wcs))


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_number_types_are_kept(kind: str) -> None:
    pixels = np.array([[0, 1, 2], [3, 100, 127]], kind)
    found = read(dump(FORMATS, pixels, ".fits", "Exposure"))
    assert same_array(found.image, pixels)
    masked = Exposure(pixels, Mask(pixels.astype("u1") if kind[0] == "f" else pixels, {"BAD": 0}))
    assert read(dump(FORMATS, masked, ".fits", "Exposure")) == masked


def test_disassembled_and_put_together() -> None:
    for whole in (exposure(), read(rubin_file()), Exposure(np.zeros((2, 3), "i2"))):
        parts = FORMATS.disassemble("Exposure", whole)
        assert FORMATS.assemble("Exposure", {name: part for name, (_, part) in parts.items()}) == whole
        stored = {}
        for name, (storage_class, part) in parts.items():
            extension = FORMATS.extension_for(storage_class)
            data = dump(FORMATS, part, extension, storage_class)
            stored[name] = load(FORMATS, MemorySource(data), extension, storage_class)
        assert set(stored) <= set(COMPONENTS)
        found: Any = FORMATS.assemble("Exposure", stored)
        assert found == replace(whole, wcs=found.wcs)
        assert (found.wcs is None) == (whole.wcs is None)
        if whole.wcs is not None:
            assert np.array_equal(sky(found.wcs), sky(whole.wcs))


def test_what_cannot_be_put_together() -> None:
    with pytest.raises(BadArgument, match="at least the component image"):
        FORMATS.assemble("Exposure", {"mask": Mask(np.zeros((2, 2), "i4"))})
    with pytest.raises(BadArgument, match="components are: image, mask"):
        FORMATS.assemble("Exposure", {"imge": image()})
    with pytest.raises(Unsupported, match="no assembler"):
        FORMATS.disassemble("Table", exposure())
    with pytest.raises(BadArgument, match="of dict"):
        FORMATS.disassemble("Exposure", {})


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_reads_only_its_own_bytes(name: str) -> None:
    pixels = np.random.default_rng(2).normal(size=(300, 200))
    extra = fits.HDUList([fits.ImageHDU(pixels[:90], name="EXTRA")])
    whole = replace(
        exposure(),
        image=pixels,
        mask=Mask(np.ones((300, 200), "i8"), {"BAD": 0}),
        variance=pixels**2,
        psf=pixels[:70],
        others=extra,
    )
    data = dump(FORMATS, whole, ".fits", "Exposure")
    source = MemorySource(data)
    found: Any = FORMATS.format(".fits").read_component(source, "Exposure", name)  # type: ignore[attr-defined]
    wanted: Any = FORMATS.component(read(data), "Exposure", name)
    assert type(found) is type(wanted)
    own = {"image": 480_000, "mask": 480_000, "variance": 480_000, "psf": 112_000, "others": 144_000}
    headers = 8 * 4 * 2880
    assert source.bytes_read <= own.get(name, 0) + headers + 2880
    if isinstance(found, CCDData):
        assert same_array(found.data, wanted.data)
        assert found.unit == wanted.unit
        assert found.header == wanted.header
    elif name == "others":
        assert np.array_equal(found[1].data, pixels[:90])
    elif name == "wcs":
        assert np.array_equal(sky(found), sky(wanted))
    else:
        assert found == wanted


def test_components_that_are_not_there() -> None:
    source = MemorySource(dump(FORMATS, np.zeros((2, 2), "f4"), ".fits", "Exposure"))
    fits_format: Any = FORMATS.format(".fits")
    for name in ("mask", "variance", "psf", "wcs", "others"):
        assert fits_format.read_component(source, "Exposure", name) is None
    with pytest.raises(BadArgument, match="components are: image"):
        fits_format.read_component(source, "Exposure", "detector")


def test_made_of_and_into_other_types() -> None:
    whole = exposure()
    data = dump(FORMATS, whole, ".fits", "Exposure")
    as_image = read(data, as_=CCDData)
    assert same_array(as_image.data, whole.image)
    assert same_array(as_image.uncertainty.array, whole.variance)
    assert as_image.unit == whole.unit
    assert as_image.header["OBJECT"] == "M31"
    assert whole.mask is not None
    assert np.array_equal(as_image.mask, whole.mask.flagged("BAD", "SAT")), "detections are not bad"
    assert same_array(read(data, as_="numpy"), whole.image)
    assert [hdu.name for hdu in read(data, as_=fits.HDUList)] == [
        "PRIMARY", "IMAGE", "MASK", "VARIANCE", "EXTRA", "PSF",
    ]  # fmt: skip
    back = read(dump(FORMATS, as_image, ".fits", "Exposure"))
    assert np.array_equal(back.mask.flagged("BAD"), as_image.mask)
    assert same_array(back.variance, whole.variance)
    single = read(dump(FORMATS, image(), ".fits", "Exposure"))
    assert np.allclose(single.variance, image().data), "a standard deviation becomes a variance"
    masked = read(dump(FORMATS, np.ma.masked_greater(np.arange(4).reshape(2, 2), 2), ".fits", "Exposure"))
    assert masked.mask.flagged("BAD").tolist() == [[False, False], [False, True]]


def test_a_plain_image_is_an_exposure() -> None:
    data = dump(FORMATS, image(), ".fits", "Image")
    found = read(data)
    assert same_array(found.image, image().data)
    assert found.header["OBJECT"] == "M31"
    assert found.header["EXPTIME"] == 30.5
    assert found.unit == units.electron
    assert np.allclose(sky(found.wcs), sky(image().wcs), atol=1e-11)


def test_damaged_planes() -> None:
    mask = Mask(np.zeros((2, 2), "i4"), {"BAD": 0})
    data = dump(FORMATS, mask, ".fits", "Mask")
    with pytest.raises(BadContent, match="planes"):
        read(
            data.replace(b"MP_BAD  =                    0", b"MP_BAD  =                  0.5"),
            storage_class="Mask",
        )
    with pytest.raises(BadContent, match="no mask"):
        read(dump(FORMATS, fits.Header({"A": 1}), ".fits", "Header"), storage_class="Mask")
    with pytest.raises(BadContent, match="no image"):
        read(dump(FORMATS, fits.Header({"A": 1}), ".fits", "Header"))
    with pytest.raises(BadContent, match="no WCS"):
        read(dump(FORMATS, np.zeros((2, 2)), ".fits", "Array"), storage_class="Wcs")


def test_distortion_tables_travel_with_the_wcs() -> None:
    wcs = WCS(sip_header())
    table = np.linspace(-0.5, 0.5, 64, dtype="f4").reshape(8, 8)
    # Of a table for one axis alone, astropy cannot read what it wrote.
    wcs.cpdis1 = DistortionLookupTable(table, (1.0, 1.0), (1.0, 1.0), (5.0, 5.0))
    wcs.cpdis2 = DistortionLookupTable(table.T.copy(), (1.0, 1.0), (1.0, 1.0), (5.0, 5.0))
    whole = replace(exposure(), wcs=wcs)
    found = read(dump(FORMATS, whole, ".fits", "Exposure"))
    assert np.array_equal(sky(found.wcs), sky(wcs))
    assert len(found.others) == len(whole.others)
    alone = read(dump(FORMATS, wcs, ".fits", "Wcs"), storage_class="Wcs")
    assert np.array_equal(sky(alone), sky(wcs))
