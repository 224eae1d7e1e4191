"""Every built-in format under the shipped conformance suite."""

# ruff: noqa: ANN401 - what is read may be of any type

from __future__ import annotations

import io
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.wcs import WCS

from skyfs.abc.format import Format
from skyfs.formats.asdf import Asdf
from skyfs.formats.csv import Csv
from skyfs.formats.ecsv import Ecsv
from skyfs.formats.exposure import Exposure, Mask
from skyfs.formats.fits import Bzip2Fits, Fits, GzipFits, PackedFits
from skyfs.formats.fits_layout import extents
from skyfs.formats.hdf5 import Hdf5
from skyfs.formats.json import Json
from skyfs.formats.npy import Npy
from skyfs.formats.parquet import Parquet
from skyfs.formats.pictures import Jpeg, Png
from skyfs.formats.preview import write_preview
from skyfs.formats.raw import Raw
from skyfs.formats.text import Text
from skyfs.formats.votable import VOTable
from skyfs.formats.wcs_cards import wcs_cards
from skyfs.formats.yaml import Yaml
from skyfs.testing.format_suite import FormatSuite, MemorySource

from .samples import (
    exposure,
    hdus,
    image,
    rich_table,
    same_array,
    same_hdus,
    same_image,
    same_table,
    small_table,
)

DOCUMENT = {"b": 1, "a": [1.5, None, True, "é\n"], "nested": {"x": {}, "y": []}}


class TestFits(FormatSuite):
    format = Fits()
    extension = ".fits"

    def examples(self) -> Iterable[tuple[str, object]]:
        return [
            ("Hdus", hdus()),
            ("Image", image()),
            ("Table", small_table()),
            ("Array", np.arange(3000, dtype="f8").reshape(30, 100)),
            ("Exposure", exposure()),
            ("Mask", exposure().mask),
            ("Header", exposure().header),
            ("Wcs", exposure().wcs),
        ]

    def same(self, left: Any, right: Any) -> bool:
        if isinstance(right, WCS):
            return bool(wcs_cards(left).tostring() == wcs_cards(right).tostring())
        if isinstance(right, fits.Header | Exposure | Mask):
            return type(left) is type(right) and left == right
        for kind, equal in (("HDUList", same_hdus), ("CCDData", same_image), ("Table", same_table)):
            if type(right).__name__ == kind:
                return equal(left, right)
        return same_array(left, right)

    def cuts(self, data: bytes) -> Iterable[int]:
        found = list(extents(MemorySource(data)))
        ends = [extent.data_start + extent.data_size for extent in found if extent.data_size]
        return [
            1,
            10,
            500,
            found[0].data_start - 1,
            *(end - 1 for end in ends),
            *(extent.start + 8 for extent in found),
        ]


class TestFit(TestFits):
    extension = ".fit"


class TestGzipFits(TestFits):
    format = GzipFits()
    extension = ".fits.gz"
    options = MappingProxyType({"level": 1})
    cuts = FormatSuite.cuts


class TestBzip2Fits(TestFits):
    format = Bzip2Fits()
    extension = ".fits.bz2"
    cuts = FormatSuite.cuts


class TestCompressedFits(TestFits):
    options = MappingProxyType({"compression": "GZIP_2", "tile_shape": (1, 100)})

    def examples(self) -> Iterable[tuple[str, object]]:
        return [pair for pair in super().examples() if pair[0] in ("Array", "Table")]

    def test_declares_itself(self) -> None:
        """The storage classes left out are under test elsewhere."""


class TestPackedFits(TestFits):
    format = PackedFits()
    extension = ".fits.fz"

    def same(self, left: Any, right: Any) -> bool:
        if type(right).__name__ == "HDUList":
            # The primary image has moved behind an empty primary HDU.
            kinds = [type(hdu).__name__ for hdu in left]
            images = left[1:], right[1:] if len(right) == len(left) else right
            return kinds == ["PrimaryHDU", "CompImageHDU", "CompImageHDU", "BinTableHDU"] and all(
                np.array_equal(a.data, b.data) for a, b in zip(*images, strict=True)
            )
        return super().same(left, right)


class TestParquet(FormatSuite):
    format = Parquet()
    extension = ".parquet"
    same = staticmethod(same_table)

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Table", small_table()), ("Table", rich_table()), ("Table", small_table()[:0])]


class TestEcsv(FormatSuite):
    format = Ecsv()
    extension = ".ecsv"
    same = staticmethod(same_table)

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Table", small_table()), ("Table", rich_table()), ("Table", small_table()["id", "flux"][:0])]

    def test_truncation_is_seen(self) -> None:
        """What is cut within a line is seen by check."""
        self.check_sees_truncation = False
        super().test_truncation_is_seen()


