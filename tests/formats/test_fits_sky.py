"""Regions of the sky in images: every pixel inside is in the part, few others, and each keeps its place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from skyfs.errors import BadArgument, Unsupported
from skyfs.formats import Formats
from skyfs.formats.fits_sky import sky_windows
from skyfs.formats.guards import Tolerance
from skyfs.model.selectors import Box, Circle, parse_selectors
from skyfs.testing.format_suite import MemorySource

from .skies import HEIGHT, SKIES, WIDTH

PIXELS = np.arange(WIDTH * HEIGHT, dtype="f4").reshape(HEIGHT, WIDTH)


def file_of(*found: object) -> MemorySource:
    file = io.BytesIO()
    fits.HDUList(list(found)).writeto(file)
    return MemorySource(file.getvalue())


def cut(formats: Formats, source: MemorySource, text: str) -> fits.HDUList:
    file = io.BytesIO()
    formats.format(".fits").cut(source, parse_selectors(text), file)  # type: ignore[attr-defined]
    return fits.open(io.BytesIO(file.getvalue()))


def positions(header: fits.Header) -> SkyCoord:
    """Where the pixel centres are: x first, then y."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    with np.errstate(invalid="ignore"):
        found: SkyCoord = WCS(header).pixel_to_world(x, y).icrs
    return found


def inside(sky: SkyCoord, region: Circle | Box) -> np.ndarray:
    """Which pixel centres are in a region, by astropy's own arithmetic."""
    centre = SkyCoord(region.ra_deg, region.dec_deg, unit="deg")
    with np.errstate(invalid="ignore"):
        if isinstance(region, Circle):
            return np.asarray(sky.separation(centre) <= region.radius_deg * units.deg)
        east = np.abs((sky.ra - centre.ra).wrap_at(180 * units.deg).deg) <= region.width_deg / 2
        return np.asarray(east & (np.abs(sky.dec.deg - region.dec_deg) <= region.height_deg / 2))


def regions(header: fits.Header, sky: SkyCoord) -> list[Circle | Box]:
    """Regions of all sizes around places in the image and a little outside of it."""
    random = np.random.default_rng(len(header))
    scale = abs(WCS(header).proj_plane_pixel_scales()[0].to_value("deg"))
    found: list[Circle | Box] = []
    for _ in range(6):
        place = sky[random.integers(HEIGHT), random.integers(WIDTH)]
        if not np.isfinite(place.ra.deg):
            continue
        for pixels in (0.3, 2.5, 11, 60, 300):
            moved = place.directional_offset_by(
                random.uniform(0, 360) * units.deg, pixels * scale / 2 * units.deg
            )
            radius = min(pixels * scale, 180.0)
            found.append(Circle(float(moved.ra.deg), float(moved.dec.deg), radius))
            width = min(2 * radius / max(np.cos(moved.dec.rad), 1e-3), 360.0)
            found.append(Box(float(moved.ra.deg), float(moved.dec.deg), width, min(radius, 180.0)))
    return found


@pytest.mark.parametrize("header", SKIES.values(), ids=SKIES.keys())
def test_every_pixel_inside_is_taken_and_few_others(header: fits.Header) -> None:
    sky, touched = positions(header), 0
    for region in regions(header, sky):
        held = inside(sky, region)
        try:
            x, y = sky_windows(region, header, (WIDTH, HEIGHT))
        except BadArgument as error:
            if "does not touch" not in str(error):
                raise
            assert not held.any(), region
            continue
        if not held.any():
            continue
        touched += 1
        for window, line in ((x, held.any(axis=0)), (y, held.any(axis=1))):
            first, last = np.flatnonzero(line)[[0, -1]]
            assert window.low <= first, region
            assert window.high >= last, region
            # A thin end of a region may touch pixels whose centres it does not hold: on maps of the whole sky
            # far away from the others.
            slack = 4 if abs(header.get("CD2_2", 0)) < 1 else 30
            assert window.low >= first - slack, region
            assert window.high <= last + slack, region
    assert touched >= 5


