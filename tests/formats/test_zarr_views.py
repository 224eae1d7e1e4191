"""FITS and NPY files seen as Zarr: values and types are astropy's and numpy's; a chunk reads only itself."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyfs.abc.contents import Contents
from skyfs.errors import BadContent, IsDirectory, NotFound, Unsupported
from skyfs.formats import Formats
from skyfs.formats.fits_layout import extents
from skyfs.formats.zarr import Zarr
from skyfs.formats.zarr_store import ContentsStore
from skyfs.formats.zarr_views import CHUNK_BYTES, contiguous_chunks
from skyfs.testing.format_suite import MemorySource

FORMAT = Zarr()
RNG = np.random.default_rng(4)


def encoded(*hdus: Any) -> bytes:
    file = io.BytesIO()
    first = [] if isinstance(hdus[0], fits.PrimaryHDU) else [fits.PrimaryHDU()]
    fits.HDUList([*first, *hdus]).writeto(file)
    return file.getvalue()


def scaled(raw: np.ndarray, **keywords: Any) -> bytes:
    """Give an image extension whose stored values are exactly these, with BSCALE, BZERO or BLANK beside."""
    data = bytearray(encoded(fits.ImageHDU(raw, name="SCI")))
    header = fits.Header.fromstring(bytes(data[2880:5760]).decode())
    header.update(keywords)
    text: bytes = header.tostring().encode()
    assert len(text) == 2880
    return bytes(data[:2880]) + text + bytes(data[5760:])


def opened(data: bytes, extension: str = ".fits") -> tuple[Any, Contents, MemorySource]:
    source = MemorySource(data)
    contents = FORMAT.contents(source, extension)
    return zarr.open(ContentsStore(contents, source), mode="r"), contents, source


def images(data: bytes) -> Iterator[np.ndarray]:
    with fits.open(io.BytesIO(data)) as hdus:
        yield from (hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None)


def require_same(data: bytes) -> None:
    """Compare every array with astropy's, in order."""
    root, contents, _ = opened(data)
    names = [entry.name for entry in contents.children("") if entry.is_dir]
    expected = list(images(data))
    assert len(names) == len(expected)
    for name, image in zip(names, expected, strict=True):
        found = root[name][...]
        assert found.dtype == image.dtype.newbyteorder("="), name
        assert found.shape == image.shape, name
        assert np.array_equal(found, image, equal_nan=image.dtype.kind == "f"), name


# -- values --------------------------------------------------------------------------------------------

PIXELS = RNG.integers(-3000, 3000, (70, 90)).astype("i2")
FLOATS = RNG.normal(size=(70, 90)).astype("f4")


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_plain_and_unsigned_integers_and_floats(kind: str) -> None:
    info = np.iinfo(kind) if kind[0] in "iu" else None
    pixels = RNG.integers(info.min, info.max, (30, 40), kind) if info else FLOATS.astype(kind)
    require_same(encoded(fits.PrimaryHDU(pixels), fits.ImageHDU(pixels[:7], name="SCI")))


@pytest.mark.parametrize(
    "keywords",
    [
        {"BSCALE": 0.25, "BZERO": 10.0},
        {"BSCALE": 2, "BZERO": 32768},
        {"BZERO": 5},
        {"BLANK": -7},
        {"BSCALE": 0.1, "BLANK": 3},
        {"BSCALE": 0.5, "BLANK": 0},
        {"BZERO": 32768, "BLANK": 3},
    ],
)
@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_scaled(kind: str, keywords: dict[str, Any]) -> None:
    raw = np.arange(-40, 80).reshape(10, 12).astype(kind)
    if kind[0] == "f" and "BLANK" in keywords:
        keywords = {key: value for key, value in keywords.items() if key != "BLANK"}
    require_same(scaled(raw, **keywords))


