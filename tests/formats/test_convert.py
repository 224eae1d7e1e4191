"""The same dataset with another extension."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from skyfs.errors import BadContent, Unsupported
from skyfs.formats import Formats
from skyfs.formats.preview import write_preview
from skyfs.testing.format_suite import MemorySource

from .samples import dump, hdus, image, load, same_array, same_table, small_table


def converted(formats: Formats, data: bytes, extension: str, storage_class: str, to_extension: str) -> bytes:
    file = io.BytesIO()
    assert formats.can_convert(extension, storage_class, to_extension)
    formats.convert(MemorySource(data), extension, storage_class, to_extension, file)
    formats.check(MemorySource(file.getvalue()), to_extension)
    return file.getvalue()


def picture(data: bytes) -> np.ndarray:
    opened = Image.open(io.BytesIO(data))
    assert opened.mode == "L"
    return np.asarray(opened)


@pytest.mark.parametrize("first", [".parquet", ".fits", ".ecsv", ".vot", ".fits.gz"])
@pytest.mark.parametrize("second", [".parquet", ".fits", ".ecsv", ".vot", ".fits.bz2"])
def test_tables_go_everywhere(formats: Formats, first: str, second: str) -> None:
    data = dump(formats, small_table(), first, "Table")
    there = converted(formats, data, first, "Table", second)
    assert same_table(load(formats, MemorySource(there), second, "Table"), small_table())


def test_table_as_csv(formats: Formats) -> None:
    data = converted(formats, dump(formats, small_table(), ".parquet", "Table"), ".parquet", "Table", ".csv")
    assert data.decode().splitlines()[1] == '1,1.5,"a"'


def test_a_table_inside_any_fits_file(formats: Formats) -> None:
    data = converted(formats, dump(formats, hdus(), ".fits", "Hdus"), ".fits", "Hdus", ".parquet")
    assert load(formats, MemorySource(data), ".parquet", "Table")["x"].tolist() == [0, 1, 2, 3, 4]


def test_image_as_array(formats: Formats) -> None:
    data = converted(formats, dump(formats, image(), ".fits", "Image"), ".fits", "Image", ".npy")
    assert same_array(load(formats, MemorySource(data), ".npy", "Array"), image().data)
    back = converted(formats, data, ".npy", "Array", ".fits")
    assert same_array(load(formats, MemorySource(back), ".fits", "Array"), image().data)


def test_compression_of_the_same_dataset(formats: Formats) -> None:
    data = dump(formats, hdus(), ".fits", "Hdus")
    packed = converted(formats, data, ".fits", "Hdus", ".fits.gz")
    assert converted(formats, packed, ".fits.gz", "Hdus", ".fits") == data
    assert converted(formats, data, ".fits", "Hdus", ".fits") == data


def test_json_and_yaml(formats: Formats) -> None:
    data = converted(formats, b'{"b": 1, "a": [null]}', ".json", "Dict", ".yaml")
    assert data == b"b: 1\na:\n- null\n"


def test_headers_as_json(formats: Formats) -> None:
    found = json.loads(
        converted(formats, dump(formats, image(), ".fits", "Image"), ".fits", "Image", ".json")
    )
    assert {"hdu": 0, "keyword": "OBJECT", "value": "M31", "comment": ""} in found
    assert {card["hdu"] for card in found} == {0, 1, 2}
    assert all(set(card) == {"hdu", "keyword", "value", "comment"} for card in found)


def test_preview_has_its_first_row_at_the_bottom(formats: Formats) -> None:
    pixels = np.zeros((20, 30), "f4")
    pixels[0] = 100.0
    found = picture(converted(formats, dump(formats, pixels, ".fits", "Array"), ".fits", "Array", ".png"))
    assert found.shape == (20, 30)
    assert found[-1].min() > found[0].max()


def test_preview_of_nan_and_constants() -> None:
    def grey(array: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        write_preview(array, file)
        return picture(file.getvalue())

    ramp = np.arange(100.0).reshape(10, 10)
    ramp[5, 5], ramp[6, 6], ramp[7, 7] = np.nan, np.inf, -np.inf
    found = grey(ramp)[::-1]
    assert found[5, 5] == found[6, 6] == found[7, 7] == 0
    assert found[9, 9] > 200
    assert grey(np.full((3, 3), np.nan)).max() == 0
    assert grey(np.full((3, 3), 7)).shape == (3, 3)
    assert grey(np.arange(12, dtype=">u2").reshape(1, 3, 4)).shape == (3, 4)
    assert grey(np.eye(4, dtype=bool)).shape == (4, 4)


def test_preview_of_a_large_image_is_averaged() -> None:
    large = np.zeros((4100, 30), "f4")
    large[:3, :3] = [[9.0, np.nan, 9.0]] * 3
    file = io.BytesIO()
    write_preview(large, file)
    found = picture(file.getvalue())
    assert found.shape == (1367, 10)
    assert found[-1, 0] == 255, "the block average leaves out what is not finite"
    assert found[-1, 1] == 0


def test_preview_of_a_compressed_image_and_a_real_one(formats: Formats, real_data: Path) -> None:
    pixels = np.arange(600, dtype="i4").reshape(20, 30)
    data = dump(formats, fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]), ".fits", "Hdus")
    assert picture(converted(formats, data, ".fits", "Hdus", ".png")).shape == (20, 30)
    real = (real_data / "images" / "HorseHead.fits").read_bytes()
    assert 20 < picture(converted(formats, real, ".fits", "Hdus", ".png")).mean() < 235


def test_what_does_not_convert(formats: Formats) -> None:
    for extension, storage_class, to_extension in (
        (".parquet", "Table", ".png"), (".json", "Dict", ".fits"), (".txt", "Text", ".json"),
        (".png", "Bytes", ""),
        (".fits", "Hdus", ".txt"), (".fits", "Hdus", ".nope"),
        (".nope", "Hdus", ".fits"), (".fits", "Bytes", ".png"),
    ):  # fmt: skip
        assert not formats.can_convert(extension, storage_class, to_extension)
    with pytest.raises(Unsupported, match=r"'\.parquet' cannot be shown as '\.png'"):
        formats.convert(
            MemorySource(dump(formats, small_table(), ".parquet", "Table")),
            ".parquet",
            "Table",
            ".png",
            io.BytesIO(),
        )


def test_files_that_have_nothing_to_show(formats: Formats) -> None:
    table = dump(formats, small_table(), ".fits", "Table")
    with pytest.raises(Unsupported, match="no image"):
        formats.convert(MemorySource(table), ".fits", "Hdus", ".png", io.BytesIO())
    cube = dump(formats, np.zeros((2, 3, 4)), ".fits", "Array")
    with pytest.raises(Unsupported, match="2-d"):
        formats.convert(MemorySource(cube), ".fits", "Hdus", ".png", io.BytesIO())
    with pytest.raises(BadContent):
        formats.convert(MemorySource(table[:-4000]), ".fits", "Hdus", ".png", io.BytesIO())
