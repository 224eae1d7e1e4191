"""Charts: what is drawn is what the regions hold, about the poles and across the cut of the map too."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsst import sphgeom
from PIL import Image

from skyfs.charts import Layer, SkyChart
from skyfs.charts.drawing import Area, Dot, Drawing, Line, Raster, Words
from skyfs.charts.outlines import Floats, outlines, to_degrees
from skyfs.charts.projections import Mollweide, Projection, Tangent, projection_for
from skyfs.errors import BadArgument
from skyfs.model.pixels import pixel_region
from skyfs.model.region import box, circle, decode, point, polygon

SVG = "{http://www.w3.org/2000/svg}"


def chart(*regions: bytes, label: str = "some") -> SkyChart:
    return SkyChart([Layer(label, Counter(regions))])


def directions(count: int) -> Floats:
    """Give points that are spread evenly over the sphere (a Fibonacci lattice)."""
    number = np.arange(count) + 0.5
    z, turn = 1 - 2 * number / count, math.pi * (1 + 5**0.5) * number
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)


def is_inside(paths: Sequence[Floats], points: Floats) -> np.ndarray:
    """Tell which points are in an odd number of paths."""
    inside = np.zeros(len(points), bool)
    for path in paths:
        for (ax, ay), (bx, by) in zip(path, np.roll(path, -1, axis=0), strict=True):
            if ay == by:
                continue
            crosses = (points[:, 1] < ay) != (points[:, 1] < by)
            inside ^= crosses & (points[:, 0] < ax + (points[:, 1] - ay) * (bx - ax) / (by - ay))
    return inside


def require_agreement(encoded: bytes, projection: Projection, points: Floats) -> None:
    """Demand that a point is in the drawn paths exactly when it is in the region, but near the border."""
    paths = [path for some in projection.place(outlines(encoded)) for path in some]
    region = decode(encoded)
    held = np.array([region.contains(sphgeom.UnitVector3d(*map(float, one))) for one in points])
    flat = projection.project(*to_degrees(points))
    drawn = is_inside(paths, flat)
    near = np.zeros(len(points), bool)
    for path in paths:
        near |= np.array([np.hypot(*(path - one).T).min() for one in flat]) < 0.09
    wrong = (drawn != held) & ~near
    assert not wrong.any(), to_degrees(points[wrong])
    assert (~near).sum() > len(points) / 4


REGIONS = {
    "across the cut": box(0, 10, 30, 20),
    "a circle across the cut": circle(359, -40, 25),
    "about the north pole": circle(77, 85, 30),
    "about the south pole": circle(200, -70, 35),
    "the rest of the sky": circle(40, -30, 150),
    "the rest of the sky but a pole": circle(40, -75, 150),
    "a hemisphere": circle(100, 30, 90),
    "a band": box(0, -40, 360, 20),
    "a cap of two parallels": box(0, 80, 360, 40),
    "most longitudes": box(10, 0, 350, 60),
    "a corner on the pole": pixel_region("healpix1", 3),
    "a corner on the south pole": pixel_region("healpix0", 8),
    "an edge over the pole": polygon([(0, 60), (180, 60), (90, 20)]),
    "a pole on the border": circle(250, 60, 30),
    "around a pole": polygon([(10, 50), (130, 60), (250, 40)]),
    "all": circle(0, 0, 180),
}


@pytest.mark.parametrize("name", REGIONS)
def test_what_is_drawn_on_the_whole_sky_is_what_the_region_holds(name: str) -> None:
    if name == "all":
        paths = Mollweide().place(outlines(REGIONS[name]))[0]
        assert is_inside(paths, np.array([(0, 0), (1.9, 0.1), (-1.9, -0.1), (0, 0.99)])).all()
        return
    for centre in (180.0, 33.0):
        require_agreement(REGIONS[name], Mollweide(centre), directions(700))


@given(ra=st.floats(0, 360), dec=st.floats(-90, 90), radius=st.floats(5, 175), centre=st.floats(0, 360))
def test_any_circle(ra: float, dec: float, radius: float, centre: float) -> None:
    points = directions(200)
    centre_vector = sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(ra, dec))
    apart = np.array([sphgeom.UnitVector3d(*map(float, one)).dot(centre_vector) for one in points])
    clear = np.abs(np.degrees(np.arccos(np.clip(apart, -1, 1))) - radius) > 4
    projection = Mollweide(centre)
    # The edge of the map is drawn with corners, too.
    clear &= np.abs((to_degrees(points)[0] - centre) % 360 - 180) > 3
    paths = projection.place(outlines(circle(ra, dec, radius)))[0]
    drawn = is_inside(paths, projection.project(*to_degrees(points)))
    held = apart > math.cos(math.radians(radius))
    assert (drawn == held)[clear].all()


@pytest.mark.parametrize("dec", [0.0, 60.0, -89.0, 90.0])
def test_a_field(dec: float) -> None:
    encoded = circle(0, dec, 8)
    projection = projection_for(outlines(encoded))
    assert isinstance(projection, Tangent)
    points = directions(40_000)
    axis = decode(circle(0, dec, 20))
    near = np.array([axis.contains(sphgeom.UnitVector3d(*map(float, one))) for one in points])
    require_agreement(encoded, projection, points[near][:400])


def test_east_is_left_and_north_is_up() -> None:
    for projection in (Mollweide(180.0), Tangent(180.0, 20.0)):
        (east, north) = projection.project(np.array([182.0, 180.0]), np.array([20.0, 22.0]))
        (middle,) = projection.project(np.array([180.0]), np.array([20.0]))
        assert east[0] < middle[0]
        assert north[1] > middle[1]


def test_areas_are_kept_on_the_whole_sky() -> None:
    for encoded in (circle(180, 0, 10), circle(200, 70, 10), circle(60, -50, 10)):
        (paths,) = Mollweide().place(outlines(encoded))
        area = sum(
            abs(np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1))) / 2 for p in paths
        )
        # The ellipse has an area of 2 π.
        assert area / (2 * math.pi) == pytest.approx((1 - math.cos(math.radians(10))) / 2, rel=0.01)


@pytest.mark.parametrize(
    "region",
    [
        sphgeom.Ellipse(
            sphgeom.UnitVector3d(1, 1, 1), sphgeom.Angle(0.3), sphgeom.Angle(0.2), sphgeom.Angle(1)
        ),
        sphgeom.UnionRegion(decode(circle(10, 10, 5)), decode(circle(350, 20, 5))),
    ],
    ids=["ellipse", "union"],
)
def test_other_kinds_of_region(region: sphgeom.Region) -> None:
    require_agreement(bytes(region.encode()), Mollweide(), directions(1000))


def test_an_intersection_is_covered_by_triangles() -> None:
    both = sphgeom.IntersectionRegion(decode(circle(50, 65, 3)), decode(circle(53, 65, 3)))
    paths = [path for some in Mollweide().place(outlines(bytes(both.encode()))) for path in some]
    (inside,) = Mollweide().project(np.array([51.5]), np.array([65.01]))
    (outside,) = Mollweide().project(np.array([35.0]), np.array([65.0]))
    assert sum(int(is_inside([path], inside[None])[0]) for path in paths) == 1
    assert not any(is_inside([path], outside[None])[0] for path in paths)


def test_a_field_across_the_first_meridian_is_a_field() -> None:
    drawing = chart(polygon([(359.9, 0), (0.1, 0), (0.1, 0.2), (359.9, 0.2)])).draw(720)
    (area,) = [shape for shape in drawing.shapes if isinstance(shape, Area) and len(shape.paths[0]) == 4][:1]
    assert np.ptp(area.paths[0][:, 0]) > 200
    labels = [shape.text for shape in drawing.shapes if isinstance(shape, Words)]
    assert "0.00°" in labels or "0.0°" in labels
    assert any(label.startswith("359.9") for label in labels)


def texts(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Words)]


def test_labels_of_a_pole() -> None:
    found = texts(chart(circle(0, 90, 5)).draw(720))
    assert "+86°" in found or "+88°" in found
    assert {"0°", "90°", "180°", "270°"} <= set(found)


def test_small_regions_are_seen() -> None:
    drawing = chart(circle(10, 0, 20), point(10, 30), point(10, -30)).draw(720)
    assert len([shape for shape in drawing.shapes if isinstance(shape, Dot)]) == 2


def test_svg_is_one_element_with_escaped_words_and_nothing_from_elsewhere() -> None:
    found = chart(circle(10, 10, 1), label="<script>alert(1)</script> & \u202e\x1b").to_svg()
    root = ET.fromstring(found)  # noqa: S314 - our own output
    assert root.tag == f"{SVG}svg"
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "title", "path", "text", "circle"}
    assert "<script>alert(1)</script> & \\u202e\\x1b" in {one.text for one in root.iter(f"{SVG}text")}
    assert "http" not in found.replace("http://www.w3.org/2000/svg", "")


def test_an_empty_chart_is_a_chart() -> None:
    found = chart()
    assert found.count == 0
    assert "some" in texts(found.draw(720))
    assert ET.fromstring(found.to_svg()).tag == f"{SVG}svg"  # noqa: S314 - our own output


def test_many_regions_become_a_map_of_how_many_there_are() -> None:
    regions = [box(30 + 0.01 * number, -20, 2, 2) for number in range(2001)]
    found = SkyChart([Layer("many", Counter(regions))], ["a note"])
    drawing = found.draw(720)
    (raster,) = [shape for shape in drawing.shapes if isinstance(shape, Raster) and shape.height > 20]
    assert not [shape for shape in drawing.shapes if isinstance(shape, Area)]
    # Two degrees wide, one hundredth of a degree apart: two hundred overlap.
    deepest = next(int(text.split()[0]) for text in texts(drawing) if text.endswith("at a place"))
    assert 195 <= deepest <= 206
    covered = raster.rgba[..., 3] > 0
    assert covered[covered.shape[0] // 2].mean() == pytest.approx(1 / 1.16, rel=0.02)
    assert len(found.to_svg()) < 300_000
    assert "a note" in texts(drawing)


def test_equal_regions_count_as_often_as_they_stand_there() -> None:
    places = [(30 + 0.1 * column, 0.1 * row) for column in range(50) for row in range(50)]
    regions = Counter({box(ra, dec, 0.05, 0.05): 3 for ra, dec in places})
    regions[box(*places[700], 0.05, 0.05)] = 7
    assert "7 at a place" in texts(SkyChart([Layer("x", regions)]).draw(720))


def test_files(tmp_path: Path) -> None:
    found = chart(circle(0, 0, 3))
    assert found.save(tmp_path / "a.svg").read_text() == found.to_svg()
    with Image.open(found.save(str(tmp_path / "a.png"))) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1440
    with pytest.raises(BadArgument, match=r"neither \.svg nor \.png"):
        found.save(tmp_path / "a.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]


def test_png_is_drawn_where_the_region_is() -> None:
    for dark in (False, True):
        with Image.open(BytesIO(chart(circle(0, 0, 3)).to_png(dark=dark, words=False))) as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        frame = pixels[24:-90]
        inside, corner = frame[len(frame) // 2 + 11, 391], frame[6, 70]
        assert inside[2] - inside[0] > 30, inside
        assert abs(corner[2] - corner[0]) < 10
        assert bool(corner.mean() < 60) is dark


def test_a_hole_is_a_hole_in_png() -> None:
    with Image.open(BytesIO(chart(circle(0, 0, 150)).to_png(words=False))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    frame = Mollweide()
    hole, rest = pixels[8 + 167 + 5, 44 + 334 + 5], pixels[8 + 167 + 5, 44 + 100]
    assert frame.centre_deg == 180
    assert hole.min() > 240
    assert rest[2] - rest[0] > 30


def test_words_about_a_chart() -> None:
    assert chart(circle(10, 20, 1)).describe() == "1 regions about 10.00° +20.00° (ICRS), 2° x 2°"
    assert chart(circle(10, 20, 60)).describe() == "1 regions on the whole sky"
    assert repr(chart(circle(10, 20, 60))) == "<SkyChart of 1 regions: some>"


@pytest.mark.parametrize(
    "regions",
    [
        [circle(10, 0, 3)],
        [circle(10, 70, 5), circle(60, 65, 2)],
        [circle(10, 70, 12), circle(300, 60, 1)],
        [circle(10, -88, 3)],
        [circle(0, 90, 30)],
        [point(10, 20)],
    ],
    ids=["equator", "north", "beside a pole", "a pole in a corner", "a pole", "a point"],
)
def test_lines_of_a_field_end_at_its_frame(regions: list[bytes]) -> None:
    drawing = chart(*regions).draw(720)
    lines = [shape.points for shape in drawing.shapes if isinstance(shape, Line)]
    frame = lines[-1]
    (left, top), (right, bottom) = frame.min(axis=0), frame.max(axis=0)
    assert len(lines) > 4
    for line in lines[:-1]:
        if np.hypot(*(line[0] - line[-1])) < 1e-3:
            continue  # a parallel about a pole
        for x, y in (line[0], line[-1]):
            apart = min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom))
            at_pole = np.hypot(*(np.concatenate([one[[0, -1]] for one in lines]) - (x, y)).T) < 1e-3
            assert apart < 1e-6 or at_pole.sum() > 2, (x, y)


@pytest.mark.parametrize("width", [320, 720])
def test_labels_have_room(width: int) -> None:
    for region in (box(150.02, 2.2, 0.1, 0.06), box(150, 60, 20, 3), circle(3, 3, 0.001)):
        words = [shape for shape in chart(region).draw(width).shapes if isinstance(shape, Words)]
        below = sorted(
            (one.x, len(one.text)) for one in words if one.anchor == "middle" and one.text.endswith("°")
        )
        assert below
        gaps = [(b - a, count) for (a, count), (b, _) in pairwise(below)]
        assert all(gap > 6 * count for gap, count in gaps), below
