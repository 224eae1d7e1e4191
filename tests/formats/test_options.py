"""Writer options of FITS and parquet, as their own libraries see them in the file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from pyarrow import parquet

from skyfs.errors import BadArgument
from skyfs.formats import Formats

from .samples import dump, exposure

PIXELS = np.random.default_rng(3).normal(100.0, 5.0, (64, 96)).astype("f4")


def packed(options: dict[str, object], value: object = PIXELS, kind: str = "Array") -> Any:  # noqa: ANN401
    """Give the tables that hold compressed images, of what a type with these options writes."""
    formats = Formats.load({"types": {"raw": {"extension": ".fits", "options": options}}})
    data = dump(formats, value, ".fits", kind, "raw")
    return fits.open(io.BytesIO(data), disable_image_compression=True)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
def test_fits_compression(kind: str) -> None:
    pixels = PIXELS.astype("i2")
    assert packed({"compression": kind}, pixels)[1].header["ZCMPTYPE"] == kind


def test_fits_tiles() -> None:
    header = packed({"compression": "GZIP_2", "tile_shape": [16, 32]})[1].header
    assert (header["ZTILE1"], header["ZTILE2"]) == (32, 16)
    hdus = packed({"compression": "GZIP_2", "tile_shape": [2, 5]}, exposure(), "Exposure")
    assert [hdu.header.get("ZTILE1") for hdu in hdus if hdu.name in ("IMAGE", "MASK", "VARIANCE")] == [
        5,
        5,
        5,
    ]


def test_fits_quantization() -> None:
    exact = packed({"compression": "GZIP_2"})
    rough = packed(
        {"compression": "RICE_1", "quantize_level": 4.0, "quantize_method": "dither_1", "dither_seed": 7}
    )
    assert rough[1].header["ZQUANTIZ"] == "SUBTRACTIVE_DITHER_1"
    assert rough[1].header["ZDITHER0"] == 7
    assert "ZSCALE" in rough[1].columns.names
    assert "ZSCALE" not in exact[1].columns.names
    formats = Formats.load({"types": {"raw": {"options": {"compression": "RICE_1", "quantize_level": 4.0}}}})
    with fits.open(io.BytesIO(dump(formats, PIXELS, ".fits", "Array", "raw"))) as hdus:
        error = np.abs(hdus[1].data - PIXELS).max()
    assert 0 < error < 5.0


def test_fits_checksum() -> None:
    assert "CHECKSUM" in packed({"checksum": True})[0].header
    assert "CHECKSUM" not in packed({})[0].header


def table_file(options: dict[str, object]) -> parquet.ParquetFile:
    formats = Formats.load({"types": {"src": {"extension": ".parquet", "options": options}}})
    table = Table({"id": np.arange(1000), "name": ["a", "b"] * 500})
    return parquet.ParquetFile(io.BytesIO(dump(formats, table, ".parquet", "Table", "src")))


def test_parquet_row_groups() -> None:
    assert table_file({"row_group_size": 300}).metadata.num_row_groups == 4
    assert table_file({}).metadata.num_row_groups == 1


@pytest.mark.parametrize(
    ("options", "seen"),
    [({}, "ZSTD"), ({"compression": "snappy"}, "SNAPPY"), ({"compression": "none"}, "UNCOMPRESSED")],
)
def test_parquet_compression(options: dict[str, object], seen: str) -> None:
    group = table_file(options).metadata.row_group(0)
    assert {group.column(number).compression for number in range(2)} == {seen}


@pytest.mark.parametrize(
    ("dictionary", "seen"), [(True, {"id", "name"}), (False, set()), (["name"], {"name"})]
)
def test_parquet_dictionaries(dictionary: object, seen: set[str]) -> None:
    group = table_file({"dictionary": dictionary}).metadata.row_group(0)
    columns = [group.column(number) for number in range(2)]
    assert {column.path_in_schema for column in columns if column.has_dictionary_page} == seen


@pytest.mark.parametrize(
    ("extension", "storage_class", "options"),
    [
        (".fits", "Array", {"compression": "LZ4"}), (".fits", "Array", {"tile_shape": [4, 4]}),
        (".fits", "Array", {"compresion": "RICE_1"}), (".fits.gz", "Array", {"level": 10}),
        (".parquet", "Table", {"compression": "middle"}), (".parquet", "Table", {"row_group_size": "big"}),
        (".parquet", "Table", {"dictionary": 3}), (".parquet", "Table", {"chunks": 3}),
        (".csv", "Table", {"compression": "gzip"}), (".npy", "Array", {"compression": "gzip"}),
    ],
)  # fmt: skip
def test_options_that_mean_nothing(extension: str, storage_class: str, options: dict[str, object]) -> None:
    formats = Formats.load({"types": {"raw": {"extension": extension, "options": options}}})
    value = PIXELS if storage_class == "Array" else Table({"a": [1, 2]})
    with pytest.raises(BadArgument):
        dump(formats, value, extension, storage_class, "raw")
