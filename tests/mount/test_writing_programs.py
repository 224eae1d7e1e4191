"""Programs and libraries that write through a mount, as people use them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from astropy.io import fits

from .conftest import Desk
from .test_programs import bash, lines, need

LEVELS = "metrics/instrument=HSC/day_obs=20131102"
NS = 1_300_000_000_500_000_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as a RUN has it, with times of its own."""
    folder = tmp_path / "source"
    (folder / LEVELS).mkdir(parents=True)
    for number in (903334, 903336):
        (folder / LEVELS / f"exposure={number}.json").write_text(json.dumps({"n": number}))
    (folder / "readme.txt").write_text("read me\n")
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, ns=(NS, NS))
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Give the bytes and times of all files below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- copying -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        'cp -rp "$1" r',
        'mkdir r && tar -C "$1" --format=posix -cf - . | tar -C r -xpf -',
        'rsync -a "$1/" r/',
        'rsync -a --inplace "$1/" r/',
        'mkdir r && rsync -a --partial-dir=.parts "$1/" r/',
        'python3 -c "import shutil, sys; shutil.copytree(sys.argv[1], \'r\')" "$1"',
    ],
    ids=["cp", "tar", "rsync", "rsync --inplace", "rsync --partial-dir", "copytree"],
)
def test_a_tree_comes_in_with_its_times(desk: Desk, source: Path, command: str) -> None:
    need("rsync")
    bash(command, desk.folder, source)
    assert files(desk.at("r")) == files(source)
    assert desk.repo.get("metrics", collections="r", instrument="HSC", exposure=903336) == {"n": 903336}
    assert lines('rsync -ai "$1/" r/', desk.folder, source) == [], "there is nothing to do"


def test_rsync_brings_what_is_new(desk: Desk, source: Path, tmp_path: Path) -> None:
    need("rsync")
    bash('rsync -a "$1/" r/', desk.folder, source)
    (source / "more.txt").write_text("more")
    said = lines('rsync -ai "$1/" r/', desk.folder, source)
    assert [line.split()[1] for line in said if line.startswith(">")] == ["more.txt"]
    (source / "more.txt").write_text("more and more")
    assert "File exists" in bash('rsync -a "$1/" r/', desk.folder, source, status=23).stderr
    assert desk.at("r/more.txt").read_text() == "more"
    bash('rsync -a r/ "$1/"', desk.folder, tmp_path / "out")
    assert lines('rsync -ai r/ "$1/"', desk.folder, tmp_path / "out") == []
    assert files(tmp_path / "out") == files(desk.at("r"))


def test_rsync_replaces(replacing: Desk, source: Path) -> None:
    need("rsync")
    bash('rsync -a "$1/" r/', replacing.folder, source)
    (source / "readme.txt").write_text("another text")
    bash('rsync -a "$1/" r/ && rsync -a --inplace "$1/" r/', replacing.folder, source)
    assert files(replacing.at("r")) == files(source)
    (source / "readme.txt").unlink()
    bash('rsync -a --delete "$1/" r/', replacing.folder, source)
    assert files(replacing.at("r")) == files(source)


@pytest.mark.parametrize("engine", ["libfuse"], indirect=True)  # the other needs no library
@pytest.mark.parametrize("library", ["libfuse.so.2", "libfuse3.so.3"])
def test_both_libraries_carry_the_same(
    desks: Callable[..., Desk],
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
) -> None:
    try:
        ctypes.CDLL(library)
    except OSError:
        pytest.skip(f"{library} is not installed")
    monkeypatch.setenv("FUSE_LIBRARY_PATH", library)
    desk = desks(replace=True)
    bash('mkdir r && tar -C "$1" --format=posix -cf - . | tar -C r -xpf -', desk.folder, source)
    assert files(desk.at("r")) == files(source)
    bash("echo short > r/readme.txt && mv r/readme.txt r/.x && mv -n r/.x r/readme.txt", desk.folder)
    with desk.at("r/readme.txt").open("r+b") as file:
        file.truncate(3)
        assert file.read() == b"sho"
        assert os.fstat(file.fileno()).st_size == 3
    with desk.at("r/.x").open("w+b") as file:
        file.write(bytes(3_000_000))
        desk.at("r/.x").unlink()
        file.seek(0)
        assert len(file.read()) == 3_000_000
        file.truncate(5)
        assert os.pread(file.fileno(), 10, 0) == bytes(5)
    bash("rm -r r", desk.folder)


# -- editing -------------------------------------------------------------------------------------------------


def test_sed_needs_replace(desk: Desk) -> None:
    bash("mkdir r && echo one > r/notes.txt", desk.folder)
    assert "File exists" in bash("sed -i s/one/two/ r/notes.txt", desk.folder, status=4).stderr
    assert lines("cat r/notes.txt; ls -A r", desk.folder) == ["one", "notes.txt"]


def test_sed_replaces(replacing: Desk) -> None:
    bash("mkdir r && echo one > r/notes.txt && sed -i s/one/two/ r/notes.txt", replacing.folder)
    assert lines("cat r/notes.txt; ls -A r", replacing.folder) == ["two", "notes.txt"]
    assert replacing.repo.get("notes", collections="r") == b"two\n"


