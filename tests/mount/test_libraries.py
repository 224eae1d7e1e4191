"""Libraries that astronomers use, on paths of the mount."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from .conftest import EXPOSURES, Sky, raw_path

ROWS = len(EXPOSURES) * 2 * 5
DIMENSIONS = {"instrument", "day_obs", "exposure", "detector"}


@pytest.fixture
def partitioned(sky: Sky) -> Path:
    """A dataset type in the layout that reads dimensions from folders."""
    return sky.at("/.hive/runs/one/src")


@pytest.fixture
def pandas() -> ModuleType:
    module: ModuleType = pytest.importorskip("pandas")
    return module


def test_fits_in_mapped_memory(sky: Sky) -> None:
    file = sky.at(raw_path())
    with (
        fits.open(file, memmap=True) as hdus,
        fits.open(sky.root.parent / "sources" / "copy903334-0.fits") as own,
    ):
        assert np.array_equal(hdus[0].data, own[0].data)
        assert np.array_equal(hdus["SCI"].data, own["SCI"].data)
        assert hdus[0].header["BUNIT"] == "adu"
        del hdus[0].data, hdus["SCI"].data


def test_numpy_in_mapped_memory(sky: Sky) -> None:
    expected = sky.expected[raw_path()]
    mapped = np.memmap(sky.at(raw_path()), dtype=np.uint8, mode="r")
    assert mapped.tobytes() == expected
    photo = sky.at("/runs/one/photo/instrument=HSC/day_obs=20131103/exposure=903400.npy")
    pixels = np.load(photo, mmap_mode="r")
    assert np.array_equal(pixels, fits.getdata(photo.with_suffix(".fits")))


def test_real_images_are_served_unchanged(sky: Sky, shared_data: Path | None) -> None:
    if shared_data is None:
        pytest.skip("no folder of real files beside the checkout")
    photo = sky.at("/runs/one/photo/instrument=HSC/day_obs=20131102/exposure=903334.fits")
    with fits.open(photo) as served, fits.open(shared_data / "images" / "M13_blue_0001.fits") as own:
        assert np.array_equal(served[0].data, own[0].data)


def test_pandas_reads_one_file(sky: Sky, pandas: ModuleType) -> None:
    file = sky.at("/runs/one/src/instrument=HSC/day_obs=20131102/exposure=903334/detector=1.parquet")
    frame = pandas.read_parquet(file, partitioning=None)
    assert list(frame["flux"]) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert list(frame.columns) == ["flux", "n"]


def test_pandas_reads_folders(partitioned: Path, pandas: ModuleType) -> None:
    frame = pandas.read_parquet(partitioned)
    assert set(frame.columns) == DIMENSIONS | {"flux", "n"}
    assert len(frame) == ROWS
    assert {int(value) for value in frame["exposure"]} == set(EXPOSURES)


def test_arrow_reads_folders(partitioned: Path) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")
    table = dataset.dataset(partitioned, partitioning="hive").to_table()
    assert set(table.column_names) == DIMENSIONS | {"flux", "n"}
    assert table.num_rows == ROWS


def test_duckdb_reads_folders(partitioned: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        files = f"read_parquet('{partitioned}/**/*.parquet', hive_partitioning=true)"
        question = f"SELECT detector, count(*) FROM {files} GROUP BY detector ORDER BY detector"  # noqa: S608
        rows = connection.execute(question).fetchall()
    assert rows == [(0, ROWS // 2), (1, ROWS // 2)]


def test_polars_reads_folders(partitioned: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(partitioned / "**" / "*.parquet", hive_partitioning=True)
    assert set(frame.columns) == DIMENSIONS | {"flux", "n"}
    assert frame.height == ROWS


@pytest.mark.filterwarnings("ignore:The inplace keyword:Warning")  # dask's use of pandas 3.1
def test_dask_reads_folders(partitioned: Path) -> None:
    dask = pytest.importorskip("dask.dataframe")
    frame = dask.read_parquet(partitioned).compute(scheduler="sync")
    assert set(frame.columns) == DIMENSIONS | {"flux", "n"}
    assert len(frame) == ROWS


def test_astropy_reads_tables_in_every_format(sky: Sky) -> None:
    stem = "/runs/one/src/instrument=HSC/day_obs=20131102/exposure=903336/detector=0"
    for extension in (".parquet", ".fits", ".ecsv"):
        assert list(Table.read(sky.at(stem + extension))["n"]) == [0, 1, 2, 3, 4]
