"""Every pair of extensions between which a dataset converts, and none else."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import MaskedColumn, Table
from PIL import Image

from skyfs.errors import BadArgument, Unsupported
from skyfs.formats import Formats
from skyfs.testing.format_suite import MemorySource

from .samples import dump, exposure, image, load, same_array, same_column, same_image, same_table

FORMATS = Formats.load()

# What each storage class converts between, both ways.
FITS = (".fits", ".fit", ".fits.gz", ".fits.bz2", ".fits.fz")
TREES = (".h5", ".hdf5", ".asdf")
DOCUMENTS = (".json", ".yaml", ".yml")
GROUPS: dict[str, tuple[str, ...]] = {
    "Image": (*FITS, *TREES),
    "Exposure": (*FITS, *TREES),
    "Table": (*FITS, *TREES, ".parquet", ".ecsv", ".csv", ".vot", ".xml"),
    "Array": (*FITS, *TREES, ".npy"),
    "Dict": (*DOCUMENTS, *TREES),
}
# What shows one of `.fits`, but keeps only a part of it.
PICTURES = (".png", ".jpg", ".jpeg")
SHOWN: dict[str, tuple[str, ...]] = {
    "Image": (".npy", ".json", *PICTURES),
    "Exposure": (".npy", ".json", *PICTURES),
    "Array": (".json", *PICTURES),
    "Table": (".json",),
    "Hdus": (*GROUPS["Table"], ".npy", ".json", *PICTURES),
    "Mask": (*FITS, *TREES, ".npy", ".json", *PICTURES),
    "Header": (*FITS, ".json"),
    "Wcs": (*FITS, ".json"),
}
DOCUMENT = {
    "b": 1,
    "a": [1.5, 2.5],
    "c": {"text": "\u00e9", "none": None, "flags": [True, False], "mixed": [1, "x"]},
}


def table() -> Table:
    """What every format of tables keeps, and some that few do."""
    found = Table({"id": np.array([1, 2, 3], "i8"), "flux": [1.5, -2.25, 1e300], "name": ["a", "bb", "c c"]})
    found["flux"].unit = "Jy"
    found["count"] = MaskedColumn(np.array([1, 2, 3], "i8"), mask=[False, True, False], unit="s")
    found["flag"] = [True, False, True]
    found.meta = {"SURVEY": "test", "DEPTH": 3}
    return found


def pairs(storage_class: str) -> list[tuple[str, str]]:
    group = GROUPS[storage_class]
    # Aliases are the same class: one of each is enough as a source.
    sources = [one for one in group if one not in (".fit", ".hdf5", ".yml", ".xml")]
    return [(first, second) for first in sources for second in group if second != first]


def converted(data: bytes, storage_class: str, first: str, second: str) -> bytes:
    assert FORMATS.can_convert(first, storage_class, second)
    file = io.BytesIO()
    FORMATS.convert(MemorySource(data), first, storage_class, second, file)
    FORMATS.check(MemorySource(file.getvalue()), second)
    return file.getvalue()


def there(value: object, storage_class: str, first: str, second: str) -> Any:
    data = converted(dump(FORMATS, value, first, storage_class), storage_class, first, second)
    return load(FORMATS, MemorySource(data), second, storage_class)


@pytest.mark.parametrize(("first", "second"), pairs("Table"))
def test_tables(first: str, second: str) -> None:
    whole = table()
    found = there(whole, "Table", first, second)
    assert found.colnames == whole.colnames
    plain = ".csv" in (first, second)
    for name in whole.colnames:
        expected = whole[name].copy()
        expected.unit = None if plain else expected.unit
        assert same_column(found[name], expected), name
    keeps = {first, second}.isdisjoint({".csv", ".vot", ".xml"})
    assert not keeps or {key: found.meta.get(key) for key in whole.meta} == whole.meta


@pytest.mark.parametrize(("first", "second"), pairs("Image"))
def test_images(first: str, second: str) -> None:
    found = there(image(), "Image", first, second)
    assert same_image(found, image())
    assert type(found.uncertainty) is type(image().uncertainty)


@pytest.mark.parametrize(("first", "second"), pairs("Exposure"))
def test_exposures(first: str, second: str) -> None:
    assert there(exposure(), "Exposure", first, second) == exposure()


@pytest.mark.parametrize(("first", "second"), pairs("Array"))
def test_arrays(first: str, second: str) -> None:
    for array in (np.arange(12, dtype="f4").reshape(3, 4), np.arange(8, dtype="u2").reshape(2, 2, 2)):
        assert same_array(there(array, "Array", first, second), array)


@pytest.mark.parametrize(("first", "second"), pairs("Dict"))
def test_documents(first: str, second: str) -> None:
    assert there(DOCUMENT, "Dict", first, second) == DOCUMENT


@pytest.mark.parametrize("storage_class", FORMATS.storage_classes)
def test_no_other_pairs(storage_class: str) -> None:
    """What is not among the pairs above is refused, before it is tried and when it is."""
    group = GROUPS.get(storage_class, ())
    shown = SHOWN.get(storage_class, {"List": DOCUMENTS}.get(storage_class, ()))
    own = {"Text": ".txt", "Bytes": "", "Dict": ".json", "List": ".json", "ZarrGroup": ".zarr.zip"}
    stored = own.get(storage_class, ".fits")
    allowed = {stored, *group, *shown}
    # What is shown as a Zarr folder is tested with the views.
    for extension in set(FORMATS.extensions) - {".zarr", ".zarr.zip"}:
        assert FORMATS.can_convert(stored, storage_class, extension) == (extension in allowed), extension
        if extension not in allowed:
            with pytest.raises(Unsupported, match="cannot be shown as"):
                FORMATS.convert(MemorySource(b""), stored, storage_class, extension, io.BytesIO())


@pytest.mark.parametrize("source", [*FITS, *TREES])
def test_images_are_shown(source: str) -> None:
    pixels = np.zeros((20, 30), "f4")
    pixels[0] = 100.0
    for storage_class in ("Image", "Exposure", "Array"):
        data = dump(FORMATS, pixels, source, storage_class)
        for extension in PICTURES:
            opened = Image.open(io.BytesIO(converted(data, storage_class, source, extension)))
            found = np.asarray(opened)
            assert found.shape == (20, 30)
            assert opened.format == ("PNG" if extension == ".png" else "JPEG")
            assert found[-1].min() > found[0].max(), "the first row is at the bottom"
        array = converted(data, storage_class, source, ".npy")
        assert same_array(load(FORMATS, MemorySource(array), ".npy", "Array"), pixels)


@pytest.mark.parametrize("kind", ["pandas", "arrow", "numpy"])
@pytest.mark.parametrize("extension", [".parquet", ".h5", ".asdf", ".fits"])
def test_tables_as_other_types(extension: str, kind: str) -> None:
    columns = table()[["id", "name"]]
    data = dump(FORMATS, columns, extension, "Table")
    found = load(FORMATS, MemorySource(data), extension, "Table", kind)
    assert [int(one) for one in np.asarray(found["id"])] == [1, 2, 3]
    again = dump(FORMATS, found, extension, "Table")
    assert same_table(load(FORMATS, MemorySource(again), extension, "Table"), columns)


def test_what_the_other_format_cannot_hold_is_refused_or_listed() -> None:
    with pytest.raises(BadArgument, match="JSON has no"):
        there({"a": float("nan")}, "Dict", ".yaml", ".json")
    with pytest.raises(BadArgument, match="one value in a cell"):
        there(Table({"a": np.zeros((2, 2))}), "Table", ".parquet", ".csv")
    assert there({"a": np.arange(3)}, "Dict", ".h5", ".json") == {"a": [0, 1, 2]}
    assert isinstance(there(exposure(), "Image", ".fits", ".h5"), CCDData)
