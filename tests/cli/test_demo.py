"""demo: the whole tour, and that what it prints is true."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from astropy.io import fits

import skyfs
from skyfs.mount.table import mounts, unmount

from .conftest import Shell

# Half a minute on an idle machine.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own to start the tour in."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for one in mounts():
        if Path(one.folder).is_relative_to(tmp_path):
            unmount(one.folder, lazy=True)


def test_the_tour_of_the_survey(work: Path, shell: Shell) -> None:
    done = shell("demo")
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b""), text
    folder = work / "skyfs-demo"
    steps = dict(re.findall(r"^(?:\$|>>>) (.+)\n((?:  .*\n)*)", text, re.MULTILINE))
    assert steps["skyfs ls /"].split() == ["SkyCam/", "WideCam/", "coadds/", "refcats/"]
    with skyfs.open("demo", collections="SkyCam/defaults") as repo:
        metrics = repo.get("visit_metrics", instrument="SkyCam", visit=901002)
        stars = repo.get("src", instrument="SkyCam", visit=901002, detector=0)
        image = repo.get("calexp", instrument="SkyCam", visit=901002, detector=0)
        flat = repo.resolve(
            "flat", time="2026-02-15T02:00:00", instrument="SkyCam", detector=0, physical_filter="r.SC02"
        )
        with repo.open_bytes(flat)[1] as source:
            assert (folder / "flat.fits").read_bytes() == source.read_all()
    assert isinstance(metrics, dict)
    assert f'"n_stars": {metrics["n_stars"]}' in text
    assert f"{len(stars)} stars" in text  # type: ignore[arg-type]  # a table
    assert str(image.data.mean()) in text  # type: ignore[attr-defined]  # a CCDData
    assert (folder / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert "bright_stars.csv" in text
    if "leaves the mount out" not in text:
        _, digest = re.findall(r"\b[0-9a-f]{64}\b", text)[-2:]
        assert hashlib.sha256((folder / "detector=0.fits").read_bytes()).hexdigest() == digest
        assert not list((folder / "mnt").iterdir())


def test_a_second_tour_works_beside_the_first(work: Path, shell: Shell) -> None:
    (work / "skyfs-demo").mkdir()
    skyfs.create(work / "other", name="my-files").close()
    (work / "mine").mkdir()
    fits.PrimaryHDU([[1.0, 2.0], [3.0, 4.0]]).writeto(work / "mine" / "a.fits")
    done = shell("demo", "--fits", "mine")
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert b"works in skyfs-demo-2/" in done.stdout
    assert b"--name my-files-2" in done.stdout


def test_the_tour_of_ones_own_files(work: Path, shell: Shell, shared_data: Path | None) -> None:
    mine = work / "my data"
    (mine / "deeper").mkdir(parents=True)
    header = fits.Header({"OBJECT": "Vega"})
    fits.PrimaryHDU([[float(n) for n in range(9)]] * 9, header).writeto(mine / "NGC 1.2-b.fits")
    fits.PrimaryHDU([[1.0] * 9] * 9).writeto(mine / "deeper" / "NGC 1.2-b.FIT")
    (mine / "cut.fits").write_bytes((mine / "NGC 1.2-b.fits").read_bytes()[:3000])
    (mine / "notes.txt").write_text("not a FITS file")
    if shared_data is not None:
        shutil.copy(shared_data / "images" / "reprojected_sdss_g.fits.bz2", mine)
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    done = shell("demo", "--fits", mine, "--keep", work / "kept")
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b""), text
    assert f"{2 + (shared_data is not None)} FITS files below" in text
    assert re.search(r"left out: .*cut\.fits: .*truncated", text)
    assert "NGC_1_2_b.fits" in text
    assert "NGC_1_2_b_2.fit" in text
    assert text.count(hashlib.sha256(before[mine / "NGC 1.2-b.fits"]).hexdigest()) >= 2
    assert "OBJECT  = 'Vega" in text
    assert (work / "kept" / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("folder", ["empty", "none"])
def test_nothing_to_tour_is_one_line(work: Path, shell: Shell, folder: str) -> None:
    (work / "empty").mkdir()
    done = shell("demo", "--fits", folder)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert folder.encode() in done.stderr
    assert not (work / "skyfs-demo").exists()
    assert skyfs.config.index.all_names(skyfs.config.Environment.current()) == {}