def assert_same_places(whole: fits.Header, part: fits.Header, kept: np.ndarray) -> None:
    """Each kept pixel, which holds its number in the whole, is where it was, to 1e-9 degrees."""
    old_y, old_x = np.divmod(kept.astype(int), WIDTH)
    new_y, new_x = np.indices(kept.shape)
    with np.errstate(invalid="ignore"):
        before = WCS(whole).pixel_to_world(old_x, old_y)
        after = WCS(part).pixel_to_world(new_x, new_y)
    known = np.isfinite(before.separation(before))
    assert np.array_equal(known, np.isfinite(after.separation(after)))
    if known.any():
        assert before[known].separation(after[known]).deg.max() < 1e-9


SECTIONS = [
    "[11:40,21:50]", "[1:90,1:70]", "[5:5,7:7]", "[40:11,21:50]", "[*,-*]", "[-*,*]", "[3:80:4,2:69:4]",
    "[3:80:5,2:69:3]", "[80:3:2,69:2:3]", "[*:7,-*:2]",
]  # fmt: skip


@pytest.mark.parametrize("header", SKIES.values(), ids=SKIES.keys())
def test_each_kept_pixel_is_where_it_was(formats: Formats, header: fits.Header) -> None:
    source = file_of(fits.PrimaryHDU(), fits.ImageHDU(PIXELS, header))
    for section in SECTIONS:
        part = cut(formats, source, f"[1]{section}")[1]
        assert_same_places(header, part.header, part.data)


