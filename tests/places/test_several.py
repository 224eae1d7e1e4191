"""One put into several stores: rules, formats and options of each, names of files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table

import skyfs
from skyfs.errors import BadArgument, BadConfig, Exists, NotAllowed
from skyfs.testing.snapshot import snapshot
from skyfs.writing.ingester import IngestFile

from .conftest import Make, at, files

ALL = ["*"]


def two(rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Give two stores that take everything, the second in formats of its own."""
    return [
        {"name": "a", "url": "a", "types": ALL},
        {"name": "b", "url": "b", "types": ALL, "formats": rules},
    ]


def test_a_put_goes_into_each_store_in_its_own_format(make: Make) -> None:
    rules = {"image": {"extension": ".fits.fz", "options": {"compression": "RICE_1"}}}
    repo = make(
        [
            {"name": "near", "url": "near", "types": ALL},
            {"name": "far", "url": "far", "types": ALL, "formats": rules},
        ]
    )
    pixels = np.arange(10_000, dtype="i2").reshape(100, 100)
    repo.put(CCDData(pixels, unit="adu"), "image", run="r", **at())
    assert files(repo.root / "near") == ["r/image/instrument=Cam/detector=0.fits"]
    assert files(repo.root / "far") == ["r/image/instrument=Cam/detector=0.fits.fz"]
    with fits.open(repo.root / "far/r/image/instrument=Cam/detector=0.fits.fz") as packed:
        assert isinstance(packed[1], fits.CompImageHDU)
        assert packed[1].compression_type == "RICE_1"
        assert np.array_equal(packed[1].data, pixels)
    places = repo.resolve("image", collections="r", **at()).locations
    assert {(place.store, place.extension) for place in places} == {("near", ".fits"), ("far", ".fits.fz")}
    for place in places:
        data = (repo.root / place.store / place.key).read_bytes()
        assert (place.size, place.sha256) == (len(data), hashlib.sha256(data).digest())


def test_both_formats_open_by_path_as_they_are_stored(make: Make) -> None:
    rules = {"src": {"extension": ".ecsv"}}
    repo = make(
        [{"name": "a", "url": "a", "types": ALL}, {"name": "b", "url": "b", "types": ALL, "formats": rules}]
    )
    repo.put(Table({"x": [1, 2]}), "src", run="r", **at())
    fs = skyfs.filesystem(repo)
    folder = "/r/src/instrument=Cam"
    assert fs.ls(folder, detail=False) == [f"{folder}/detector=0.parquet"]
    for store, extension in (("a", ".parquet"), ("b", ".ecsv")):
        stored = (repo.root / f"{store}{folder}/detector=0{extension}").read_bytes()
        path = f"{folder}/detector=0{extension}"
        assert fs.cat(path) == stored
        info = fs.info(path)
        assert (info["size"], info["sha256"]) == (len(stored), hashlib.sha256(stored).hexdigest())


def test_rules_choose_stores_by_type(make: Make) -> None:
    repo = make(
        [
            {"name": "first", "url": "first"},
            {"name": "tables", "url": "tables", "types": ["src*"]},
            {"name": "most", "url": "most", "types": ["*", "!metrics", "!src"]},
        ]
    )
    repo.put({"n": 1}, "metrics", run="r", **at())
    repo.put(Table({"x": [1]}), "src", run="r", **at())
    repo.put(np.zeros((2, 2)), "image", run="r", **at())
    assert files(repo.root / "first") == ["r/metrics/instrument=Cam/detector=0.json"]
    assert files(repo.root / "tables") == ["r/src/instrument=Cam/detector=0.parquet"]
    assert files(repo.root / "most") == ["r/image/instrument=Cam/detector=0.fits"]


def test_a_type_that_no_store_takes_is_refused(make: Make) -> None:
    repo = make(
        [{"name": "one", "url": "one", "types": ["src"]}, {"name": "two", "url": "two", "writable": False}]
    )
    before = snapshot(repo.root)
    with pytest.raises(NotAllowed, match=r"write a metrics: no store .* takes it"):
        repo.put({}, "metrics", run="r", **at())
    assert snapshot(repo.root) == before


def test_bytes_written_by_path_stay_as_they_are_in_the_first_store(make: Make, tmp_path: Path) -> None:
    rules = {"*": {"extension": ".yaml"}}
    repo = make(two(rules))
    fs = skyfs.filesystem(repo)
    fs.pipe_file("/r/metrics/instrument=Cam/detector=0.json", b'{ "n" :  1}')
    (tmp_path / "given.json").write_bytes(b'{"n":   2}')
    repo.ingest([IngestFile(tmp_path / "given.json", at(1))], "metrics", run="r", mode="move")
    assert not (tmp_path / "given.json").exists()
    assert (repo.root / "a/r/metrics/instrument=Cam/detector=0.json").read_bytes() == b'{ "n" :  1}'
    assert (repo.root / "b/r/metrics/instrument=Cam/detector=0.yaml").read_text().strip() == "n: 1"
    assert (repo.root / "a/r/metrics/instrument=Cam/detector=1.json").read_bytes() == b'{"n":   2}'
    assert (repo.root / "b/r/metrics/instrument=Cam/detector=1.yaml").read_text().strip() == "n: 2"


