"""Composites that are stored as a file for each component, and read as one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import skyfs
from skyfs.errors import BadArgument, NotFound, StoreError, Unsupported
from skyfs.formats.exposure import Exposure, Mask
from skyfs.repository import Repository
from skyfs.stores.local import LocalStore

from .conftest import Make, at, files

APART = {"types": {"calexp": {"disassemble": True}, "summary": {"disassemble": True}}}
LEAF = "instrument=Cam/detector=0"


def exposure() -> Exposure:
    """An exposure with everything."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [250.4, 36.5]
    wcs.wcs.crpix, wcs.wcs.cdelt = [3, 4], [-1e-4, 1e-4]
    pixels = np.arange(600, dtype="f4").reshape(20, 30)
    mask = Mask((np.arange(600, dtype="i4") % 8).reshape(20, 30), {"BAD": 0, "SAT": 1, "CR": 2})
    extra = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.arange(3.0))], name="EXTRA")
    header = fits.Header([("OBJECT", "M 13", "what"), ("EXPTIME", 30.5)])
    return Exposure(pixels, mask, pixels + 1, np.ones((3, 3)) / 9, wcs, header, others=fits.HDUList([extra]))


def same_pixels(left: Any, right: Any) -> bool:  # noqa: ANN401 - what is read may be of any type
    """Tell whether two arrays are equal."""
    return np.array_equal(left, right)


