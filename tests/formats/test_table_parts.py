"""Parts of parquet, text tables and arrays: what numpy takes of the whole, with few of the bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from pyarrow import parquet

from skyfs.errors import BadArgument, BadContent, Unsupported
from skyfs.formats import Formats
from skyfs.formats.buffer import Buffer
from skyfs.formats.parquet import Parquet
from skyfs.model.selectors import parse_selectors

from .tables import cut as cut_fits

ROWS = 20_000
GROUP = 1_000


class Counted(Buffer):
    """A source that counts what is asked of it: requests one after the other, and bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.rounds = 0
        self.bytes = 0

    def read(self, start: int, stop: int) -> bytes:
        self.rounds += 1
        found = super().read(start, stop)
        self.bytes += len(found)
        return found

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        found = [Buffer.read(self, start, stop) for start, stop in ranges]
        self.rounds += 1
        self.bytes += sum(map(len, found))
        return found


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(3)
    made = Table(
        {
            "id": np.arange(ROWS),
            "ra": rng.uniform(0, 360, ROWS) * u.deg,
            "dec": rng.uniform(-90, 90, ROWS) * u.deg,
            "flux": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(100, 30, ROWS)),
            "name": [f"s{number % 7}" for number in range(ROWS)],
            "v": rng.normal(0, 1, (ROWS, 3)),
            "count": MaskedColumn(rng.integers(0, 9, ROWS), mask=rng.random(ROWS) < 0.2),
        },
        meta={"LIMIT": 5, "history": ["a", "b"]},
    )
    made["when"] = Time(59000 + np.arange(ROWS), format="mjd")
    made["where"] = SkyCoord(made["ra"], made["dec"])
    return made


@pytest.fixture(scope="module")
def data(table: Table) -> bytes:
    file = io.BytesIO()
    Parquet().write(table, file, {"row_group_size": GROUP})
    return file.getvalue()


def cut(source: Buffer, selectors: str, extension: str = ".parquet") -> bytes:
    file = io.BytesIO()
    Formats.load().cut(source, extension, parse_selectors(selectors), file)
    return file.getvalue()


def read(data: bytes, extension: str = ".parquet") -> Table:
    found = Formats.load().read(Buffer(data), extension, "Table")
    assert isinstance(found, Table)
    return found


FILTERS = [
    ("flux > 100", lambda t: t["flux"] > 100),
    ("isnull(flux)", lambda t: np.isnan(t["flux"])),
    ("id = 3005:3009", lambda t: (t["id"] >= 3005) & (t["id"] <= 3009)),
    ("3005 < id && id < -3 + 4000", lambda t: (t["id"] > 3005) & (t["id"] < 3997)),
    ("count == 3", lambda t: np.asarray(t["count"] == 3) & ~t["count"].mask),
    ("isnull(count) || count > 7", lambda t: np.asarray(t["count"] > 7) & ~t["count"].mask | t["count"].mask),
    ("name == 's3' && v[2] > 0", lambda t: (t["name"] == "s3") & (t["v"][:, 1] > 0)),
    ("id < LIMIT", lambda t: t["id"] < 5),
    ("#row > 19990", lambda t: t["id"] >= 19990),
    ("id > 1000000", lambda t: t["id"] < 0),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS, ids=[text for text, _ in FILTERS])
def test_rows_of_parquet(table: Table, data: bytes, text: str, expected: Any) -> None:  # noqa: ANN401
    found = read(cut(Buffer(data), f"[{text}]"))
    wanted = table[np.asarray(expected(table))]
    assert found.colnames == table.colnames
    assert found.meta == table.meta
    assert len(found) == len(wanted)
    assert found["ra"].unit == u.deg
    assert np.array_equal(found["id"], wanted["id"])
    assert np.array_equal(found["flux"], wanted["flux"], equal_nan=True)
    assert np.array_equal(found["v"], wanted["v"])
    assert np.array_equal(np.ma.filled(found["count"], -1), np.ma.filled(wanted["count"], -1))
    assert np.array_equal(found["when"].mjd, wanted["when"].mjd)
    assert np.array_equal(found["where"].ra, wanted["where"].ra)