def test_removing_and_replacing_reach_every_store(make: Make) -> None:
    repo = make([{"name": name, "url": name, "types": ALL} for name in ("a", "b")])
    repo.put({"n": 1}, "metrics", run="r", **at())
    ref = repo.put({"n": 2}, "metrics", run="r", replace=True, **at())
    for name in ("a", "b"):
        (only,) = files(repo.root / name)
        assert only == f"r/metrics/instrument=Cam/detector=0=={ref.id.hex}.json"
    with pytest.raises(Exists):
        repo.put({"n": 3}, "metrics", run="r", **at())
    repo.remove_run("r")
    assert files(repo.root / "a") == files(repo.root / "b") == []


def test_when_one_store_refuses_nothing_is_left_in_any(make: Make) -> None:
    rules = {"metrics": {"options": {"no_such": 1}}}
    repo = make(
        [{"name": "a", "url": "a", "types": ALL}, {"name": "b", "url": "b", "types": ALL, "formats": rules}]
    )
    before = snapshot(repo.root)
    with pytest.raises(BadArgument, match="no_such"):
        repo.put({"n": 1}, "metrics", run="r", **at())
    blocked = repo.root / "b/r"
    blocked.write_text("in the way")
    with pytest.raises(OSError, match="'b'"):
        repo.put(Table({"x": [1]}), "src", run="r", **at())
    blocked.unlink()
    assert snapshot(repo.root) == before


class TestTemplates:
    def test_names_follow_the_template(self, make: Make) -> None:
        repo = make([{"name": "a", "url": "a", "template": "{type}/{run}/{instrument}-{detector:03d}"}])
        repo.put({"n": 1}, "metrics", run="u/me", **at(2))
        assert files(repo.root / "a") == ["metrics/u/me/Cam-002.json"]
        assert repo.get("metrics", collections="u/me", **at(2)) == {"n": 1}
        assert skyfs.filesystem(repo).find("/u") == ["/u/me/metrics/instrument=Cam/detector=2.json"]

    def test_odd_values_stay_one_part(self, make: Make) -> None:
        repo = make([{"name": "a", "url": "a", "template": "{run}/{type}_{physical_filter}_{instrument}"}])
        repo.insert("physical_filter", [{"instrument": "Cam", "name": "../..//i.MP", "band": "i"}])
        repo.put({}, "filters", run="r", instrument="Cam", physical_filter="../..//i.MP")
        (only,) = files(repo.root / "a")
        assert only == "r/filters_%2E.%2F..%2F%2Fi%2EMP_Cam.json"

    def test_a_long_name_is_cut_and_marked(self, make: Make) -> None:
        repo = make(
            [{"name": "a", "url": "a", "template": "{run}/{type}_through_{physical_filter}_{instrument}"}]
        )
        name = "星" * 79
        repo.insert("physical_filter", [{"instrument": "Cam", "name": name, "band": "i"}])
        ref = repo.put({"n": 1}, "filters", run="r" * 200, instrument="Cam", physical_filter=name)
        (only,) = files(repo.root / "a")
        assert only.endswith(f"=={ref.id.hex}.json")
        assert max(len(part.encode()) for part in only.split("/")) <= 255
        assert repo.get(ref) == {"n": 1}

    @pytest.mark.parametrize(
        "text", ["/{run}/{type}", "{run}/../{type}", "{run}", "{run}/{type}/{", ".x/{id}", "a//{id}"]
    )
    def test_what_is_no_template_is_refused(self, make: Make, text: str) -> None:
        with pytest.raises(BadConfig, match="template"):
            make([{"name": "a", "url": "a", "template": text}]).put({}, "metrics", run="r", **at())

    def test_one_that_confuses_datasets_is_refused(self, make: Make) -> None:
        repo = make([{"name": "a", "url": "a", "template": "{run}/{type}/{instrument}"}])
        with pytest.raises(BadConfig, match="leaves out detector"):
            repo.put({}, "metrics", run="r", **at())

    def test_two_datasets_of_one_name_do_not_meet(self, make: Make) -> None:
        repo = make([{"name": "a", "url": "a", "template": "{run}{type}/{instrument}{detector}"}])
        repo.put({"n": 1}, "metrics", run="r", **at())
        repo.register("rmetrics", ["detector"], "Dict")
        repo.register("etrics", ["detector"], "Dict")
        second = repo.put({"n": 2}, "etrics", run="rm", **at())
        assert repo.get("metrics", collections="r", **at()) == {"n": 1}
        assert repo.get(second) == {"n": 2}
        assert [path for path in (repo.root / "a").rglob("*.json") if second.id.hex in path.name]
