"""Hostile files, taken in and read: refused at one of both, without code being run or memory being filled."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

import skyfs
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository

from .contents import CLASSES, MARK, Hostile, bombs, broken, mutants
from .hostile import Attack, all_refused, harmless

pytestmark = pytest.mark.filterwarnings("ignore")

CONVERSIONS = {
    ".fits": (".png", ".json"),
    ".parquet": (".csv",),
    ".npy": (".fits",),
    ".yaml": (".json",),
    ".h5": (".csv",),
}
PARTS = {
    ".fits": ("[0][1:2,1:2]", "[1]", "[circle 0 0 1]", "[a > 0]"),
    ".fits.fz": ("[1][1:2,1:2]",),
    ".parquet": ("[a > 0]", "[col a]"),
    ".csv": ("[a > 0]",),
    ".npy": ("[1:2,1:2]",),
    ".h5": ("[a > 0]",),
    ".zarr.zip": ("[1:2,1:2]",),
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """An empty repository; nothing may appear in the working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as repository:
        yield repository
    assert not list(Path.cwd().iterdir()), f"code was run ({MARK})"


def _read(repository: Repository, folder: Path, hostile: Hostile, storage_class: str, number: int) -> object:
    """Take a file in and read it."""
    _, extension, data = hostile
    path = folder / f"file{number}{extension}"
    path.write_bytes(data)
    name = f"type{number}_{storage_class}"
    repository.register(name, [], storage_class)
    ref = repository.ingest([skyfs.IngestFile(path, {})], name, run="u/me", mode="move")[0]
    return repository.get(ref)


def _attacks(repository: Repository, folder: Path, files: Iterable[Hostile]) -> Iterator[Attack]:
    for number, hostile in enumerate(files):
        for storage_class in CLASSES[hostile[1]]:
            yield (
                f"{hostile[0]} as {storage_class}",
                partial(_read, repository, folder, hostile, storage_class, number),
            )


def test_broken_files(repository: Repository, tmp_path: Path) -> None:
    assert all_refused(_attacks(repository, tmp_path, broken())) > 150


def test_bombs(repository: Repository, tmp_path: Path) -> None:
    assert all_refused(_attacks(repository, tmp_path, bombs())) > 200


def test_damaged_files_by_every_reader(repository: Repository, tmp_path: Path) -> None:
    filesystem = skyfs.filesystem(repository)
    assert harmless(_attacks(repository, tmp_path, mutants())) > 300
    paths = filesystem.find("/u/me")
    assert paths, "no damaged file was taken in at all"
    calls = [(path, call) for path in paths for call in _readers(filesystem, path)]
    assert harmless((path, call) for path, call in calls) > 100


def _readers(filesystem: SkyFileSystem, path: str) -> Iterator[Callable[[], object]]:
    name = path.rpartition("/")[2]
    stem, dot, rest = name.partition(".")
    base, extension = path.removesuffix(dot + rest), dot + rest
    assert stem
    yield partial(filesystem.info, path)
    for other in CONVERSIONS.get(extension, ()):
        yield partial(filesystem.cat_file, base + other)
    for part in PARTS.get(extension, ()):
        yield partial(filesystem.cat_file, path + part)


def test_hostile_files_written_by_path(repository: Repository) -> None:
    filesystem = skyfs.filesystem(repository)

    def write(data: bytes, path: str) -> None:
        with filesystem.open(path, "wb") as file:
            file.write(data)

    attacks = [
        (name, partial(write, data, f"/u/me/file{number}{extension}"))
        for number, (name, extension, data) in enumerate(broken())
        if extension not in (".csv", ".vot")
    ]
    assert harmless(attacks) > 100
    shutil.rmtree(repository.root / "data")
