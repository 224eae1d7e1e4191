"""The catalogue of formats: configuration, entry points, types, options."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table

from skyfs.errors import (
    BadArgument,
    BadConfig,
    BadContent,
    BadDefinition,
    MissingPackage,
    UnknownFormat,
    Unsupported,
)
from skyfs.formats import Formats
from skyfs.formats.json import Json
from skyfs.model.storage import StorageClass
from skyfs.testing.format_suite import MemorySource

from .samples import dump, image, same_array, same_table, small_table


class Metrics:
    """A user's own type."""

    def __init__(self, values: dict[str, object]) -> None:
        self.values = values

    @staticmethod
    def as_dict(metrics: Metrics) -> dict[str, object]:
        """Give the values."""
        return metrics.values


def read(
    formats: Formats, data: bytes, extension: str, storage_class: str, as_: type | str | None = None
) -> Any:
    return formats.read(MemorySource(data), extension, storage_class, as_)


def test_importing_and_loading_load_nothing_heavy() -> None:
    code = (
        "import sys; from skyfs.formats import Formats; f = Formats.load(); f.knows('.fits'); f.extensions;"
        "f.format('.fits'); f.format('.parquet');"
        "print([m for m in ('numpy', 'astropy', 'pyarrow', 'pandas', 'PIL') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("extension", "storage_class"),
    [
        (".fits", "Hdus"), (".parquet", "Table"), (".ecsv", "Table"), (".csv", "Table"), (".vot", "Table"),
        (".json", "Dict"), (".yaml", "Dict"), (".npy", "Array"), (".txt", "Text"), ("", "Bytes"),
        (".png", "Bytes"),
    ],
)  # fmt: skip
def test_the_most_general_storage_class(formats: Formats, extension: str, storage_class: str) -> None:
    assert formats.storage_class_for(extension) == storage_class
    assert formats.knows(extension)
    assert extension in formats.extensions


def test_every_built_in_name_leads_somewhere(formats: Formats) -> None:
    for extension in formats.extensions:
        assert extension in formats.format(extension).extensions
    for name in formats.storage_classes:
        assert formats.knows(formats.extension_for(name))
        assert formats.storage_class(name).doc


def test_unknown_names_come_with_the_nearest(formats: Formats) -> None:
    with pytest.raises(UnknownFormat, match=r"'\.parqet'.*'\.parquet'"):
        formats.format(".parqet")
    with pytest.raises(BadDefinition, match=r"'Tabel'.*'Table'"):
        formats.storage_class("Tabel")
    with pytest.raises(UnknownFormat):
        formats.read(MemorySource(b"x"), ".nope", "Bytes")


@pytest.mark.parametrize(
    ("as_", "kind"),
    [
        ("pandas", pd.DataFrame), ("arrow", pa.Table), ("numpy", np.ndarray), ("table", Table),
        (pd.DataFrame, pd.DataFrame), ("pandas.DataFrame", pd.DataFrame), ("pyarrow:Table", None),
        ("pyarrow.lib.Table", pa.Table), ("astropy.table.table.Table", Table),
    ],
)  # fmt: skip
def test_as_other_types(formats: Formats, as_: type | str, kind: type | None) -> None:
    data = dump(formats, small_table(), ".parquet", "Table")
    if kind is None:
        with pytest.raises(BadArgument, match="one of"):
            read(formats, data, ".parquet", "Table", as_)
        return
    found: Any = read(formats, data, ".parquet", "Table", as_)
    assert isinstance(found, kind)
    assert len(read(formats, data, ".parquet", "Table", as_)) == 3


def test_as_a_type_without_converter(formats: Formats) -> None:
    data = dump(formats, small_table(), ".parquet", "Table")
    with pytest.raises(BadArgument, match=r"cannot make fractions\.Fraction of astropy"):
        read(formats, data, ".parquet", "Table", "fractions.Fraction")
    with pytest.raises(MissingPackage, match="no_such_package"):
        read(formats, data, ".parquet", "Table", "no_such_package.Thing")
    with pytest.raises(BadArgument, match="NoSuch"):
        read(formats, data, ".parquet", "Table", "fractions.NoSuch")
    with pytest.raises(BadArgument, match="pandas, arrow"):
        read(formats, data, ".parquet", "Table", "polaris")


def test_two_hops(formats: Formats) -> None:
    """A FITS file as a DataFrame: through Table."""
    data = dump(formats, small_table(), ".fits", "Table")
    found = read(formats, data, ".fits", "Hdus", "pandas")
    assert isinstance(found, pd.DataFrame)
    assert list(found["name"]) == ["a", "bb", "c c"]


@pytest.mark.parametrize("extension", [".parquet", ".ecsv", ".fits"])
def test_tables_of_other_kinds_are_written(formats: Formats, extension: str) -> None:
    table = small_table()
    table["flux"].unit = None
    for value in (table.to_pandas(), pa.table(dict(table.columns)), table.as_array()):
        found = read(formats, dump(formats, value, extension, "Table"), extension, "Table")
        assert same_table(found, table), type(value)


