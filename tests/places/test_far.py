"""Stores that are far away: fetched, kept, or not asked at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.errors import NotFound
from skyfs.repository import Repository
from skyfs.testing.servers import S3Server
from skyfs.writing.ingester import IngestFile

from .conftest import Make, at, files


def stores(s3: S3Server, bucket: str, *, near: bool = False) -> list[dict[str, Any]]:
    far = {"name": "far", "url": f"{s3.bucket(bucket)}/sky", "options": dict(s3.options), "types": ["*"]}
    return [{"name": "near", "url": "near", "types": ["*"]}, far] if near else [far]


def configure(repo: Repository, line: str) -> None:
    """Add a line to the configuration of a repository that is closed."""
    config = repo.root / "skyfs.yaml"
    config.write_text(config.read_text() + line + "\n")


def test_a_repository_on_s3(make: Make, s3: S3Server) -> None:
    repo = make(stores(s3, "places-s3"))
    pixels = np.arange(12.0).reshape(3, 4)
    repo.put(pixels, "image", run="r", **at())
    repo.put(Table({"x": [1, 2]}), "src", run="r", **at(1))
    assert np.array_equal(repo.get("image", collections="r", **at()), pixels)  # type: ignore[arg-type]
    fs = skyfs.filesystem(repo)
    assert fs.find("/r") == [
        "/r/image/instrument=Cam/detector=0.fits",
        "/r/src/instrument=Cam/detector=1.parquet",
    ]
    repo.remove_run("r")
    assert list(repo.stores["far"].scan()) == []


def _read(repo: Repository, path: str, door: str, folder: Path) -> None:
    """Read a file, or two, through one of the doors."""
    fs = skyfs.filesystem(repo)
    if door == "get":
        repo.get(path)
    elif door == "cat":
        fs.cat([path, path])
    else:
        fs.get([path, path], [str(folder / "a"), str(folder / "b")])


@pytest.mark.parametrize("door", ["get", "cat", "copy"])
def test_on_missing_fail_makes_no_request(make: Make, s3: S3Server, tmp_path: Path, door: str) -> None:
    repo = make(stores(s3, f"places-{door}", near=True))
    repo.put({"n": 1}, "metrics", run="r", **at())
    repo.close()
    configure(repo, "on_missing: fail")
    path = "/r/metrics/instrument=Cam/detector=0.json"
    with skyfs.open(repo.root) as offline:
        before = len(s3.requests())
        assert offline.get(path) == {"n": 1}
        (repo.root / "near" / path[1:]).unlink()
        with pytest.raises(NotFound, match="on_missing"):
            _read(offline, path, door, tmp_path)
        assert len(s3.requests()) == before
        assert not (tmp_path / "a").exists()
    configure(repo, "")
    config = repo.root / "skyfs.yaml"
    config.write_text(config.read_text().replace("on_missing: fail", "on_missing: fetch"))
    with skyfs.open(repo.root) as online:
        assert online.get(path) == {"n": 1}


def test_what_the_cache_holds_is_near(make: Make, s3: S3Server, tmp_path: Path) -> None:
    repo = make(stores(s3, "places-cached"), cache={"folder": str(tmp_path / "cache")})
    repo.put({"n": 1}, "metrics", run="r", **at())
    repo.put({"n": 2}, "metrics", run="r", **at(1))
    assert repo.get("metrics", collections="r", **at()) == {"n": 1}
    repo.close()
    configure(repo, "on_missing: fail")
    with skyfs.open(repo.root) as offline:
        before = len(s3.requests())
        assert offline.get("metrics", collections="r", **at()) == {"n": 1}
        with pytest.raises(NotFound, match="on_missing"):
            offline.get("metrics", collections="r", **at(1))
        assert len(s3.requests()) == before


def test_many_files_are_one_request_each(make: Make, s3: S3Server, tmp_path: Path) -> None:
    repo = make(stores(s3, "places-many"), cache={"folder": str(tmp_path / "cache")})
    for n in range(3):
        repo.put({"n": n}, "metrics", run="r", **at(n))
    fs = skyfs.filesystem(repo)
    paths = [f"/r/metrics/instrument=Cam/detector={n}.json" for n in range(3)]
    before = len(s3.requests())
    assert [b"%d" % n in data for n, data in enumerate(fs.cat("/r/metrics/*/*.json").values())] == [True] * 3
    assert [line.split()[0] for line in s3.requests()[before:]] == ["GET"] * 3
    before = len(s3.requests())
    fs.get(paths, [str(tmp_path / f"{n}.json") for n in range(3)])
    assert len(s3.requests()) == before
    assert files(tmp_path / "out") == []


def test_credentials_are_shown_nowhere(make: Make, s3: S3Server) -> None:
    repo = make(stores(s3, "places-secret"))
    assert set(repo.config.stores[0].options) >= {"key", "secret"}
    fs = skyfs.filesystem(repo)
    shown = [fs.cat("/.repo/config.yaml").decode(), repr(repo), repr(repo.config), fs.to_json()]
    assert not [text for text in shown if "testing" in text]


def test_a_part_of_a_file_that_was_read_asks_nothing_more(make: Make, s3: S3Server, tmp_path: Path) -> None:
    repo = make(stores(s3, "places-parts"), cache={"folder": str(tmp_path / "kept")})
    repo.register("raw", ["detector"], "Hdus")
    images = [fits.ImageHDU(np.full((40, 50), n)) for n in range(3)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "camera.fits")
    repo.ingest([IngestFile(tmp_path / "camera.fits", at(n), part=n + 1) for n in range(3)], "raw", run="r")
    path = "/r/raw/instrument=Cam/detector=1.fits"
    data = skyfs.filesystem(repo).cat(path)
    repo.close()
    configure(repo, "on_missing: fail")
    with skyfs.open(repo.root) as offline:
        before = len(s3.requests())
        fs = skyfs.filesystem(offline)
        assert fs.cat(path) == data
        assert fs.cat([path]) == {path: data}
        assert len(s3.requests()) == before


def test_a_card_fetches_nothing_from_afar(make: Make, s3: S3Server) -> None:
    repo = make(stores(s3, "places-cards"))
    ref = repo.put(np.eye(64, dtype=np.float32), "image", run="r", **at())
    repo.close()
    with skyfs.open(repo.root) as again:
        (found,) = again.query("image", collections="r")
        before = len(s3.requests())
        html = found._repr_html_()
        assert "far away (fetch and see it: repo.show)" in html
        assert "<img" not in html
        assert "<img" not in again.query("image", collections="r")._repr_html_()
        assert len(s3.requests()) == before
        assert again.show(ref).png.startswith(b"\x89PNG")
        assert len(s3.requests()) > before
