"""What cannot be written or removed is refused with a reason, and leaves every byte as it was."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest

import skyfs
from skyfs.errors import (
    BadContent,
    BadDataId,
    BadDefinition,
    BadPath,
    Exists,
    IsDirectory,
    NotAllowed,
    NotDirectory,
    NotFound,
    ReadOnly,
    SkyfsError,
    UnknownFormat,
    Unsupported,
)
from skyfs.fs import SkyFileSystem
from skyfs.testing.filesystem_sample import Sample

A = "/Cam/runs/a"
ONE = f"{A}/calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1"
NEW = "/u/me/calexp/instrument=Cam/visit=101/detector"


@pytest.fixture(scope="module")
def sample(kept_sample: Sample) -> Sample:
    """One sample for all: what is refused leaves it as it was."""
    return kept_sample


# Path, exception, the builtin that it is as well, what the message says.
WRITES: list[tuple[str, type[SkyfsError], type[Exception], str]] = [
    (f"{ONE}.json", Exists, FileExistsError, "exists already"),
    (f"{ONE}.yaml", Exists, FileExistsError, "exists already"),
    (f"{A}/calexp/detector=1/visit=101/instrument=Cam.json", Exists, FileExistsError, "exists already"),
    (f"{A}/summary.json", Exists, FileExistsError, "exists already"),
    (f"{NEW}=1.xyz", UnknownFormat, ValueError, "'.xyz'"),
    (f"{NEW}=1.FITS", Unsupported, ValueError, "store it as"),
    (f"{NEW}=9.json", NotFound, FileNotFoundError, "detector"),
    (f"{NEW}=one.json", BadDataId, ValueError, "detector"),
    ("/u/me/calexp/instrument=Cam/visit=101.json", BadDataId, ValueError, "no detector"),
    ("/u/me/calexp/instrument=Cam/visit=101/detector=1/tract=7.json", BadDataId, ValueError, "tract"),
    (
        "/u/me/calexp/instrument=Cam/day_obs=20260102/visit=101/detector=1.json",
        BadDataId,
        ValueError,
        "day_obs",
    ),
    ("/u/me/calexp/instrument=Cam/band=i/visit=101/detector=1.json", BadDataId, ValueError, "band"),
    ("/u/me/new/instrument=Cam/colour=red.json", BadDefinition, ValueError, "colour"),
    ("/u/me/new/instrument=Nope.json", NotFound, FileNotFoundError, "Nope"),
    (f"{NEW}=1.png", Unsupported, ValueError, "Dict"),
    (f"{NEW}=1.parquet", Unsupported, ValueError, "Dict"),
    ("/u/me/calexp.json", BadDataId, ValueError, "no "),
    (f"{A}/calexp", IsDirectory, IsADirectoryError, "directory"),
    (f"{A}/calexp/instrument=Cam", IsDirectory, IsADirectoryError, "directory"),
    (A, IsDirectory, IsADirectoryError, "directory"),
    ("/Cam", BadPath, ValueError, "no collection"),
    ("/file.txt", BadPath, ValueError, "no collection"),
    ("/", BadPath, ValueError, "no collection"),
    ("/u/me/a b.txt", BadPath, ValueError, "a b.txt"),
    ("/u/.me/file.txt", BadPath, ValueError, "does not begin with"),
    ("/u//file.txt", BadPath, ValueError, "single slashes"),
    (f"{A}/summary.json/file.txt", NotDirectory, NotADirectoryError, "is a file"),
    (f"{A}/notes.json/more/file.txt", NotDirectory, NotADirectoryError, "is a file"),
    (f"{ONE}.json[1]", NotAllowed, PermissionError, "part of a dataset"),
    ("/u/me/calexp.wcs/instrument=Cam/visit=101/detector=1.json", NotAllowed, PermissionError, "component"),
    (f"/.hive{ONE}/calexp.json", ReadOnly, PermissionError, "own path"),
    ("/.repo/version", ReadOnly, PermissionError, "own path"),
    ("/.nothing/x", BadPath, ValueError, "no service directory"),
    ("/best/calexp/instrument=Cam/visit=102/detector=1.json", NotAllowed, PermissionError, "TAGGED"),
    ("/Cam/all/calexp/instrument=Cam/visit=102/detector=2.json", NotAllowed, PermissionError, "CHAINED"),
    (
        "/Cam/calib/flat/instrument=Cam/detector=21/physical_filter=r.json",
        NotAllowed,
        PermissionError,
        "CALIBRATION",
    ),
    (
        "/u/c/flat/instrument=Cam/detector=1/physical_filter=r/valid=min--max.json",
        NotAllowed,
        PermissionError,
        "certify",
    ),
    ("sky/../etc/passwd", BadPath, ValueError, "passwd"),
    ("other/u/me/file.txt", NotFound, FileNotFoundError, "not the repository"),
]


@pytest.mark.parametrize(("path", "error", "builtin", "message"), WRITES, ids=[row[0] for row in WRITES])
def test_writing(
    fs: SkyFileSystem,
    unchanged: Callable[[], None],
    path: str,
    error: type[SkyfsError],
    builtin: type[Exception],
    message: str,
) -> None:
    def pipe() -> None:
        fs.pipe_file(path, b"{}")

    for write in (pipe, lambda: fs.open(path, "wb"), lambda: fs.open(path, "xb"), lambda: fs.open(path, "w")):
        with pytest.raises(error, match=message.replace(".", r"\.")) as caught:
            write()
        assert isinstance(caught.value, builtin)
        assert type(caught.value) is error
        unchanged()


def test_replacing_takes_the_stored_spelling_only(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    for path in (f"{ONE}.yaml", f"{A}/calexp/instrument=Cam/visit=101/detector=1.json"):
        with pytest.raises(NotAllowed, match=f"it is '{ONE}.json'"):
            fs.open(path, "wb", replace=True)
        unchanged()
    with pytest.raises(Exists):
        fs.open(f"{ONE}.json", "xb", replace=True)


@pytest.mark.parametrize("mode", ["ab", "r+b", "w+b", "a", "rb+"])
def test_modes_that_change_datasets(fs: SkyFileSystem, unchanged: Callable[[], None], mode: str) -> None:
    with pytest.raises(Unsupported, match="do not change"):
        fs.open(f"{ONE}.json", mode)
    unchanged()


def test_touch(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    with pytest.raises(Exists):
        fs.touch(f"{A}/summary.json")
    with pytest.raises(Unsupported):
        fs.touch(f"{A}/summary.json", truncate=False)
    unchanged()


@pytest.mark.parametrize(
    ("extension", "data"),
    [
        (".fits", b"SIMPLE  = nonsense"),
        (".json", b"{"),
        (".npy", b"\x93NUMPY"),
        (".parquet", b"PAR1"),
        (".fits", b""),
    ],
)
def test_damaged_content(
    fs: SkyFileSystem, unchanged: Callable[[], None], extension: str, data: bytes
) -> None:
    with pytest.raises(BadContent):
        fs.pipe_file(f"/u/me/file{extension}", data)
    unchanged()


def test_a_truncated_array(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(100.0))
    with pytest.raises(BadContent):
        fs.pipe_file("/u/me/file.npy", buffer.getvalue()[:-1])
    unchanged()


def test_types_are_not_registered_when_that_is_off(sample: Sample, fs: SkyFileSystem) -> None:
    root = sample.repository.root.parent / "off"
    with skyfs.create(root, options={"durability": "process", "auto_register": "off"}) as repository:
        with pytest.raises(NotFound, match="registers none by itself"):
            skyfs.filesystem(repository).pipe_file("/u/me/file.txt", b"x")
        assert repository.types() == []
    assert fs.repository is sample.repository


def test_a_new_type_has_the_dimensions_of_the_path(fs: SkyFileSystem) -> None:
    fs.pipe_file("/u/me/seeing/instrument=Cam/visit=101.json", b"{}")
    found = fs.repository.types("seeing")[0]
    assert (found.group.required, found.storage_class) == (("instrument", "visit"), "Dict")
    assert fs.find("/u") == ["/u/me/seeing/instrument=Cam/day_obs=20260101/visit=101.json"]


def test_a_type_of_bytes_takes_any_extension(fs: SkyFileSystem) -> None:
    fs.pipe_file("/u/me/blob", b"anything")
    fs.pipe_file("/u/you/blob.json", b"{}")
    assert fs.repository.types("blob")[0].storage_class == "Bytes"
    assert fs.cat("/u/you/blob.json") == b"{}"


def test_a_filesystem_for_reading(sample: Sample, unchanged: Callable[[], None]) -> None:
    for fs in (
        SkyFileSystem(repo=str(sample.repository.root), writable=False),
        skyfs.filesystem(skyfs.open(sample.repository.root)),
    ):
        assert fs.exists(f"{ONE}.json")
        with pytest.raises(ReadOnly):
            fs.pipe_file("/u/me/x.txt", b"")
        with pytest.raises(ReadOnly):
            fs.rm(f"{ONE}.json")
        with pytest.raises(ReadOnly):
            fs.touch("/u/me/x.txt")
        with pytest.raises(ReadOnly):
            fs.copy(f"{ONE}.json", "/u/me/x.json")
        unchanged()


def test_options_and_repositories_that_are_unknown(sample: Sample) -> None:
    root = str(sample.repository.root)
    with pytest.raises(ValueError, match="'replase'"):
        SkyFileSystem(repo=root, replase=True)
    with pytest.raises(ValueError, match="which repository"):
        SkyFileSystem()
    with pytest.raises(FileNotFoundError, match="no repository named 'skye'"):
        SkyFileSystem(repo="skye")
    with pytest.raises(Unsupported, match="s3"):
        SkyFileSystem(fo="bucket/repo", target_protocol="s3", target_options={"key": "secret"})
    with pytest.raises(ValueError, match="'mood'"):
        SkyFileSystem(repo=root).open(f"{ONE}.json", mood="good")
    with pytest.raises(ValueError, match="'append'"):
        SkyFileSystem(repo=root).pipe_file("/u/me/x.txt", b"", mode="append")


def test_moving(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    for target in ("/u/me/calexp/instrument=Cam/visit=101/detector=1.json", f"{A}/other.json"):
        with pytest.raises(NotAllowed, match="copy it"):
            fs.mv(f"{ONE}.json", target)
    fs.mv(f"{ONE}.json", f"{ONE}.json")
    unchanged()


def test_folders_are_not_made(fs: SkyFileSystem, unchanged: Callable[[], None]) -> None:
    fs.mkdir("/u/me/new")
    fs.makedirs("/u/me/new")
    fs.mkdirs(A, exist_ok=True)
    fs.rmdir("/u/me/new")
    assert not fs.exists("/u/me/new")
    with pytest.raises(Exists):
        fs.makedirs(A)
    with pytest.raises(Exists):
        fs.mkdir(f"{A}/summary.json")
    with pytest.raises(NotAllowed, match="not empty"):
        fs.rmdir(A)
    with pytest.raises(NotDirectory):
        fs.rmdir(f"{A}/summary.json")
    unchanged()
