"""Parts of FITS images: the same as of the whole, and little more read than they need."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, VarianceUncertainty
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadArgument, BadContent, SkyfsError, Unsupported
from skyfs.formats import Formats
from skyfs.formats.fits import Fits
from skyfs.formats.fits_layout import extents
from skyfs.formats.fits_pixels import in_batches, read_pixels
from skyfs.formats.fits_window import Window, slice_windows
from skyfs.model.selectors import Section, parse_selectors
from skyfs.testing.counting import CountingSource
from skyfs.testing.format_suite import MemorySource

from .samples import same_array
from .skies import SKIES

FITS = Fits()
DTYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"]


def as_bytes(*found: object) -> bytes:
    file = io.BytesIO()
    fits.HDUList(list(found)).writeto(file)
    return file.getvalue()


def cut(data: bytes, text: str) -> fits.HDUList:
    file = io.BytesIO()
    FITS.cut(MemorySource(data), parse_selectors(text), file)
    assert len(file.getvalue()) % 2880 == 0
    return fits.open(io.BytesIO(file.getvalue()), disable_image_compression=True)


def pixels_of(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    if dtype[0] == "f":
        return random.normal(100, 20, shape).astype(dtype)
    low, high = (0, 200) if dtype[0] == "u" else (-100, 100)
    return random.integers(low, high, shape).astype(dtype)


@st.composite
def shape_and_slices(draw: st.DrawFn, most: int = 4) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, 40), min_size=1, max_size=most)))
    index = [draw(st.slices(size) | st.integers(-size, size - 1) | st.just(slice(None))) for size in shape]
    kept = draw(st.integers(0, len(index)))
    return shape, (*index[:kept], *draw(st.sampled_from([(), (Ellipsis,)])))


@given(shape_and_slices(), st.sampled_from(DTYPES), st.sampled_from([0, 1]), st.integers(0, 99))
def test_part_is_slice_of_whole(
    wanted: tuple[tuple[int, ...], tuple[Any, ...]], dtype: str, index: int, seed: int
) -> None:
    shape, slices = wanted
    array = pixels_of(shape, dtype, seed)
    data = as_bytes(fits.PrimaryHDU(), fits.ImageHDU(array)) if index else as_bytes(fits.PrimaryHDU(array))
    found = FITS.read_slices(MemorySource(data), "Array", slices)
    assert same_array(np.asarray(found), np.asarray(FITS.read(MemorySource(data), "Array")[slices]))  # type: ignore[index]


KINDS = ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"]


@given(
    st.tuples(st.integers(4, 50), st.integers(4, 50)),
    st.tuples(st.integers(4, 60), st.integers(4, 60)),
    st.sampled_from(KINDS),
    st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8"]),
    st.data(),
)
def test_part_of_a_compressed_image_is_slice_of_whole(
    shape: tuple[int, int], tile: tuple[int, int], kind: str, dtype: str, data: st.DataObject
) -> None:
    if kind == "PLIO_1" and dtype != "u1":
        dtype = "i2"
    array = np.abs(pixels_of(shape, dtype, sum(shape)))
    options: dict[str, Any] = {"tile_shape": tuple(map(min, tile, shape))}
    if dtype[0] == "f":
        options["quantize_method"] = data.draw(st.sampled_from([-1, 1, 2]))
        options["dither_seed"] = data.draw(st.integers(1, 10000))
        array[0, :2] = np.nan, 0
    try:
        packed = as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(array, compression_type=kind, **options))
    except ValueError:
        return  # not all sizes of tiles go with all kinds
    whole = FITS.read(MemorySource(packed), "Array")
    assert isinstance(whole, np.ndarray)
    slices = tuple(data.draw(st.slices(size) | st.integers(0, size - 1)) for size in shape)
    found = np.asarray(FITS.read_slices(MemorySource(packed), "Array", slices))
    assert same_array(found, np.asarray(whole[slices]))


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2"])
def test_tiles_of_three_dimensions(kind: str) -> None:
    array = pixels_of((7, 30, 40), "i4", 1)
    hdu = fits.CompImageHDU(array, compression_type=kind, tile_shape=(2, 16, 16))
    data = as_bytes(fits.PrimaryHDU(), hdu)
    for slices in (np.s_[2:6:3, 5:25, ::-7], np.s_[::5, ::20, ::33], np.s_[6, 29, 39]):
        found = np.asarray(FITS.read_slices(MemorySource(data), "Array", slices))
        assert same_array(found, np.asarray(array[slices]))


def test_scaled_and_blank_pixels() -> None:
    raw = np.arange(-100, 500, dtype=">i2").reshape(20, 30)
    header = fits.PrimaryHDU(raw).header
    header["BLANK"], header["BSCALE"], header["BZERO"] = -99, 0.5, 3.0
    data = header.tostring().encode() + raw.tobytes().ljust(2880, b"\0")
    whole = FITS.read(MemorySource(data), "Array")
    assert isinstance(whole, np.ndarray)
    assert np.isnan(whole).sum() == 1
    for slices in (np.s_[:3, :9], np.s_[5:9, 2:4]):
        assert same_array(np.asarray(FITS.read_slices(MemorySource(data), "Array", slices)), whole[slices])
    part = cut(data, "[1:9,1:3]")
    assert part[0].header["BSCALE"] == 0.5
    assert np.array_equal(part[0].data, whole[:3, :9], equal_nan=True)


def wcs_image() -> CCDData:
    pixels = pixels_of((70, 90), "f4", 3)
    return CCDData(
        pixels,
        unit="Jy",
        mask=pixels > 110,
        uncertainty=VarianceUncertainty(pixels + 1),
        wcs=WCS(SKIES["SIP"]),
    )


@pytest.mark.parametrize("extension", [".fits", ".fits.fz", ".fits.gz"])
@pytest.mark.parametrize(
    "slices", [np.s_[5:60, 10:20], np.s_[..., -9:], np.s_[::4, ::7], np.s_[::-1, 50:20:-2]]
)
def test_slices_of_images(formats: Formats, extension: str, slices: Any) -> None:  # noqa: ANN401
    file = io.BytesIO()
    formats.format(extension).write(wcs_image(), file, {})
    whole = FITS.read(MemorySource(_plain(file.getvalue(), extension)), "Image")
    fmt = formats.format(extension)
    assert isinstance(fmt, Fits)
    part = fmt.read_slices(MemorySource(file.getvalue()), "Image", slices)
    assert isinstance(whole, CCDData)
    assert isinstance(part, CCDData)
    assert same_array(part.data, whole.data[slices])
    assert same_array(part.mask, whole.mask[slices])
    assert same_array(part.uncertainty.array, whole.uncertainty.array[slices])
    assert type(part.uncertainty) is VarianceUncertainty
    assert part.unit == whole.unit
    y, x = np.indices(whole.data.shape)
    new_y, new_x = np.indices(part.data.shape)
    before = whole.wcs.pixel_to_world(x[slices], y[slices])
    assert before.separation(part.wcs.pixel_to_world(new_x, new_y)).deg.max() < 1e-9


def _plain(data: bytes, extension: str) -> bytes:
    return gzip.decompress(data) if extension == ".fits.gz" else data


def test_slices_that_are_refused() -> None:
    data = as_bytes(fits.PrimaryHDU(np.zeros((4, 5))))
    refused: list[Any] = ["1:2", [1, 2], np.array([1]), None, True, 1.5, np.s_[1, 2, 3], 4, np.s_[..., ...],
               np.s_["a":"b"], np.s_[::0]]  # fmt: skip
    for slices in refused:
        for storage_class in ("Array", "Image"):
            with pytest.raises(BadArgument, match="shape"):
                FITS.read_slices(MemorySource(data), storage_class, slices)
    for storage_class in ("Hdus", "Table"):
        with pytest.raises(BadArgument, match="read it as Image or Array"):
            FITS.read_slices(MemorySource(data), storage_class, np.s_[1:2])
    file = io.BytesIO()
    FITS.write(wcs_image(), file, {})
    with pytest.raises(BadArgument, match="cannot lose an axis"):
        FITS.read_slices(MemorySource(file.getvalue()), "Image", np.s_[3])


# ------------------------------------------------------------------------------------------- which HDU


MANY = as_bytes(
    fits.PrimaryHDU(
        np.arange(30, dtype="i2").reshape(5, 6), fits.Header([("TELESCOP", "T"), ("OBJECT", "M1")])
    ),
    fits.ImageHDU(np.full((4, 4), 1, "i2"), name="SCI"),
    fits.ImageHDU(np.full((4, 4), 2, "i2"), name="SCI", ver=2),
    fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])], name="CAT"),
    fits.ImageHDU(np.full((4, 4), 4, "i2"), name="err"),
    fits.ImageHDU(name="NONE"),
)


@pytest.mark.parametrize(
    ("selector", "value"),
    [("[1]", 1), ("[2]", 2), ("[SCI]", 1), ("[sci,2]", 2), ("[ERR]", 4), ("[SCI,1]", 1), ("[4][2:3,2:3]", 4)],
)
def test_the_hdu_that_is_meant_after_the_primary_header(selector: str, value: int) -> None:
    found = cut(MANY, selector)
    assert len(found) == 2
    assert found[0].data is None
    assert (found[0].header["NAXIS"], found[0].header["TELESCOP"]) == (0, "T")
    assert "NAXIS1" not in found[0].header
    assert np.all(found[1].data == value)


def test_an_hdu_is_copied_byte_for_byte() -> None:
    whole = list(extents(MemorySource(MANY)))
    for number in range(1, len(whole)):
        file = io.BytesIO()
        FITS.cut(MemorySource(MANY), parse_selectors(f"[{number}]"), file)
        assert file.getvalue().endswith(MANY[whole[number].start : whole[number].end])
    file = io.BytesIO()
    FITS.cut(MemorySource(MANY), parse_selectors("[0]"), file)
    assert file.getvalue() == MANY[: whole[0].end]


def test_missing_padding_is_added() -> None:
    data = as_bytes(fits.PrimaryHDU(), fits.ImageHDU(np.ones(5, "i2")))[: 2 * 2880 + 10]
    assert np.all(cut(data, "[1]")[1].data == 1)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("[9]", r"there are: 0 \(image 6 × 5\); 1 SCI \(image 4 × 4\).*3 CAT \(table\).*5 NONE \(no data\)"),
        ("[NOBODY]", "no HDU of the file is meant"),
        ("[SCI,3]", "no HDU of the file is meant"),
        ("[CAT][1:2,1:2]", "HDU 3 is a table"),
        ("[SCI][col a]", r"HDU 1 \(image 4 × 4\)"),
        ("[SCI][a > 1]", r"HDU 1 \(image 4 × 4\)"),
        ("[NONE][1:2,1:2]", "HDU 5 has no pixels"),
        ("[SCI][1:5,1:2]", "the image has 4 × 4 pixels"),
        ("[SCI][1:2,1:2,2:2]", "the image has 4 × 4 pixels"),
        ("[SCI][1:2,1:2][1:1,1:1]", "two parts of one image"),
    ],
)
def test_selectors_that_do_not_fit(selector: str, message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        cut(MANY, selector)


def test_the_first_image_is_meant_when_none_is_named() -> None:
    data = as_bytes(
        fits.PrimaryHDU(), fits.ImageHDU(name="EMPTY"), fits.ImageHDU(np.full((4, 4), 7, "i2"), name="A")
    )
    assert cut(data, "[1:2,1:3]")[1].data.shape == (3, 2)
    assert cut(MANY, "[1:2,1:3]")[0].data.shape == (3, 2)


@pytest.mark.parametrize("extension", [".fits.gz", ".fits.bz2"])
def test_parts_of_packed_files(formats: Formats, extension: str) -> None:
    packed = (gzip.compress if extension == ".fits.gz" else bz2.compress)(MANY)
    fmt, file = formats.format(extension), io.BytesIO()
    assert isinstance(fmt, Fits)
    fmt.cut(MemorySource(packed), parse_selectors("[SCI,2][1:2,1:2]"), file)
    assert np.all(fits.getdata(io.BytesIO(file.getvalue()), 1) == 2)


# ------------------------------------------------------------------------------------------ bytes, trips


SIDE = 1024
LARGE = as_bytes(fits.PrimaryHDU(pixels_of((SIDE, SIDE), "f4", 1)))


def test_a_cutout_reads_little_more_than_its_pixels() -> None:
    source = CountingSource(LARGE)
    FITS.cut(source, parse_selectors("[401:464,301:364]"), io.BytesIO())
    assert source.trips == 2
    assert source.fetched <= 1.5 * 64 * 64 * 4
    again = list(source.ranges)
    FITS.cut(source, parse_selectors("[401:464,301:364]"), io.BytesIO())
    assert source.ranges == 2 * again, "the same part asks for the same ranges, which a cache may hold"


def test_slices_read_as_little() -> None:
    source = CountingSource(LARGE)
    FITS.read_slices(source, "Array", np.s_[300:364, 400:464])
    assert source.trips == 2
    assert source.fetched <= 1.5 * 64 * 64 * 4


def test_a_named_hdu_costs_one_trip_for_each_header() -> None:
    images = [fits.ImageHDU(pixels_of((100, 100), "f4", n), name=f"CCD{n}") for n in range(5)]
    source = CountingSource(as_bytes(fits.PrimaryHDU(), *images))
    FITS.cut(source, parse_selectors("[CCD3][1:10,1:10]"), io.BytesIO())
    # The first header came with the primary one.
    assert source.trips == 4 + 1


@pytest.mark.parametrize("tile", [(1, SIDE), (128, 128)])
@pytest.mark.parametrize("section", ["[401:464,301:364]", "[10:12,10:12]", "[1:1024:300,1:1024:300]"])
def test_only_the_tiles_touched_are_read(tile: tuple[int, int], section: str) -> None:
    pixels = pixels_of((SIDE, SIDE), "i2", 1)
    data = as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type="RICE_1", tile_shape=tile))
    (selector,) = parse_selectors(section)
    assert isinstance(selector, Section)
    rows, columns = [
        {pixel // size for pixel in range((axis.first or 1) - 1, axis.last or SIDE, axis.step)}
        for axis, size in zip(reversed(selector.axes), tile, strict=True)
    ]
    heap = len(data) / (-(-SIDE // tile[0]) * -(-SIDE // tile[1]))
    source = CountingSource(data)
    FITS.cut(source, parse_selectors(section), io.BytesIO())
    headers = 3 * 2880
    assert source.trips <= 3 + 1
    assert source.fetched <= headers + 1.2 * len(rows) * len(columns) * heap + 1024 * (len(rows) + 1)


class KeepingSource(CountingSource):
    """Counts only what was not read before, as a cache would ask for it."""

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Give several ranges, and count those that are new."""
        known, trips, found = list(self.ranges), self.trips, super().read_many(ranges)
        new = [one for one in ranges if one not in known]
        self.ranges, self.trips = [*known, *new], trips + bool(new)
        return found


