"""A file of a whole camera, built like a raw of DECam: 60 detectors and others in it, by every door."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import skyfs
from skyfs import instruments
from skyfs.cli.app import main
from skyfs.fs import SkyFileSystem
from skyfs.instruments.cameras import shipped
from skyfs.model.dataset import DatasetRef
from skyfs.model.ids import raw_id
from skyfs.mount.session import start
from skyfs.mount.table import unmount
from skyfs.repository import Repository
from skyfs.stores.folders import Folders
from skyfs.stores.remote import RemoteStore
from skyfs.stores.remote_s3 import S3Requests
from skyfs.testing.faulty_store import FaultyStore
from skyfs.testing.servers import S3Server
from skyfs.testing.snapshot import snapshot

from .samples import cards, decam, real_headers

MODES = ("auto", "copy", "move", "link", "symlink", "direct")
# Two detectors of the camera are dead; of the guiders and the focus detectors some are in the file.
DEAD = (2, 61)
OTHERS = {63: "GN1", 65: "FS1"}
# What differs from detector to detector.
_OWN = ("CCDNUM", "DETPOS", "EXTNAME", "EXTVER", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2")
SIDE = 300
# One that is large beside the primary header, as all are in real files.
LARGE = 25


@dataclass(frozen=True)
class Camera:
    """The file, what its headers say, and what each detector's dataset is to be."""

    path: Path
    header: Mapping[str, Any]
    pieces: Mapping[int, bytes]
    hdus: Mapping[int, bytes]


def write_camera(path: Path, header: Mapping[str, Any], side: int = SIDE) -> Camera:
    """Write a primary HDU without pixels and 62 images, two of them of no detector of the camera."""
    names = {
        number: one.extension for number, one in shipped("DECam").detectors.items() if number not in DEAD
    }
    common = {key: value for key, value in header.items() if key not in _OWN}
    random = np.random.default_rng(1)
    images = []
    # As the readout has them: in no order of numbers.
    for number, name in sorted({**names, **OTHERS}.items(), key=lambda item: item[1]):
        own = {"CCDNUM": number, "DETPOS": name, "CRVAL1": 42.0 + number / 10, "CRVAL2": 0.5}
        image = random.integers(0, 40_000, (side, 3 * side if number == LARGE else side), "u2")
        images.append(fits.ImageHDU(image, cards({**own, "CRPIX1": 1.5, "CRPIX2": 2.5}), name=name))
    made = fits.HDUList([fits.PrimaryHDU(header=cards(common)), *images])
    path.parent.mkdir(parents=True, exist_ok=True)
    made.writeto(path)
    data = path.read_bytes()
    with fits.open(path) as opened:
        starts = [hdu.fileinfo()["hdrLoc"] for hdu in opened] + [len(data)]
        numbers = [hdu.header["CCDNUM"] for hdu in opened[1:]]
    spans = {
        number: data[begin:end]
        for number, (begin, end) in zip(numbers, list(pairwise(starts))[1:], strict=True)
        if number not in OTHERS
    }
    return Camera(path, header, {number: data[: starts[1]] + own for number, own in spans.items()}, spans)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory, shared_data: Path | None) -> Camera:
    """Give the file with a real header where there is one."""
    real = {name: one for name, one in real_headers(shared_data).items() if "raw_dec" in name}
    header = next(iter(real.values()), decam())
    return write_camera(tmp_path_factory.mktemp("camera") / "c4d_130213_090140_ori.fits", header)


