"""cp within the repository, and of datasets that are folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import skyfs
from skyfs.testing.snapshot import snapshot

from .conftest import Command

RUN = "/HSC/runs/a"
CALEXP = f"{RUN}/calexp/instrument=HSC/day_obs=20131102/visit=903334"
SRC = CALEXP.replace("calexp", "src")
CUBE = f"{RUN}/cube/instrument=HSC"


@pytest.fixture
def cubes(sky: Path) -> Path:
    """Two groups, in the repository."""
    with skyfs.open(sky, writable=True) as repo:
        repo.register("cube", ["detector"], "ZarrGroup")
        for n in range(2):
            made = zarr.create_group(MemoryStore())
            made.create_array("a", data=np.arange(3) + 1 + n)
            repo.put(made, "cube", run="HSC/runs/a", instrument="HSC", detector=n)
    return sky


def values(folder: Path) -> list[int]:
    found: Any = zarr.open_group(folder, mode="r")
    return [int(value) for value in found["a"][...]]


def stored(sky: Path, path: str) -> list[int]:
    found: Any = zarr.open_group(f"skyfs://{path}", mode="r", storage_options={"repo": str(sky)})
    return [int(value) for value in found["a"][...]]


# -- within --------------------------------------------------------------------------------------------


def test_datasets_are_copied_within(run: Command, sky: Path) -> None:
    run.lines("cp", f":{CALEXP}/detector=0.fits", f":{CALEXP.replace('runs', 'new')}/detector=0.fits")
    run.lines("cp", f":{CALEXP}/detector=*.fits", ":/u/x/calexp/instrument=HSC/visit=903334/")
    with skyfs.open(sky) as repo:
        where = {"instrument": "HSC", "visit": 903334, "detector": 0}
        refs = [repo.find("calexp", collections=name, **where) for name in ("HSC/runs/a", "HSC/new/a", "u/x")]
        assert len({ref.id for ref in refs}) == 3
        images = [repo.get(ref) for ref in refs]
        assert all(np.array_equal(one.data, images[0].data) for one in images)  # type: ignore[attr-defined]
        assert repo.query("calexp", collections="u/x").count() == 2


def test_a_folder_is_copied_within(run: Command, sky: Path) -> None:
    before = run.lines("find", RUN)
    run.lines("cp", "-r", f":{RUN}", ":/u/new")
    assert run.lines("find", "/u") == [path.replace(RUN, "/u/new") for path in before]
    run.lines("cp", "-r", f":{RUN}", ":/u/new")
    assert run.lines("find", "/u/new/a") == [path.replace(RUN, "/u/new/a") for path in before]
    assert run.lines("find", RUN) == before
    whole = snapshot(sky)
    assert "exists already" in run.fails("cp", "-r", f":{RUN}/calexp", ":/u/new/")
    assert snapshot(sky) == whole
    run.lines("cp", "-r", "--replace", f":{RUN}/calexp", ":/u/new/")
    assert len(run.lines("find", "/u/new")) == 2 * len(before)
    assert snapshot(sky) != whole


@pytest.mark.usefixtures("sky")
def test_datasets_are_converted_within(run: Command) -> None:
    run.lines("cp", "--as", "csv", f":{SRC}/detector=0.fits", ":/u/x/src/instrument=HSC/visit=903334/")
    run.lines("cp", "-r", "--as", "csv", f":{RUN}/src", ":/u/y/src")
    (one,), two = run.lines("find", "/u/x"), run.lines("find", "/u/y")
    assert two == [f"{SRC.replace('/HSC/runs/a', '/u/y')}/detector={n}.csv" for n in range(2)]
    assert run.lines("cat", one) == run.lines("cat", two[0])
    assert run.lines("cat", one)[0] == '"id","flux"'


# -- Zarr ----------------------------------------------------------------------------------------------


def test_a_zarr_dataset_is_copied_out_and_in(run: Command, cubes: Path, tmp_path: Path) -> None:
    assert "-r" in run.fails("cp", f":{CUBE}/detector=0.zarr", "out.zarr")
    run.lines("cp", "-r", f":{CUBE}/detector=0.zarr", "out.zarr")
    (tmp_path / "folder").mkdir()
    run.lines("cp", "-r", f":{CUBE}/detector=*.zarr", "folder")
    assert [values(tmp_path / name) for name in ("out.zarr", "folder/detector=1.zarr")] == [
        [1, 2, 3],
        [2, 3, 4],
    ]
    run.lines("cp", "-r", "out.zarr", ":/u/x/cube/instrument=HSC/detector=2.zarr")
    run.lines("cp", "-r", "folder/detector=0.zarr", "folder/detector=1.zarr", ":/u/x/cube/instrument=HSC/")
    made = [f"/u/x/cube/instrument=HSC/detector={n}.zarr" for n in range(3)]
    assert run.lines("find", "/u") == made
    assert [stored(cubes, path)[0] for path in made] == [1, 2, 1]
    assert run.lines("ls", made[2]) == ["a/", "zarr.json"]


def test_a_zarr_dataset_is_copied_within(run: Command, cubes: Path) -> None:
    new = "/u/x/cube/instrument=HSC"
    run.lines("cp", "-r", f":{CUBE}/detector=1.zarr", f":{new}/detector=0.zarr")
    run.lines("cp", "-r", f":{CUBE}/detector=1.zarr", f":{new}/")
    assert run.lines("find", "/u") == [f"{new}/detector={n}.zarr" for n in range(2)]
    assert stored(cubes, f"{new}/detector=0.zarr") == stored(cubes, f"{new}/detector=1.zarr") == [2, 3, 4]
    assert "exists already" in run.fails("cp", "-r", f":{CUBE}/detector=0.zarr", f":{new}/detector=0.zarr")
    run.lines("cp", "-r", "--replace", f":{CUBE}/detector=0.zarr", f":{new}/detector=0.zarr")
    assert stored(cubes, f"{new}/detector=0.zarr") == [1, 2, 3]
    assert "a part of one" in run.fails("cp", "-r", f":{CUBE}/detector=0.zarr/a", f":{new}/detector=2.zarr")


def test_runs_with_zarr_datasets_are_copied_whole_or_not(run: Command, cubes: Path, tmp_path: Path) -> None:
    run.lines("cp", "-r", f":{RUN}", ":/u/within")
    run.lines("cp", "-r", f":{RUN}", "out")
    run.lines("cp", "-r", "out", ":/u/in")
    names = [path.removeprefix(RUN) for path in run.lines("find", RUN)]
    for top in ("/u/within", "/u/in"):
        assert run.lines("find", top) == [top + name for name in names]
        assert stored(cubes, f"{CUBE.replace(RUN, top)}/detector=1.zarr") == [2, 3, 4]
    (tmp_path / "out/cube/instrument=HSC/detector=1.zarr/zarr.json").unlink()
    before = snapshot(cubes)
    assert "zarr.json" in run.fails("cp", "-r", "out", ":/u/again")
    assert snapshot(cubes) == before
