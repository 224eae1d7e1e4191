"""Tables: what parquet, ECSV, CSV and VOTable keep, and what other programs see and make."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.table.meta import get_header_from_yaml
from astropy.time import Time
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet

from skyfs.errors import BadArgument, BadContent
from skyfs.formats import Formats
from skyfs.testing.format_suite import LocalSource, MemorySource

from .samples import dump, load, rich_table, same_column, same_table, small_table

FORMATS = Formats.load()
KINDS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "?", "U"]
# ECSV is lines of UTF-8: control characters and surrogates have no place there.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)


@st.composite
def columns(draw: st.DrawFn, length: int) -> Column:
    kind = draw(st.sampled_from(KINDS))
    if kind == "U":
        values = np.array(draw(st.lists(TEXT, min_size=length, max_size=length)), dtype=str)
    else:
        item = np.dtype(kind)
        if item.kind == "f":
            cells = st.floats(width=64 if item.itemsize == 8 else 32)
        elif item.kind == "b":
            cells = st.booleans()
        else:
            limits = np.iinfo(item)
            cells = st.integers(int(limits.min), int(limits.max))
        values = np.array(draw(st.lists(cells, min_size=length, max_size=length)), dtype=item)
    unit = draw(st.sampled_from([None, "Jy", "km / s"]))
    if draw(st.booleans()):
        return Column(values, unit=unit)
    mask = draw(st.lists(st.booleans(), min_size=length, max_size=length))
    return MaskedColumn(values, mask=mask, unit=unit)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    length = draw(st.integers(1, 4))
    names = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=4, unique=True)
    )
    return Table({name: draw(columns(length)) for name in names})


def has_surrounding_space(table: Table) -> bool:
    cells = [cell for column in table.itercols() for cell in np.ma.array(column).compressed().tolist()]
    return any(isinstance(cell, str) and cell != cell.strip() for cell in cells)


@pytest.mark.parametrize("text", [" ", "  ", "a ", " a", "\u00a0", "\u3000", "\u2028"])
def test_ecsv_refuses_text_that_it_would_strip(text: str) -> None:
    with pytest.raises(BadArgument, match="white space around"):
        dump(FORMATS, Table({"n": [1, 2], "name": ["x", text]}), ".ecsv", "Table")


@given(tables())
@example(Table({"b": [0, 0], "a": ["", " "]}))
def test_parquet_and_ecsv_keep_tables(table: Table) -> None:
    whole = load(FORMATS, MemorySource(dump(FORMATS, table, ".parquet", "Table")), ".parquet", "Table")
    assert same_table(whole, table)
    file = io.BytesIO()
    if has_surrounding_space(table):
        with pytest.raises(BadArgument, match="white space"):
            dump(FORMATS, table, ".ecsv", "Table")
        return
    FORMATS.convert(
        MemorySource(dump(FORMATS, table, ".parquet", "Table")), ".parquet", "Table", ".ecsv", file
    )
    back = load(FORMATS, MemorySource(file.getvalue()), ".ecsv", "Table")
    for name in table.colnames:
        left, right = back[name], table[name]
        # ECSV keeps no more of a text column's width than its values need.
        if right.dtype.kind == "U":
            assert np.ma.getmaskarray(left).tolist() == np.ma.getmaskarray(right).tolist()
            shown = ~np.ma.getmaskarray(right)
            assert np.ma.getdata(left)[shown].tolist() == np.ma.getdata(right)[shown].tolist()
        else:
            assert same_column(left, right), name


def test_others_read_our_parquet() -> None:
    data = dump(FORMATS, rich_table(), ".parquet", "Table")
    frame = pd.read_parquet(io.BytesIO(data))
    assert list(frame["id"]) == [1, 2, 3]
    assert frame["missing"].isna().tolist() == [False, True, False], "missing values are nulls to everybody"
    assert frame["holes"].isna().tolist() == [False, False, True]
    assert "missing.mask" not in frame.columns
    theirs = Table.read(io.BytesIO(dump(FORMATS, small_table(), ".parquet", "Table")), format="parquet")
    assert same_table(theirs, small_table())


def test_we_read_parquet_of_others() -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "when": pd.to_datetime(["2020-01-01", None, "2022-01-01"]),
            "kind": pd.Categorical(["a", "b", "a"]),
            "text": ["x", None, "zz"],
            "list": [[1, 2], [], [3]],
            "record": [{"a": 1}, {"a": 2}, None],
        },
        index=pd.Index(["r", "s", "t"], name="row"),
    )
    file = io.BytesIO()
    frame.to_parquet(file)
    found = load(FORMATS, MemorySource(file.getvalue()), ".parquet", "Table")
    assert found["n"].mask.tolist() == [False, True, False]
    assert found["n"].dtype == np.int64
    assert found["when"].dtype.kind == "M"
    assert found["kind"].tolist() == ["a", "b", "a"]
    assert found["text"].filled("?").tolist() == ["x", "?", "zz"]
    assert found["list"][0].tolist() == [1, 2]
    assert found["record"][1] == {"a": 2}
    assert found["row"].tolist() == ["r", "s", "t"]
    astropys = io.BytesIO()
    parquet.write_table(pa.table({"blob": pa.array([b"a\0", b"\0"], pa.binary())}), astropys)
    assert load(FORMATS, MemorySource(astropys.getvalue()), ".parquet", "Table")["blob"][0] == b"a\0"


def test_pandas_index() -> None:
    filtered = pd.DataFrame({"x": [1, 2, 3]})[lambda f: f.x > 1]
    assert load(
        FORMATS, MemorySource(dump(FORMATS, filtered, ".parquet", "Table")), ".parquet", "Table"
    ).colnames == ["x"]
    named = filtered.set_index(pd.Index([7, 8], name="id"))
    table = load(FORMATS, MemorySource(dump(FORMATS, named, ".parquet", "Table")), ".parquet", "Table")
    assert table["id"].tolist() == [7, 8]


@pytest.mark.parametrize("extension", [".parquet", ".ecsv"])
def test_times_coordinates_and_quantities(extension: str) -> None:
    table = QTable(
        {
            "t": Time(
                ["2020-01-01T00:00:00.123456789", "2021-01-01"], scale="tai", format="isot", precision=9
            ),
            "c": SkyCoord([1.5, 2], [3, 4], unit="deg"),
            "q": [1.0, 2.0] * units.m,
        }
    )
    found = load(FORMATS, MemorySource(dump(FORMATS, table, extension, "Table")), extension, "Table")
    assert np.all(np.abs((found["t"] - table["t"]).to_value("ns")) < 1)
    assert np.all(found["c"].separation(table["c"]).arcsec < 1e-9)
    assert found["q"].unit == units.m


def test_metadata_of_parquet_and_ecsv() -> None:
    for extension in (".parquet", ".ecsv"):
        found = load(
            FORMATS, MemorySource(dump(FORMATS, rich_table(), extension, "Table")), extension, "Table"
        )
        assert found.meta == {"survey": "test", "nested": {"deep": [1, 2]}}
        assert found["id"].description == "a number"


@pytest.mark.parametrize("extension", [".parquet", ".ecsv", ".h5"])
def test_what_is_done_to_one_table_does_not_show_in_the_next(extension: str) -> None:
    made = Table({"a": [1, 2]}, meta={"notes": ["first"]})
    made["a"].info.meta = {"of": ["column"]}
    stored = MemorySource(dump(FORMATS, made, extension, "Table"))
    one = load(FORMATS, stored, extension, "Table")
    one.meta["notes"].append("mine")
    one["a"].info.meta["of"].append("mine")
    found = load(FORMATS, stored, extension, "Table")
    assert (found.meta["notes"], found["a"].info.meta) == (["first"], {"of": ["column"]})


@given(tables())
@example(rich_table())
def test_descriptions_are_those_of_astropy(table: Table) -> None:
    found = parquet.read_schema(io.BytesIO(dump(FORMATS, table, ".parquet", "Table"))).metadata
    table.meta["more"] = 1
    fresh = parquet.read_schema(io.BytesIO(dump(FORMATS, table, ".parquet", "Table"))).metadata
    told, more = (
        get_header_from_yaml(one[b"table_meta_yaml"].decode().split("\n")) for one in (found, fresh)
    )
    assert told["datatype"] == more["datatype"]
    assert {**told.get("meta", {}), "more": 1} == more["meta"]


@pytest.mark.parametrize("extension", [".parquet", ".ecsv"])
def test_what_is_done_to_metadata_does_not_show_in_the_next(extension: str) -> None:
    stored = MemorySource(dump(FORMATS, Table({"a": [1]}, meta={"notes": ["first"]}), extension, "Table"))
    one: Any = FORMATS.header(stored, extension)
    one["notes"].append("mine")
    assert FORMATS.header(stored, extension)["notes"] == ["first"]


def test_columns_that_arrow_has_not() -> None:
    with pytest.raises(BadArgument, match=r"'z'.*complex"):
        dump(FORMATS, Table({"z": [1j]}), ".parquet", "Table")
    with pytest.raises(BadArgument, match="column 'o'"):
        dump(FORMATS, Table({"o": np.array([1, "a", object()], dtype=object)}), ".parquet", "Table")
    with pytest.raises(BadArgument, match="one value"):
        dump(FORMATS, rich_table(), ".csv", "Table")


def test_parquet_options() -> None:
    formats = Formats.load({"types": {"cat": {"options": {"compression": "none", "row_group_size": 2}}}})
    data = dump(formats, small_table(), ".parquet", "Table", "cat")
    meta = parquet.ParquetFile(io.BytesIO(data)).metadata
    assert meta.num_row_groups == 2
    assert meta.row_group(0).column(0).compression == "UNCOMPRESSED"


def test_partition_like_paths_add_no_columns(tmp_path: Path) -> None:
    """A file under name=value folders is read as it is."""
    path = tmp_path / "tract=3" / "band=r.parquet"
    path.parent.mkdir()
    path.write_bytes(dump(FORMATS, small_table(), ".parquet", "Table"))
    assert load(FORMATS, LocalSource(str(path)), ".parquet", "Table").colnames == ["id", "flux", "name"]


# ---------------------------------------------------------------------------------------------------- CSV


def csv(text: str) -> Table:
    found = load(FORMATS, MemorySource(text.encode()), ".csv", "Table")
    assert isinstance(found, Table)
    return found


def test_csv_types() -> None:
    table = csv('i,f,b,s,d,e\n1,1.5,true,x,2020-01-01,""\n,nan,false,"a,""b""\nc",2020-01-02,\n')
    assert [table[name].dtype.kind for name in table.colnames] == ["i", "f", "b", "U", "U", "U"]
    assert table["i"].mask.tolist() == [False, True]
    assert np.isnan(table["f"][1])
    assert table["s"][1] == 'a,"b"\nc'
    assert table["d"].tolist() == ["2020-01-01", "2020-01-02"], "text is not made into dates"
    assert table["e"].mask.tolist() == [False, True], "an empty field is missing, a quoted one is empty text"


def test_csv_type_that_changes_late() -> None:
    table = csv("x\n" + "1\n" * 9_000_000 + "1.5\n")
    assert table["x"].dtype == np.float64


@pytest.mark.parametrize("text", ["", "\n\n", "a,b\n1\n", "a,b\n1,2,3\n", "a,a\n1,2\n", "a\n\0\n"])
def test_csv_that_is_none(text: str) -> None:
    with pytest.raises(BadContent):
        csv(text)


# ------------------------------------------------------------------------------------------- ECSV, VOTable


def test_ecsv_cut_in_a_line() -> None:
    data = dump(FORMATS, small_table(), ".ecsv", "Table")
    with pytest.raises(BadContent, match="no end"):
        FORMATS.check(MemorySource(data[:-1]), ".ecsv")


VOTABLE = """<?xml version="1.0"?>{dtd}<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE><TABLE>
<FIELD name="a" datatype="int"/>
<DATA><TABLEDATA><TR><TD>{cell}</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE>
</VOTABLE>"""


def test_votable_without_entities() -> None:
    dtd = '<!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd">'
    for head in ("", dtd):
        found = load(FORMATS, MemorySource(VOTABLE.format(dtd=head, cell=7).encode()), ".vot", "Table")
        assert found["a"].tolist() == [7]


@pytest.mark.parametrize("entity", ['a "aaaa"', 'a SYSTEM "file:///etc/passwd"', '% a "x"'])
def test_votable_with_entities_is_refused(entity: str) -> None:
    text = VOTABLE.format(dtd=f"<!DOCTYPE VOTABLE [<!ENTITY {entity}>]>", cell="&a;")
    for data in (text.encode(), text.replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16")):
        for act in (FORMATS.check, lambda source, ext: load(FORMATS, source, ext, "Table")):
            with pytest.raises(BadContent, match="entity"):
                act(MemorySource(data), ".vot")


def test_other_xml_is_no_votable() -> None:
    with pytest.raises(BadContent, match="'html'"):
        FORMATS.check(MemorySource(b"<html></html>"), ".xml")
    with pytest.raises(BadContent):
        FORMATS.check(MemorySource(b"<!-- nothing -->"), ".xml")
