"""Real files, or files made here where those are absent: what comes out is what went in, to the byte."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.errors import BadContent
from skyfs.formats.buffer import Buffer
from skyfs.formats.catalog import Formats
from skyfs.repository import Repository
from skyfs.writing.ingester import extension_of


def _made(folder: Path) -> list[Path]:
    image = fits.ImageHDU(np.arange(5000, dtype=np.int16).reshape(50, 100), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(folder / "image.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image.data)]).writeto(folder / "packed.fits.fz")
    table = Table({"ra": [1.5, 2.5], "name": ["a", "b"]})
    table.write(folder / "table.ecsv")
    table.write(folder / "table.parquet")
    (folder / "notes.json").write_text('{"a": 1}')
    (folder / "raw.bin").write_bytes(bytes(range(256)))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def originals(shared_data: Path | None, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Up to 40 files of all kinds, none over 64 MiB."""
    if shared_data is None:
        return _made(tmp_path_factory.mktemp("made"))
    found = [
        path for path in sorted(shared_data.rglob("*")) if path.is_file() and path.stat().st_size < 1 << 26
    ]
    return found[:: max(1, len(found) // 40)]


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return skyfs.create(tmp_path / "sky", options={"durability": "process"})


def format_of(path: Path) -> str:
    """Give the extension of a format that can read a file; none, for plain bytes, when there is no such."""
    formats = Formats.load({})
    extension = extension_of(path.name, formats)
    try:
        formats.check(Buffer(path.read_bytes()), extension or "")
    except BadContent:
        return ""
    return extension or ""


@pytest.mark.parametrize("mode", ["copy", "move", "link", "symlink", "direct", "auto"])
def test_what_is_ingested_is_read(repo: Repository, originals: list[Path], tmp_path: Path, mode: str) -> None:
    expected: dict[str, bytes] = {}
    folder = tmp_path / "originals"
    folder.mkdir()
    for index, original in enumerate(originals):
        extension = format_of(original)
        source = folder / f"{index}{original.name}"
        source.write_bytes(original.read_bytes())
        run = f"real/{mode}/n{index}"
        repo.register(f"file{index}", [], "Bytes")
        repo.ingest([skyfs.IngestFile(source, {}, extension)], f"file{index}", run=run, mode=mode)
        expected[f"/{run}/file{index}{extension}"] = original.read_bytes()
        assert source.exists() == (mode != "move")
    fs = skyfs.filesystem(repo)
    assert fs.find("/real") == sorted(expected)
    assert fs.cat("/real", recursive=True) == expected
    fs.get("/real", str(tmp_path / "got"), recursive=True)
    for name, data in expected.items():
        assert (tmp_path / "got" / name.removeprefix("/real/")).read_bytes() == data
        with fs.open(name) as file:
            assert file.read(1 << 16) == data[: 1 << 16]
            file.seek(0)
            assert file.read() == data


def test_what_is_put_is_read(repo: Repository, originals: list[Path], tmp_path: Path) -> None:
    fs = skyfs.filesystem(repo)
    for index, original in enumerate(originals):
        name = f"/put/n{index}/file{index}{format_of(original)}"
        fs.put_file(str(original), name)
        assert fs.cat(name) == original.read_bytes()
        assert fs.info(name)["size"] == original.stat().st_size
    target = tmp_path / "target"
    fs.get("/put/", str(target), recursive=True)
    assert sum(len(names) for _, _, names in os.walk(target)) == len(fs.find("/put"))