@pytest.mark.parametrize(
    "options",
    [
        {"tile_shape": (32, 32)},
        {"tile_shape": (1, 90)},
        {"tile_shape": (70, 90)},
        {"tile_shape": (7, 90)},
        {"compression_type": "GZIP_1", "tile_shape": (20, 90)},
        {"compression_type": "GZIP_2", "tile_shape": (33, 40)},
        {"compression_type": "HCOMPRESS_1", "tile_shape": (35, 45)},
        {"compression_type": "PLIO_1", "tile_shape": (1, 90)},
    ],
)
def test_compressed(options: dict[str, Any]) -> None:
    pixels = np.abs(PIXELS) if options.get("compression_type") == "PLIO_1" else PIXELS
    require_same(encoded(fits.CompImageHDU(pixels, name="SCI", **options)))


@pytest.mark.parametrize("seed", [1, 9999, 10000])
@pytest.mark.parametrize("method", [-1, 1, 2])
@pytest.mark.parametrize("tile", [(1, 90), (16, 16)])
def test_quantized_with_dither(seed: int, method: int, tile: tuple[int, int]) -> None:
    pixels = FLOATS.copy()
    pixels[3, 4] = np.nan
    pixels[5] = 0
    hdu = fits.CompImageHDU(
        pixels, tile_shape=tile, quantize_method=method, dither_seed=seed, quantize_level=8
    )
    require_same(encoded(hdu))


def test_tiles_that_are_not_quantized() -> None:
    # Constant rows cannot be quantized: they are in another column.
    pixels = FLOATS.copy()
    pixels[10:20] = 1e30
    data = encoded(fits.CompImageHDU(pixels, tile_shape=(1, 90), quantize_level=16))
    assert b"GZIP_COMPRESSED_DATA" in data
    require_same(data)


def test_compressed_and_unsigned_or_cubes() -> None:
    cube = RNG.integers(0, 65535, (5, 20, 30)).astype("u2")
    require_same(
        encoded(
            fits.CompImageHDU(cube, tile_shape=(1, 1, 30)),
            fits.CompImageHDU(cube, tile_shape=(2, 8, 7)),
            fits.CompImageHDU(cube[0].astype("f8"), quantize_level=0, compression_type="GZIP_2"),
        )
    )


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """Give a file of one image, plain, scaled, or compressed in tiles of any shape."""
    shape = tuple(draw(st.lists(st.integers(1, 23), min_size=1, max_size=3)))
    kind = draw(st.sampled_from(["u1", "i2", "u2", "i4", "u4", "f4", "f8"]))
    seed = draw(st.integers(0, 1000))
    pixels = np.random.default_rng(seed).normal(100, 50, shape)
    pixels = (np.abs(pixels) if kind[0] == "u" else pixels).astype(kind)
    way = draw(st.sampled_from(["plain", "scaled", "compressed"]))
    if way == "scaled" and kind[0] != "u" and kind != "f8":
        scale = draw(st.sampled_from([{"BSCALE": 0.5}, {"BZERO": -3.0}, {"BSCALE": 0.1, "BZERO": 7}]))
        return scaled(pixels, **scale)
    if way == "compressed":
        tile = tuple(draw(st.integers(1, size)) for size in shape)
        method = draw(st.sampled_from(["RICE_1", "GZIP_1", "GZIP_2"]))
        lossless = {} if kind[0] != "f" or method == "RICE_1" else {"quantize_level": 0}
        return encoded(fits.CompImageHDU(pixels, compression_type=method, tile_shape=tile, **lossless))
    return encoded(fits.PrimaryHDU(pixels))


@given(pictures())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_image_is_astropys(data: bytes) -> None:
    require_same(data)


def test_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyfs.formats.zarr_views.CHUNK_BYTES", 1000)
    cube = RNG.integers(-99, 99, (3, 20, 30)).astype("i2")
    data = encoded(fits.PrimaryHDU(cube), fits.ImageHDU(cube.astype("u2")), fits.ImageHDU(np.arange(2000.0)))
    require_same(data)
    root, _, _ = opened(data)
    assert root["0"].chunks == (1, 16, 30)
    assert root["2"].chunks == (125,)


