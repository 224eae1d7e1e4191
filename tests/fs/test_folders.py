"""Datasets that are folders, and folders of datasets, copied by fsspec: out, in, and within."""

# ruff: noqa: ANN401 - what zarr gives may be of any type

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from zarr.storage import MemoryStore

import skyfs
from skyfs.errors import BadArgument, BadContent, Exists, IsDirectory, NotAllowed
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

CUBES = [f"/r/cube/instrument=Cam/detector={n}.zarr" for n in range(3)]
METRICS = [f"/r/metrics/instrument=Cam/detector={n}.json" for n in range(3)]
ATLAS = "/r/atlas.zarr"
INSIDE = ["a/c/0", "a/zarr.json", "zarr.json"]


def group(number: int) -> zarr.Group:
    made = zarr.create_group(MemoryStore(), attributes={"number": number})
    made.create_array("a", data=np.arange(5) + 1 + number, chunks=(5,))
    return made


@pytest.fixture
def fs(tmp_path: Path) -> Iterator[SkyFileSystem]:
    with skyfs.create(tmp_path / "sky", name="sky", options={"durability": "process"}) as repo:
        repo.insert("instrument", [{"name": "Cam"}])
        repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(3)])
        repo.register("cube", ["detector"], "ZarrGroup")
        repo.register("metrics", ["detector"], "Dict")
        repo.register("raw", ["detector"], "Hdus")
        repo.register("atlas", [], "ZarrGroup")
        for n in range(3):
            repo.put(group(n), "cube", run="r", instrument="Cam", detector=n)
            repo.put({"n": n}, "metrics", run="r", instrument="Cam", detector=n)
        repo.put(group(7), "atlas", run="r")
        yield skyfs.filesystem(repo)


@pytest.fixture
def fetched(fs: SkyFileSystem, tmp_path: Path) -> Path:
    """The RUN on local disk."""
    fs.get("/r", str(tmp_path / "fetched"), recursive=True)
    return tmp_path / "fetched"


@pytest.fixture
def refused(fs: SkyFileSystem) -> Callable[..., None]:
    """Demands that a call fails, and leaves registry and disk as they were."""

    def check(
        kind: type[Exception], match: str, call: Callable[..., object], *args: Any, **options: Any
    ) -> None:
        before = snapshot(fs.repository.root)
        with pytest.raises(kind, match=match):
            call(*args, **options)
        assert snapshot(fs.repository.root) == before

    return check


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def local(path: Path) -> int:
    """Give the number of a group on local disk, whose values must be its own."""
    found: Any = zarr.open_group(path, mode="r")
    assert found["a"][...].tolist() == (np.arange(5) + 1 + found.attrs["number"]).tolist()
    return int(found.attrs["number"])


def number(fs: SkyFileSystem, path: str) -> int:
    """Give the number of a group in the repository, seen as one dataset by all that lists it."""
    options = {"repo": str(fs.repository.root)}
    found: Any = zarr.open_group(f"skyfs://{path}", mode="r", storage_options=options)
    assert found["a"][...].tolist() == (np.arange(5) + 1 + found.attrs["number"]).tolist()
    assert fs.find(path) == [f"{path}/{name}" for name in INSIDE]
    assert fs.du(path) == sum(fs.size(one) for one in fs.find(path))
    assert path in fs.ls(path.rpartition("/")[0], detail=False)
    return int(found.attrs["number"])


def datasets(repo: Repository, run: str) -> list[str]:
    return sorted(
        path for name in ("cube", "metrics", "atlas") for path in repo.query(name, collections=run).paths()
    )


# -- out -----------------------------------------------------------------------------------------------


