"""point, circle, box, polygon, from_ivoa: what they hold, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsst.sphgeom import Angle, Box, Circle, ConvexPolygon, LonLat, UnitVector3d

from skyfs.errors import BadArgument
from skyfs.model.region import box, circle, decode, encode, from_ivoa, point, polygon

TRIANGLE = [(359.0, -1.0), (1.0, -1.0), (0.0, 1.0)]


def inside(region: bytes, ra: float, dec: float) -> bool:
    return bool(decode(region).contains(UnitVector3d(LonLat.fromDegrees(ra, dec))))


@given(st.floats(-1e6, 1e6), st.floats(-90, 90))
def test_a_point_is_a_circle_of_radius_zero_there(ra: float, dec: float) -> None:
    found = decode(point(ra, dec))
    assert isinstance(found, Circle)
    assert found.getOpeningAngle().asRadians() == 0
    turn = math.fmod(ra, 360)
    assert (
        found.getCenter().dot(UnitVector3d(LonLat.fromDegrees(turn, dec))) > 1 - 1e-15
    )  # modulo 360, to a digit


def test_a_circle_has_its_radius() -> None:
    region = circle(10, 60, 2)
    assert inside(region, 10, 61.999)
    assert not inside(region, 10, 62.001)
    assert inside(region, 13.9, 60)  # degrees on the sky, not of right ascension
    assert inside(circle(10, 60, 180), 190, -60)
    assert inside(circle(10, 60, 999), 190, -60)


def test_a_box_has_full_sizes_in_coordinates() -> None:
    region = box(359, 60, 4, 2)
    for ra, dec, held in ((357.001, 60, True), (0.999, 60.999, True), (1.001, 60, False), (0, 61.001, False)):
        assert inside(region, ra, dec) == held
    assert inside(box(0, 90, 10, 20), 4, 80.5)
    assert not inside(box(0, 90, 10, 20), 184, 80.5)
    assert decode(box(0, 0, 360, 180)) == decode(box(17, 0, 1e300, 1e300)) == Box.full()


@pytest.mark.parametrize("corners", [TRIANGLE, TRIANGLE[::-1], [*TRIANGLE, TRIANGLE[0]]])
def test_a_polygon_has_its_corners_in_either_direction(corners: list[tuple[float, float]]) -> None:
    region = decode(polygon(corners))
    assert isinstance(region, ConvexPolygon)
    assert len(region.getVertices()) == 3
    assert inside(polygon(corners), 0, 0)
    assert not inside(polygon(corners), 0, 1.001)


def test_corners_may_lie_on_an_edge_or_be_repeated() -> None:
    for corners in (
        [(10, 0), (10, 5), (10, 10), (20, 5)],
        [(33, 70), (33, 75), (33, 77), (20, 72), (20, 72)],
    ):
        assert len(decode(polygon(corners)).getVertices()) in (3, 4)  # type: ignore[attr-defined]
    around_the_pole = polygon([(0, -10), (120, -10), (240, -10)])
    assert inside(around_the_pole, 0, -90)
    assert not inside(around_the_pole, 0, 90)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("CIRCLE 10 20 0.5", circle(10, 20, 0.5)),
        (" POLYGON 359 -1 1 -1 0 1 ", polygon(TRIANGLE)),
        ("POLYGON 0 0 10 0 10 10 0 10", polygon([(0, 0), (10, 0), (10, 10), (0, 10)])),
        ("RANGE 10 20 -5 5", box(15, 0, 10, 10)),
        ("RANGE 350 10 -5 5", box(0, 0, 20, 10)),
        ("RANGE -10 10 -5 5", box(0, 0, 20, 10)),
        ("RANGE 0 360 -5 5", box(0, 0, 360, 10)),
        ("RANGE -10 355 -5 5", box(0, 0, 360, 10)),
        ("RANGE -Inf +Inf -5 5", box(0, 0, 360, 10)),
        ("RANGE 10 20 5 +Inf", box(15, 47.5, 10, 85)),
    ],
)
def test_ivoa_text_says_the_same(text: str, same: bytes) -> None:
    found, wanted = decode(from_ivoa(text)), decode(same)
    if not isinstance(found, Box) or not isinstance(wanted, Box):
        assert found == wanted
        return
    for one, two in ((found.getLon(), wanted.getLon()), (found.getLat(), wanted.getLat())):
        assert one.getA().asDegrees() == pytest.approx(two.getA().asDegrees(), abs=1e-12)
        assert one.getSize().asDegrees() == pytest.approx(two.getSize().asDegrees(), abs=1e-12)


NAN, INF = math.nan, math.inf
BAD: dict[str, Callable[[], bytes]] = {
    "a declination over the pole": lambda: point(0, 90.001),
    "a declination below the pole": lambda: circle(0, -91, 1),
    "not a number": lambda: point(NAN, 0),
    "an infinite right ascension": lambda: box(INF, 0, 1, 1),
    "a negative radius": lambda: circle(0, 0, -1),
    "a radius that is no number": lambda: circle(0, 0, NAN),
    "an infinite radius": lambda: circle(0, 0, INF),
    "a negative width": lambda: box(0, 0, -1, 1),
    "a negative height": lambda: box(0, 0, 1, -1e-9),
    "text for a number": lambda: point("12", 0),  # type: ignore[arg-type]
    "no number at all": lambda: point(None, 0),  # type: ignore[arg-type]
    "a truth value": lambda: point(True, 0),  # noqa: FBT003
    "two corners": lambda: polygon([(0, 0), (1, 1)]),
    "three corners, two of them the same": lambda: polygon([(0, 0), (1, 1), (0, 0)]),
    "corners on one great circle": lambda: polygon([(0, 0), (1, 0), (2, 0)]),
    "crossing edges": lambda: polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
    "a star": lambda: polygon([(90, 80), (234, 80), (18, 80), (162, 80), (306, 80)]),
    "a dent": lambda: polygon([(0, 0), (4, 0), (2, 1), (2, 4)]),
    "antipodes": lambda: polygon([(0, 0), (180, 0), (90, 45)]),
    "corners that are no pairs": lambda: polygon([0, 1, 2]),  # type: ignore[list-item]
    "an unknown IVOA kind": lambda: from_ivoa("BOX 1 2 3 4"),
    "an empty text": lambda: from_ivoa(" "),
    "no text": lambda: from_ivoa(3),  # type: ignore[arg-type]
    "words for numbers": lambda: from_ivoa("CIRCLE a b c"),
    "too few numbers": lambda: from_ivoa("CIRCLE 1 2"),
    "an odd number of coordinates": lambda: from_ivoa("POLYGON 0 0 1 0 1"),
    "declinations in the wrong order": lambda: from_ivoa("RANGE 0 1 5 4"),
    "a range off the sphere": lambda: from_ivoa("RANGE 0 1 91 95"),
    "a range that is no number": lambda: from_ivoa("RANGE nan 1 1 5"),
    "an infinite centre": lambda: from_ivoa("CIRCLE inf 0 1"),
    "an object that is no region": lambda: encode(object()),  # type: ignore[arg-type]
    "bytes that are no region": lambda: encode(b"region"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_region_is_refused(case: str) -> None:
    with pytest.raises(BadArgument):
        BAD[case]()


def test_regions_come_back_from_bytes() -> None:
    region = Circle(UnitVector3d.X(), Angle(0.1))
    assert decode(encode(region)) == region
    assert encode(bytearray(region.encode())) == region.encode()