# -- names and attributes ------------------------------------------------------------------------------


def named(*names: tuple[str, int] | None) -> list[str]:
    hdus = [
        fits.ImageHDU(PIXELS) if name is None else fits.ImageHDU(PIXELS, name=name[0], ver=name[1])
        for name in names
    ]
    contents = opened(encoded(*hdus))[1]
    return [entry.name for entry in contents.children("") if entry.is_dir]


def test_arrays_are_named_by_extname_extver_or_number() -> None:
    assert named(("SCI", 1), ("ERR", 1), None) == ["SCI", "ERR", "3"]
    assert named(("SCI", 1), ("SCI", 2), ("SCI", 2)) == ["SCI_1", "SCI_2", "3"]
    assert named(("SCI", 1), ("sci", 2)) == ["SCI_1", "SCI_2"]
    assert named(("3", 1), ("a/b", 1), None) == ["3", "2", "hdu_3"]
    assert named(("ZARR.JSON", 1), ("_HIDDEN", 1), ("..", 1)) == ["ZARR.JSON", "2", "3"]


def test_attributes_are_the_header() -> None:
    primary = fits.PrimaryHDU(FLOATS)
    primary.header["OBJECT"] = ("M31", "a galaxy")
    primary.header["EXPTIME"] = 30.5
    primary.header["HISTORY"] = "made"
    primary.header["HISTORY"] = "changed"
    rice = fits.CompImageHDU(PIXELS, fits.Header({"OBJECT": "M33"}), name="SCI")
    root, contents, source = opened(encoded(primary, rice))
    assert root.attrs["OBJECT"] == root["0"].attrs["OBJECT"] == "M31"
    assert root.attrs["HISTORY"] == ["made", "changed"]
    found = dict(root["SCI"].attrs)
    assert (found["OBJECT"], found["XTENSION"], found["BITPIX"], found["NAXIS1"]) == ("M33", "IMAGE", 16, 90)
    assert not any(key.startswith(("ZCMP", "TFORM")) for key in found)
    document = json.loads(contents.open(source, "zarr.json").read_all())
    assert set(document["consolidated_metadata"]["metadata"]) == {"0", "SCI"}


def test_axes_of_one_length_have_one_name() -> None:
    root, _, _ = opened(
        encoded(fits.PrimaryHDU(PIXELS), fits.ImageHDU(PIXELS[:9]), fits.ImageHDU(np.ones((2, 3, 4))))
    )
    names = [root[name].metadata.dimension_names for name in ("0", "1", "2")]
    assert names == [("y", "x"), ("y_9", "x"), ("axis3", "y_3", "x_4")]


def test_files_without_images_are_empty_groups() -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    root, _, _ = opened(encoded(fits.PrimaryHDU(), table))
    assert dict(root.members()) == {}


# -- what is read --------------------------------------------------------------------------------------

LARGE = RNG.integers(-3000, 3000, (2000, 1000)).astype("i2")


def test_a_plain_chunk_is_a_range_of_the_original() -> None:
    data = encoded(fits.PrimaryHDU(LARGE))
    _, contents, source = opened(data)
    rows = CHUNK_BYTES // 2000
    before = source.bytes_read
    chunk = contents.open(source, "0/c/1/0").read_all()
    assert source.bytes_read - before == len(chunk) == rows * 2000
    assert chunk in data
    before = source.bytes_read
    assert contents.open(source, "0/c/2/0").read(10, 30) == data[2880 + 2 * len(chunk) :][10:30]
    assert source.bytes_read - before == 20