def test_columns_of_parquet_keep_units_metadata_and_what_they_are_made_of(table: Table, data: bytes) -> None:
    part = cut(Buffer(data), "[col RA;when]")
    found = read(part)
    assert found.colnames == ["ra", "when"]
    assert found.meta == table.meta
    assert isinstance(found["when"], Time)
    assert found["ra"].unit == u.deg
    assert list(pd.read_parquet(io.BytesIO(part)).columns) == ["ra", "when.jd1", "when.jd2"]
    assert Table.read(io.BytesIO(part), format="parquet").colnames == ["ra", "when"]
    assert read(cut(Buffer(data), "[col -w*+]")).colnames == table.colnames[:-2]


def test_only_what_is_needed_is_fetched(data: bytes) -> None:
    footer = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    metadata = parquet.read_metadata(io.BytesIO(data))
    group = metadata.row_group(3)
    names = [group.column(index).path_in_schema for index in range(group.num_columns)]
    needed = sum(group.column(names.index(name)).total_compressed_size for name in ("id", "ra", "flux"))
    source = Counted(data)
    assert len(read(cut(source, "[col ra][id = 3005:3009 && flux < 1e9]"))) <= 5
    # The end of the file at once, the filter's columns at once, then the column that is kept.
    assert source.rounds <= 4
    assert source.bytes <= max(len(data) - footer, 2**16) + 1.2 * needed
    assert source.bytes < len(data) / 5


def test_row_groups_without_a_row_left_give_none_of_their_other_columns(data: bytes) -> None:
    some, all_of_it = Counted(data), Counted(data)
    cut(some, "[col ra;dec;v][flux > 1e6]")
    cut(all_of_it, "[col ra;dec;v;flux]")
    assert some.bytes < all_of_it.bytes / 3


def test_slices_of_rows_fetch_their_row_groups(table: Table, data: bytes) -> None:
    formats, source = Formats.load(), Counted(data)
    found = formats.read_slices(source, ".parquet", "Table", np.s_[5990:6010:2])
    assert isinstance(found, Table)
    assert np.array_equal(found["id"], table["id"][5990:6010:2])
    assert isinstance(found["where"], SkyCoord)
    assert source.bytes < len(data) / 5
    for slices in (np.s_[::-1], np.s_[-3:], np.s_[7:2:-2], np.s_[5:5], np.s_[...]):
        part = formats.read_slices(Buffer(data), ".parquet", "Table", slices)
        assert isinstance(part, Table)
        assert np.array_equal(part["id"], table["id"][slices])
    with pytest.raises(BadArgument, match="is one row"):
        formats.read_slices(Buffer(data), ".parquet", "Table", 5)


@pytest.mark.parametrize("extension", [".ecsv", ".csv", ".vot"])
def test_text_tables_are_cut_as_parquet(table: Table, data: bytes, extension: str) -> None:
    plain = table["id", "ra", "flux", "name"][:50]
    formats, file = Formats.load(), io.BytesIO()
    formats.write(plain, file, extension, "Table")
    found = read(cut(Buffer(file.getvalue()), "[col id;name][id > 40 && name != 's3']", extension), extension)
    wanted = read(cut(Buffer(data), "[col id;name][id > 40 && id < 50 && name != 's3']"))
    assert found.colnames == wanted.colnames
    assert np.array_equal(found["id"], wanted["id"])
    assert [str(one) for one in found["name"]] == [str(one) for one in wanted["name"]]


@pytest.mark.parametrize("selectors", ["[1]", "[SCI]", "[1:5,1:5]", "[circle 1 2 3]"])
@pytest.mark.parametrize("extension", [".parquet", ".csv"])
def test_selectors_of_images_mean_nothing_for_tables(data: bytes, selectors: str, extension: str) -> None:
    with pytest.raises(Unsupported, match="is one table"):
        cut(Buffer(data), selectors, extension)


