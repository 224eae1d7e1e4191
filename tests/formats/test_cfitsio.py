"""CFITSIO as the oracle of image selectors: our file has the pixels and coordinates that `fitscopy` makes.

Where the two differ on purpose:

- fitscopy brings all other HDUs along, ours the header of the primary one;
- it adds EXTEND and two comments to a primary header, and ignores axes that the image has not;
- it keeps CHECKSUM and DATASUM, which no longer fit;
- it leaves as they were: SIP coefficients in steps (below, and in test_fits_sky), LTV and LTM, plate
  constants, PC matrices in unequal steps, CDELT and CRPIX that are there by default only;
- of compressed images in reversed steps that do not end on the last pixel it counts from that one.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument
from skyfs.formats.fits import Fits
from skyfs.model.selectors import parse_selectors
from skyfs.testing.format_suite import MemorySource

from .skies import SKIES

_LEFT_OUT = ("CHECKSUM", "DATASUM", "ZHECKSUM", "ZDATASUM", "EXTEND")

_ABOUT_FITS = ("  FITS (Flexible Image Transport System)", "  and Astrophysics', volume 376")


def _why_not() -> str:
    missing = [name for name in ("fitscopy", "fpack") if shutil.which(name) is None]
    return f"{', '.join(missing)} (Debian package libcfitsio-bin) not installed" if missing else ""


@pytest.fixture(scope="module", autouse=True)
def cfitsio() -> None:
    """Skip where CFITSIO's programs are not; in continuous integration (CI=true) fail instead."""
    if reason := _why_not():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def celestial(projection: str, **more: object) -> fits.Header:
    header = SKIES[projection].copy()
    header["CTYPE1A"], header["CTYPE2A"], header["CRPIX1A"], header["CRPIX2A"] = "LINEAR", "LINEAR", 3.0, -4.5
    header["CD1_1A"], header["CD2_2A"], header["CDELT1A"], header["CDELT2A"] = 2.0, 3.0, 2.0, 3.0
    for key, value in {
        "DATASEC": "[1:90,1:70]",
        "CCDSEC": "[101:190,1:70]",
        "LONG": "x" * 100,
        **more,
    }.items():
        header[key] = value
    return header


def images() -> fits.HDUList:
    """HDUs of all types of pixels, with the coordinates that CFITSIO keeps right."""
    random = np.random.default_rng(4)
    small = random.integers(0, 100, (70, 90))
    noise = random.normal(500, 30, (70, 90))
    scaled = fits.ImageHDU(noise, celestial("CROTA"), name="SCALED")
    scaled.scale("int16", bscale=0.25, bzero=300.0)
    blank = fits.ImageHDU(small.astype("i2"), celestial("galactic", BLANK=-7), name="BLANK")
    blank.data[::9] = -7
    return fits.HDUList(
        [
            fits.PrimaryHDU(
                header=fits.Header([("TELESCOP", "T"), ("COMMENT", "first"), ("HISTORY", "second")])
            ),
            fits.ImageHDU(small.astype("i2"), celestial("TAN"), name="SCI"),
            fits.ImageHDU(noise.astype("f4"), celestial("TPV"), name="SCI", ver=2),
            fits.ImageHDU(small.astype("u2"), celestial("across RA 0"), name="UNSIGNED"),
            fits.ImageHDU(small.astype("u1"), celestial("latitude first"), name="BYTES"),
            fits.ImageHDU((small * 10**9).astype("i4"), celestial("north pole"), name="INTS"),
            fits.ImageHDU((small - 50) * 10**17, celestial("SIN"), name="LONGS"),
            fits.ImageHDU(noise, celestial("whole sky"), name="DOUBLES"),
            scaled,
            blank,
            fits.ImageHDU(np.arange(24 * 30 * 7, dtype="f4").reshape(7, 30, 24), name="CUBE"),
            fits.ImageHDU(np.arange(120 * 4, dtype="i4").reshape(4, 2, 10, 6), name="FOUR"),
            fits.ImageHDU(np.arange(50, dtype="i2"), name="LINE"),
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cfitsio")
    images().writeto(folder / "many.fits")
    primary = images()[2]
    fits.HDUList([fits.PrimaryHDU(primary.data, primary.header), images()[1]]).writeto(
        folder / "primary.fits"
    )
    packing = {
        "rows": ("-r", "-q0", "4"), "tiles": ("-r", "-t", "16,20", "-q77", "4"), "gzip": ("-g", "-q", "0"),
        "gzip2": ("-g2", "-t", "30,30", "-q", "0"), "hcompress": ("-h", "-t", "32,32", "-q5", "4"),
    }  # fmt: skip
    chosen = fits.HDUList([images()[n] for n in (0, 1, 2, 3, 8, 9)])
    chosen.writeto(folder / "chosen.fits")
    for name, options in packing.items():
        subprocess.run(
            ["fpack", *options, "-O", str(folder / f"{name}.fits.fz"), str(folder / "chosen.fits")],
            check=True,
        )
    subprocess.run(
        ["fpack", "-O", str(folder / "was-primary.fits.fz"), str(folder / "primary.fits")], check=True
    )
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.arange(6300, dtype="i2").reshape(70, 90) % 9)]).writeto(
        folder / "positive.fits"
    )
    subprocess.run(
        ["fpack", "-p", "-O", str(folder / "plio.fits.fz"), str(folder / "positive.fits")], check=True
    )
    return folder