def test_the_last_chunk_is_filled_up() -> None:
    _, contents, source = opened(encoded(fits.PrimaryHDU(LARGE)))
    rows = CHUNK_BYTES // 2000
    last = len(LARGE) // rows
    before = source.bytes_read
    file = contents.open(source, f"0/c/{last}/0")
    chunk = file.read_all()
    left = (len(LARGE) - last * rows) * 2000
    assert source.bytes_read - before == left
    assert len(chunk) == file.size == rows * 2000
    assert not any(chunk[left:])
    assert file.read(left - 4, left + 4) == chunk[left - 4 : left + 4]


def test_a_scaled_chunk_reads_its_pixels() -> None:
    _, contents, source = opened(encoded(fits.ImageHDU(LARGE.astype("u2"), name="SCI")))
    before = source.bytes_read
    file = contents.open(source, "SCI/c/0/0")
    assert source.bytes_read == before
    assert file.size == CHUNK_BYTES // 2000 * 2000
    file.read_all()
    assert source.bytes_read - before == file.size


@pytest.mark.parametrize("tile", [(128, 128), (1, 1000)])
def test_a_compressed_chunk_reads_its_tiles_and_their_descriptors(tile: tuple[int, int]) -> None:
    data = encoded(fits.CompImageHDU(LARGE, name="SCI", tile_shape=tile))
    extent = next(one for one in extents(MemorySource(data)) if one.compressed)
    root, contents, source = opened(data)
    headers = source.bytes_read
    assert headers < 4 * 11_520
    chunk = contents.open(source, "SCI/c/3/0")
    assert source.bytes_read == headers, "its size is known without decoding"
    assert chunk.size == np.prod(root["SCI"].chunks) * 2
    chunk.read_all()
    tiles = max(chunk.size // (2 * tile[0] * tile[1]), 1)
    with fits.open(io.BytesIO(data), disable_image_compression=True) as hdus:
        row = 3 * (8 if tile[0] > 1 else tiles)
        sizes = hdus[1].data.field("COMPRESSED_DATA")[row : row + tiles]
        needed = sum(map(len, sizes)) * sizes[0].itemsize
    # Descriptors come some at a time; they serve the neighbours, too.
    assert needed < source.bytes_read - headers <= needed + 2 * 4096
    assert extent.data_size > 5 * needed
    before = source.bytes_read
    contents.open(source, "SCI/c/3/0").read_all()
    assert source.bytes_read - before == needed


def test_opening_reads_headers_only() -> None:
    _, _, source = opened(encoded(fits.PrimaryHDU(LARGE), *[fits.ImageHDU(LARGE)] * 3))
    # Twice: once for the images, once for the primary header; 4 blocks at a time.
    assert source.bytes_read < 10 * 11_520


# -- paths inside --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "1",
        "0/c/1/0",
        "0/c/00/0",
        "0/c/0/0/0",
        "0/c/-1/0",
        "0/c/0/x",
        "0/x",
        "0/.zarray",
        "zarr.json/x",
        ".zgroup",
    ],
)
def test_there_is_nothing_else_inside(path: str) -> None:
    _, contents, source = opened(encoded(fits.PrimaryHDU(PIXELS)))
    with pytest.raises(NotFound):
        contents.entry(path)
    with pytest.raises(NotFound):
        contents.open(source, path)


def test_folders_inside_are_no_files() -> None:
    _, contents, source = opened(encoded(fits.PrimaryHDU(PIXELS)))
    for path in ("", "0", "0/c", "0/c/0"):
        assert contents.entry(path).is_dir
        with pytest.raises(IsDirectory):
            contents.open(source, path)
    paths = {entry.path: entry.size for entry in contents.files()}
    assert set(paths) == {"zarr.json", "0/zarr.json", "0/c/0/0"}
    assert paths["0/c/0/0"] == PIXELS.nbytes


