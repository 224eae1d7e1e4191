"""Taking existing files in, in every mode."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skyfs
from skyfs.errors import (
    BadArgument,
    BadContent,
    Exists,
    IsDirectory,
    NotFound,
    SkyfsError,
    StoreError,
    UnknownFormat,
)
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot
from skyfs.writing.ingester import IngestFile

from .conftest import data_id

MODES = ("copy", "move", "link", "symlink", "direct")


def make_image(path: Path, *, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).normal(size=(20, 30)).astype("f4")
    fits.PrimaryHDU(pixels, fits.Header({"OBJECT": path.stem})).writeto(path)
    os.utime(path, ns=(10**18, 10**18 + seed))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_image(tmp_path / "image.fits")


@pytest.mark.parametrize("mode", MODES)
def test_bytes_and_time_are_those_of_the_source(repo: Repository, source: Path, mode: str) -> None:
    data, mtime_ns = source.read_bytes(), source.stat().st_mtime_ns
    repo.register("raw", ["exposure", "detector"], "Hdus")
    (ref,) = repo.ingest([IngestFile(source, data_id())], "raw", run="raw/all", mode=mode)
    assert source.exists() is (mode != "move")
    resolved = repo.resolve("raw", collections="raw/all", **data_id())
    location, bytes_ = repo.open_bytes(resolved)
    with bytes_:
        assert bytes_.read_all() == data
    assert (location.size, location.mtime_ns) == (len(data), mtime_ns)
    assert location.sha256 in (None, hashlib.sha256(data).digest())
    assert (location.sha256 is None) is (mode in ("link", "symlink", "direct"))
    hdus = repo.get(ref)
    assert isinstance(hdus, fits.HDUList)
    assert hdus[0].header["OBJECT"] == "image"
    np.testing.assert_array_equal(
        hdus[0].data, fits.getdata(location_path(repo, location.store, location.key))
    )


def location_path(repo: Repository, store: str, key: str) -> str:
    return f"/{key}" if store == "in-place" else str(repo.root / "data" / key)


def test_a_file_that_stays_is_the_one_that_a_link_led_to(
    repo: Repository, source: Path, tmp_path: Path
) -> None:
    link, folder, data = tmp_path / "link.fits", tmp_path / "folder", source.read_bytes()
    link.symlink_to(source)
    folder.symlink_to(source.parent)
    repo.register("raw", ["exposure", "detector"], "Hdus")
    for number, path in enumerate((link, folder / source.name)):
        given = IngestFile(path, data_id(detector=number))
        repo.ingest([given], "raw", run="raw/all", mode="direct")
    link.unlink()
    folder.unlink()
    for number in range(2):
        place, bytes_ = repo.open_bytes(
            repo.resolve("raw", collections="raw/all", **data_id(detector=number))
        )
        with bytes_:
            assert bytes_.read_all() == data
        assert location_path(repo, place.store, place.key) == str(source)


@pytest.mark.parametrize("mode", MODES)
def test_removing_takes_only_what_skyfs_owns(repo: Repository, source: Path, mode: str) -> None:
    repo.register("raw", ["exposure", "detector"], "Hdus")
    (ref,) = repo.ingest([IngestFile(source, data_id())], "raw", run="raw/all", mode=mode)
    repo.remove([ref])
    assert source.exists() is (mode != "move")
    assert not list((repo.root / "data").rglob("*.fits"))
    with pytest.raises(NotFound):
        repo.get(ref)


def test_auto_copies_but_leaves_files_inside_of_the_repository(repo: Repository, source: Path) -> None:
    inside = make_image(repo.root / "inside.fits", seed=1)
    repo.register("raw", ["exposure", "detector"], "Hdus")
    repo.ingest([IngestFile(source, data_id())], "raw", run="raw/all")
    repo.ingest([IngestFile(inside, data_id(detector=1))], "raw", run="raw/all")
    stores = [
        repo.resolve("raw", collections="raw/all", **data_id(detector=n)).locations[0].store for n in (0, 1)
    ]
    assert stores == ["local", "in-place"]
    both = [IngestFile(source, data_id(detector=2)), IngestFile(inside, data_id(903336))]
    with pytest.raises(BadArgument, match="name a mode"):
        repo.ingest(both, "raw", run="raw/all")


def _truncated(path: Path) -> IngestFile:
    path.write_bytes(make_image(path.with_suffix(".whole.fits")).read_bytes()[:3000])
    return IngestFile(path, data_id(detector=1))


def _missing(path: Path) -> IngestFile:
    return IngestFile(path, data_id(detector=1))


def _folder(path: Path) -> IngestFile:
    path.mkdir()
    return IngestFile(path, data_id(detector=1))


def _unknown(path: Path) -> IngestFile:
    path.with_suffix(".xyz").write_bytes(b"?")
    return IngestFile(path.with_suffix(".xyz"), data_id(detector=1))


def _wrong_id(path: Path) -> IngestFile:
    return IngestFile(make_image(path), data_id(detector=99))


def _twice(path: Path) -> IngestFile:
    return IngestFile(make_image(path), data_id())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_truncated, BadContent),
        (_missing, NotFound),
        (_folder, IsDirectory),
        (_unknown, UnknownFormat),
        (_wrong_id, NotFound),
        (_twice, Exists),
    ],
)
def test_one_bad_file_refuses_all_and_changes_nothing(
    repo: Repository,
    source: Path,
    tmp_path: Path,
    mode: str,
    spoil: Callable[[Path], IngestFile],
    error: type[SkyfsError],
) -> None:
    repo.register("raw", ["exposure", "detector"], "Hdus")
    bad = spoil(tmp_path / "bad.fits")
    before, data = snapshot(repo.root), source.read_bytes()
    with pytest.raises(error) as raised:
        repo.ingest([IngestFile(source, data_id()), bad], "raw", run="raw/all", mode=mode)
    assert "\n" not in str(raised.value)
    assert snapshot(repo.root) == before
    assert source.read_bytes() == data


def test_an_unknown_mode_is_refused(repo: Repository, source: Path) -> None:
    with pytest.raises(BadArgument, match="one of auto, copy"):
        repo.ingest([IngestFile(source, data_id())], "metrics", run="r", mode="teleport")


def test_a_full_disk_changes_nothing(tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "big.fits"
    fits.PrimaryHDU(np.zeros((600, 600), "f8")).writeto(source)
    with skyfs.create(small_disk / "sky", options={"durability": "process"}) as small:
        small.register("image", [], "Hdus")
        before = snapshot(small.root)
        for mode in ("copy", "move"):
            with pytest.raises(StoreError, match=r"full|space"):
                small.ingest([IngestFile(source, {})], "image", run="r", mode=mode)
            assert snapshot(small.root) == before
        with pytest.raises(StoreError, match=r"full|space"):
            small.put(fits.HDUList([fits.PrimaryHDU(np.zeros((600, 600), "f8"))]), "image", run="r")
        assert snapshot(small.root) == before
    assert source.exists()


def test_a_repository_is_made_as_a_whole_or_not_at_all(small_disk: Path) -> None:
    refusals = []
    for free_kib in range(96, 2048, 24):
        (small_disk / "filler").write_bytes(bytes((2048 - free_kib) << 10))
        try:
            skyfs.create(small_disk / "sky").close()
            break
        except StoreError as error:
            refusals.append(str(error))
            assert [path.name for path in small_disk.iterdir()] == ["filler"]
    assert refusals
    assert all(re.search("full|space", text) for text in refusals)
    with skyfs.open(small_disk / "sky") as repo:
        assert list(repo.collections()) == []


def test_a_configuration_that_cannot_be_written_is_as_it_was(small_disk: Path) -> None:
    skyfs.create(small_disk / "sky", stores=[{"name": "own", "url": "data"}]).close()
    before = {path: path.read_bytes() for path in (small_disk / "sky").rglob("*") if path.is_file()}
    with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with pytest.raises(StoreError, match="space"):
        skyfs.relocate(small_disk / "sky", {"own": "elsewhere"})
    assert {path: path.read_bytes() for path in (small_disk / "sky").rglob("*") if path.is_file()} == before


def test_real_images_come_back_byte_for_byte(
    repo: Repository, shared_data: Path | None, tmp_path: Path
) -> None:
    if shared_data is None:
        files = [make_image(tmp_path / f"made{number}.fits", seed=number) for number in range(4)]
    else:
        files = sorted((shared_data / "images").glob("*.fits*"))
    for file in files:
        name = file.name.partition(".")[0]
        repo.register(name, [], "Hdus")
        (ref,) = repo.ingest([IngestFile(file, {})], name, run="images", mode="direct")
        _, source = repo.open_bytes(repo.resolve(name, collections="images"))
        with source:
            assert source.read_all() == file.read_bytes()
        hdus = repo.get(ref)
        assert isinstance(hdus, fits.HDUList)
        with fits.open(file) as expected:
            assert [type(hdu) for hdu in hdus] == [type(hdu) for hdu in expected]
            assert hdus[0].header["NAXIS"] == expected[0].header["NAXIS"]