def theirs(path: Path, selector: str, folder: Path) -> fits.HDUList:
    copy = folder / "copy.fits"
    copy.unlink(missing_ok=True)
    subprocess.run(["fitscopy", f"{path}{selector}", str(copy)], check=True, capture_output=True)
    return fits.open(
        io.BytesIO(copy.read_bytes()), do_not_scale_image_data=True, disable_image_compression=True
    )


def ours(source: ByteSource, selector: str) -> fits.HDUList:
    file = io.BytesIO()
    Fits().cut(source, parse_selectors(selector), file)
    return fits.open(
        io.BytesIO(file.getvalue()), do_not_scale_image_data=True, disable_image_compression=True
    )


def assert_same(found: fits.HDUList, expected: fits.HDUList, number: int) -> None:
    """Compare the selected HDU, which in theirs is where it was, and the keywords of the primary one."""
    mine, other = found[-1], expected[number]
    assert len(found) == (1 if number == 0 else 2)
    if other.data is not None:
        assert mine.data.dtype == other.data.dtype
        assert mine.data.tobytes() == other.data.tobytes()
    for one, reference in ((mine, other), (found[0], expected[0])):
        difference = fits.HeaderDiff(_compared(one), _compared(reference), ignore_comments=["*"], rtol=1e-13)
        assert difference.identical, difference.report()


def _compared(hdu: fits.hdu.base.ExtensionHDU) -> fits.Header:
    """Leave out checksums, and what CFITSIO adds to primary headers."""
    cards = [card for card in hdu.header.cards if card.keyword not in _LEFT_OUT]
    return fits.Header([card for card in cards if not str(card.value).startswith(_ABOUT_FITS)])


SELECTED = [
    ("many.fits", "[1][11:40,21:50]", 1), ("many.fits", "[SCI][1:90,1:70]", 1),
    ("many.fits", "[sci,1][*,*]", 1), ("many.fits", "[SCI,2][5:5,7:7]", 2),
    ("many.fits", "[2][40:11,21:50]", 2), ("many.fits", "[2][*,-*]", 2), ("many.fits", "[SCI,2][-*,*]", 2),
    ("many.fits", "[SCI,2][-*,-*]", 2), ("many.fits", "[SCI][3:80:4,2:69:4]", 1),
    ("many.fits", "[SCI][3:80:5,2:69:3]", 1), ("many.fits", "[SCI][80:3:2,69:2:3]", 1),
    ("many.fits", "[SCI][*:7,-*:2]", 1), ("many.fits", "[SCI,2][*:3,10:20]", 2),
    ("many.fits", "[11:40,21:50]", 1), ("many.fits", "[UNSIGNED][2:30,4:9]", 3),
    ("many.fits", "[UNSIGNED][-*:3,70:1:2]", 3), ("many.fits", "[4][10:80:10,*]", 4),
    ("many.fits", "[INTS][90:90,1:70]", 5), ("many.fits", "[LONGS][*,35:36]", 6),
    ("many.fits", "[DOUBLES][20:30,30:20]", 7), ("many.fits", "[SCALED][11:40,21:50]", 8),
    ("many.fits", "[SCALED][40:11:3,*:9]", 8), ("many.fits", "[BLANK][1:20,1:20]", 9),
    ("many.fits", "[BLANK][1:20]", 9), ("many.fits", "[CUBE][2:9,3:20,4:6]", 10),
    ("many.fits", "[CUBE][*,*,3:3]", 10), ("many.fits", "[CUBE][24:1:2,-*,7:1:3]", 10),
    ("many.fits", "[CUBE][5:5,6:6,*]", 10), ("many.fits", "[CUBE][5:9,6:8]", 10),
    ("many.fits", "[FOUR][2:3,9:1:4,*,-*:3]", 11), ("many.fits", "[LINE][10:20]", 12),
    ("many.fits", "[LINE][40:20:7]", 12), ("many.fits", "[LINE][10:20,1:1]", 12), ("many.fits", "[SCI]", 1),
    ("many.fits", "[SCI,2]", 2), ("many.fits", "[8]", 8), ("many.fits", "[0]", 0),
    ("primary.fits", "[11:40,21:50]", 0), ("primary.fits", "[0][11:40:3,50:21:2]", 0),
    ("primary.fits", "[*,-*]", 0), ("primary.fits", "[0]", 0), ("rows.fits.fz", "[1][11:40,21:50]", 1),
    ("rows.fits.fz", "[SCI,2][40:11,*:7]", 2), ("rows.fits.fz", "[UNSIGNED][-*,3:5]", 3),
    ("rows.fits.fz", "[SCALED][2:80:6,5:65:4]", 4), ("rows.fits.fz", "[BLANK][1:20,1:20]", 5),
    ("rows.fits.fz", "[SCI]", 1), ("tiles.fits.fz", "[1][11:40,21:50]", 1),
    ("tiles.fits.fz", "[2][11:40,21:50]", 2), ("tiles.fits.fz", "[SCI,2][1:90:40,1:70:30]", 2),
    ("tiles.fits.fz", "[UNSIGNED][90:1,70:1]", 3), ("tiles.fits.fz", "[SCALED][17:32,21:40]", 4),
    ("gzip.fits.fz", "[SCI][3:80:5,2:69:3]", 1), ("gzip.fits.fz", "[2][11:40,21:50]", 2),
    ("gzip2.fits.fz", "[SCI,2][11:40,50:21]", 2), ("gzip2.fits.fz", "[UNSIGNED][*,1:1]", 3),
    ("hcompress.fits.fz", "[SCI][3:80,2:69]", 1), ("hcompress.fits.fz", "[2][11:40,21:50]", 2),
    ("plio.fits.fz", "[1][11:40,21:50:3]", 1), ("was-primary.fits.fz", "[1][11:40,21:50]", 1),
    ("was-primary.fits.fz", "[SCI,1][11:40,21:50]", 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "selector", "number"), SELECTED, ids=[f"{n}{s}" for n, s, _ in SELECTED])