@pytest.mark.parametrize("header", SKIES.values(), ids=SKIES.keys())
def test_cutouts_keep_their_places(formats: Formats, header: fits.Header) -> None:
    """In the middle, and at a corner, where the box is clipped."""
    source = file_of(fits.PrimaryHDU(PIXELS, header))
    scale = abs(WCS(header).proj_plane_pixel_scales()[0].to_value("deg"))
    sky = positions(header)
    for y, x in ((HEIGHT // 2, WIDTH // 2), (HEIGHT // 3, WIDTH // 5)):
        place = sky[y, x]
        part = cut(formats, source, f"[circle {place.ra.deg} {place.dec.deg} {8 * scale}]")[0]
        assert y * WIDTH + x in part.data
        assert part.data.size < PIXELS.size
        assert_same_places(header, part.header, part.data)


def test_a_circle_at_the_corner_is_clipped(formats: Formats) -> None:
    header = SKIES["TAN"]
    ra, dec = WCS(header).all_pix2world(WIDTH - 1, 0, 0)
    part = cut(formats, file_of(fits.PrimaryHDU(PIXELS, header)), f"[circle {ra} {dec} 0.1]")[0]
    assert part.data[0, -1] == PIXELS[0, -1]
    assert part.data.shape == (11, 11)


def test_no_touch_says_where_the_image_is(formats: Formats) -> None:
    source = file_of(fits.PrimaryHDU(PIXELS, SKIES["TAN"]))
    with pytest.raises(BadArgument, match=r"does not touch it: its middle is at ra 150\.0\d+, dec 2\.1\d+"):
        cut(formats, source, "[circle 10 20 1]")


def test_images_without_sky(formats: Formats) -> None:
    with pytest.raises(BadArgument, match="no celestial coordinates"):
        cut(formats, file_of(fits.PrimaryHDU(PIXELS)), "[circle 10 20 1]")


@pytest.mark.parametrize("kinds", [("RA---TAN", "DEC--TAN", "FREQ"), ("FREQ", "DEC--TAN", "RA---TAN")])
def test_a_cube_is_cut_on_the_sky_only(formats: Formats, kinds: tuple[str, str, str]) -> None:
    header = fits.Header()
    for axis, kind in enumerate(kinds, 1):
        header[f"CTYPE{axis}"], header[f"CRPIX{axis}"] = kind, 10.0
        header[f"CRVAL{axis}"] = {"RA": 33.0, "DE": 5.0, "FR": 1e9}[kind[:2]]
        header[f"CDELT{axis}"] = 1e6 if kind == "FREQ" else 0.01
    cube = np.arange(8000.0).reshape(20, 20, 20)
    part = cut(formats, file_of(fits.PrimaryHDU(cube, header)), "[circle 33 5 0.031]")[0]
    slices = [slice(6, 13) if kind != "FREQ" else slice(None) for kind in reversed(kinds)]
    assert np.array_equal(part.data, cube[tuple(slices)])
    whole, cut_wcs = WCS(header), WCS(part.header)
    corner = [one.start or 0 for one in reversed(slices)]
    assert np.allclose(cut_wcs.wcs_pix2world([[0, 0, 0]], 0), whole.wcs_pix2world([corner], 0), rtol=1e-14)


def test_alternate_and_logical_coordinates(formats: Formats) -> None:
    header = SKIES["TAN"].copy()
    header["CTYPE1P"], header["CTYPE2P"] = "LINEAR", "LINEAR"
    header["CRPIX1P"], header["CRPIX2P"], header["CRVAL1P"], header["CRVAL2P"] = 1.0, 1.0, 101.0, 201.0
    header["LTV1"], header["LTV2"], header["LTM1_1"], header["LTM2_2"] = -100.0, -200.0, 1.0, 1.0
    part = cut(formats, file_of(fits.PrimaryHDU(PIXELS, header)), "[11:40:3,50:21]")[0]
    new_y, new_x = np.indices(part.data.shape)
    old_y, old_x = np.divmod(part.data.astype(int), WIDTH)
    assert np.allclose(WCS(part.header, key="P").all_pix2world(new_x, new_y, 0)[0], old_x + 101)
    assert np.allclose(WCS(part.header, key="P").all_pix2world(new_x, new_y, 0)[1], old_y + 201)
    # IRAF: logical = LTM * physical + LTV, with physical = old + 100 here, both counted from 1.
    for axis, (new, old, offset) in enumerate(((new_x, old_x, 100), (new_y, old_y, 200)), 1):
        physical = old + 1 + offset
        assert np.allclose(part.header[f"LTM{axis}_{axis}"] * physical + part.header[f"LTV{axis}"], new + 1)


def test_sky_survey_plates(formats: Formats, real_data: Path) -> None:
    """Plate constants of the Digitized Sky Survey, in steps and reversed too."""
    source = MemorySource((real_data / "images" / "HorseHead.fits").read_bytes())
    whole = fits.Header.fromfile(str(real_data / "images" / "HorseHead.fits"))
    for section, first, step in (
        ("[101:300,201:280]", (101, 201), (1, 1)),
        ("[300:101:3,201:280:2]", (300, 201), (-3, 2)),
    ):
        part = cut(formats, source, section)[0]
        y, x = np.indices(part.data.shape)
        with Tolerance():
            before, after = WCS(whole), WCS(part.header)
        old = before.pixel_to_world(first[0] - 1 + x * step[0], first[1] - 1 + y * step[1])
        assert old.separation(after.pixel_to_world(x, y)).deg.max() < 1e-9


def test_distortion_tables_are_refused(formats: Formats) -> None:
    header = SKIES["TAN"].copy()
    header["CPDIS1"] = "LOOKUP"
    source = file_of(fits.PrimaryHDU(PIXELS, header))
    with pytest.raises(Unsupported, match=r"CPDIS1 = 'LOOKUP'.*take the whole HDU"):
        cut(formats, source, "[1:5,1:5]")
    with pytest.raises(Unsupported, match="CPDIS1"):
        cut(formats, source, "[circle 150.1 2.2 0.1]")
    assert cut(formats, source, "[0]")[0].data.shape == PIXELS.shape
