"""Files that an export names: ingested, declared or needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from skyfs.errors import BadContent, Conflict, NoBytes, NotFound, SkyfsError, UnknownFormat, Unsupported
from skyfs.formats.exposure import Exposure
from skyfs.importing.result import LeftFiles
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.writing.ingester import IngestFile

from .conftest import COLLECTIONS, DETECTORS, FILTERS, INSTRUMENT, Write

DETECTOR_TYPES = """
- {type: dataset_type, name: image, dimensions: [instrument, detector], storage_class: ExposureF}
- {type: dataset_type, name: table, dimensions: [instrument, detector], storage_class: ArrowAstropy}
- {type: dataset_type, name: config, dimensions: [instrument, detector], storage_class: Config}
- {type: dataset_type, name: camera, dimensions: [instrument, detector], storage_class: SkyMap}
- {type: dataset_type, name: packages, dimensions: [instrument, detector], storage_class: Packages}
"""
DEFINED = (INSTRUMENT, DETECTORS, FILTERS, COLLECTIONS, DETECTOR_TYPES)
FIRST: dict[str, Any] = {"instrument": "Cam", "detector": 1}


def uuid(number: int) -> UUID:
    return UUID(f"00000000-0000-4000-8000-{number:012}")


def dataset(type_name: str, path: str, *, detector: int = 1, number: int = 1) -> str:
    return (
        f"- type: dataset\n  dataset_type: {type_name}\n  run: run/a\n  records:\n"
        f"  - dataset_id: [!uuid {uuid(number)}]\n    data_id: [{{instrument: Cam, detector: {detector}}}]\n"
        f"    path: {path}\n    formatter: some.Formatter\n"
    )


@pytest.fixture
def folder(write: Write) -> Path:
    """The folder of the export, with files of several formats."""
    folder = write("").parent
    (folder / "run").mkdir()
    fits.PrimaryHDU(np.arange(12.0).reshape(3, 4)).writeto(folder / "run" / "image.fits")
    Table({"flux": [1.5, 2.5]}).write(folder / "run" / "table.parquet")
    os.rename(folder / "run" / "table.parquet", folder / "run" / "table.parq")
    (folder / "run" / "config.py").write_text("config.value = 1\n")
    (folder / "run" / "camera.pickle").write_bytes(b"\x80pickled")
    (folder / "run" / "array.npy").write_bytes(b"x")
    return folder


ALL = (
    dataset("image", "run/image.fits", number=1),
    dataset("table", "run/table.parq", number=2),
    dataset("config", "run/config.py", number=3),
    dataset("camera", "run/camera.pickle", number=4),
)


def test_files_that_exist_become_datasets(repo: Repository, write: Write, folder: Path) -> None:
    found = repo.import_export(write(*DEFINED, *ALL))
    assert (found.ingested, found.declared, found.left) == (4, 0, ())
    for number, name in enumerate(("image", "table", "config", "camera"), 1):
        assert repo.find(name, collections="run/a", **FIRST).id == uuid(number)
    exposure = repo.get("image", collections="run/a", **FIRST)
    assert isinstance(exposure, Exposure)
    np.testing.assert_array_equal(exposure.image, np.arange(12.0).reshape(3, 4))
    table = repo.get("table", collections="run/a", **FIRST)
    assert isinstance(table, Table)
    assert table["flux"].tolist() == [1.5, 2.5]
    assert repo.get("config", collections="run/a", **FIRST) == "config.value = 1\n"
    assert repo.get("camera", collections="run/a", **FIRST) == b"\x80pickled"
    assert (folder / "run" / "image.fits").exists()


def test_again_is_no_change(repo: Repository, write: Write, folder: Path) -> None:  # noqa: ARG001
    export = write(*DEFINED, *ALL)
    repo.import_export(export)
    before = snapshot(repo.root)
    assert repo.import_export(export).unchanged == 4
    assert snapshot(repo.root) == before


@pytest.mark.parametrize("mode", ["copy", "move", "link", "symlink", "direct"])
def test_modes(repo: Repository, write: Write, folder: Path, mode: str) -> None:
    source = folder / "run" / "image.fits"
    data, inode = source.read_bytes(), source.stat().st_ino
    repo.import_export(write(*DEFINED, ALL[0]), mode=mode)
    assert source.exists() is (mode != "move")
    stored = list((repo.root / "data").rglob("*.fits"))
    assert [one.is_symlink() for one in stored] == ([] if mode == "direct" else [mode == "symlink"])
    if mode == "link":
        assert stored[0].stat().st_ino == inode
    assert repo.get("image", collections="run/a", as_="astropy.io.fits.HDUList", **FIRST) is not None
    assert stored == [] or stored[0].read_bytes() == data


def test_files_start_from_the_directory(
    repo: Repository, write: Write, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = write(*DEFINED, ALL[2])
    os.rename(folder / "run", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert repo.import_export(export).declared == 1
    (tmp_path / "below").mkdir()
    os.rename(tmp_path / "elsewhere", tmp_path / "below" / "run")
    found = repo.import_export(export, directory="below", mode="direct")
    assert (found.ingested, found.declared, found.unchanged) == (1, 0, 0)
    monkeypatch.chdir("/")
    assert repo.get("config", collections="run/a", **FIRST) == "config.value = 1\n"
    assert repo.find("config", collections="run/a", **FIRST).id == uuid(3)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_absolute_paths(repo: Repository, write: Write, folder: Path, prefix: str) -> None:
    path = f"{prefix}{folder}/run/config.py"
    assert repo.import_export(write(*DEFINED, dataset("config", path)), directory="/nowhere").ingested == 1


def test_missing_files_leave_their_datasets_declared(repo: Repository, write: Write, folder: Path) -> None:  # noqa: ARG001
    others = [
        dataset("table", "run/missing.parq", number=2),
        dataset("config", "https://example.org/run/config.py", number=3),
    ]
    found = repo.import_export(write(*DEFINED, ALL[0], *others))
    assert (found.ingested, found.declared) == (1, 2)
    with pytest.raises(NoBytes):
        repo.get("table", collections="run/a", **FIRST)


def test_declared_datasets_can_be_given_bytes_later(repo: Repository, write: Write, folder: Path) -> None:
    repo.import_export(write(*DEFINED, *ALL), files="ignore")
    repo.ingest([IngestFile(folder / "run" / "config.py", FIRST, ".txt")], "config", run="run/a")
    assert repo.find("config", collections="run/a", **FIRST).id == uuid(3)
    found = repo.import_export(write(*ALL))
    assert (found.ingested, found.declared, found.unchanged) == (3, 0, 1)


def test_ignored_files(repo: Repository, write: Write, folder: Path) -> None:  # noqa: ARG001
    found = repo.import_export(write(*DEFINED, *ALL), files="ignore")
    assert (found.ingested, found.declared, found.left) == (0, 4, ())


@pytest.mark.usefixtures("folder")
def test_datasets_that_share_a_file_are_declared(repo: Repository, write: Write) -> None:
    shared = (
        "- type: dataset\n  dataset_type: image\n  run: run/a\n  records:\n"
        f"  - dataset_id: [!uuid {uuid(1)}, !uuid {uuid(2)}]\n"
        "    data_id: [{instrument: Cam, detector: 1}, {instrument: Cam, detector: 2}]\n"
        "    path: run/image.fits\n"
    )
    found = repo.import_export(write(*DEFINED, shared, ALL[3].replace("0001]", "0009]")))
    assert (found.ingested, found.declared) == (1, 2)
    assert found.left == (LeftFiles("image", "it holds several datasets", 2),)
    assert repo.find("image", collections="run/a", instrument="Cam", detector=2).id == uuid(2)


def test_records_of_one_file_may_stand_apart(repo: Repository, write: Write, folder: Path) -> None:  # noqa: ARG001
    apart = dataset("image", "run/image.fits", detector=2, number=5)
    found = repo.import_export(write(*DEFINED, ALL[0], apart))
    assert (found.ingested, found.declared) == (0, 2)
    assert found.left == (LeftFiles("image", "it holds several datasets", 2),)


def test_files_of_formats_that_the_type_cannot_be_read_from(
    repo: Repository, write: Write, folder: Path
) -> None:
    (folder / "run" / "packages.pickle").write_bytes(b"x")
    (folder / "run" / "packages.npy").write_bytes(b"x")
    two = [
        dataset("packages", f"run/packages{ext}", detector=n, number=n)
        for n, ext in enumerate((".pickle", ".npy"), 1)
    ]
    found = repo.import_export(write(*DEFINED, *two))
    assert (found.ingested, found.declared) == (0, 2)
    assert [(one.type_name, one.datasets) for one in found.left] == [("packages", 1), ("packages", 1)]
    assert "no format has '.pickle'" in {one.reason for one in found.left}


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        (dataset("table", "run/missing.parq"), NotFound, "entry .* no file .*missing.parq"),
        (dataset("config", "null"), NotFound, "0009: the export names no file of it"),
        (dataset("config", "s3://bucket/config.py"), NotFound, "no file 's3://bucket/config.py'"),
        (ALL[0] + dataset("image", "run/image.fits", detector=2, number=5), Unsupported, "several datasets"),
        (dataset("packages", "run/camera.pickle"), UnknownFormat, "no format has '.pickle'"),
        (dataset("packages", "run/array.npy"), Unsupported, "storage class 'Dict' in a '.npy' file"),
    ],
)
def test_needed_files(
    repo: Repository,
    write: Write,
    folder: Path,  # noqa: ARG001
    entries: str,
    error: type[SkyfsError],
    message: str,
) -> None:
    before = snapshot(repo.root)
    with pytest.raises(error, match=message):
        repo.import_export(write(*DEFINED, *ALL[1:3], entries.replace("0001]", "0009]")), files="need")
    assert snapshot(repo.root) == before


def test_damaged_files_change_nothing(repo: Repository, write: Write, folder: Path) -> None:
    image = folder / "run" / "image.fits"
    image.write_bytes(image.read_bytes()[:2900])
    before = snapshot(repo.root)
    with pytest.raises(BadContent, match=r"datasets image in run/a\): ingest .*image.fits"):
        repo.import_export(write(*DEFINED, *ALL[1:], ALL[0]), mode="move")
    assert snapshot(repo.root) == before
    assert sorted(one.name for one in (folder / "run").iterdir()) == [
        *("array.npy", "camera.pickle", "config.py", "image.fits", "table.parq"),
    ]


@pytest.mark.parametrize("files", ["auto", "ignore"])
def test_a_data_id_of_another_dataset_conflicts(
    repo: Repository,
    write: Write,
    folder: Path,  # noqa: ARG001
    files: str,
) -> None:
    other = dataset("config", "run/config.py", number=99)
    for declared in ("ignore", "auto"):
        repo.import_export(write(*DEFINED, ALL[2]), files=declared)
        before = snapshot(repo.root)
        with pytest.raises(Conflict, match="datasets config in run/a"):
            repo.import_export(write(other), files=files)
        assert snapshot(repo.root) == before