def test_images_of_other_kinds_are_written(formats: Formats) -> None:
    pixels = np.arange(6, dtype="f4").reshape(2, 3)
    for value in (
        pixels,
        fits.PrimaryHDU(pixels),
        fits.ImageHDU(pixels),
        fits.HDUList([fits.PrimaryHDU(pixels)]),
    ):
        found = read(formats, dump(formats, value, ".fits", "Image"), ".fits", "Image")
        assert isinstance(found, CCDData)
        assert found.unit == "adu"
        assert same_array(found.data, pixels)
    for value in (
        pixels,
        fits.PrimaryHDU(pixels),
        fits.ImageHDU(pixels),
        image(),
        small_table(),
        small_table().to_pandas(),
    ):
        found = read(formats, dump(formats, value, ".fits", "Hdus"), ".fits", "Hdus")
        assert isinstance(found, fits.HDUList)


def test_other_values_are_converted(formats: Formats, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    for value in (b"abc", bytearray(b"abc"), memoryview(b"abc"), tmp_path / "x"):
        assert dump(formats, value, ".fits", "Bytes") == b"abc"
    header = fits.Header([("OBJECT", "M31"), ("COMMENT", "no"), ("EXPTIME", 3.5)])
    found = read(formats, dump(formats, header, ".json", "Dict"), ".json", "Dict")
    assert found == {"OBJECT": "M31", "EXPTIME": 3.5}


def test_unconvertible_says_what_was_given_and_what_is_accepted(formats: Formats) -> None:
    with pytest.raises(
        BadArgument, match=r"of set.*accepted are astropy\.table.*Table, .*numpy\.ndarray, pandas\.DataFrame"
    ):
        dump(formats, {1}, ".parquet", "Table")
    with pytest.raises(BadArgument, match="str"):
        dump(formats, "text", "", "Bytes")


def test_bytes_go_with_every_extension(formats: Formats) -> None:
    for extension in formats.extensions:
        assert (
            read(formats, dump(formats, b"anything", extension, "Bytes"), extension, "Bytes") == b"anything"
        )
    with pytest.raises(BadContent):
        formats.check(MemorySource(b"anything"), ".fits")


def test_a_storage_class_that_the_format_cannot_hold(formats: Formats) -> None:
    with pytest.raises(Unsupported, match=r"Text.*Table"):
        dump(formats, "text", ".parquet", "Text")
    with pytest.raises(Unsupported):
        dump(formats, np.zeros((2, 2)), ".png", "Array")


def test_components(formats: Formats) -> None:
    whole = image()
    assert same_array(formats.component(whole, "Image", "uncertainty"), whole.uncertainty.array)
    assert formats.component(whole, "Image", "header") == {"OBJECT": "M31", "EXPTIME": 30.5}
    assert formats.component(CCDData([1.0], unit="adu"), "Image", "mask") is None
    with pytest.raises(BadArgument, match="data, mask"):
        formats.component(whole, "Image", "psf")


# ------------------------------------------------------------------------------------------ configuration


def test_a_storage_class_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "my_metrics", module)
    monkeypatch.setattr(Metrics, "__module__", "my_metrics")
    config = {
        "storage_classes": {
            "Metrics": {
                "python_type": "my_metrics.Metrics",
                "extension": ".yaml",
                "converters": {"builtins.dict": "my_metrics.Metrics"},
            }
        },
        "converters": {"builtins.dict": {"my_metrics.Metrics": "my_metrics.Metrics.as_dict"}},
    }
    formats = Formats.load(config)
    assert formats.extension_for("Metrics") == ".yaml"
    data = dump(formats, Metrics({"seeing": 0.7}), ".json", "Metrics")
    found = read(formats, data, ".json", "Metrics")
    assert isinstance(found, Metrics)
    assert found.values == {"seeing": 0.7}
    assert dump(formats, {"seeing": 0.7}, ".json", "Metrics") == data


def test_preferred_extensions_and_options_by_type_and_class() -> None:
    formats = Formats.load(
        {
            "storage_classes": {"Table": {"python_type": "astropy.table.Table", "extension": ".ecsv"}},
            "types": {"raw": {"extension": ".fits.fz", "options": {"compression": "GZIP_1"}}},
            "formats": {".json": {"class": "skyfs.formats.json.Json", "options": {"indent": None}}},
        }
    )
    assert formats.extension_for("Table") == ".ecsv"
    assert formats.extension_for("Image", "raw") == ".fits.fz"
    assert formats.extension_for("Image", "other") == ".fits"
    assert dump(formats, {"a": 1}, ".json", "Dict") == b'{"a": 1}\n'
    pixels = np.arange(100, dtype="i4").reshape(10, 10)
    assert b"GZIP_1" in dump(formats, pixels, ".fits.fz", "Array", "raw")
    assert b"RICE_1" in dump(formats, pixels, ".fits.fz", "Array")
    assert b"GZIP_1" not in dump(formats, pixels, ".fits", "Array", "raw"), "options go with their extension"


