"""Datasets that paths show as folders: Zarr as it is stored, and FITS and NPY seen as Zarr."""

# ruff: noqa: ANN401 - what zarr gives may be of any type

from __future__ import annotations

import errno
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from zarr.storage import FsspecStore, MemoryStore

import skyfs
from skyfs.errors import BadContent, IsDirectory, NotAllowed, NotFound
from skyfs.fs import SkyFileSystem
from skyfs.mount.failures import Refusal
from skyfs.mount.operations import Operations
from skyfs.repository import Repository
from skyfs.stores.local import LocalSource
from skyfs.tree import Tree

RUN = "u/me/r1"
LEAF = f"/{RUN}/cube/instrument=Cam.zarr"
ZIP = f"/{RUN}/packed/instrument=Cam.zarr.zip"
VIEW = f"/{RUN}/raw/instrument=Cam.zarr"
ALONE = f"/{RUN}/atlas.zarr"
SIZE = 1000
FLUX = np.random.default_rng(3).normal(size=(SIZE, SIZE)).astype("f4")
COUNTS = np.arange(SIZE * SIZE).reshape(SIZE, SIZE).astype("u2")
CHUNK = 200 * 200 * 4


def group(values: np.ndarray = FLUX, **options: Any) -> zarr.Group:
    made = zarr.create_group(MemoryStore(), attributes={"survey": "test"})
    made.create_array("flux", data=values, dimension_names=["y", "x"], **options)
    return made


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    root = tmp_path_factory.mktemp("zarr") / "sky"
    formats = {"types": {"packed": {"extension": ".zarr.zip"}}}
    options = {"durability": "process", "formats": formats}
    with skyfs.create(root, options=options) as made:
        made.insert("instrument", [{"name": "Cam"}])
        for name in ("cube", "packed"):
            made.register(name, ["instrument"], "ZarrGroup")
        made.register("raw", ["instrument"], "Hdus")
        made.register("pixels", ["instrument"], "Array")
        made.register("atlas", [], "ZarrGroup")
        plain: dict[str, Any] = {"chunks": (200, 200), "compressors": None}
        made.put(group(**plain), "cube", run=RUN, instrument="Cam")
        made.put(group(chunks=(100, 100), shards=(500, 500)), "packed", run=RUN, instrument="Cam")
        made.put(group(FLUX[:10]), "atlas", run=RUN)
        rice = fits.CompImageHDU(COUNTS, name="SCI", tile_shape=(100, 100))
        made.put(fits.HDUList([fits.PrimaryHDU(FLUX), rice]), "raw", run=RUN, instrument="Cam")
        made.put(FLUX, "pixels", run=RUN, instrument="Cam")
        yield made


@pytest.fixture
def fs(repo: Repository) -> SkyFileSystem:
    return skyfs.filesystem(repo)


