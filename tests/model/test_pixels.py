"""pixels and pixel_region: all pixels that overlap, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.sphgeom import (
    Angle,
    Ellipse,
    HealpixPixelization,
    HtmPixelization,
    IntersectionRegion,
    LonLat,
    UnionRegion,
    UnitVector3d,
)

from skyfs.errors import BadArgument
from skyfs.model.pixels import pixel_region, pixels
from skyfs.model.region import box, circle, decode, encode, point, polygon
from skyfs.model.region_overlap import overlaps

from .region_samples import PLACES, any_region, holds, unit

NUMBERS = {"htm1": range(32, 64), "htm2": range(128, 256), "healpix0": range(12), "healpix2": range(192)}
LONG = Ellipse(UnitVector3d(LonLat.fromDegrees(10, 89)), Angle(0.2), Angle(1e-4), Angle(0.3))
REGIONS = {
    "point": point(10, 20),
    "pole": point(0, 90),
    "corner of four": point(45, 0),
    "circle": circle(359.9, -0.1, 1),
    "hemisphere": circle(0, 0, 90),
    "polar box": box(0, 85, 30, 10),
    "sphere": box(0, 0, 360, 180),
    "triangle": polygon([(359, -1), (1, -1), (1, 1)]),
    "ellipse": encode(LONG),
    "union": encode(UnionRegion(LONG, decode(circle(180, -89, 5)))),
    "intersection": encode(IntersectionRegion(LONG, decode(box(10, 89, 10, 0.1)))),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("region", REGIONS)
def test_pixels_are_those_whose_regions_overlap(name: str, region: str) -> None:
    encoded = REGIONS[region]
    wanted = [number for number in NUMBERS[name] if overlaps(pixel_region(name, number), encoded)]
    assert wanted
    assert pixels(name, encoded) == wanted


@pytest.mark.parametrize("place", PLACES)
def test_every_point_of_a_region_is_in_its_pixels(place: list[float]) -> None:
    rng = np.random.default_rng(PLACES.index(place))
    htm, healpix = HtmPixelization(9), HealpixPixelization(7)
    for kind in "cbpeui":
        middle = unit(np.array(place, float))
        region = any_region(rng, middle, 0.02, kind)
        points = unit(middle + 0.04 * rng.uniform(-1, 1, (3000, 3)))
        held = [UnitVector3d(*map(float, each)) for each in points[holds(region, points)][:200]]
        assert {htm.index(each) for each in held} <= set(pixels("htm9", encode(region)))
        assert {healpix.index(each) for each in held} <= set(pixels("healpix7", encode(region)))


def test_a_pixel_region_is_that_of_the_pixelization() -> None:
    assert decode(pixel_region("healpix3", 77)) == HealpixPixelization(3).pixel(77)
    assert decode(pixel_region("htm3", 777)) == HtmPixelization(3).pixel(777)


def test_pixels_up_to_the_limit_are_given() -> None:
    region = circle(10, 10, 3)
    found = pixels("healpix6", region)
    assert pixels("healpix6", region, limit=len(found)) == found
    with pytest.raises(BadArgument, match=f"more than {len(found) - 1}"):
        pixels("healpix6", region, limit=len(found) - 1)


@pytest.mark.parametrize("name", ["htm24", "healpix17"])
def test_far_too_many_pixels_are_refused_before_they_are_made(name: str) -> None:
    with pytest.raises(BadArgument):
        pixels(name, circle(10, 10, 20))
    assert 1 <= len(pixels(name, point(10, 10))) <= 4


@pytest.mark.parametrize("name", ["htm25", "healpix18", "htm", "healpix-1", "htm1x", "quad3", "htm001"])
def test_unknown_pixelizations_are_refused(name: str) -> None:
    with pytest.raises(BadArgument):
        pixels(name, point(0, 0))
    with pytest.raises(BadArgument):
        pixel_region(name, 8)


@pytest.mark.parametrize(("name", "number"), [("htm1", 31), ("htm1", 64), ("healpix0", 12), ("healpix0", -1)])
def test_pixels_that_are_not_there_are_refused(name: str, number: int) -> None:
    with pytest.raises(BadArgument):
        pixel_region(name, number)