# -- NPY -----------------------------------------------------------------------------------------------


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["?", "i1", "<u2", ">u2", "<i8", ">f4", "<f8", "<f2", "<c8", ">c16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(kind: str, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyfs.formats.zarr_views.CHUNK_BYTES", 100)
    array = np.asarray(RNG.normal(size=(4, 9, 5)) * 50, order=order).astype(kind, order=order)
    root, _, _ = opened(npy(array), ".npy")
    assert root[...].dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(root[...], array)
    assert np.prod(root.chunks) * array.itemsize <= 100


@pytest.mark.parametrize("array", [np.float32(3), np.zeros((0, 4)), np.zeros((3, 0), "i2"), np.arange(3)])
def test_npy_of_odd_shapes(array: Any) -> None:
    root, _, _ = opened(npy(np.asarray(array)), ".npy")
    assert np.array_equal(root[...], array)
    assert root.shape == np.shape(array)


def test_npy_that_zarr_cannot_hold_as_it_is() -> None:
    with pytest.raises(Unsupported, match="Zarr"):
        opened(npy(np.zeros(3, "g")), ".npy")


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=4), st.sampled_from([1, 2, 8]))
def test_chunks_are_contiguous_and_no_larger_than_asked(shape: list[int], itemsize: int) -> None:
    chunks = contiguous_chunks(tuple(shape), itemsize)
    assert np.prod(chunks, dtype=object) * itemsize <= CHUNK_BYTES
    split = [n for n, (chunk, size) in enumerate(zip(chunks, shape, strict=True)) if chunk < size]
    if split:
        assert all(chunk == 1 for chunk in chunks[: split[-1]])


# -- whole files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", [".fits.gz", ".fits.bz2", ".fits.fz"])
def test_packed_files(extension: str, formats: Formats) -> None:
    file = io.BytesIO()
    formats.write(fits.HDUList([fits.PrimaryHDU(PIXELS)]), file, extension, "Hdus")
    source = MemorySource(file.getvalue())
    contents = formats.contents(source, extension, ".zarr")
    root: Any = zarr.open(ContentsStore(contents, source), mode="r")
    (array,) = root.array_values()
    assert np.array_equal(array[...], PIXELS)
    assert bool(contents.held_bytes) == (extension != ".fits.fz")


def test_zip_of_a_view_has_what_the_view_shows(formats: Formats) -> None:
    data = encoded(fits.PrimaryHDU(PIXELS), fits.CompImageHDU(PIXELS.astype("u2"), name="SCI"))
    file = io.BytesIO()
    formats.convert(MemorySource(data), ".fits", "Hdus", ".zarr.zip", file)
    found: Any = FORMAT.read(MemorySource(file.getvalue()), "ZarrGroup")
    assert np.array_equal(found["0"][...], PIXELS)
    assert np.array_equal(found["SCI"][...], PIXELS.astype("u2"))


def test_bad_bytes_give_bad_content() -> None:
    data = encoded(fits.PrimaryHDU(PIXELS), fits.CompImageHDU(PIXELS, name="SCI", tile_shape=(32, 32)))
    for kept in (0, 100, 3000, len(data) - 3000):
        with pytest.raises(BadContent):
            opened(data[:kept])
    with pytest.raises(BadContent):
        opened(b"no fits" * 1000)


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_damage_gives_other_values_or_bad_content() -> None:
    data = encoded(fits.CompImageHDU(PIXELS, name="SCI", tile_shape=(32, 32)))
    start = next(one for one in extents(MemorySource(data)) if one.compressed).start
    for place in range(start, len(data), 331):
        damaged = data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :]
        source = MemorySource(damaged)
        try:
            contents = FORMAT.contents(source, ".fits")
            for entry in list(contents.files())[:40]:
                contents.open(source, entry.path).read_all()
        except BadContent:
            pass


def test_real_images(real_data: Path) -> None:
    for path in sorted((real_data / "images").glob("*.fits")):
        require_same(path.read_bytes())


def test_blank_of_floats_is_ignored_as_astropy_does() -> None:
    with pytest.warns(VerifyWarning, match="BLANK"):
        require_same(scaled(FLOATS, BLANK=3))
