"""rings and healpix: tracts cover the sphere, patches their tract, and corners are those of astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from lsst.sphgeom import Angle, HealpixPixelization, LonLat, UnitVector3d
from numpy.typing import NDArray

from skyfs.model.region import decode
from skyfs.skymaps import skymap_of
from skyfs.skymaps.definition import Skymap, Tract, summary_of
from skyfs.skymaps.grid import Grid
from skyfs.skymaps.rings import Rings

from .conftest import HEALPIX, RINGS

COARSE = {**RINGS, "tractOverlap": 0, "pixelScale": 30.0, "patchInnerDimensions": [300, 300]}
LAYOUTS: dict[str, dict[str, object]] = {
    "rings": RINGS,
    "one ring": {**COARSE, "numRings": 1, "pixelScale": 600.0},
    "five rings without overlap": {**COARSE, "numRings": 5},
    "turned rings": {**RINGS, "rotation": 30, "tractOverlap": 8},
    "healpix": HEALPIX,
    "base healpix": {**HEALPIX, "log2NSide": 0},
    "turned healpix": {**HEALPIX, "rotation": 45.0},
}
HSC = {
    "name": "hsc_rings_v1",
    "kind": "rings",
    "numRings": 120,
    "pixelScale": 0.168,
    "patchInnerDimensions": [4000, 4000],
    "patchBorder": 100,
    "tractOverlap": 1 / 60,
}


def sphere_points() -> NDArray[np.float64]:
    """Give points all over, at both poles and at right ascension 0, (n, 3)."""
    rng = np.random.default_rng(5)
    dec = np.linspace(-np.pi / 2, np.pi / 2, 200)
    meridian = np.stack((np.cos(dec), np.zeros(200), np.sin(dec)), axis=1)
    points = np.concatenate((rng.normal(size=(4000, 3)), meridian, [[0, 0, 1], [0, 0, -1]]))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def held(region: bytes, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(decode(region).contains(*np.ascontiguousarray(points.T)), np.bool_)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_point_is_in_a_tract_and_in_a_patch_of_each_tract_it_is_in(layout: str) -> None:
    points, found = sphere_points(), np.zeros(4202, bool)
    for tract in skymap_of(LAYOUTS[layout]).tracts():
        inside = points[held(tract.region, points)]
        found |= held(tract.region, points)
        patched = np.zeros(len(inside), bool)
        for patch in tract.patches:
            patched |= held(patch.region, inside)
        assert patched.all(), tract.id
    assert found.all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_summary_is_that_of_all_tracts_and_patches(layout: str) -> None:
    skymap = skymap_of(LAYOUTS[layout])
    summary, tracts = summary_of(skymap), list(skymap.tracts())
    assert [tract.id for tract in tracts] == list(range(summary.tract_max))
    patches = [patch for tract in tracts for patch in tract.patches]
    assert max(patch.cell_x for patch in patches) + 1 == summary.patch_nx_max
    assert max(patch.cell_y for patch in patches) + 1 == summary.patch_ny_max


def corners_of(region: bytes) -> NDArray[np.float64]:
    vertices = decode(region).getVertices()  # type: ignore[attr-defined]
    return np.array([[vertex.x(), vertex.y(), vertex.z()] for vertex in vertices])


def tract_wcs(grid: Grid) -> WCS:
    """Give the projection by astropy's own means."""
    wcs, step = WCS(naxis=2), grid.settings.pixel_scale_arcsec / 3600
    wcs.wcs.ctype, wcs.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
    wcs.wcs.crval = [grid.ra_deg, grid.dec_deg]
    wcs.wcs.crpix = [grid.tangent_point[0] + 1, grid.tangent_point[1] + 1]
    turn = np.radians(grid.settings.rotation_deg)
    wcs.wcs.cd = step * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return wcs


@pytest.mark.parametrize("layout", LAYOUTS)
def test_corners_are_those_of_astropy(layout: str) -> None:
    for tract in skymap_of(LAYOUTS[layout]).tracts():
        grid = tract.patches
        assert isinstance(grid, Grid)
        (width, height), border, size = grid.settings.patch_inner, grid.settings.patch_border, grid.pixels
        boxes = [(tract.region, (0, 0), size)]
        for patch in list(grid)[:: max(1, len(list(grid)) // 5)]:
            low = patch.cell_x * width - border, patch.cell_y * height - border
            high = (patch.cell_x + 1) * width + border, (patch.cell_y + 1) * height + border
            clipped = max(low[0], 0), max(low[1], 0)
            boxes.append((patch.region, clipped, (min(high[0], size[0]), min(high[1], size[1]))))
        for region, (x0, y0), (x1, y1) in boxes:
            x, y = np.array([x0, x1, x1, x0]) - 0.5, np.array([y0, y0, y1, y1]) - 0.5
            ra, dec = np.radians(tract_wcs(grid).all_pix2world(x, y, 0))
            wanted = np.stack((np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)), axis=1)
            away = np.linalg.norm(wanted[:, None] - corners_of(region)[None], axis=2).min(axis=1)
            assert np.degrees(away.max()) < 1e-9


def test_rings_are_those_of_the_hsc_survey() -> None:
    skymap = skymap_of(HSC)
    assert isinstance(skymap, Rings)
    summary = skymap.summary()
    assert (summary.tract_max, summary.patch_nx_max, summary.patch_ny_max) == (18938, 9, 9)
    ring, ra, dec = list(skymap.centres())[9813]
    assert (ring, round(ra, 3), round(dec, 3)) == (61, 150.248, 2.231)
    tract = next(tract for tract in skymap.tracts() if tract.id == 9813)
    assert isinstance(tract.patches, Grid)
    assert tract.patches.pixels == (36000, 36000)


def test_a_healpix_tract_holds_its_pixel() -> None:
    skymap, pixelization = skymap_of(HEALPIX), HealpixPixelization(1)
    for tract in skymap.tracts():
        region, pixel = decode(tract.region), pixelization.pixel(tract.id)
        assert all(region.contains(vertex) for vertex in pixel.getVertices())


def test_a_healpix_tract_reaches_over_its_pixel() -> None:
    overlap = Angle.fromDegrees(4.99)
    for tract in skymap_of({**HEALPIX, "tractOverlap": 5.0}).tracts():
        region, pixel = decode(tract.region), HealpixPixelization(1).pixel(tract.id)
        for vertex in pixel.getVertices():
            axis = UnitVector3d.orthogonalTo(vertex)
            for turn in range(0, 360, 20):
                aside = axis.rotatedAround(vertex, Angle.fromDegrees(turn))
                assert region.contains(vertex.rotatedAround(aside, overlap))


def tract_at(skymap: Skymap, ra: float, dec: float) -> list[Tract]:
    position = UnitVector3d(LonLat.fromDegrees(ra, dec))
    return [tract for tract in skymap.tracts() if decode(tract.region).contains(position)]


def test_rings_start_where_they_are_told() -> None:
    first, second = (skymap_of({**RINGS, "raStart": start}) for start in (0.0, 10.0))
    assert isinstance(first, Rings)
    assert isinstance(second, Rings)
    shifts = {b[1] - a[1] for a, b in zip(first.centres(), second.centres(), strict=True)}
    assert {round(shift, 9) % 360 for shift in shifts} == {0, 10}
    assert [tract.id for tract in tract_at(first, 0, -90)] == [0]
    assert [tract.id for tract in tract_at(first, 0, 90)] == [first.summary().tract_max - 1]