def test_folders_of_a_list_keep_their_names(fs: SkyFileSystem, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fs.get([*CUBES, ATLAS, METRICS[0]], str(out), recursive=True)
    assert [local(out / f"detector={n}.zarr") for n in range(3)] == [0, 1, 2]
    assert local(out / "atlas.zarr") == 7
    assert sorted(path.name for path in out.iterdir()) == [
        "atlas.zarr",
        "detector=0.json",
        *(f"detector={n}.zarr" for n in range(3)),
    ]
    assert files(out / "atlas.zarr") == INSIDE


def test_patterns_of_a_list_stand_for_folders(fs: SkyFileSystem, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fs.get(["/r/cube/*/detector=[01].zarr", "/r/none/*", "/r/metrics"], str(out), recursive=True)
    assert [local(out / f"detector={n}.zarr") for n in range(2)] == [0, 1]
    assert files(out / "metrics") == [f"instrument=Cam/detector={n}.json" for n in range(3)]
    with pytest.raises(FileNotFoundError):
        fs.get(["/r/none/*"], str(out), recursive=True)


def test_a_list_of_folders_goes_to_a_list(fs: SkyFileSystem, tmp_path: Path) -> None:
    targets = [tmp_path / "one", tmp_path / "two.zarr", tmp_path / "three.json"]
    targets[1].mkdir()
    fs.get([*CUBES[:2], METRICS[2]], [str(path) for path in targets], recursive=True)
    assert [local(targets[0]), local(targets[1])] == [0, 1]
    assert targets[2].read_bytes() == fs.cat(METRICS[2])
    with pytest.raises(BadArgument, match="2 sources, 1 targets"):
        fs.get(CUBES[:2], [str(targets[0])], recursive=True)


def test_two_of_one_name_are_refused_before_anything_is_written(fs: SkyFileSystem, tmp_path: Path) -> None:
    fs.copy("/r", "/s", recursive=True)
    out = tmp_path / "out"
    for one in (CUBES[0], METRICS[0]):
        with pytest.raises(Exists, match="both have that name"):
            fs.get([one, one.replace("/r/", "/s/")], str(out), recursive=True)
    assert not out.exists()


# -- in ------------------------------------------------------------------------------------------------


def test_a_fetched_run_is_put_into_another(fs: SkyFileSystem, fetched: Path) -> None:
    fs.put(str(fetched), "/s", recursive=True)
    assert datasets(fs.repository, "s") == [path.replace("/r", "/s") for path in datasets(fs.repository, "r")]
    assert [number(fs, path.replace("/r/", "/s/")) for path in [*CUBES, ATLAS]] == [0, 1, 2, 7]
    assert [one.name for one in fs.repository.collections()] == ["r", "s"]
    assert fs.info(CUBES[0])["sha256"] == fs.info(CUBES[0].replace("/r/", "/s/"))["sha256"]


def test_folders_are_put_into_folders_and_as_lists(fs: SkyFileSystem, fetched: Path) -> None:
    made = fetched / "cube" / "instrument=Cam"
    paths = [str(made / f"detector={n}.zarr") for n in range(3)]
    fs.put(paths[0], "/s/cube/instrument=Cam/", recursive=True)
    fs.put(paths[1:], "/s/cube/instrument=Cam", recursive=True)
    assert [number(fs, path.replace("/r/", "/s/")) for path in CUBES] == [0, 1, 2]
    targets = [path.replace("/r/", "/t/") for path in (CUBES[0], METRICS[1])]
    metrics = fetched / "metrics/instrument=Cam/detector=1.json"
    fs.put([made / "detector=2.zarr", metrics], targets, recursive=True)
    assert (number(fs, targets[0]), fs.cat(targets[1])) == (2, fs.cat(METRICS[1]))
    fs.put(fetched / "atlas.zarr", "/t/atlas.zarr", recursive=True)
    assert number(fs, "/t/atlas.zarr") == 7


def test_all_folders_are_stored_or_none(
    fs: SkyFileSystem, fetched: Path, refused: Callable[..., None]
) -> None:
    (fetched / "cube/instrument=Cam/detector=2.zarr/zarr.json").unlink()
    refused(BadContent, r"zarr\.json", fs.put, str(fetched), "/s", recursive=True)
    assert not fs.exists("/s")
    # The folders that are whole would have been stored before it.
    (fetched / "cube/instrument=Cam/detector=2.zarr/zarr.json").write_text("{}")
    fs.put(str(fetched), "/s", recursive=True)
    refused(Exists, "exists", fs.put, f"{fetched}/", "/s", recursive=True)


def test_half_a_folder_is_refused(fs: SkyFileSystem, fetched: Path, refused: Callable[..., None]) -> None:
    metadata = str(fetched / "atlas.zarr" / "zarr.json")
    many = [f"{path.replace('/r/', '/s/')}/zarr.json" for path in (CUBES[0], ATLAS)]
    refused(NotAllowed, "inside of a dataset", fs.put, [metadata] * 2, many)
    refused(NotAllowed, "inside of a dataset", fs.put, str(fetched), "/s", recursive=True, maxdepth=3)
    refused(NotAllowed, "inside of a dataset", fs.copy, [METRICS[0]] * 2, many)
    (fetched / "atlas.zarr" / "b").symlink_to(fetched / "atlas.zarr" / "a")
    refused(BadArgument, "'b' is no file", fs.put, str(fetched), "/s", recursive=True)


def test_a_folder_is_put_in_the_place_of_another(fs: SkyFileSystem, fetched: Path) -> None:
    zarr.open_group(fetched / "atlas.zarr").attrs["number"] = 7
    zarr.open_group(fetched / "atlas.zarr").attrs["new"] = 1
    fs.put(f"{fetched}/", "/r", recursive=True, mode="overwrite")
    assert b'"new"' in fs.cat(f"{ATLAS}/zarr.json")
    assert number(fs, ATLAS) == 7


def test_many_files_are_refused_where_one_is(
    fs: SkyFileSystem, fetched: Path, refused: Callable[..., None]
) -> None:
    one = str(fetched / "metrics/instrument=Cam/detector=0.json")
    for target, kind in (("/r/metrics/instrument=Cam", IsDirectory), ("/r/atlas.zarr/x.json", NotAllowed)):
        refused(kind, "write '/r", fs.put, [one, one], ["/s/x.json", target])


# -- within --------------------------------------------------------------------------------------------


def test_a_dataset_is_copied_to_another_path(fs: SkyFileSystem, refused: Callable[..., None]) -> None:
    fs.copy(CUBES[1], "/s/cube/instrument=Cam/detector=0.zarr", recursive=True)
    assert number(fs, "/s/cube/instrument=Cam/detector=0.zarr") == 1
    fs.cp_file(CUBES[2], "/s/cube/instrument=Cam/detector=1.zarr")
    assert number(fs, "/s/cube/instrument=Cam/detector=1.zarr") == 2
    refused(Exists, "exists", fs.copy, CUBES[0], CUBES[1], recursive=True)
    fs.copy(CUBES[0], CUBES[1], recursive=True, replace=True)
    assert number(fs, CUBES[1]) == 0
    assert fs.info(CUBES[1])["sha256"] == fs.info(CUBES[0])["sha256"]


def test_runs_and_lists_are_copied(fs: SkyFileSystem) -> None:
    fs.copy("/r", "/s", recursive=True)
    assert datasets(fs.repository, "s") == [path.replace("/r", "/s") for path in datasets(fs.repository, "r")]
    assert [number(fs, path.replace("/r/", "/s/")) for path in [*CUBES, ATLAS]] == [0, 1, 2, 7]
    fs.copy(CUBES[:2], "/t/cube/instrument=Cam", recursive=True)
    assert [number(fs, path.replace("/r/", "/t/")) for path in CUBES[:2]] == [0, 1]


def test_copies_to_one_path_are_refused(fs: SkyFileSystem, refused: Callable[..., None]) -> None:
    for one, two in ((CUBES[0], CUBES[1]), (METRICS[0], METRICS[1])):
        match = f"'{one}' and '{two}' would both have that name"
        refused(Exists, match, fs.copy, [one, two], [one.replace("/r/", "/s/")] * 2, recursive=True)


def test_a_view_is_copied_as_what_it_shows(fs: SkyFileSystem) -> None:
    pixels = np.arange(12, dtype="i2").reshape(3, 4)
    fs.repository.put(fits.HDUList([fits.PrimaryHDU(pixels)]), "raw", run="r", instrument="Cam", detector=0)
    copies = [f"/{run}/cube/instrument=Cam/detector=0.zarr" for run in ("s", "t")]
    fs.copy(["/r/raw/instrument=Cam/detector=0.zarr"] * 2, copies, recursive=True)
    fs.copy("/r/raw/instrument=Cam/detector=0.zarr", "/v/atlas.zarr", recursive=True)
    for path in (*copies, "/v/atlas.zarr"):
        found: Any = zarr.open(f"skyfs://{path}", mode="r", storage_options={"repo": str(fs.repository.root)})
        assert np.array_equal(found["0"][...], pixels)


def test_a_zip_is_copied_as_it_is(fs: SkyFileSystem) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in fs.find(CUBES[0]):
            file.writestr(path.removeprefix(f"{CUBES[0]}/"), fs.cat(path))
    fs.pipe("/s/atlas.zarr.zip", packed.getvalue())
    fs.copy("/s/atlas.zarr", "/t/atlas.zarr", recursive=True)
    assert number(fs, "/t/atlas.zarr") == 0
    assert fs.info("/t/atlas.zarr")["sha256"] == sha256(packed.getvalue()).hexdigest()


def test_what_is_no_dataset_becomes_none(fs: SkyFileSystem, refused: Callable[..., None]) -> None:
    refused(NotAllowed, "inside of a dataset", fs.copy, f"{CUBES[0]}/a", "/s/atlas.zarr", recursive=True)
    refused(NotAllowed, "write the whole dataset", fs.copy, "/r/metrics", "/s/atlas.zarr", recursive=True)


def test_transactions_take_folders(fs: SkyFileSystem, fetched: Path) -> None:
    with fs.transaction:
        fs.put(str(fetched), "/s", recursive=True)
        fs.copy("/r", "/t", recursive=True)
        assert not fs.exists("/s")
    with fs.repository.transaction():
        fs.put(str(fetched), "/u", recursive=True)
        fs.copy("/r", "/v", recursive=True)
    for run in "stuv":
        assert [number(fs, path.replace("/r/", f"/{run}/")) for path in [*CUBES, ATLAS]] == [0, 1, 2, 7]


def test_only_the_stored_spelling_is_replaced(
    fs: SkyFileSystem, tmp_path: Path, refused: Callable[..., None]
) -> None:
    other = METRICS[0].removesuffix(".json") + ".yaml"
    (tmp_path / "m.yaml").write_text("a: 4\n")
    local = str(tmp_path / "m.yaml")
    match = "only the stored spelling"
    refused(NotAllowed, match, fs.put, [local, local], [other, "/s/note.yaml"], replace=True)
    refused(NotAllowed, match, fs.copy, [METRICS[1]] * 2, [other, "/s/metrics.json"], replace=True)