@pytest.mark.parametrize("tile", [(1, SIDE), (128, 128)])
@pytest.mark.parametrize("section", ["[401:464,301:364]", "[301:812,401:912]"])
def test_the_next_cutout_of_tiles_takes_one_trip_when_what_was_read_is_kept(
    tile: tuple[int, int], section: str
) -> None:
    pixels = pixels_of((SIDE, SIDE), "i2", 1)
    data = as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type="RICE_1", tile_shape=tile))
    source = KeepingSource(data)
    FITS.cut(source, parse_selectors(section), io.BytesIO())
    assert source.trips <= 1 + 3
    before = source.trips
    FITS.cut(source, parse_selectors("[901:964,701:764]"), io.BytesIO())
    assert source.trips == before + 1


def test_large_parts_are_read_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyfs.formats.fits_pixels._BATCH_BYTES", 1000)
    cube = pixels_of((5, 40, 30), "i2", 2)
    found = cut(as_bytes(fits.PrimaryHDU(cube)), "[30:1,1:40:3,*]")
    assert np.array_equal(found[0].data, cube[:, ::3, ::-1])
    packed = as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(cube, tile_shape=(1, 16, 16)))
    assert np.array_equal(cut(packed, "[30:1,1:40:3,*]")[1].data, cube[:, ::3, ::-1])


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 8), st.data())
def test_batches_make_up_the_whole(sizes: list[int], itemsize: int, data: st.DataObject) -> None:
    windows = tuple(
        Window(data.draw(st.integers(0, 9)), size, data.draw(st.sampled_from([1, 2, -3]))) for size in sizes
    )
    pixels = [[part.pixels for part in one] for one in in_batches(windows, itemsize)]
    slowest = max((axis for axis, size in enumerate(sizes) if size > 1), default=0)
    assert [p for one in pixels for p in one[slowest]] == list(windows[slowest].pixels)