class TestCsv(FormatSuite):
    format = Csv()
    extension = ".csv"
    check_sees_truncation = False
    same = staticmethod(same_table)

    def examples(self) -> Iterable[tuple[str, object]]:
        table = rich_table()["id", "name", "holes", "blank", "flag"]
        return [("Table", table)]


class TestVOTable(FormatSuite):
    format = VOTable()
    extension = ".vot"
    same = staticmethod(same_table)

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Table", small_table()), ("Table", rich_table()["id", "missing", "flag", "cells"])]


class TestVOTableBinary(TestVOTable):
    extension = ".xml"
    options = MappingProxyType({"layout": "binary2"})


class TestJson(FormatSuite):
    format = Json()
    extension = ".json"

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Dict", DOCUMENT), ("List", [DOCUMENT, 1, "x"]), ("Dict", {})]


class TestYaml(FormatSuite):
    format = Yaml()
    extension = ".yaml"
    check_sees_truncation = False

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Dict", DOCUMENT), ("List", [DOCUMENT, 1, "x"]), ("Dict", {})]


class TestText(FormatSuite):
    format = Text()
    extension = ".txt"
    check_sees_truncation = False

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Text", "line\r\nélan 星\n"), ("Text", "")]


class TestRaw(FormatSuite):
    format = Raw()
    extension = ""
    any_bytes_are_good = True

    def examples(self) -> Iterable[tuple[str, object]]:
        return [("Bytes", bytes(range(256))), ("Bytes", b"")]


class TestNpy(FormatSuite):
    format = Npy()
    extension = ".npy"
    same = staticmethod(same_array)

    def examples(self) -> Iterable[tuple[str, object]]:
        records = np.array([(1, 2.5), (3, 4.5)], [("a", "i4"), ("b", "f8")])
        return [
            ("Array", np.arange(12, dtype=">f4").reshape(3, 4)),
            ("Array", records),
            ("Array", np.array(5)),
        ]


def same_any(left: Any, right: Any) -> bool:
    """Tell whether two objects of whatever class are the same."""
    if isinstance(right, dict):
        same_keys = isinstance(left, dict) and left.keys() == right.keys()
        return same_keys and all(same_any(left[key], right[key]) for key in right)
    if isinstance(right, list):
        return type(left) is list and len(left) == len(right) and all(map(same_any, left, right))
    if isinstance(right, Table):
        return same_table(left, right)
    if isinstance(right, CCDData):
        return same_image(left, right)
    if isinstance(right, np.ndarray):
        return same_array(left, right)
    return type(left) is type(right) and bool(left == right)


TREE = {
    **DOCUMENT,
    "array": np.arange(6, dtype="i2").reshape(2, 3),
    "complex": np.array([1 + 2j, 3.5]),
    "text": np.array(["a", "é", ""]),
    "empty": np.zeros((0, 3), "f4"),
    "odd/key.": {".": 1, "%2F": "x" * 70_000},
    "lists": [[1, 2], [3.5, "x", None, {"deep": [True, False]}], ["", "a"]],
    "number": -(2**62),
}


class TestHdf5(FormatSuite):
    format: Format = Hdf5()
    extension = ".h5"
    same = staticmethod(same_any)

    def examples(self) -> Iterable[tuple[str, object]]:
        return [
            ("Dict", DOCUMENT),
            ("Dict", TREE),
            ("Dict", {}),
            ("Table", small_table()),
            ("Table", rich_table()),
            ("Table", small_table()[:0]),
            ("Array", np.arange(12, dtype=">f4").reshape(3, 4)),
            ("Array", np.array([(1, 2.5), (3, 4.5)], [("a", "i4"), ("b", "f8")])),
            ("Image", image()),
            ("Exposure", exposure()),
        ]


class TestHdf5Compressed(TestHdf5):
    extension = ".hdf5"
    options = MappingProxyType({"compression": "gzip", "level": 1, "chunks": 2, "checksum": True})


class TestAsdf(TestHdf5):
    format = Asdf()
    extension = ".asdf"


class TestAsdfCompressed(TestAsdf):
    options = MappingProxyType({"compression": "zlib"})


class TestPng(FormatSuite):
    format = Png()
    extension = ".png"

    def examples(self) -> Iterable[tuple[str, object]]:
        file = io.BytesIO()
        write_preview(np.arange(100.0).reshape(10, 10), file)
        return [("Bytes", file.getvalue())]


class TestJpeg(FormatSuite):
    format = Jpeg()
    extension = ".jpg"

    def examples(self) -> Iterable[tuple[str, object]]:
        file = io.BytesIO()
        write_preview(np.arange(100.0).reshape(10, 10), file, "JPEG")
        return [("Bytes", file.getvalue())]

    def cuts(self, data: bytes) -> Iterable[int]:
        return [1, 10, len(data) // 2, len(data) - 1]
