"""A new repository of chosen datasets: as a view of files where they are, or as a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

import skyfs
from skyfs.config import referring
from skyfs.errors import Exists, NotFound, SkyfsError
from skyfs.repository import Repository

from .conftest import CAMERA, contents, state


@pytest.mark.parametrize("view", [True, False])
def test_a_subset_holds_what_belongs(source: Repository, tmp_path: Path, *, view: bool) -> None:
    with skyfs.subset(source, tmp_path / "new", view=view, where="visit = 3", **CAMERA) as made:
        whole = contents(source)
        assert contents(made) == {path: whole[path] for path in contents(made)}
        kinds = [path.split("/")[-1 - path.count("=")] for path in contents(made)]
        assert sorted(kinds) == ["flat", "metrics", "raw", "raw"]
        assert [str(ref.valid) for ref in made.query("flat", collections="HSC/calib")] == [
            "20131103T000000--max"
        ]
        found = made.get(
            "flat", collections="HSC/defaults", **CAMERA, detector=0, physical_filter="HSC-I", visit=3
        )
        assert found is not None


@pytest.mark.parametrize("view", [True, False])
def test_all_of_a_repository(source: Repository, tmp_path: Path, *, view: bool) -> None:
    with skyfs.subset(source, tmp_path / "new", view=view) as made:
        assert state(made) == state(source)
        assert contents(made) == contents(source)


def test_a_view_has_no_bytes_of_its_own_and_removes_none(source: Repository, tmp_path: Path) -> None:
    whole = contents(source)
    with skyfs.subset(source, tmp_path / "new", view=True) as made:
        assert not [path for path in (made.root / "data").rglob("*") if path.is_file()]
        made.put({"seeing": 1.0}, "metrics", run="u/new", **CAMERA, visit=1, detector=0)
        refs = list(made.query("*", collections="HSC/*", find_first=False))
        made.remove(refs)
        assert made.query("metrics", collections="*", find_first=False).count() == 1
    assert contents(source) == whole


def test_a_copy_needs_nothing_of_the_other(source: Repository, tmp_path: Path) -> None:
    whole = contents(source)
    skyfs.subset(source, tmp_path / "new").close()
    source.close()
    (tmp_path / "source").rename(tmp_path / "away")
    with skyfs.open(tmp_path / "new") as made:
        assert contents(made) == whole


def test_a_view_of_a_view(source: Repository, tmp_path: Path) -> None:
    with (
        skyfs.subset(source, tmp_path / "one", view=True) as one,
        skyfs.subset(one, tmp_path / "two", "metrics", view=True) as two,
    ):
        assert contents(two) == {path: data for path, data in contents(source).items() if "/metrics/" in path}


def test_both_sides_know_of_each_other(source: Repository, tmp_path: Path) -> None:
    skyfs.subset(source, tmp_path / "new", view=True).close()
    assert referring.views_of(source.root) == [tmp_path / "new"]
    assert referring.origin_of(tmp_path / "new") == source.root
    assert referring.origin_of(source.root) is None


def test_what_fails_leaves_nothing(source: Repository, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    with pytest.raises(Exists):
        skyfs.subset(source, tmp_path / "there")
    with pytest.raises(NotFound, match="no dataset type 'metric'"):
        skyfs.subset(source, tmp_path / "new", "metric")
    (ref,) = source.query("metrics", collections="u/best")
    (source.root / "data" / source.path(ref)[1:]).unlink()
    with pytest.raises(SkyfsError):
        skyfs.subset(source, tmp_path / "new")
    assert not (tmp_path / "new").exists()
