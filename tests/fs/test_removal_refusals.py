"""What cannot be removed is refused with a reason, and leaves every byte as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skyfs.errors import IsDirectory, NotAllowed, NotFound, ReadOnly, SkyfsError
from skyfs.fs import SkyFileSystem
from skyfs.testing.filesystem_sample import Sample

A = "/Cam/runs/a"
LEVELS = "calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1"
ONE = f"{A}/{LEVELS}.json"

REFUSED: list[tuple[str, type[SkyfsError], str]] = [
    (f"{A}/none.json", NotFound, "none"),
    (f"{A}/{LEVELS}.yaml", NotAllowed, ONE),
    (f"{A}/calexp/visit=101/instrument=Cam/detector=1.json", NotAllowed, ONE),
    (f"{A}/calexp/instrument=Cam/visit=101/detector=1.json", NotAllowed, ONE),
    (f"/Cam/all/{LEVELS}.json", NotAllowed, "Cam/runs/b"),
    ("/Cam/all/summary.json", NotAllowed, "Cam/runs/a"),
    (f"/.hive{A}/{LEVELS}/calexp.json", ReadOnly, "own path"),
    ("/.repo/version", ReadOnly, "own path"),
    (A, IsDirectory, "recursive=True"),
    (f"{A}/calexp", IsDirectory, "recursive=True"),
]


@pytest.fixture(scope="module")
def sample(kept_sample: Sample) -> Sample:
    """One sample for all."""
    return kept_sample


@pytest.mark.parametrize(("path", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(
    fs: SkyFileSystem, unchanged: Callable[[], None], path: str, error: type[SkyfsError], message: str
) -> None:
    for remove in (fs.rm, fs.rm_file, lambda path: fs.rm([f"{A}/summary.json", path])):
        with pytest.raises(error, match=message) as caught:
            remove(path)
        assert type(caught.value) is error
        unchanged()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/Cam/all", "Cam/runs/b"),
        ("/Cam/calib/flat", "Cam/calib/made"),
        ("/Cam", "CHAINED|CALIBRATION"),
        ("/", "whole repository"),
        ("/.hive/Cam/runs/a", "own path"),
        ("/Cam/runs/a/calexp/instrument=Cam/visit=102", "stored spelling"),
        ("/Cam/none", "nothing at"),
    ],
)
def test_recursive_refused(fs: SkyFileSystem, unchanged: Callable[[], None], path: str, message: str) -> None:
    with pytest.raises((NotAllowed, NotFound), match=message):
        fs.rm(path, recursive=True)
    unchanged()