@pytest.fixture
def writable(tmp_path: Path) -> Iterator[SkyFileSystem]:
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as made:
        made.insert("instrument", [{"name": "Cam"}])
        made.register("cube", ["instrument"], "ZarrGroup")
        yield skyfs.filesystem(made)


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gather how many bytes each read of a store takes."""
    found: list[int] = []
    read = LocalSource.read

    def counting(self: LocalSource, start: int, stop: int) -> bytes:
        data = read(self, start, stop)
        found.append(len(data))
        return data

    monkeypatch.setattr(LocalSource, "read", counting)
    return found


def store(fs: SkyFileSystem, path: str) -> FsspecStore:
    return FsspecStore(AsyncFileSystemWrapper(fs, asynchronous=True), path=path, read_only=True)


def opened(fs: SkyFileSystem, path: str) -> Any:
    return zarr.open(store(fs, path), mode="r")


# -- looking -------------------------------------------------------------------------------------------


def test_a_dataset_is_a_folder(fs: SkyFileSystem) -> None:
    assert fs.ls(f"/{RUN}/cube", detail=False) == [LEAF]
    assert fs.isdir(LEAF)
    assert not fs.isfile(LEAF)
    assert fs.ls(LEAF, detail=False) == [f"{LEAF}/flux", f"{LEAF}/zarr.json"]
    info = fs.info(LEAF)
    assert (info["type"], info["size"], info["dataset_type"]) == ("directory", 0, "cube")
    assert len(str(info["sha256"])) == 64
    with pytest.raises(IsDirectory):
        fs.open(LEAF)


def test_files_inside_have_sizes_and_are_of_the_dataset(fs: SkyFileSystem) -> None:
    info = fs.info(f"{LEAF}/flux/c/0/1")
    assert (info["type"], info["size"], info["id"]) == ("file", CHUNK, fs.info(LEAF)["id"])
    assert fs.cat(f"{LEAF}/flux/c/0/1") == np.ascontiguousarray(FLUX[:200, 200:400]).tobytes()
    with fs.open(f"{LEAF}/zarr.json") as file:
        assert json.load(file)["attributes"] == {"survey": "test"}
    inodes = {one["ino"] for one in fs.find(LEAF, withdirs=True, detail=True).values()}
    assert len(inodes) == len(fs.find(LEAF, withdirs=True))
    assert fs.ukey(f"{LEAF}/flux/c/0/1") != fs.ukey(f"{LEAF}/flux/c/0/2")


def test_find_walk_du_and_glob_go_inside(fs: SkyFileSystem) -> None:
    inside = [f"{LEAF}/flux/c/{y}/{x}" for y in range(5) for x in range(5)]
    assert fs.find(f"{LEAF}/flux/c") == inside
    assert set(inside) < set(fs.find(f"/{RUN}/cube"))
    assert set(inside) < set(fs.find("/"))
    assert fs.find(f"/{RUN}/cube", maxdepth=2) == [f"{LEAF}/zarr.json"]
    assert LEAF in fs.find(f"/{RUN}/cube", maxdepth=1, withdirs=True)
    assert fs.du(f"{LEAF}/flux/c") == FLUX.nbytes
    assert [top for top, _, _ in fs.walk(f"{LEAF}/flux", maxdepth=1)] == [f"{LEAF}/flux"]
    assert fs.glob(f"/{RUN}/*/*.zarr") == [LEAF]
    assert fs.glob(f"/{RUN}/*/instrument=*.zarr/flux/c/*/4") == inside[4::5]
    assert fs.glob(f"/{RUN}/cube/**/4") == sorted([f"{LEAF}/flux/c/4", *inside[4::5]])
    assert fs.glob(f"{VIEW}/*") == [f"{VIEW}/0", f"{VIEW}/SCI", f"{VIEW}/zarr.json"]
    assert fs.glob(f"{VIEW}/SCI/c/1/[12]") == [f"{VIEW}/SCI/c/1/1", f"{VIEW}/SCI/c/1/2"]


def test_a_zip_is_a_file_and_seen_as_a_folder_too(fs: SkyFileSystem) -> None:
    assert fs.ls(f"/{RUN}/packed", detail=False) == [ZIP]
    assert zipfile.is_zipfile(io.BytesIO(fs.cat(ZIP)))
    assert np.array_equal(opened(fs, ZIP.removesuffix(".zip"))["flux"][...], FLUX)
    # And the other way round.
    assert zipfile.is_zipfile(io.BytesIO(fs.cat(f"{LEAF}.zip")))
    assert fs.isfile(f"{LEAF}.zip")


def test_types_without_dimensions(fs: SkyFileSystem) -> None:
    assert fs.isdir(ALONE)
    assert fs.ls(ALONE, detail=False) == [f"{ALONE}/flux", f"{ALONE}/zarr.json"]
    assert np.array_equal(opened(fs, ALONE)["flux"][...], FLUX[:10])
    assert f"{ALONE}/flux/zarr.json" in fs.find(f"/{RUN}")
    with pytest.raises(NotFound):
        fs.info(f"{ALONE}/nothing")


def test_service_directories(fs: SkyFileSystem) -> None:
    uuid = fs.info(LEAF)["id"]
    for leaf in (
        f"/.by-id/{uuid}.zarr",
        f"/.hive/{RUN}/cube/instrument=Cam/cube.zarr",
        f"/.where/TRUE{LEAF}",
    ):
        assert fs.isdir(leaf)
        assert fs.ls(leaf, detail=False) == [f"{leaf}/flux", f"{leaf}/zarr.json"]
        assert np.array_equal(opened(fs, leaf)["flux"][:3], FLUX[:3])


@pytest.mark.parametrize(
    "path",
    [
        f"{LEAF}/x",
        f"{LEAF}/flux/c/9/9",
        f"{LEAF}/zarr.json/x",
        f"{VIEW}/SCI/c/10/0",
        f"/{RUN}/cube/instrument=Cam.fits/zarr.json",
        f"/{RUN}/cube/instrument=Nope.zarr",
        f"/{RUN}/cube/instrument=Nope.zarr/zarr.json",
        f"/{RUN}/nope.zarr/zarr.json",
        "/.by-id/x.zarr/zarr.json",
    ],
)
def test_what_is_not_there(fs: SkyFileSystem, path: str) -> None:
    assert not fs.exists(path)
    for ask in (fs.info, fs.open, fs.cat):
        with pytest.raises(FileNotFoundError):
            ask(path)


# -- opening by libraries ------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf", [LEAF, ZIP.removesuffix(".zip"), ALONE])
def test_zarr_opens_a_url(repo: Repository, leaf: str) -> None:
    root: Any = zarr.open(f"skyfs://{leaf}", mode="r", storage_options={"repo": str(repo.root)})
    assert root.attrs["survey"] == "test"
    assert np.array_equal(root["flux"][5:9, ::7], FLUX[5:9, ::7])


def test_zarr_opens_a_url_by_name(tmp_path: Path) -> None:
    rice = fits.CompImageHDU(COUNTS, name="SCI", tile_shape=(100, 100))
    with skyfs.create(tmp_path / "sky", name="zarrs", options={"durability": "process"}) as made:
        made.insert("instrument", [{"name": "Cam"}])
        made.register("raw", ["instrument"], "Hdus")
        made.put(fits.HDUList([fits.PrimaryHDU(FLUX), rice]), "raw", run=RUN, instrument="Cam")
    root: Any = zarr.open(f"skyfs://zarrs{VIEW}", mode="r")
    assert np.array_equal(root["SCI"][150:250, 350:360], COUNTS[150:250, 350:360])
    assert root["SCI"].dtype == "u2"
    assert root["0"].attrs["BITPIX"] == -32


@pytest.mark.parametrize("consolidated", [None, True, False])
def test_xarray(repo: Repository, consolidated: bool | None) -> None:  # noqa: FBT001
    xarray = pytest.importorskip("xarray")
    options = {"storage_options": {"repo": str(repo.root)}, "consolidated": consolidated}
    with xarray.open_zarr(f"skyfs://{LEAF}", **options) as dataset:
        assert dataset.flux.dims == ("y", "x")
        assert np.array_equal(dataset.flux[3:5].values, FLUX[3:5])
    with xarray.open_zarr(f"skyfs://{VIEW}", **options) as dataset:
        assert np.array_equal(dataset.SCI[:, 7].values, COUNTS[:, 7])
        assert dataset["0"].attrs["NAXIS1"] == SIZE


def test_npy_is_an_array(fs: SkyFileSystem) -> None:
    array = opened(fs, f"/{RUN}/pixels/instrument=Cam.zarr")
    assert array.shape == FLUX.shape
    assert np.array_equal(array[100:102, 3:5], FLUX[100:102, 3:5])


def test_get_gives_a_group_in_memory(repo: Repository) -> None:
    found: Any = repo.get("cube", collections=RUN, instrument="Cam")
    assert type(found) is zarr.Group
    flux: Any = found["flux"]
    assert np.array_equal(flux[...], FLUX)


# -- what is read --------------------------------------------------------------------------------------


def test_a_chunk_reads_only_itself(fs: SkyFileSystem, bytes_read: list[int]) -> None:
    array = opened(fs, LEAF)["flux"]
    assert sum(bytes_read) < 70_000, "the zip's directory and metadata"
    bytes_read.clear()
    assert np.array_equal(array[200:400, 400:600], FLUX[200:400, 400:600])
    assert CHUNK <= sum(bytes_read) < CHUNK + 200, bytes_read
    assert len(bytes_read) == 1, bytes_read


def test_a_part_of_a_shard_reads_its_chunks(fs: SkyFileSystem, bytes_read: list[int]) -> None:
    array = opened(fs, ZIP.removesuffix(".zip"))["flux"]
    bytes_read.clear()
    assert np.array_equal(array[0:100, 0:100], FLUX[0:100, 0:100])
    # 25 chunks have an index of 16 bytes each.
    assert sum(bytes_read) < 100 * 100 * 4 + 25 * 16 + 200


@pytest.mark.parametrize(("name", "key"), [("0", "1/0"), ("SCI", "3/4")])
def test_a_chunk_of_a_view_reads_only_its_bytes(
    fs: SkyFileSystem, bytes_read: list[int], name: str, key: str
) -> None:
    size = fs.size(f"{VIEW}/{name}/c/{key}")
    bytes_read.clear()
    data = fs.cat(f"{VIEW}/{name}/c/{key}")
    assert len(data) == size
    assert sum(bytes_read) <= size + 4096
    bytes_read.clear()
    assert (
        fs.cat_ranges([f"{VIEW}/0/c/1/0"] * 2, [0, -8], [8, None]) == [data[:8], data[-8:]] or name == "SCI"
    )
    assert sum(bytes_read) == 16


def test_cat_ranges_takes_suffixes(fs: SkyFileSystem) -> None:
    path = f"{LEAF}/flux/c/0/0"
    data = FLUX[:200, :200].tobytes()
    assert fs.cat_ranges([path, path, path], [-16, 4, None], [None, 12, 8]) == [
        data[-16:],
        data[4:12],
        data[:8],
    ]


# -- copying out, writing, removing --------------------------------------------------------------------


@pytest.mark.parametrize("leaf", [LEAF, VIEW])
def test_copied_out_it_is_zarr(fs: SkyFileSystem, leaf: str, tmp_path: Path) -> None:
    fs.get(leaf, str(tmp_path / "out.zarr"), recursive=True)
    root: Any = zarr.open(tmp_path / "out.zarr", mode="r")
    name = "flux" if leaf == LEAF else "0"
    assert np.array_equal(root[name][...], FLUX)


def test_a_local_folder_is_put_as_one_dataset(writable: SkyFileSystem, tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "in.zarr").create_array("a", data=FLUX[:20], chunks=(10, 100))
    writable.put(str(tmp_path / "in.zarr"), LEAF, recursive=True)
    root = opened(writable, LEAF)
    assert np.array_equal(root["a"][...], FLUX[:20])
    assert list(writable.repository.query("cube", collections=RUN).paths()) == [LEAF]
    with pytest.raises(FileExistsError):
        writable.put(str(tmp_path / "in.zarr"), LEAF, recursive=True)
    zarr.open_group(tmp_path / "in.zarr").attrs["new"] = 1
    writable.put(str(tmp_path / "in.zarr"), LEAF, recursive=True, mode="overwrite")
    assert opened(writable, LEAF).attrs["new"] == 1


def test_a_folder_that_is_no_zarr_is_refused(writable: SkyFileSystem, tmp_path: Path) -> None:
    (tmp_path / "in.zarr").mkdir()
    (tmp_path / "in.zarr" / "readme").write_text("nothing")
    with pytest.raises(BadContent, match=r"zarr\.json"):
        writable.put(str(tmp_path / "in.zarr"), LEAF, recursive=True)
    assert not writable.exists(LEAF)


def test_a_zip_is_written_to_the_leaf(writable: SkyFileSystem, fs: SkyFileSystem) -> None:
    writable.pipe(LEAF, fs.cat(ZIP))
    assert np.array_equal(opened(writable, LEAF)["flux"][:2], FLUX[:2])
    with pytest.raises(BadContent):
        writable.pipe(f"/{RUN}2/cube/instrument=Cam.zarr", b"no zip")


@pytest.mark.parametrize("path", [LEAF, "/u/me/r1/new.zarr"])
def test_zarr_cannot_write_chunk_by_chunk(writable: SkyFileSystem, path: str) -> None:
    there = FsspecStore(AsyncFileSystemWrapper(writable, asynchronous=True), path=path)
    with pytest.raises(NotAllowed, match=r"write the whole at once: repo\.put"):
        zarr.save(there, FLUX)  # type: ignore[arg-type]
    assert writable.find("/") == []


def test_opening_for_writing_does_not_lose_the_dataset(writable: SkyFileSystem) -> None:
    writable.repository.put(group(FLUX[:10]), "cube", run=RUN, instrument="Cam")
    there = FsspecStore(AsyncFileSystemWrapper(writable, asynchronous=True), path=LEAF)
    with pytest.raises(NotAllowed):
        zarr.open(there, mode="w")
    with pytest.raises(NotAllowed):
        zarr.open_group(there, mode="r+")["flux"][0] = 1  # type: ignore[index]
    assert np.array_equal(opened(writable, LEAF)["flux"][...], FLUX[:10])


def test_removing(writable: SkyFileSystem) -> None:
    writable.repository.put(group(FLUX[:10]), "cube", run=RUN, instrument="Cam")
    kept = writable.find("/")
    for path, options in (
        (f"{LEAF}/zarr.json", {}),
        (f"{LEAF}/flux", {"recursive": True}),
        (LEAF, {"recursive": True}),
        (f"{LEAF}.zip", {}),
    ):
        with pytest.raises(NotAllowed):
            writable.rm(path, **options)
    assert writable.find("/") == kept
    writable.rm(LEAF)
    assert writable.find("/") == []
    writable.repository.put(group(FLUX[:10]), "cube", run=RUN, instrument="Cam")
    writable.rm(f"/{RUN}", recursive=True)
    assert writable.find("/") == []
    assert not list((writable.repository.root / "data").rglob("*.zarr*"))


def test_replaced_it_shows_the_new(writable: SkyFileSystem) -> None:
    for values in (FLUX[:10], FLUX[10:30]):
        writable.repository.put(group(values), "cube", run=RUN, instrument="Cam", replace=True)
        assert np.array_equal(opened(writable, LEAF)["flux"][...], values)


# -- mounted -------------------------------------------------------------------------------------------


def test_a_mount_shows_the_folder(repo: Repository) -> None:
    operations = Operations(Tree(repo))
    for leaf, names in ((LEAF, ["flux", "zarr.json"]), (VIEW, ["0", "SCI", "zarr.json"])):
        assert stat.S_ISDIR(operations.getattr(leaf)["st_mode"])
        assert sorted(name for name, _ in operations.readdir(leaf)) == names
    path = f"{LEAF}/flux/c/0/1"
    assert operations.getattr(path)["st_size"] == CHUNK
    number, _ = operations.open(path, os.O_RDONLY)
    assert operations.read(number, 40, 8) == np.ascontiguousarray(FLUX[:200, 200:400]).tobytes()[8:48]
    operations.release(number)
    assert _refused(lambda: operations.getattr(f"{LEAF}/flux/c/7/7")) == errno.ENOENT
    operations.close()


def _refused(call: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.errno or 0
