"""overlaps: exact for every pair of kinds, anywhere on the sphere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsst.sphgeom import (
    Angle,
    Box,
    Circle,
    ConvexPolygon,
    Ellipse,
    IntersectionRegion,
    LonLat,
    UnionRegion,
    UnitVector3d,
)

from skyfs.errors import BadArgument
from skyfs.model.region import box, circle, decode, encode, point, polygon
from skyfs.model.region_cells import LEVELS, covering
from skyfs.model.region_overlap import overlaps

from .region_samples import PLACES, SIMPLE, any_region, edge, holds, unit

ARCSEC = 1 / 3600
SIZES = (1e-5, 1e-2, 0.3, 1.3)


def share_a_cell(a: bytes, b: bytes) -> bool:
    """Tell whether an index by cells would find the pair."""
    cells, others = dict(covering(a)), dict(covering(b))
    return any(cells[cell] + others[cell] >= 1 for cell in cells.keys() & others.keys())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", SIZES)
def test_simple_regions_overlap_when_an_edge_is_inside_the_other(place: list[float], size: float) -> None:
    rng = np.random.default_rng([round(1e6 * size), PLACES.index(place)])
    found = []
    for _ in range(30):
        a, b = (any_region(rng, unit(np.array(place, float)), size, SIMPLE) for _ in range(2))
        one, two = edge(a, 800), edge(b, 800)
        witness = bool(holds(b, one).any() or holds(a, two).any())
        answer = overlaps(encode(a), encode(b))
        assert answer == overlaps(encode(b), encode(a))
        if witness:
            assert answer, (a, b)
        elif answer:
            # They touch, or meet between two points of an edge.
            steps = max(np.linalg.norm(np.diff(points, axis=0), axis=1).max() for points in (one, two))
            gap = math.sqrt(max(0.0, 2 - 2 * float((one @ two.T).max()))) if size > 0.1 else _gap(one, two)
            assert gap <= steps, (a, b)
        assert not answer or share_a_cell(encode(a), encode(b)), (a, b)
        found.append(answer)
    assert len(set(found)) == 2


def _gap(one: np.typing.NDArray[np.float64], two: np.typing.NDArray[np.float64]) -> float:
    return float(min(np.linalg.norm(one - each, axis=1).min() for each in two[::4]))


@pytest.mark.parametrize("place", PLACES)
def test_compound_regions_overlap_when_a_point_is_in_both(place: list[float]) -> None:
    rng = np.random.default_rng([7, PLACES.index(place)])
    for size in SIZES * 5:
        middle = unit(np.array(place, float))
        a, b = any_region(rng, middle, size, "ui"), any_region(rng, middle, size, SIMPLE + "ui")
        points = unit(middle + 2 * size * rng.uniform(-1, 1, (4000, 3)))
        if (holds(a, points) & holds(b, points)).any():
            assert overlaps(encode(a), encode(b)), (a, b)
            assert share_a_cell(encode(a), encode(b)), (a, b)


@pytest.mark.parametrize("seed", range(3))
def test_an_intersection_that_is_empty_overlaps_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [Circle(UnitVector3d(LonLat.fromDegrees(ra, 0)), Angle.fromDegrees(1)) for ra in (0, 2.1)]
    empty = encode(IntersectionRegion(*parts))
    for _ in range(20):
        other = any_region(rng, np.array([1.0, 0, 0]), 0.1, SIMPLE + "u")
        assert not overlaps(empty, encode(other))
    both = encode(UnionRegion(*parts))
    assert overlaps(both, circle(2.1, 0, 0.1))
    assert not overlaps(both, circle(1.05, 0, 0.04))


angles = st.floats(-400, 800)
declinations = st.floats(-90, 90)


@given(angles, declinations, st.floats(0, 180), st.floats(1e-6, 80), st.floats(1e-6, 80))
def test_circles_overlap_when_their_radii_reach(
    ra: float, dec: float, bearing: float, first: float, second: float
) -> None:
    for gap in (-1e-7, 1e-7):
        # A second centre at the distance of both radii and the gap.
        centre = decode(point(ra, dec))
        assert isinstance(centre, Circle)
        distance = math.radians(first + second + gap)
        start = centre.getCenter()
        axis = UnitVector3d(UnitVector3d.northFrom(start)).rotatedAround(start, Angle.fromDegrees(bearing))
        other = LonLat(start.rotatedAround(axis, Angle(distance)))
        far = circle(other.getLon().asDegrees(), other.getLat().asDegrees(), second)
        assert overlaps(circle(ra, dec, first), far) == (gap < 0)


@given(angles, st.floats(-89, 89), st.floats(0.001, 60), st.floats(0.001, 60))
def test_a_point_is_in_a_box_when_its_coordinates_are(
    ra: float, dec: float, width: float, height: float
) -> None:
    area = box(ra, dec, width, height)
    top = min(dec + height / 2, 90)
    assert overlaps(area, point(ra + width / 2, dec))
    assert overlaps(area, point(ra, top))
    assert not overlaps(area, point(ra + width / 2 + 1e-6 / math.cos(math.radians(dec)), dec))
    assert top == 90 or not overlaps(area, point(ra, min(top + 1e-6, 90)))
    assert share_a_cell(area, point(ra + width / 2, top))


TOUCHING = [
    (box(5, 5, 10, 10), box(15, 5, 10, 10)),
    (box(355, 5, 10, 10), box(5, 5, 10, 10)),
    (box(175, 5, 10, 10), box(185, 5, 10, 10)),
    (box(5, 5, 10, 10), box(5, 15, 10, 10)),
    (box(5, 5, 10, 10), box(15, 15, 10, 10)),
    (box(10, 80, 10, 20), box(200, 80, 10, 20)),  # at the pole
    (box(10, -80, 10, 20), point(77, -90)),
    (point(0, 90), point(123, 90)),
    (point(0, 10), point(360, 10)),
    (polygon([(0, 0), (1, 0), (1, 1)]), polygon([(0, 0), (1, 0), (1, -1)])),
    (polygon([(0, 0), (1, 0), (1, 1)]), polygon([(0, 0), (-1, 0), (-1, 1)])),
    (polygon([(0, 0), (1, 0), (1, 1)]), box(0.5, -1, 1, 2)),
    (polygon([(0, 0), (1, 0), (1, 1)]), point(0, 0)),
    (polygon([(0, 80), (180, 80), (90, 80)]), box(45, 90, 0, 0)),
    (circle(0, 0, 90), circle(180, 0, 90)),
    (circle(0, 90, 90), box(0, -45, 360, 90)),
    (circle(10, 0, 1), box(12, 0, 2, 2)),
    (circle(0, 90, 180), point(12, 34)),
    (box(0, 0, 360, 180), polygon([(0, 0), (1, 0), (1, 1)])),
    (box(0, 0, 270, 10), box(180, 0, 90, 1)),
]


@pytest.mark.parametrize(("a", "b"), TOUCHING)
def test_regions_that_touch_overlap(a: bytes, b: bytes) -> None:
    assert overlaps(a, b)
    assert overlaps(b, a)
    assert share_a_cell(a, b)


APART = [
    (box(5, 5, 10, 10), box(15.0001, 5, 10, 10)),
    (box(355, 5, 9.9998, 10), box(5, 5, 9.9998, 10)),
    (box(10, 80, 10, 19.9999), box(200, 80, 10, 20)),
    # Their bounding boxes overlap: the edge of the polygon bends away from the parallel.
    (polygon([(0, 60), (40, 60), (20, 75)]), box(20, 60.25, 0.5, 0.5)),
    (polygon([(0, 0), (1, 0), (1, 1)]), box(0.2, 0.8, 0.4, 0.4)),
    (polygon([(0, 80), (120, 80), (240, 80)]), box(60, 82, 1, 5)),
    (polygon([(10, 0), (10 + ARCSEC, 0), (10, ARCSEC)]), point(10 + 0.6 * ARCSEC, 0.5 * ARCSEC)),
    (polygon([(0, 0), (1, 0), (1, 1)]), point(0.5, -0.001 * ARCSEC)),
    (circle(0, 0, 89.9999), circle(180, 0, 90)),
    (circle(10, 0, 1), box(12.0001, 0, 2, 2)),
    (box(0, 0, 270, 10), box(180, 0, 89.9999, 1)),
    (box(0, 0, 0, 10), point(180, 0)),
    (point(0, 0), point(0, 0.001 * ARCSEC)),
]


@pytest.mark.parametrize(("a", "b"), APART)
def test_regions_that_are_apart_do_not_overlap(a: bytes, b: bytes) -> None:
    assert not overlaps(a, b)
    assert not overlaps(b, a)


NESTED = [
    (circle(0, 90, 100), polygon([(0, 80), (120, 80), (240, 80)])),
    (box(0, 85, 360, 10), circle(33, 89, 0.1)),
    (polygon([(0, 50), (120, 50), (240, 50)]), box(0, 90, 360, 1)),
    (box(0, 0, 20, 20), polygon([(359, -1), (1, -1), (1, 1), (359, 1)])),
    (circle(10, 10, 1), encode(Ellipse(UnitVector3d(LonLat.fromDegrees(10, 10)), Angle(1e-6)))),
    (box(10, 10, 4, 4), encode(Ellipse(Circle(UnitVector3d(LonLat.fromDegrees(10, 10)), Angle(0.01))))),
]


@pytest.mark.parametrize(("outer", "inner"), NESTED)
def test_a_region_inside_another_overlaps_it(outer: bytes, inner: bytes) -> None:
    assert overlaps(outer, inner)
    assert overlaps(inner, outer)
    assert share_a_cell(outer, inner)


def test_thin_ellipses_overlap_where_they_are_and_not_where_their_circles_are() -> None:
    centre = UnitVector3d(LonLat.fromDegrees(0, 0))
    along = encode(Ellipse(centre, Angle.fromDegrees(5), Angle.fromDegrees(0.01), Angle.fromDegrees(90)))
    across = encode(Ellipse(centre, Angle.fromDegrees(5), Angle.fromDegrees(0.01), Angle(0)))
    assert overlaps(along, across)
    assert overlaps(along, box(4.9, 0, 0.1, 0.1))
    assert overlaps(across, polygon([(359, 4), (1, 4), (0, 4.5)]))
    for other in (box(3, 3, 5, 5), circle(3, 3, 2.9), polygon([(1, 1), (4, 1), (1, 4)])):
        assert not overlaps(along, other)
        assert not overlaps(across, other)


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-5])
def test_small_thin_ellipses_overlap_what_they_reach_into(size: float) -> None:
    rng = np.random.default_rng(round(1 / size))
    for _ in range(40):
        centre = UnitVector3d(*map(float, unit(rng.normal(size=3))))
        ellipse = Ellipse(centre, Angle(size), Angle(size / 50), Angle(rng.uniform(0, 7)))
        tip = edge(ellipse, 400)[int(rng.integers(400))]
        # A triangle from a point of the edge outwards, and a little inwards.
        middle = np.array([centre.x(), centre.y(), centre.z()])
        away = unit(tip - middle)
        aside = np.cross(middle, away)
        for inwards in (1, -1):
            first = tip - inwards * 1e-4 * (tip - middle)
            corners = [first, tip + size * (2 * away + aside), tip + size * (2 * away - aside)]
            triangle = ConvexPolygon([UnitVector3d(*map(float, unit(corner))) for corner in corners])
            assert holds(ellipse, unit(first)[None]).any() == (inwards > 0)
            assert overlaps(encode(ellipse), encode(triangle)) or inwards < 0


def test_an_edge_that_nearly_touches_an_arcsecond_ellipse_twice_crosses_it() -> None:
    foci = (
        (0.07669837406896798, 0.05263874106865631, 0.9956638601224228),
        (
            0.07670563659846515,
            0.052613654209546765,
            0.9956646266212046,
        ),
    )
    ellipse = Ellipse(UnitVector3d(*foci[0]), UnitVector3d(*foci[1]), Angle(1.4230966303818704e-05))
    area = Box.fromRadians(0.601261390784413, 1.4776318955480743, 0.6013169813130265, 1.4776549362464972)
    assert holds(area, edge(ellipse, 4000)).any()
    assert overlaps(encode(ellipse), encode(area))


@pytest.mark.parametrize("empty", [Circle.empty(), Box.empty(), Ellipse.empty(), UnionRegion()])
def test_an_empty_region_overlaps_nothing(empty: Circle | Box | Ellipse | UnionRegion) -> None:
    for other in (Circle.full(), Box.full(), Ellipse.full(), IntersectionRegion(), Circle(UnitVector3d.X())):
        assert not overlaps(encode(empty), encode(other))
    assert covering(encode(empty)) == []


def test_the_whole_sphere_overlaps_everything() -> None:
    for whole in (Circle.full(), Box.full(), Ellipse.full(), IntersectionRegion()):
        for other in (point(12, 34), box(0, 0, 0, 0), polygon([(0, 0), (1, 0), (0, 1)]), encode(whole)):
            assert overlaps(encode(whole), other)
            assert share_a_cell(encode(whole), other)


@pytest.mark.parametrize("bad", [b"", b"x", b"\xff" * 40])
def test_bytes_that_are_no_region_are_refused(bad: bytes) -> None:
    with pytest.raises(BadArgument):
        overlaps(bad, point(0, 0))
    with pytest.raises(BadArgument):
        covering(bad)


def test_cells_are_of_few_levels_and_fit_the_size() -> None:
    for area, level in ((box(10, 10, 0.2, 0.2), 8), (circle(10, 10, 2), 6), (circle(10, 10, 40), 2)):
        cells = covering(area)
        own = [cell for cell, mine in cells if mine]
        assert all(8 * 4**level <= cell < 16 * 4**level for cell in own)
        above = {cell >> 2 * (level - coarse) for cell in own for coarse in LEVELS if coarse < level}
        assert {cell for cell, mine in cells if not mine} == above
        assert len(cells) == len(own) + len(above)