VIM = "vim -Nes -u NONE --cmd 'set swapfile writebackup' -c '{}' -c 'wq' r/seeing.yaml < /dev/null"


def test_vim_saves_a_new_dataset_once(desk: Desk) -> None:
    need("vim")
    bash("mkdir r && " + VIM.format("normal ifwhm: 0.6"), desk.folder)
    assert desk.repo.get("seeing", collections="r") == {"fwhm": 0.6}
    bash(VIM.format("s/0.6/0.7/"), desk.folder, status=1)
    assert lines("cat r/seeing.yaml; ls -A r", desk.folder) == ["fwhm: 0.6", "seeing.yaml"]


@pytest.mark.parametrize("way", ["auto", "yes", "no"])
def test_vim_saves_again_where_datasets_are_replaced(replacing: Desk, way: str) -> None:
    need("vim")
    again = VIM.replace("writebackup", f"writebackup backupcopy={way}")
    bash("mkdir r && " + VIM.format("normal ifwhm: 0.6"), replacing.folder)
    bash(again.format("s/0.6/0.7/"), replacing.folder)
    bash(again.format("s/0.7/0.8/"), replacing.folder)
    assert lines("cat r/seeing.yaml; ls -A r", replacing.folder) == ["fwhm: 0.8", "seeing.yaml"]
    assert replacing.repo.get("seeing", collections="r") == {"fwhm": 0.8}


def test_git_works_in_a_scratch_folder_beside(desk: Desk) -> None:
    need("git")
    bash("mkdir -p r && git status", desk.folder, status=128)
    assert os.listdir(desk.at("r")) == []


def test_executing_a_program_closes_and_stores(desk: Desk) -> None:
    """It waits for the answer to its closing, and whoever looks at its memory waits for it."""
    desk.at("r").mkdir()
    script = (
        "import os; os.write(os.open('r/notes', os.O_CREAT | os.O_WRONLY), b'x'); os.execvp('true', ['true'])"
    )
    subprocess.run([sys.executable, "-c", script], cwd=desk.folder, check=True, timeout=30)
    while not desk.at("r/notes").exists():
        os.sched_yield()
    assert desk.at("r/notes").read_bytes() == b"x"


# -- Python --------------------------------------------------------------------------------------------------

PIXELS = np.arange(300.0, dtype=np.float32).reshape(15, 20)


def to_json(path: Path) -> None:
    with path.open("w") as file:
        json.dump({"pixels": PIXELS.tolist()}, file, indent=1)


def to_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("pixels", data=PIXELS, compression="gzip")


def to_zarr(path: Path) -> None:
    with zarr.storage.ZipStore(path, mode="w") as store:
        zarr.create_array(store, name="pixels", data=PIXELS, chunks=(5, 20))


def to_parquet(path: Path) -> None:
    pd.DataFrame({"x": PIXELS.ravel()}).to_parquet(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "image.fits": lambda path: fits.writeto(path, PIXELS),
    "table.parquet": to_parquet,
    "sources.csv": lambda path: pd.DataFrame({"x": PIXELS.ravel()}).to_csv(path, index=False),
    "array.npy": lambda path: np.save(path, PIXELS),
    "cube.h5": to_hdf5,
    "volume.zarr.zip": to_zarr,
    "numbers.json": to_json,
}


@pytest.mark.parametrize("name", WRITERS)
def test_libraries_write_datasets(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.at("r").mkdir()
    WRITERS[name](desk.at(f"r/{name}"))
    assert os.listdir(desk.at("r")) == [name]
    stored = desk.repo.find(name.partition(".")[0], collections="r")
    assert desk.repo.path(stored) == f"/r/{name}"
    shutil.copy2(desk.at(f"r/{name}"), tmp_path / name)
    (tmp_path / "fresh").mkdir()
    WRITERS[name](tmp_path / "fresh" / name)
    if name not in {"cube.h5", "volume.zarr.zip"}:  # which hold the time they were made
        assert (tmp_path / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_what_libraries_have_written_is_read_back(desk: Desk) -> None:
    desk.at("r").mkdir()
    for name, write in WRITERS.items():
        write(desk.at(f"r/{name}"))
    assert np.array_equal(fits.getdata(desk.at("r/image.fits")), PIXELS)
    assert np.array_equal(pd.read_parquet(desk.at("r/table.parquet"))["x"], PIXELS.ravel())
    with h5py.File(desk.at("r/cube.h5")) as file:
        assert np.array_equal(file["pixels"][:], PIXELS)
    with zarr.storage.ZipStore(desk.at("r/volume.zarr.zip"), mode="r") as store:
        assert np.array_equal(zarr.open_array(store, path="pixels", mode="r")[:], PIXELS)


def test_an_hdf5_file_is_changed_in_its_place(replacing: Desk) -> None:
    replacing.at("r").mkdir()
    to_hdf5(replacing.at("r/cube.h5"))
    with h5py.File(replacing.at("r/cube.h5"), "r+") as file:
        file["pixels"][0, 0] = -1
    with h5py.File(replacing.at("r/cube.h5")) as file:
        assert file["pixels"][0, 0] == -1
        assert file["pixels"][1, 0] == PIXELS[1, 0]