def test_pixels_far_apart_are_read_one_by_one() -> None:
    (extent,) = extents(MemorySource(LARGE))
    windows, _ = slice_windows(np.s_[::100, ::500], (SIDE, SIDE))
    source = CountingSource(LARGE)
    found = read_pixels(source, extent, windows[::-1])
    assert np.array_equal(found, fits.getdata(io.BytesIO(LARGE))[::100, ::500])
    assert source.fetched == found.size * 4


# ----------------------------------------------------------------------------------------------- damage


def test_damaged_tables_of_tiles() -> None:
    data = as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(pixels_of((40, 40), "i2", 1)))
    table = next(one for one in extents(MemorySource(data)) if one.compressed)
    broken = bytearray(data)
    broken[table.data_start + 4 : table.data_start + 8] = b"\x7f\xff\xff\xff"
    with pytest.raises(BadContent, match="a tile lies outside of its data"):
        cut(bytes(broken), "[1][1:40,1:40]")
    with pytest.raises(Unsupported, match="ZCMPTYPE is 'MAGIC_1'"):
        cut(data.replace(b"'RICE_1  '", b"'MAGIC_1 '"), "[1][1:40,1:40]")
    for shortened in range(0, table.data_start + table.data_size, 500):
        with pytest.raises(SkyfsError):
            cut(data[:shortened], "[1][1:40,1:40]")


def test_a_source_that_ends_early_is_no_part() -> None:
    class Short(CountingSource):
        """Says that it is longer than it is."""

        @property
        def size(self) -> int:
            return len(LARGE)

    with pytest.raises(BadContent, match="truncated"):
        FITS.cut(Short(LARGE[:100000]), parse_selectors("[1:64,1:64]"), io.BytesIO())