@pytest.fixture
def repo(make: Make) -> Repository:
    """A repository that takes exposures apart."""
    return make([{"name": "a", "url": "a"}], formats=APART)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that are opened from now on."""
    keys: list[str] = []
    original = LocalStore.open

    def noting(self: LocalStore, key: str, *args: Any) -> object:  # noqa: ANN401 - as it is called
        keys.append(key)
        return original(self, key, *args)

    monkeypatch.setattr(LocalStore, "open", noting)
    return keys


def test_each_component_is_a_file_and_the_whole_comes_back(repo: Repository) -> None:
    ref = repo.put(exposure(), "calexp", run="r", **at())
    assert files(repo.root / "a") == [
        f"r/calexp.header/{LEAF}.fits",
        f"r/calexp.image/{LEAF}.fits",
        f"r/calexp.mask/{LEAF}.fits",
        f"r/calexp.others/{LEAF}.fits",
        f"r/calexp.psf/{LEAF}.fits",
        f"r/calexp.variance/{LEAF}.fits",
        f"r/calexp.wcs/{LEAF}.fits",
    ]
    assert repo.get(ref) == exposure()


def test_a_component_is_read_from_its_file_alone(repo: Repository, opened: list[str]) -> None:
    ref = repo.put(exposure(), "calexp", run="r", **at())
    opened.clear()
    assert same_pixels(repo.get(ref, component="variance"), exposure().variance)
    assert opened == [f"r/calexp.variance/{LEAF}.fits"]
    opened.clear()
    data = skyfs.filesystem(repo).cat(f"/r/calexp.mask/{LEAF}.fits")
    assert opened == [f"r/calexp.mask/{LEAF}.fits"]
    assert data == (repo.root / f"a/r/calexp.mask/{LEAF}.fits").read_bytes()


@pytest.mark.parametrize("component", ["image", "mask", "variance"])
@pytest.mark.parametrize("slices", [np.s_[2:9, 5:7], np.s_[4:], np.s_[..., 3:3]])
def test_a_slice_of_a_component_is_that_of_the_whole(repo: Repository, component: str, slices: Any) -> None:  # noqa: ANN401
    ref = repo.put(exposure(), "calexp", run="r", **at())
    whole: Any = repo.get(ref, component=component)
    found: Any = repo.get(ref, component=component, slices=slices)
    assert type(found) is type(whole)
    assert same_pixels(found, np.asarray(whole)[slices])


@pytest.mark.parametrize("slices", [np.s_[2:9, 5:7], np.s_[::-2, 1::3], np.s_[7], np.s_[-1, 4]])
def test_a_slice_of_a_mask_keeps_its_planes(repo: Repository, slices: Any) -> None:  # noqa: ANN401
    ref = repo.put(exposure(), "calexp", run="r", **at())
    whole: Any = repo.get(ref, component="mask")
    found: Any = repo.get(ref, component="mask", slices=slices)
    assert found == Mask(np.asarray(whole.array[slices]), {"BAD": 0, "SAT": 1, "CR": 2}, whole.header)
    assert np.array_equal(found.flagged("SAT"), whole.flagged("SAT")[slices])


def test_slices_that_do_not_fit_a_mask_are_refused(repo: Repository) -> None:
    ref = repo.put(exposure(), "calexp", run="r", **at())
    for wrong in (np.s_[:, :, :], np.s_[20, :], np.array([True])):
        with pytest.raises(BadArgument):
            repo.get(ref, component="mask", slices=wrong)


def test_by_path_it_is_one_file_that_astropy_opens(repo: Repository) -> None:
    repo.put(exposure(), "calexp", run="r", **at())
    fs = skyfs.filesystem(repo)
    (path,) = fs.find("/r")
    assert path == f"/r/calexp/{LEAF}.fits"
    data = fs.cat(path)
    assert fs.info(path)["size"] == len(data)
    with fits.open(io.BytesIO(data)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE", "EXTRA", "PSF"]
        assert np.array_equal(hdus["IMAGE"].data, exposure().image)
    assert fs.cat(f"/r/calexp/{LEAF}.png").startswith(b"\x89PNG")


def test_what_it_has_not_is_not_there(repo: Repository) -> None:
    ref = repo.put(Exposure.from_array(np.zeros((4, 5))), "calexp", run="r", **at())
    assert not [name for name in files(repo.root / "a") if "mask" in name or "psf" in name]
    assert repo.get(ref, component="psf") is None
    assert repo.get(ref) == Exposure.from_array(np.zeros((4, 5)))
    with pytest.raises(BadArgument, match="components are: image"):
        repo.get(ref, component="colour")
    with pytest.raises(NotFound):
        skyfs.filesystem(repo).cat(f"/r/calexp.psf/{LEAF}.fits")


def test_a_type_without_dimensions(repo: Repository) -> None:
    ref = repo.put(exposure(), "summary", run="r")
    assert "r/summary.image/summary.fits" in files(repo.root / "a")
    assert repo.get(ref) == exposure()
    assert skyfs.filesystem(repo).find("/r") == ["/r/summary.fits"]


def test_a_lost_component_is_an_error_and_others_are_read(repo: Repository) -> None:
    ref = repo.put(exposure(), "calexp", run="r", **at())
    (repo.root / f"a/r/calexp.variance/{LEAF}.fits").unlink()
    with pytest.raises(NotFound, match=r"calexp.variance"):
        repo.get(ref)
    assert same_pixels(repo.get(ref, component="image"), exposure().image)


def test_all_files_go_with_the_dataset(repo: Repository) -> None:
    first = repo.put(exposure(), "calexp", run="r", **at())
    second = repo.put(exposure(), "calexp", run="r", replace=True, **at())
    assert len(files(repo.root / "a")) == 7
    assert all(f"=={second.id.hex}." in name for name in files(repo.root / "a"))
    assert first.id != second.id
    assert repo.get(second) == exposure()
    repo.remove_run("r")
    assert files(repo.root / "a") == []


def test_whole_in_one_store_and_apart_in_another(make: Make, opened: list[str]) -> None:
    whole = {"name": "whole", "url": "whole", "types": ["*"]}
    rules = {"calexp": {"disassemble": True}}
    repo = make([{"name": "apart", "url": "apart", "types": ["*"], "formats": rules}, whole])
    ref = repo.put(exposure(), "calexp", run="r", **at())
    assert files(repo.root / "whole") == [f"r/calexp/{LEAF}.fits"]
    assert len(files(repo.root / "apart")) == 7
    opened.clear()
    assert repo.get(ref) == exposure()
    assert opened == [f"r/calexp/{LEAF}.fits"]
    opened.clear()
    assert same_pixels(repo.get(ref, component="image"), exposure().image)
    assert opened == [f"r/calexp.image/{LEAF}.fits"]
    (repo.root / f"whole/r/calexp/{LEAF}.fits").unlink()
    assert repo.get(ref) == exposure()


def test_a_class_without_an_assembler_is_refused(make: Make) -> None:
    repo = make([{"name": "a", "url": "a"}], formats={"types": {"image": {"disassemble": True}}})
    with pytest.raises(Unsupported, match="no assembler"):
        repo.put(np.zeros((3, 3)), "image", run="r", **at())
    assert files(repo.root / "a") == []


def test_components_have_formats_of_their_own(make: Make) -> None:
    rules = {
        "calexp.image": {"extension": ".fits", "options": {"compression": "RICE_1", "quantize_level": 0}}
    }
    rules["calexp.image"] = {"extension": ".fits", "options": {"compression": "GZIP_2"}}
    repo = make([{"name": "a", "url": "a", "formats": rules}], formats=APART)
    ref = repo.put(exposure(), "calexp", run="r", **at())
    with fits.open(repo.root / f"a/r/calexp.image/{LEAF}.fits") as hdus:
        assert hdus[1].compression_type == "GZIP_2"
    assert repo.get(ref) == exposure()


def test_damage_in_a_component_is_seen(repo: Repository) -> None:
    ref = repo.put(exposure(), "calexp", run="r", **at())
    path = repo.root / f"a/r/calexp.image/{LEAF}.fits"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises((StoreError, ValueError)):
        repo.get(ref)