def test_damaged_parquet_is_said_to_be(data: bytes) -> None:
    for broken in (data[:-100], data[: len(data) // 2] + data[-5000:], b"PAR1", data[:3000] + data[-3000:]):
        with pytest.raises(BadContent):
            cut(Buffer(broken), "[col ra][flux > 100]")


# -- arrays --------------------------------------------------------------------------------------------

SLICES = [
    np.s_[2],
    np.s_[1:3, 2:4],
    np.s_[..., 2],
    np.s_[:, -1],
    np.s_[::2, ::-1, 1:4],
    np.s_[5:2:-1, ..., ::3],
    np.s_[3:3],
    np.s_[1, 2, 3],
    np.s_[()],
    np.s_[-100:100, 2:3],
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("slices", SLICES, ids=repr)
def test_slices_of_npy(order: Any, slices: Any) -> None:  # noqa: ANN401 - numpy's literals
    whole = np.asarray(np.random.default_rng(1).normal(size=(7, 6, 5)), order=order)
    formats, file = Formats.load(), io.BytesIO()
    formats.write(whole, file, ".npy", "Array")
    found = formats.read_slices(Buffer(file.getvalue()), ".npy", "Array", slices)
    assert isinstance(found, np.ndarray)
    assert found.shape == whole[slices].shape
    assert np.array_equal(found, whole[slices])


def test_slices_of_npy_fetch_little_more_than_they_need() -> None:
    file = io.BytesIO()
    np.save(file, np.zeros((4000, 1000)))
    source = Counted(file.getvalue())
    Formats.load().read_slices(source, ".npy", "Array", np.s_[2000:2064, 100:164])
    assert source.bytes <= 1.5 * 64 * 64 * 8 + 2**15
    assert source.rounds == 2


def test_a_section_of_npy_counts_from_one_with_x_first() -> None:
    whole = np.arange(24).reshape(4, 6)
    file = io.BytesIO()
    np.save(file, whole)
    for section, expected in (
        ("[2:4,1:3]", whole[0:3, 1:4]),
        ("[*,3:1]", whole[2::-1, :]),
        ("[-*,*:2]", whole[::2, ::-1]),
        ("[6:2:2,4:4]", whole[3:4, 5:0:-2]),
    ):
        part = np.load(io.BytesIO(cut(Buffer(file.getvalue()), section, ".npy")))
        assert np.array_equal(part, expected), section
    with pytest.raises(BadArgument, match="has 6 pixels"):
        cut(Buffer(file.getvalue()), "[1:7,1:2]", ".npy")
    with pytest.raises(Unsupported, match="is one array"):
        cut(Buffer(file.getvalue()), "[a > 1]", ".npy")


@pytest.mark.parametrize("slices", ["1:2", [1, 2], True, None, np.array([1]), np.s_[9], np.s_[..., ...], 1.0])
def test_other_kinds_of_slices_are_refused(slices: object) -> None:
    file = io.BytesIO()
    np.save(file, np.zeros((3, 4)))
    with pytest.raises(BadArgument, match="slices="):
        Formats.load().read_slices(Buffer(file.getvalue()), ".npy", "Array", slices)


def test_what_cannot_be_sliced_or_cut_is_said() -> None:
    formats = Formats.load()
    with pytest.raises(Unsupported, match="a builtins"):
        formats.read_slices(Buffer(b"{}"), ".json", "Dict", np.s_[1:2])
    with pytest.raises(Unsupported, match=r"cut .*\.fits.*\.parquet"):
        cut(Buffer(b"{}"), "[1]", ".json")


def test_images_and_tables_that_are_read_whole_are_sliced() -> None:
    formats = Formats.load()
    file = io.BytesIO()
    formats.write(Table({"a": np.arange(9)}), file, ".ecsv", "Table")
    found = formats.read_slices(Buffer(file.getvalue()), ".ecsv", "Table", np.s_[6:2:-2])
    assert isinstance(found, Table)
    assert list(found["a"]) == [6, 4]
    file = io.BytesIO()
    formats.write(CCDData(np.arange(12.0).reshape(3, 4), unit="adu"), file, ".fits", "Image")
    image = formats.read_slices(Buffer(file.getvalue()), ".fits", "Image", np.s_[1:, 2:])
    assert isinstance(image, CCDData)
    assert image.data.tolist() == [[6, 7], [10, 11]]


# -- FITS tables far away --------------------------------------------------------------------------------


def test_of_very_long_rows_only_the_needed_columns_are_fetched() -> None:
    rng = np.random.default_rng(5)
    spectra = rng.normal(size=(40, 30_000))
    columns = [
        fits.Column("id", "J", array=np.arange(40)),
        fits.Column("spectrum", "30000D", array=spectra),
        fits.Column("z", "D", array=np.arange(40) / 10),
    ]
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(file)
    source = Counted(file.getvalue())
    with fits.open(io.BytesIO(cut_fits(source, "[1][col id;z][z > 1.95]"))) as part:
        assert list(part[1].data["id"]) == list(range(20, 40))
    assert source.bytes < len(file.getvalue()) / 50
    with fits.open(io.BytesIO(cut_fits(Buffer(file.getvalue()), "[1][z > 3.75]"))) as part:
        assert np.array_equal(part[1].data["spectrum"], spectra[38:])