@pytest.fixture(scope="module")
def read(camera: Camera, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Give a repository with the file in its store; tests read it."""
    root = tmp_path_factory.mktemp("whole") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        report = instruments.ingest_raws(repository, camera.path)
        assert (len(report.refs), report.exposures, report.skipped) == (60, 1, ())
        yield repository


def raws(repository: Repository) -> dict[int, DatasetRef]:
    found = repository.query("raw", collections="DECam/raw/all")
    return {int(str(ref.data_id["detector"])): ref for ref in found}


def one_path(repository: Repository, detector: int) -> str:
    return repository.path(raws(repository)[detector])


def one_file(repository: Repository) -> Path:
    (found,) = (path for path in (repository.root / "data").rglob("*.fits") if ".skyfs" not in path.parts)
    return found


def test_sixty_datasets_of_one_file(read: Repository, camera: Camera) -> None:
    refs = raws(read)
    assert sorted(refs) == sorted(camera.pieces)
    assert len(refs) == 60
    assert one_file(read).read_bytes() == camera.path.read_bytes()
    assert one_file(read).name == camera.path.name
    fs = skyfs.filesystem(read)
    listed = fs.ls(read.path(refs[1]).rpartition("/")[0], detail=False)
    assert [name.rpartition("/")[2] for name in sorted(listed)] == [
        f"detector={n}.fits" for n in sorted(refs, key=str)
    ]
    for number, ref in refs.items():
        assert ref.id == raw_id("raw", "DECam/raw/all", ref.data_id)
        data, info = fs.cat_file(read.path(ref)), fs.info(read.path(ref))
        assert data == camera.pieces[number]
        assert data.endswith(camera.hdus[number])
        assert (info["size"], info["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


@given(
    detector=st.sampled_from([1, 3, LARGE, 60, 62]),
    ranges=st.lists(st.tuples(*[st.integers(0, 2**19)] * 2), min_size=1, max_size=8),
)
def test_random_reads(read: Repository, camera: Camera, detector: int, ranges: list[tuple[int, int]]) -> None:
    data, fs = camera.pieces[detector], skyfs.filesystem(read)
    path = one_path(read, detector)
    spans = [(start % (len(data) + 9), start % (len(data) + 9) + length % 9000) for start, length in ranges]
    begins, ends = zip(*spans, strict=True)
    wanted = [data[begin:end] for begin, end in spans]
    assert fs.cat_ranges([path] * len(spans), list(begins), list(ends)) == wanted
    with fs.open(path) as file:
        for (begin, end), expected in zip(spans, wanted, strict=True):
            file.seek(begin)
            assert file.read(end - begin) == expected


def test_every_door_gives_the_same(
    read: Repository,
    camera: Camera,
    fuse: None,  # noqa: ARG001 - it skips where nothing can be mounted
    tmp_path: Path,
) -> None:
    path, data = one_path(read, LARGE), camera.pieces[LARGE]
    got = read.get(path)
    assert isinstance(got, fits.HDUList)
    pixels, header = got[1].data, got[1].header
    assert (header["CCDNUM"], header["EXTNAME"], len(got)) == (25, "S1", 2)
    assert got[0].header["OBJECT"] == camera.header["OBJECT"]
    fs = skyfs.filesystem(read)
    url = f"skyfs://{path}::file://{read.root}"
    for opened in (fs.open(path), SkyFileSystem(str(read.root)).open(path)):
        with opened as file, fits.open(file) as hdus:
            np.testing.assert_array_equal(hdus[1].data, pixels)
    with fits.open(url, use_fsspec=True) as hdus:
        np.testing.assert_array_equal(hdus["S1"].section[5:9, 7:11], pixels[5:9, 7:11])
    result = CliRunner().invoke(main, ["-r", str(read.root), "cat", path])
    assert (result.exit_code, result.stdout_bytes) == (0, data)
    folder = tmp_path / "mnt"
    folder.mkdir()
    start(read.root, folder)
    try:
        below = folder / path[1:]
        assert below.read_bytes() == data
        assert below.stat().st_size == len(data)
        with fits.open(below) as hdus:
            np.testing.assert_array_equal(hdus[1].data, pixels)
    finally:
        unmount(folder)


@pytest.mark.parametrize("mode", MODES)
def test_the_file_is_recognised_again(repo: Repository, camera: Camera, tmp_path: Path, mode: str) -> None:
    small = write_camera(tmp_path / "files" / "a.fits", camera.header, side=8)
    copy = shutil.copy2(small.path, tmp_path / "b.fits")
    report = instruments.ingest_raws(repo, small.path, mode=mode)
    assert (len(report.refs), small.path.exists()) == (60, mode != "move")
    before = snapshot(repo.root)
    for again in ("copy", "direct"):
        report = instruments.ingest_raws(repo, copy, mode=again)
        assert (report.refs, len(report.present), report.exposures) == ((), 60, 0)
    assert snapshot(repo.root) == before
    refs = raws(repo)
    repo.remove([refs[5]])
    assert len(instruments.ingest_raws(repo, copy, mode="copy").refs) == 1
    fs = skyfs.filesystem(repo)
    assert fs.cat_file(repo.path(refs[5])) == small.pieces[5]
    repo.remove(list(raws(repo).values()))
    assert [path.name for path in (repo.root / "data").rglob("*.fits")] == []
    assert small.path.exists() is (mode != "move")


def test_other_bytes_are_a_conflict(repo: Repository, camera: Camera, tmp_path: Path) -> None:
    small = write_camera(tmp_path / "a.fits", camera.header, side=8)
    instruments.ingest_raws(repo, small.path)
    data = bytearray(small.path.read_bytes())
    data[-3000] ^= 1
    (tmp_path / "b.fits").write_bytes(data)
    with pytest.raises(skyfs.errors.Conflict, match="other bytes"):
        instruments.ingest_raws(repo, tmp_path / "b.fits")


def test_one_detector_costs_its_hdu(
    repo: Repository, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    instruments.ingest_raws(repo, camera.path)
    far = FaultyStore(repo.stores["local"])
    monkeypatch.setitem(repo.stores, "local", far)
    fs, path = skyfs.filesystem(repo), one_path(repo, LARGE)
    far.counts.reset()
    data = fs.cat_file(path)
    assert data == camera.pieces[LARGE]
    assert far.counts.bytes <= 1.05 * len(camera.hdus[LARGE])
    assert (far.counts.stats, far.counts.round_trips, far.counts.requests) == (0, 1, 2)
    far.counts.reset()
    everything = fs.cat([repo.path(ref) for ref in raws(repo).values()])
    assert sorted(everything.values()) == sorted(camera.pieces.values())
    assert far.counts.bytes == sum(map(len, camera.pieces.values()))


@dataclass
class Asked:
    """What was asked of the S3 server."""

    calls: list[str]
    bytes: int = 0


@pytest.fixture
def far(repo: Repository, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Put the repository's store on S3, and give an account of what is asked there."""
    folders = Folders(str(tmp_path / "writing"), shared=False, durable=False)
    url = s3.bucket(f"camera-{tmp_path.name.lower().replace('_', '-')}"[:60])
    store = RemoteStore(url, name="local", options=s3.options, folders=folders)
    monkeypatch.setitem(repo.stores, "local", store)
    asked, call, fetch = Asked([]), S3Requests._call, S3Requests.fetch  # noqa: SLF001 - to count them

    async def counting_call(own: S3Requests, operation: str, **arguments: Any) -> Any:  # noqa: ANN401
        asked.calls.append(operation)
        return await call(own, operation, **arguments)

    async def counting_fetch(
        own: S3Requests, key: str, ends: tuple[int, int] | None, take: Callable[[bytes], object]
    ) -> int | None:
        def count(chunk: bytes) -> None:
            asked.bytes += len(chunk)
            take(chunk)

        return await fetch(own, key, ends, count)

    monkeypatch.setattr(S3Requests, "_call", counting_call)
    monkeypatch.setattr(S3Requests, "fetch", counting_fetch)
    return asked


def test_one_detector_of_s3_costs_its_hdu(repo: Repository, camera: Camera, far: Asked) -> None:
    refs = {int(str(ref.data_id["detector"])): ref for ref in instruments.ingest_raws(repo, camera.path).refs}
    (key,) = (key for key, _ in repo.stores["local"].scan())
    assert key.endswith(camera.path.name)
    fs, path = skyfs.filesystem(repo), repo.path(refs[LARGE])
    for read in (lambda: fs.cat_file(path), lambda: fs.open(path).read()):
        far.calls.clear()
        far.bytes = 0
        assert read() == camera.pieces[LARGE]
        assert far.calls == ["get_object"] * 2
        assert far.bytes <= 1.05 * len(camera.hdus[LARGE])
    with fs.open(path) as file, fits.open(file) as hdus:
        far.bytes = 0
        assert hdus[1].section[3:5, 7:9].shape == (2, 2)
    assert far.bytes < 0.5 * len(camera.hdus[LARGE])
    far.bytes = 0
    everything = fs.cat([repo.path(ref) for ref in refs.values()])
    assert sorted(everything.values()) == sorted(camera.pieces.values())
    assert far.bytes == sum(map(len, camera.pieces.values()))
    repo.remove([refs[number] for number in refs if number != LARGE])
    assert fs.cat_file(path) == camera.pieces[LARGE]
    repo.remove([refs[LARGE]])
    assert list(repo.stores["local"].scan()) == []


def test_by_the_command_line(camera: Camera, tmp_path: Path) -> None:
    small = write_camera(tmp_path / "a.fits", camera.header, side=8)
    root = tmp_path / "sky"
    skyfs.create(root).close()
    for mode, count in (("copy", 60), ("move", 0)):
        result = CliRunner().invoke(main, ["-r", str(root), "ingest-raws", str(small.path), "--mode", mode])
        assert (result.exit_code, f"{count} new" in result.output) == (0, True), result.output