def test_a_wrong_option_is_found_when_it_is_used() -> None:
    formats = Formats.load({"types": {"raw": {"options": {"compresion": "RICE_1"}}}})
    with pytest.raises(BadArgument, match="compresion"):
        dump(formats, np.zeros((2, 2)), ".fits", "Array", "raw")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tipes": {}}, "did you mean types"),
        ({"types": {"raw": {"extention": ".fits"}}}, r"types\.raw.*did you mean extension"),
        ({"types": {"raw": {"extension": ".fitz"}}}, r"'\.fitz'.*did you mean"),
        ({"types": {"raw": {"extension": "fits"}}}, "not an extension"),
        ({"types": []}, "not a mapping"),
        ({"types": {1: {}}}, "not text"),
        ({"formats": {".x": {"options": {}}}}, "no class"),
        ({"formats": {".x": {"class": 3}}}, "not text"),
        ({"storage_classes": {"X": {"doc": "x"}}}, "no python_type"),
        (
            {"storage_classes": {"X": {"python_type": "builtins.dict", "components": {"a": "Tabel"}}}},
            "'Table'",
        ),
        ({"converters": {"builtins.dict": ["x"]}}, "not a mapping"),
    ],
)
def test_bad_configuration(config: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        Formats.load(config)


@pytest.mark.parametrize(
    "name", ["no_such_module.Format", "builtins.dict", "fractions.Nothing", "skyfs.abc.format.Format"]
)
def test_a_format_class_that_is_none(name: str) -> None:
    formats = Formats.load({"formats": {".x": name}})
    assert formats.knows(".x")
    with pytest.raises((BadConfig, MissingPackage), match=r"\.x"):
        formats.format(".x")


def test_names_that_are_no_names() -> None:
    for bad in ("dict", "a b.c", "os.system('x')", ""):
        with pytest.raises(BadDefinition, match="dotted"):
            StorageClass("X", bad)
    with pytest.raises(BadDefinition, match="identifier"):
        StorageClass("no name", "builtins.dict")


def test_values_travel_between_processes(formats: Formats) -> None:
    formats.format(".json")
    copy = pickle.loads(pickle.dumps(formats))  # noqa: S301 - our own bytes
    assert copy.storage_class("Image") == formats.storage_class("Image")
    assert hash(copy.storage_class("Image")) == hash(formats.storage_class("Image"))
    assert copy.extensions == formats.extensions


# ------------------------------------------------------------------------------------------- entry points


def install(folder: Path, package: str, entry: str, code: str) -> None:
    """Make a package with metadata, as an installer would leave it."""
    (folder / f"{package}.py").write_text(code)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[skyfs.formats]\n{entry}\n")


GOOD = "from skyfs.formats.json import Json\nclass Mine(Json):\n    extensions = ('.mine',)\n"


def test_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "fake_one", "mine = fake_one:Mine\njson = fake_one:Mine", GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    formats = Formats.load()
    assert formats.knows(".mine")
    assert ".mine" in formats.extensions
    assert "fake_one" not in sys.modules, "discovery imports nothing"
    assert read(formats, dump(formats, {"a": 1}, ".mine", "Dict"), ".mine", "Dict") == {"a": 1}
    assert type(formats.format(".json")).__name__ == "Mine", "a package replaces a built-in format"
    own = Formats.load({"formats": {".json": "skyfs.formats.json.Json"}})
    assert type(own.format(".json")) is Json, "the repository's configuration decides last"


@pytest.mark.parametrize(
    ("entry", "code", "error"),
    [
        ("mine = fake_two:Mine", "import no_such_thing", MissingPackage),
        ("mine = fake_two:Mine", "1 / 0", BadConfig),
        ("mine = fake_two:Missing", GOOD, BadConfig),
        ("mine = fake_two:__name__", GOOD, BadConfig),
    ],
)
def test_broken_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, code: str, error: type[Exception]
) -> None:
    install(tmp_path, "fake_two", entry, code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_two", raising=False)
    formats = Formats.load()
    formats.format(".fits")
    assert formats.knows(".mine")
    with pytest.raises(error, match=r"entry point 'mine'.*fake_two"):
        formats.format(".mine")


def test_two_packages_for_one_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "fake_three", "mine = fake_three:Mine", GOOD)
    install(tmp_path, "fake_four", "mine = fake_four:Mine", GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadConfig, match="fake_four:Mine of fake_four, fake_three:Mine of fake_three"):
        Formats.load().format(".mine")
    chosen = Formats.load({"formats": {".mine": "fake_four.Mine"}})
    assert chosen.storage_class_for(".mine") == "Dict"


def test_header(formats: Formats) -> None:
    assert formats.header(MemorySource(b'{"a": 1}'), ".json") == {"a": 1}
    assert formats.header(MemorySource(b"a: 1\n"), ".yaml") == {"a": 1}
    with pytest.raises(Unsupported, match="no header"):
        formats.header(MemorySource(b"x"), ".txt")


def test_nothing_is_written_when_the_value_is_refused(formats: Formats) -> None:
    file = io.BytesIO()
    with pytest.raises(BadArgument):
        formats.write({"a": float("nan")}, file, ".json", "Dict")
    assert file.getvalue() == b""