def test_selected_images(folder: Path, name: str, selector: str, number: int) -> None:
    source = MemorySource((folder / name).read_bytes())
    assert_same(ours(source, selector), theirs(folder / name, selector, folder), number)


REAL = [
    ("M13_blue_0001.fits", "[101:164,201:264]"), ("M13_blue_0002.fits", "[164:101:3,201:264]"),
    ("M13_blue_0003.fits", "[*,7:7]"), ("spitzer_example_image.fits", "[0][300:400,100:500]"),
    ("spitzer_example_image.fits", "[*:5,-*:5]"), ("HorseHead.fits", "[101:300,201:280]"),
    ("HorseHead.fits", "[-*,*]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "selector"), REAL)
def test_real_images(real_data: Path, tmp_path: Path, name: str, selector: str) -> None:
    path = real_data / "images" / name
    mine, other = ours(MemorySource(path.read_bytes()), selector), theirs(path, selector, tmp_path)
    for hdus in (mine, other):
        # Plate constants: see test_sky_survey_plates.
        for key in ("CNPIX1", "CNPIX2", "XPIXELSZ", "YPIXELSZ"):
            hdus[0].header.remove(key, ignore_missing=True)
    assert_same(mine, other, 0)


def test_distorted_in_steps_we_are_right_and_differ(folder: Path) -> None:
    """CFITSIO leaves the coefficients of SIP as they are, which fit the old pixels."""
    source = fits.HDUList([fits.PrimaryHDU(np.zeros((70, 90), "i2"), celestial("SIP"))])
    source.writeto(folder / "sip.fits")
    shifted, stepped = "[11:40,21:50]", "[11:40:3,21:50:2]"
    data = MemorySource((folder / "sip.fits").read_bytes())
    assert_same(ours(data, shifted), theirs(folder / "sip.fits", shifted, folder), 0)
    assert ours(data, stepped)[0].header["A_2_0"] == 3 * SKIES["SIP"]["A_2_0"]
    assert theirs(folder / "sip.fits", stepped, folder)[0].header["A_2_0"] == SKIES["SIP"]["A_2_0"]


def test_what_cfitsio_refuses_we_refuse(folder: Path) -> None:
    source = MemorySource((folder / "many.fits").read_bytes())
    refused = (
        "[1][1:91,1:70]",
        "[99]",
        "[NOBODY]",
        "[SCI,9]",
        "[0][1:2,1:2]",
        "[SCI][col a]",
    )
    for selector in refused:
        with pytest.raises(subprocess.CalledProcessError):
            theirs(folder / "many.fits", selector, folder)
        with pytest.raises(BadArgument):
            ours(source, selector)
