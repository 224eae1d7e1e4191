"""Paths of a repository as pathlib has them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from upath import UPath

from skyfs.errors import Exists, NotAllowed
from skyfs.testing.filesystem_sample import Sample
from skyfs.upath import SkyPath


@pytest.fixture(params=["skyfs://sky", "skyfs://", "chained"])
def top(request: pytest.FixtureRequest, sample: Sample) -> UPath:
    root = sample.repository.root
    if request.param == "chained":
        return UPath(f"skyfs:///::file://{root}")
    options = {"repo": str(root)} if request.param == "skyfs://" else {}
    return UPath(f"{request.param}/", **options)


def test_paths(top: UPath, sample: Sample) -> None:
    assert isinstance(top, SkyPath)
    one = top / sample.one[1:]
    assert one.exists()
    assert one.is_file()
    assert not one.is_dir()
    assert one.name == "detector=1.json"
    assert (one.stem, one.suffix) == ("detector=1", ".json")
    assert one.read_bytes() == sample.files[sample.one]
    assert one.read_text() == sample.files[sample.one].decode()
    assert one.stat().st_size == len(sample.files[sample.one])
    assert one.parent.joinpath("detector=2.json").is_file()
    with one.open() as file:
        assert file.read(1) == "{"
    assert [parent.name for parent in one.parents][:3] == ["visit=101", "day_obs=20260101", "instrument=Cam"]
    assert list(one.parents)[len(sample.one.split("/")) - 2] == top


def test_listing(top: UPath, sample: Sample) -> None:
    assert sorted(path.name for path in top.iterdir()) == ["Cam", "best", "coadds"]
    runs = top / "Cam" / "runs"
    assert sorted(path.name for path in runs.iterdir()) == ["a", "b"]
    assert len(list(runs.glob("a/calexp/*/*/visit=101/*.json"))) == 3
    assert len(list(runs.rglob("detector=21.json"))) == 4
    found = next(runs.glob("a/summary.json"))
    assert found.read_bytes() == sample.files["/Cam/runs/a/summary.json"]


def test_writing(top: UPath) -> None:
    path = top / "u" / "me" / "file.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    assert path.write_text("hello") == 5
    assert path.read_text() == "hello"
    with pytest.raises(Exists):
        path.write_text("again")
    with pytest.raises(NotAllowed):
        path.rename(path.with_name("other.txt"))
    path.touch()
    path.unlink()
    assert not path.exists()


def test_copying(top: UPath, tmp_path: Path, sample: Sample) -> None:
    (top / sample.one[1:]).copy(tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_bytes() == sample.files[sample.one]


def test_pickling(top: UPath, sample: Sample) -> None:
    one = top / sample.one[1:]
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - made here
    assert again == one
    assert again.read_bytes() == sample.files[sample.one]
