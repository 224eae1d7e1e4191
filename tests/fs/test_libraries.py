"""What people read data with takes paths of a repository as it takes those of a disk or a bucket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository

HIVE = "sky/.hive/u/cat/src"
VALUES = {
    ("Cam", 20260101 + visit // 110, visit, detector) for visit in (101, 102, 111) for detector in (1, 2)
}
IMAGE = "/u/img/image/instrument=Cam/day_obs=20260101/visit=101/detector=1.fits"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    root = tmp_path_factory.mktemp("libraries") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        repository.insert("instrument", [{"name": "Cam"}])
        repository.insert("physical_filter", [{"instrument": "Cam", "name": "r", "band": "r"}])
        detectors = [{"instrument": "Cam", "id": number, "full_name": f"S{number}"} for number in (1, 2)]
        repository.insert("detector", detectors)
        for visit in (101, 102, 111):
            night = 20260101 + visit // 110
            record = {
                "instrument": "Cam",
                "id": visit,
                "name": f"v{visit}",
                "physical_filter": "r",
                "day_obs": night,
            }
            repository.insert("visit", [record])
        repository.register("src", ["visit", "detector"], "Table")
        repository.register("image", ["visit", "detector"], "Hdus")
        for instrument, _, visit, detector in VALUES:
            table = Table({"id": np.arange(10) + visit * 100, "flux": np.arange(10) * 1.5})
            repository.put(table, "src", run="u/cat", instrument=instrument, visit=visit, detector=detector)
        pixels = np.arange(200 * 300, dtype=np.float32).reshape(200, 300)
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, name="SCI")])
        repository.put(hdus, "image", run="u/img", instrument="Cam", visit=101, detector=1)
        repository.put({"a": [1, 2]}, repository.register("notes", [], "Dict").name, run="u/img")
        repository.put(np.arange(12.0), repository.register("array", [], "Array").name, run="u/img")
        yield repository


@pytest.fixture(autouse=True)
def index(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repo.root.parent / "index.yaml"
    path.write_text(f"sky: {repo.root}\n")
    monkeypatch.setenv("SKYFS_INDEX", str(path))


@pytest.fixture
def fs(repo: Repository) -> SkyFileSystem:
    return skyfs.filesystem(repo)


def partitions(rows: list[tuple[Any, ...]]) -> set[tuple[str, int, int, int]]:
    """Give the values of instrument, day_obs, visit and detector, each ten times."""
    found = [(str(a), int(b), int(c), int(d)) for a, b, c, d in rows]
    assert len(found) == 10 * len(VALUES)
    return set(found)


NAMES = ["instrument", "day_obs", "visit", "detector"]


def test_pandas_reads_a_file(fs: SkyFileSystem, repo: Repository) -> None:
    import pandas as pd

    name = fs.find("/u/cat")[0]
    for url, options in (
        (f"skyfs://sky{name}", None),
        (f"skyfs://{name}", {"repo": str(repo.root)}),
        (f"skyfs://{name}::file://{repo.root}", None),
    ):
        frame = pd.read_parquet(url, storage_options=options)
        assert list(frame["id"])[:3] == [10100, 10101, 10102]
    csv = pd.read_csv(f"skyfs://sky{name.replace('.parquet', '.csv')}")
    assert list(csv["id"])[:3] == [10100, 10101, 10102]


def test_pandas_writes_a_file(repo: Repository, fs: SkyFileSystem) -> None:
    import pandas as pd

    frame = pd.DataFrame({"x": [1, 2, 3]})
    url = "skyfs://sky/u/pandas/table.parquet"
    frame.to_parquet(url)
    assert pd.read_parquet(url).equals(frame)
    with pytest.raises(FileExistsError):
        frame.to_parquet(url)
    table = repo.get("table", collections="u/pandas")
    assert isinstance(table, Table)
    assert list(table["x"]) == [1, 2, 3]
    fs.rm("/u/pandas", recursive=True)


def test_pandas_reads_a_tree(repo: Repository) -> None:
    import pandas as pd

    frame = pd.read_parquet(f"skyfs://{HIVE}")
    assert partitions(list(frame[NAMES].itertuples(index=False, name=None))) == VALUES
    some = pd.read_parquet(f"skyfs://{HIVE}", filters=[("visit", "=", 102), ("detector", "=", 2)])
    assert list(some["id"]) == list(range(10200, 10210))
    again = pd.read_parquet(f"skyfs://{HIVE.removeprefix('sky')}", storage_options={"repo": str(repo.root)})
    assert len(again) == len(frame)


@pytest.mark.parametrize("folder", [HIVE, HIVE.removeprefix("sky")])
def test_pyarrow_reads_a_tree(fs: SkyFileSystem, folder: str) -> None:
    import pyarrow.dataset as pads

    found = pads.dataset(folder, filesystem=fs, format="parquet", partitioning="hive")
    table = found.to_table()
    assert partitions(list(zip(*(table[name].to_pylist() for name in NAMES), strict=True))) == VALUES
    assert found.count_rows(filter=pads.field("visit") == 111) == 20
    assert len(found.files) == len(VALUES)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask calls pandas in the old way
def test_dask_reads_a_tree() -> None:
    import dask
    import dask.dataframe as dd

    with dask.config.set(scheduler="threads"):
        frame = dd.read_parquet(f"skyfs://{HIVE}").compute()
    assert partitions(list(frame[NAMES].itertuples(index=False, name=None))) == VALUES


def test_dask_reads_a_tree_in_processes() -> None:
    import dask
    import dask.dataframe as dd

    with dask.config.set(scheduler="processes", num_workers=2):
        frame = dd.read_parquet(f"skyfs://{HIVE}").compute()
    assert partitions(list(frame[NAMES].itertuples(index=False, name=None))) == VALUES


def test_duckdb_reads_a_tree(fs: SkyFileSystem) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        tree = connection.read_parquet(f"skyfs://{HIVE}/**/*.parquet", hive_partitioning=True)
        assert partitions(tree.project(", ".join(NAMES)).fetchall()) == VALUES
        one = connection.read_parquet(f"skyfs://sky{fs.find('/u/cat')[0]}")
        assert one.sum("id").fetchall() == [(sum(range(10100, 10110)),)]


def test_polars_reads_a_tree(fs: SkyFileSystem) -> None:
    import polars as pl
    import pyarrow.dataset as pads

    found = pads.dataset(HIVE, filesystem=fs, format="parquet", partitioning="hive")
    frame = pl.scan_pyarrow_dataset(found).filter(pl.col("flux") >= 0).collect()
    assert partitions(frame.select(NAMES).rows()) == VALUES


def test_polars_reads_a_file(fs: SkyFileSystem) -> None:
    import polars as pl

    with fs.open(fs.find("/u/cat")[0]) as file:
        assert pl.read_parquet(file)["id"].to_list()[:2] == [10100, 10101]


def test_astropy_opens_urls() -> None:
    with fits.open(f"skyfs://sky{IMAGE}", use_fsspec=True) as hdus:
        part = hdus["SCI"].section[10:12, 5:8]
        assert part.tolist() == [[3005, 3006, 3007], [3305, 3306, 3307]]
        assert hdus["SCI"].data.shape == (200, 300)


@pytest.mark.parametrize("memmap", [True, False])
def test_astropy_reads_open_files(fs: SkyFileSystem, memmap: bool) -> None:  # noqa: FBT001
    with fs.open(IMAGE) as file, fits.open(file, memmap=memmap) as hdus:
        assert hdus["SCI"].data[1, 2] == 302
        hdus["SCI"].data = None
    with fs.open(fs.find("/u/cat")[0]) as file:
        assert Table.read(file, format="parquet")["id"][0] == 10100
    with fs.open(fs.find("/u/cat")[0].replace(".parquet", ".vot")) as file:
        assert Table.read(file, format="votable")["id"][0] == 10100


def test_astropy_writes_open_files(fs: SkyFileSystem) -> None:
    with fs.open("/u/astropy/cutout.fits", "wb") as file:
        fits.PrimaryHDU(np.ones((3, 4))).writeto(file)
    with fs.open("/u/astropy/cutout.fits") as file, fits.open(file, memmap=False) as hdus:
        assert hdus[0].data.sum() == 12
    fs.rm("/u/astropy", recursive=True)


def test_numpy_and_json(fs: SkyFileSystem) -> None:
    with fs.open("/u/img/array.npy") as file:
        assert np.load(file).tolist() == list(range(12))
    with fs.open("/u/img/notes.json") as file:
        assert json.load(file) == {"a": [1, 2]}
    with fs.open("/u/numpy/saved.npy", "wb") as file:
        np.save(file, np.eye(2))
    assert np.load(io.BytesIO(fs.cat("/u/numpy/saved.npy"))).tolist() == [[1, 0], [0, 1]]
    fs.rm("/u/numpy", recursive=True)


def test_previews(fs: SkyFileSystem) -> None:
    from PIL import Image

    with fs.open(IMAGE.replace(".fits", ".png")) as file, Image.open(file) as picture:
        assert picture.size[0] > 100


def test_a_mapping(fs: SkyFileSystem) -> None:
    mapper = fs.get_mapper("/u/img")
    assert sorted(mapper) == ["array.npy", IMAGE.removeprefix("/u/img/"), "notes.json"]
    assert json.loads(mapper["notes.json"]) == {"a": [1, 2]}


def test_a_local_cache_before_it(tmp_path: Path) -> None:
    import fsspec

    url = "simplecache::skyfs://sky/u/img/notes.json"
    with fsspec.open(url, simplecache={"cache_storage": str(tmp_path)}) as file:
        assert json.load(file) == {"a": [1, 2]}
