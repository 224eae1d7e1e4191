"""Reading from the next place when one fails."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.table import Table

import skyfs
from skyfs.errors import BadContent, NotFound, StoreError
from skyfs.formats.exposure import Exposure
from skyfs.repository import Repository

from .conftest import Make, at

KEY = "r/metrics/instrument=Cam/detector=0.json"
VALUE = {"n": 1}


@pytest.fixture
def twice(make: Make) -> Repository:
    """A repository with a dataset that lies in two stores."""
    repo = make([{"name": name, "url": name, "types": ["*"]} for name in ("near", "far")])
    repo.put(VALUE, "metrics", run="r", **at())
    return repo


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"short": data[:-3], "wrong": data.replace(b"1", b"2"), "long": data + b" "}[how])


@pytest.mark.parametrize("how", ["gone", "short", "wrong", "long"])
def test_the_next_place_is_read_and_the_damage_reported(
    twice: Repository, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    damage(twice.root / "near" / KEY, how)
    with caplog.at_level(logging.WARNING, "skyfs"):
        assert twice.get("metrics", collections="r", **at()) == VALUE
    (line,) = caplog.messages
    assert "near" in line
    assert KEY in line
    assert "'far' is read instead" in line


@pytest.mark.parametrize("how", ["gone", "short", "long"])
def test_so_it_is_by_path(twice: Repository, how: str) -> None:
    whole = (twice.root / "far" / KEY).read_bytes()
    damage(twice.root / "near" / KEY, how)
    assert skyfs.filesystem(twice).cat(f"/{KEY}") == whole


def test_when_all_fail_each_is_named(twice: Repository) -> None:
    for name in ("near", "far"):
        damage(twice.root / name / KEY, "gone")
    with pytest.raises(NotFound, match=r"store 'near'.*store 'far'.*skyfs check"):
        twice.get("metrics", collections="r", **at())
    damage_free = twice.root / "near" / KEY
    damage_free.write_bytes(b"{}")
    with pytest.raises(StoreError, match=r"store 'near'.*store 'far'"):
        twice.get("metrics", collections="r", **at())


def test_another_format_is_read_when_the_first_is_damaged(make: Make) -> None:
    rules = {"src": {"extension": ".ecsv"}}
    stores = [
        {"name": "a", "url": "a", "types": ["*"]},
        {"name": "b", "url": "b", "types": ["*"], "formats": rules},
    ]
    repo = make(stores)
    repo.put(Table({"x": [1, 2]}), "src", run="r", **at())
    path = repo.root / "a/r/src/instrument=Cam/detector=0.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    found = repo.get("src", collections="r", **at())
    assert list(found["x"]) == [1, 2]  # type: ignore[index]


def test_one_damaged_place_alone_says_what_is_wrong(make: Make) -> None:
    repo = make([{"name": "a", "url": "a"}])
    repo.put(np.zeros((3, 3)), "image", run="r", **at())
    path = repo.root / "a/r/image/instrument=Cam/detector=0.fits"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(BadContent, match="FITS"):
        repo.get("image", collections="r", **at())


def test_a_store_that_the_configuration_lost_is_passed_over(twice: Repository) -> None:
    config = twice.root / "skyfs.yaml"
    twice.close()
    content = yaml.safe_load(config.read_text())
    content["stores"] = [one for one in content["stores"] if one["name"] != "near"]
    config.write_text(yaml.safe_dump(content))
    with skyfs.open(twice.root) as repo:
        assert list(repo.stores) == ["far", "in-place"]
        assert repo.get("metrics", collections="r", **at()) == VALUE


@pytest.fixture
def packed(make: Make) -> Repository:
    """A repository whose second store holds other formats."""
    rules = {
        "image": {"extension": ".fits.fz", "options": {"compression": "RICE_1"}},
        "Exposure": {"disassemble": True},
    }
    return make(
        [
            {"name": "a", "url": "a", "types": ["*"]},
            {"name": "b", "url": "b", "types": ["*"], "formats": rules},
        ]
    )


@pytest.mark.parametrize("how", ["gone", "zeros"])
def test_a_part_comes_from_another_format(
    packed: Repository, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    packed.put(np.arange(100, dtype="i4").reshape(10, 10), "image", run="r", **at())
    spoil(packed.root / "a/r/image/instrument=Cam/detector=0.fits", how)
    with caplog.at_level(logging.WARNING, "skyfs"):
        found = packed.get("image", collections="r", slices=np.s_[1:3, 2:4], **at())
    assert np.array_equal(found.data, [[12, 13], [22, 23]])  # type: ignore[attr-defined]
    (line,) = caplog.messages
    assert "store 'b' is read instead" in line


@pytest.mark.parametrize("how", ["gone", "zeros"])
@pytest.mark.parametrize("spoiled", ["a/r/calexp", "b/r/calexp.variance"])
def test_a_component_comes_from_where_it_is_sound(packed: Repository, spoiled: str, how: str) -> None:
    pixels = np.arange(12.0).reshape(3, 4)
    packed.put(Exposure(pixels, variance=pixels + 1), "calexp", run="r", **at())
    spoil(packed.root / spoiled / "instrument=Cam/detector=0.fits", how)
    found = packed.get("calexp", collections="r", component="variance", **at())
    assert np.array_equal(found.data, pixels + 1)  # type: ignore[attr-defined]


def test_a_file_whose_beginning_is_damaged_is_read_elsewhere(make: Make) -> None:
    repo = make([{"name": name, "url": name, "types": ["*"]} for name in ("near", "far")])
    repo.register("numbers", ["detector"], "Array")
    repo.put(np.arange(1000), "numbers", run="r", **at())
    spoil(repo.root / "near/r/numbers/instrument=Cam/detector=0.npy", "zeros")
    assert np.array_equal(repo.get("numbers", collections="r", **at()), np.arange(1000))  # type: ignore[arg-type]


def test_a_part_is_held_against_the_digest_when_it_cannot_be_read(make: Make) -> None:
    repo = make([{"name": name, "url": name, "types": ["*"]} for name in ("near", "far")])
    repo.put(np.arange(100).reshape(10, 10), "image", run="r", **at())
    spoil(repo.root / "near/r/image/instrument=Cam/detector=0.fits", "zeros")
    found = repo.get("image", collections="r", slices=np.s_[:1, :3], **at())
    assert np.array_equal(found.data, [[0, 1, 2]])  # type: ignore[attr-defined]


def spoil(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(path.stat().st_size))
