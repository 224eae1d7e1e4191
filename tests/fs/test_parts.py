"""Parts of datasets at every door: a path with selectors is a file of its own."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table

import skyfs
from skyfs.errors import BadArgument, BadPath, NotAllowed, NotFound, SkyfsError, Unsupported
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

IMAGE = "/u/r/image.fits"
CATALOG = "/u/r/src/instrument=Cam/detector=1.parquet"
PIXELS = np.arange(30 * 40, dtype="i2").reshape(30, 40)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    root = tmp_path_factory.mktemp("parts") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        repository.insert("instrument", [{"name": "Cam"}])
        detectors = [{"instrument": "Cam", "id": number, "full_name": f"S{number}"} for number in (1, 2)]
        repository.insert("detector", detectors)
        repository.register("image", [], "Hdus")
        repository.register("frame", [], "Image")
        repository.register("array", [], "Array")
        repository.register("notes", [], "Dict")
        repository.register("src", ["detector"], "Table")
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(PIXELS, name="SCI")])
        columns = [
            fits.Column("id", "J", array=np.arange(9)),
            fits.Column("flux", "E", array=np.arange(9) * 10),
        ]
        hdus.append(fits.BinTableHDU.from_columns(columns, name="STARS"))
        repository.put(hdus, "image", run="u/r")
        repository.put(CCDData(PIXELS.astype("f4"), unit="adu"), "frame", run="u/r")
        repository.put(PIXELS, "array", run="u/r")
        repository.put({"a": 1}, "notes", run="u/r")
        for detector in (1, 2):
            table = Table({"ra": np.arange(50.0), "dec": np.arange(50) / 2, "flux": np.arange(50) * 4.0})
            repository.put(table, "src", run="u/r", instrument="Cam", detector=detector)
        yield repository


@pytest.fixture(autouse=True)
def index(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repo.root.parent / "index.yaml"
    path.write_text(f"partsky: {repo.root}\n")
    monkeypatch.setenv("SKYFS_INDEX", str(path))


@pytest.fixture
def fs(repo: Repository) -> SkyFileSystem:
    return skyfs.filesystem(repo)


def pixels(data: bytes, hdu: int = -1) -> np.ndarray:
    with fits.open(io.BytesIO(data)) as hdus:
        return np.array(hdus[hdu].data)


# -- fsspec ----------------------------------------------------------------------------------------------


def test_a_part_is_a_file_with_size_name_and_identity_of_its_own(fs: SkyFileSystem) -> None:
    part, other = f"{IMAGE}[1][1:10,1:5]", f"{IMAGE}[1][1:10,1:6]"
    data = fs.cat_file(part)
    assert np.array_equal(pixels(data), PIXELS[:5, :10])
    found, whole = fs.info(part), fs.info(IMAGE)
    assert (found["name"], found["size"], found["type"]) == (part, len(data), "file")
    assert (found["id"], found["dataset_type"], found["mtime"]) == (whole["id"], "image", whole["mtime"])
    assert found["sha256"] is None
    assert whole["sha256"] is not None
    for key in ("ino", "filename"):
        assert len({fs.info(path)[key] for path in (part, other, IMAGE)}) == 3
    assert len({fs.ukey(path) for path in (part, other, IMAGE)}) == 3
    assert fs.ukey(part) == fs.ukey(part)
    assert not set("[]:,") & set(str(found["filename"]))


def test_one_part_has_one_name(fs: SkyFileSystem) -> None:
    for spelling in ("[ SCI ][1:10 , 1:5]", "[SCI][1:10:1,1:5]"):
        assert fs.info(f"{IMAGE}{spelling}")["name"] == f"{IMAGE}[SCI][1:10,1:5]"


def test_listings_show_no_parts(fs: SkyFileSystem) -> None:
    fs.cat_file(f"{IMAGE}[1]")
    assert not [path for path in fs.find("/") if "[" in path]
    assert fs.ls(f"{IMAGE}[1]", detail=False) == [f"{IMAGE}[1]"]
    assert fs.find(f"{IMAGE}[1]") == [f"{IMAGE}[1]"]


def test_ranges_files_and_copies_of_parts(fs: SkyFileSystem, tmp_path: Path) -> None:
    part = f"{IMAGE}[STARS][flux > 30]"
    data = fs.cat_file(part)
    assert fs.cat_file(part, start=-10) == data[-10:]
    assert fs.cat_ranges([part, part], [0, 5], [4, 9]) == [data[:4], data[5:9]]
    with fs.open(part) as file:
        assert file.size == len(data)
        assert file.read() == data
    fs.get(part, str(tmp_path / "part.fits"))
    assert (tmp_path / "part.fits").read_bytes() == data
    fs.get(part, f"{tmp_path}/")
    assert (tmp_path / part.rpartition("/")[2]).read_bytes() == data
    assert list(Table.read(tmp_path / "part.fits")["id"]) == [4, 5, 6, 7, 8]


def test_globs_stand_before_selectors(fs: SkyFileSystem) -> None:
    pattern = "/u/r/src/*/detector=*.parquet[col ra][flux > 190]"
    names = [CATALOG.replace("=1.", f"={number}.") + "[col ra][flux > 190]" for number in (1, 2)]
    assert fs.glob(pattern) == names
    found = fs.cat(pattern)
    assert list(found) == names
    assert {len(pd.read_parquet(io.BytesIO(data))) for data in found.values()} == {2}


@pytest.mark.parametrize("folder", ["", "/.hive", "/.where/instrument='Cam'"])
def test_parts_in_every_tree(fs: SkyFileSystem, folder: str) -> None:
    path = f"{folder}/u/r/src/instrument=Cam/detector=1" + (
        "/src.parquet" if folder == "/.hive" else ".parquet"
    )
    assert fs.cat_file(f"{path}[col ra]") == fs.cat_file(f"{CATALOG}[col ra]")
    assert str(fs.info(f"{path}[col ra]")["name"]).endswith(".parquet[col ra]")


def test_parts_by_id(fs: SkyFileSystem) -> None:
    by_id = f"/.by-id/{fs.info(IMAGE)['id']}.fits"
    assert fs.cat_file(f"{by_id}[1]") == fs.cat_file(f"{IMAGE}[1]")
    assert fs.info(f"{by_id}[1]")["name"] == f"{by_id}[1]"


def test_urls_with_selectors() -> None:
    with fits.open(f"skyfs://partsky{IMAGE}[1][1:10,1:5]", use_fsspec=True) as hdus:
        assert hdus[-1].data.shape == (5, 10)
    with fsspec.open(f"skyfs://partsky{CATALOG}[flux > 190]") as file:
        assert len(pd.read_parquet(file)) == 2
    frame = pd.read_parquet(f"skyfs://partsky{CATALOG}[col ra;dec][flux > 100]")
    assert list(frame.columns) == ["ra", "dec"]
    assert list(frame["ra"]) == list(range(26, 50))


# -- other formats ---------------------------------------------------------------------------------------


def test_a_part_in_another_format(fs: SkyFileSystem) -> None:
    section = np.load(io.BytesIO(fs.cat_file("/u/r/image.npy[SCI][3:5,2:4]")))
    assert np.array_equal(section, PIXELS[1:4, 2:5])
    assert np.array_equal(np.load(io.BytesIO(fs.cat_file("/u/r/frame.npy[3:5,2:4]"))), PIXELS[1:4, 2:5])
    assert fs.cat_file("/u/r/frame.png[1:10,1:10]").startswith(b"\x89PNG")
    assert fs.cat_file("/u/r/frame.png[1:10,1:10]") != fs.cat_file("/u/r/frame.png")
    stars = pd.read_parquet(io.BytesIO(fs.cat_file("/u/r/image.parquet[STARS][col flux][id > 6]")))
    assert list(stars["flux"]) == [70, 80]
    assert fs.cat_file(CATALOG.replace(".parquet", ".csv[col ra][flux > 190]")) == b'"ra"\n48\n49\n'


def test_selectors_of_the_other_format(fs: SkyFileSystem) -> None:
    """The stored parquet has no HDUs; the FITS file that is made of it has."""
    with fits.open(io.BytesIO(fs.cat_file(CATALOG.replace(".parquet", ".fits[1][col ra]")))) as hdus:
        assert hdus[1].columns.names == ["ra"]
        assert len(hdus[1].data) == 50


def test_parts_of_components(fs: SkyFileSystem, repo: Repository) -> None:
    part = np.load(io.BytesIO(fs.cat_file("/u/r/frame.data/frame.npy[3:5,2:4]")))
    assert np.array_equal(part, PIXELS[1:4, 2:5])
    assert np.array_equal(repo.get("/u/r/frame.data/frame.npy[3:5,2:4]"), part)  # type: ignore[arg-type]
    assert isinstance(repo.get("/u/r/frame.data/frame.npy"), np.ndarray)


# -- what cannot be --------------------------------------------------------------------------------------

WRONG = [
    (f"{IMAGE}[9]", BadArgument, "1 SCI.*2 STARS"),
    (f"{IMAGE}[NOPE]", BadArgument, "1 SCI"),
    (f"{IMAGE}[1][flux > 1]", BadArgument, "40 × 30"),
    (f"{IMAGE}[2][1:5,1:5]", BadArgument, "is a table"),
    (f"{IMAGE}[2][nope > 1]", BadArgument, "id, flux"),
    (f"{CATALOG}[1]", Unsupported, "one table"),
    (f"{CATALOG}[flux >> 1]", BadArgument, "at character 7"),
    ("/u/r/notes.json[a > 1]", Unsupported, "no selectors cut such files"),
    ("/u/r/array.npy[1:99,1:2]", BadArgument, "has 40 pixels"),
    ("/u/r/nope.fits[1]", NotFound, "nope"),
]


@pytest.mark.parametrize(("path", "error", "message"), WRONG)
def test_wrong_selectors_say_what_is_there(
    fs: SkyFileSystem, repo: Repository, path: str, error: type[SkyfsError], message: str
) -> None:
    for ask in (fs.info, fs.cat_file, fs.open, repo.get):
        with pytest.raises(error, match=message):
            ask(path)
    assert not fs.exists(path)
    assert not fs.isfile(path)


def test_parts_are_never_written_or_removed(fs: SkyFileSystem, repo: Repository) -> None:
    before = snapshot(repo.root)
    changes: list[Callable[[], object]] = [
        lambda: fs.rm(f"{IMAGE}[1]"),
        lambda: fs.pipe_file(f"{IMAGE}[1]", b"x"),
        lambda: fs.pipe_file(f"{IMAGE}[1]", b"x", mode="overwrite"),
        lambda: fs.cp_file(IMAGE, "/u/new/image.fits[1]"),
    ]
    for change in changes:
        with pytest.raises((NotAllowed, BadPath)):
            change()
    assert snapshot(repo.root) == before


# -- Python ----------------------------------------------------------------------------------------------


def test_a_part_can_be_stored_as_a_dataset(repo: Repository, fs: SkyFileSystem) -> None:
    fs.copy(f"{IMAGE}[STARS]", "/u/copies/stars.fits")
    assert fs.cat_file("/u/copies/stars.fits") == fs.cat_file(f"{IMAGE}[STARS]")
    repo.remove_run("u/copies")


def test_get_of_a_path_gives_the_object_of_the_part(repo: Repository) -> None:
    hdus = repo.get(f"{IMAGE}[STARS][flux > 30]")
    assert isinstance(hdus, fits.HDUList)
    assert len(hdus[1].data) == 5
    frame = repo.get("/u/r/frame.fits[3:5,2:4]")
    assert isinstance(frame, CCDData)
    assert frame.unit == "adu"
    assert np.array_equal(frame.data, PIXELS[1:4, 2:5])
    frame = repo.get(f"{CATALOG}[col ra;dec][flux > 100]", as_="pandas")
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (24, 2)
    assert repo.get(f"{CATALOG}[flux > 100]", slices=np.s_[:3], as_="pandas").shape == (3, 3)  # type: ignore[attr-defined]


def test_slices_mean_what_numpy_means(repo: Repository) -> None:
    given: dict[str, Any] = {"collections": "u/r"}
    for name, slices in (("frame", np.s_[1:4, 2:5]), ("array", np.s_[::-2, 3]), ("array", np.s_[...])):
        found = repo.get(name, slices=slices, as_="numpy", **given)
        assert np.array_equal(found, PIXELS[slices])  # type: ignore[arg-type]
    data = repo.get("frame", component="data", slices=np.s_[1:4, 2:5], **given)
    assert np.array_equal(data, PIXELS[1:4, 2:5])  # type: ignore[arg-type]
    rows = repo.get("src", slices=np.s_[10:20], instrument="Cam", detector=1, **given)
    assert isinstance(rows, Table)
    assert list(rows["ra"]) == list(range(10, 20))


def test_sections_as_text_are_refused_as_slices(repo: Repository) -> None:
    for slices in ("[1:3,1:3]", "1:3"):
        with pytest.raises(BadArgument, match="belongs to the path"):
            repo.get("frame", collections="u/r", slices=slices)
    with pytest.raises(Unsupported, match="a builtins"):
        repo.get("notes", collections="u/r", slices=np.s_[1:2])


# -- the command line ------------------------------------------------------------------------------------


def test_the_command_line_takes_parts(repo: Repository, tmp_path: Path) -> None:
    def run(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "skyfs", "-r", str(repo.root), *arguments]
        return subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout

    expected = skyfs.filesystem(repo).cat_file(f"{IMAGE}[1][1:10,1:5]")
    assert run("cat", f"{IMAGE}[1][1:10,1:5]") == expected
    run("cp", f"{IMAGE}[1][1:10,1:5]", "part.fits")
    assert (tmp_path / "part.fits").read_bytes() == expected
    several = run("cat", "/u/r/src/*/*.parquet[col ra][flux > 190]")
    assert len(several) == 2 * len(skyfs.filesystem(repo).cat_file(f"{CATALOG}[col ra][flux > 190]"))


def test_ranges_of_many_with_a_missing_one(repo: Repository) -> None:
    fs = skyfs.filesystem(repo)
    paths = [IMAGE, "/u/r/none.fits"]
    found = fs.cat(paths, on_error="return", start=0, end=6)
    assert found[IMAGE] == b"SIMPLE"
    assert isinstance(found["/u/r/none.fits"], NotFound)
    assert fs.cat(paths, on_error="omit", start=0, end=6) == {IMAGE: b"SIMPLE"}
    with pytest.raises(NotFound):
        fs.cat(paths, start=0, end=6)
