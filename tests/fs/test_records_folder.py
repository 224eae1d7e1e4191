"""``/.records``: dimension records and side tables as files."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest
from astropy.table import Table

import skyfs
from skyfs.errors import NotFound, ReadOnly
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.filesystem_sample import Sample

READERS: dict[str, Any] = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}


@pytest.fixture
def sample(standing: Sample) -> Sample:
    """The one of all tests that only look."""
    return standing


def test_the_folder_lists_all_elements(repo: Repository, fs: SkyFileSystem) -> None:
    names = {name.rpartition("/")[2] for name in fs.ls("/.records", detail=False)}
    elements = {name for name, one in repo.registry.universe.elements.items() if one.has_records}
    assert names == {f"{name}.{kind}" for name in elements for kind in ("csv", "ecsv", "json", "parquet")}
    assert fs.find("/.records") == sorted(f"/.records/{name}" for name in names)
    assert fs.glob("/.records/vis*.csv") == [
        f"/.records/{name}.csv" for name in sorted(elements) if name.startswith("vis")
    ]


@pytest.mark.parametrize("kind", READERS)
def test_pandas_reads_them(fs: SkyFileSystem, kind: str) -> None:
    with fs.open(f"/.records/detector.{kind}") as file:
        frame = READERS[kind](file)
    assert list(frame["id"]) == [1, 2, 21]
    assert list(frame["full_name"]) == ["S1", "S2", "S21"]
    assert frame["raft"].isna().all()


def test_astropy_reads_them(fs: SkyFileSystem) -> None:
    table = Table.read(fs.cat("/.records/detector.ecsv").decode(), format="ascii.ecsv")
    assert list(table["full_name"]) == ["S1", "S2", "S21"]


@pytest.mark.parametrize("kind", ["csv", "ecsv", "json", "parquet"])
def test_sizes_are_those_of_the_bytes(fs: SkyFileSystem, kind: str) -> None:
    path = f"/.records/visit.{kind}"
    data = fs.cat(path)
    listed = {info["name"]: info["size"] for info in fs.ls("/.records")}
    assert fs.info(path)["size"] == listed[path] == len(data)
    assert fs.cat_file(path, 3, 9) == data[3:9]


def test_types_do_not_depend_on_values(fs: SkyFileSystem) -> None:
    frame = pd.read_parquet(io.BytesIO(fs.cat("/.records/patch.parquet")))
    assert list(frame.columns) == ["skymap", "tract", "id", "cell_x", "cell_y", "region"]
    assert [str(kind) for kind in frame.dtypes[1:5]] == ["int64"] * 4
    assert json.loads(fs.cat("/.records/patch.json")) == []


@pytest.mark.parametrize(
    "name", ["vist.csv", "visit", "visit.fits", "visit.x.csv", "htm7.csv", "visit.csv/x"]
)
def test_other_names_do_not_exist(fs: SkyFileSystem, name: str) -> None:
    assert not fs.exists(f"/.records/{name}")
    with pytest.raises(NotFound, match=r"visit_definition.*\.parquet"):
        fs.cat(f"/.records/{name}")


def test_they_cannot_be_changed(fs: SkyFileSystem) -> None:
    for change in (fs.rm, lambda path: fs.pipe(path, b"")):
        with pytest.raises(ReadOnly):
            change("/.records/visit.csv")


def test_a_reader_gets_the_same(repo: Repository, fs: SkyFileSystem) -> None:
    with skyfs.open(repo.root) as reader:
        assert skyfs.filesystem(reader).cat("/.records/visit.parquet") == fs.cat("/.records/visit.parquet")
