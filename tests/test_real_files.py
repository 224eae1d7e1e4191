"""Real files of several sources, taken in by every mode, are the same bytes by every door."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table

import skyfs
from skyfs.mount.session import start
from skyfs.mount.table import unmount
from skyfs.repository import Repository
from skyfs.writing.ingester import extension_of

MODES = ("copy", "move", "link", "symlink", "direct")


def made_files(folder: Path) -> list[Path]:
    """Make what the sample folder has, where it is not: images, one compressed, a table, a VOTable."""
    pixels = np.random.default_rng(1).normal(100, 5, (40, 30)).astype("f4")
    image = fits.HDUList([fits.PrimaryHDU(pixels), fits.ImageHDU(pixels.astype("i2"), name="MASK")])
    image.writeto(folder / "image.fits")
    image.writeto(folder / "image_r.fits.bz2")
    table = Table({"flux": np.arange(10.0), "name": [f"s{number}" for number in range(10)]})
    table.write(folder / "stars.fits")
    table.write(folder / "catalog.xml", format="votable")
    return sorted(folder.iterdir())


@pytest.fixture
def sources(shared_data: Path | None, tmp_path: Path) -> list[Path]:
    """Give copies of the sample files, or made ones."""
    folder = tmp_path / "sources"
    folder.mkdir()
    if shared_data is None:
        return made_files(folder)
    found = sorted([*(shared_data / "images").iterdir(), *(shared_data / "tables").iterdir()])
    return [Path(shutil.copyfile(file, folder / file.name)) for file in found]


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repository]:
    """Give an empty repository."""
    with skyfs.create(tmp_path / "sky", name="sky", options={"durability": "process"}) as repository:
        yield repository


def type_of(file: Path) -> str:
    return file.name.partition(".")[0].replace("-", "_")


def take_in(repo: Repository, sources: list[Path], mode: str, tmp_path: Path) -> None:
    """Ingest all files; for a move, copies of them."""
    for file in sources:
        own = file
        if mode == "move":
            own = tmp_path / file.name
            shutil.copyfile(file, own)
        storage_class = "Table" if file.suffix == ".xml" else "Hdus"
        repo.register(type_of(file), [], storage_class)
        repo.ingest([skyfs.IngestFile(own, {})], type_of(file), run=f"real/{mode}", mode=mode)
        assert own.exists() is (mode != "move")


@pytest.mark.parametrize("mode", MODES)
def test_every_door_gives_the_source(
    fuse: None,  # noqa: ARG001 - it skips where nothing can be mounted
    repo: Repository,
    sources: list[Path],
    tmp_path: Path,
    mode: str,
) -> None:
    take_in(repo, sources, mode, tmp_path)
    fs = skyfs.filesystem(repo)
    mount = tmp_path / "mnt"
    mount.mkdir()
    start(repo.root, mount)
    try:
        for file in sources:
            name = f"{type_of(file)}{extension_of(file.name, repo.formats)}"
            path = f"/real/{mode}/{name}"
            data = file.read_bytes()
            assert fs.cat_file(path) == data
            fs.get(path, str(tmp_path / "got"))
            assert (tmp_path / "got").read_bytes() == data
            command = [sys.executable, "-m", "skyfs", "-r", "sky"]
            if mode == "copy":
                subprocess.run(
                    [*command, "cp", path, str(tmp_path / "copied")], check=True, capture_output=True
                )
                assert (tmp_path / "copied").read_bytes() == data
                (tmp_path / "copied").unlink()
            summed = subprocess.run(
                ["sha256sum", mount / path[1:]], check=True, capture_output=True, text=True
            )
            assert summed.stdout.split()[0] == hashlib.sha256(data).hexdigest()
            assert (mount / path[1:]).stat().st_size == len(data)
    finally:
        unmount(mount)


def test_objects_have_the_right_shapes_and_headers(
    repo: Repository, sources: list[Path], tmp_path: Path
) -> None:
    take_in(repo, sources, "direct", tmp_path)
    for file in sources:
        value = repo.get(type_of(file), collections="real/direct")
        if file.suffix == ".xml":
            expected = Table.read(file, format="votable")
            assert isinstance(value, Table)
            assert (len(value), value.colnames) == (len(expected), expected.colnames)
            continue
        assert isinstance(value, fits.HDUList)
        with fits.open(file) as hdus:
            assert [hdu.name for hdu in value] == [hdu.name for hdu in hdus]
            for ours, theirs in zip(value, hdus, strict=True):
                assert ours.header.tostring() == theirs.header.tostring()
                if theirs.data is not None and theirs.is_image:
                    np.testing.assert_array_equal(ours.data, theirs.data)
                elif theirs.data is not None:
                    assert (len(ours.data), ours.columns.names) == (len(theirs.data), theirs.columns.names)


def test_images_are_images_too(repo: Repository, sources: list[Path]) -> None:
    images = [file for file in sources if file.name.startswith(("M13", "image."))]
    for file in images:
        repo.register(type_of(file), [], "Image")
        repo.ingest([skyfs.IngestFile(file, {})], type_of(file), run="images", mode="direct")
        image = repo.get(type_of(file), collections="images")
        assert isinstance(image, CCDData)
        np.testing.assert_array_equal(image.data, fits.getdata(file))
    assert images
