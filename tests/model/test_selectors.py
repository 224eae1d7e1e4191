"""Selectors: the parts that a path may name, and where in a path they begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadPath
from skyfs.model.selectors import (
    AxisRange,
    Box,
    Circle,
    Columns,
    Hdu,
    HduName,
    RowFilter,
    Section,
    Selector,
    parse_selectors,
    split_selectors,
)
from skyfs.testing import strategies as sky

WHOLE = AxisRange()


@pytest.mark.parametrize(
    ("text", "selector", "canonical"),
    [
        ("[0]", Hdu(0), "[0]"),
        ("[2]", Hdu(2), "[2]"),
        ("[ 02 ]", Hdu(2), "[2]"),
        ("[SCI]", HduName("SCI"), "[SCI]"),
        ("[SCI,2]", HduName("SCI", 2), "[SCI,2]"),
        ("[SCI , 2]", HduName("SCI", 2), "[SCI,2]"),
        ("[COMPRESSED_IMAGE]", HduName("COMPRESSED_IMAGE"), "[COMPRESSED_IMAGE]"),
        ("[col]", HduName("col"), "[col]"),
        ("[circle]", HduName("circle"), "[circle]"),
        ("[box,1]", HduName("box", 1), "[box,1]"),
        ("[1:500,1:500]", Section((AxisRange(1, 500), AxisRange(1, 500))), "[1:500,1:500]"),
        ("[ 1 : 500 , 2 : 3 ]", Section((AxisRange(1, 500), AxisRange(2, 3))), "[1:500,2:3]"),
        ("[10:1,5:5]", Section((AxisRange(10, 1), AxisRange(5, 5))), "[10:1,5:5]"),
        ("[1:500:2,1:500:1]", Section((AxisRange(1, 500, 2), AxisRange(1, 500))), "[1:500:2,1:500]"),
        ("[*,1:10]", Section((WHOLE, AxisRange(1, 10))), "[*,1:10]"),
        ("[-*,*]", Section((AxisRange(reverse=True), WHOLE)), "[-*,*]"),
        ("[*:2,*]", Section((AxisRange(step=2), WHOLE)), "[*:2,*]"),
        ("[-*:3]", Section((AxisRange(step=3, reverse=True),)), "[-*:3]"),
        ("[*]", Section((WHOLE,)), "[*]"),
        ("[1:2,3:4,5:6]", Section((AxisRange(1, 2), AxisRange(3, 4), AxisRange(5, 6))), "[1:2,3:4,5:6]"),
        ("[col ra;dec]", Columns(("ra", "dec")), "[col ra;dec]"),
        ("[COL  ra ; dec ;]", Columns(("ra", "dec")), "[col ra;dec]"),
        ("[col *;-err?]", Columns(("*", "-err?")), "[col *;-err?]"),
        ("[flux > 100]", RowFilter("flux > 100"), "[flux > 100]"),
        ("[ flux>100 ]", RowFilter("flux>100"), "[flux>100]"),
        ("[flux/err > 5]", RowFilter("flux/err > 5"), "[flux%2Ferr > 5]"),
        ("[flux%2Ferr > 5]", RowFilter("flux/err > 5"), "[flux%2Ferr > 5]"),
        ("[a % 2 == 0]", RowFilter("a % 2 == 0"), "[a %25 2 == 0]"),
        ("[#row > 5]", RowFilter("#row > 5"), "[#row > 5]"),
        ("[a == 'x]y']", RowFilter("a == 'x]y'"), "[a == 'x%5Dy']"),
        ('[a == "it\'s"]', RowFilter('a == "it\'s"'), '[a == "it\'s"]'),
        ("[flux[2] > 3]", RowFilter("flux[2] > 3"), "[flux%5B2%5D > 3]"),
        ("[a = 1]", RowFilter("a = 1"), "[a = 1]"),
        ("[a .gt. 1 .AND. b .lt. 2]", RowFilter("a .gt. 1 .AND. b .lt. 2"), "[a .gt. 1 .AND. b .lt. 2]"),
        ("[isnull(flux)]", RowFilter("isnull(flux)"), "[isnull(flux)]"),
        ("[name == 'Å']", RowFilter("name == 'Å'"), "[name == 'Å']"),
        ("[circle 10 -5 0.5]", Circle(10, -5, 0.5), "[circle 10.0 -5.0 0.5]"),
        ("[circle 10 5 30arcsec]", Circle(10, 5, 30 / 3600), "[circle 10.0 5.0 0.008333333333333333]"),
        ("[circle 10deg 5d 3arcmin]", Circle(10, 5, 0.05), "[circle 10.0 5.0 0.05]"),
        ("[circle -10 +5. .5]", Circle(350, 5, 0.5), "[circle 350.0 5.0 0.5]"),
        ("[circle 360 0 1e-3]", Circle(0, 0, 0.001), "[circle 0.0 0.0 0.001]"),
        ("[circle -1e-20 -0 1]", Circle(0, 0, 1), "[circle 0.0 0.0 1.0]"),
        ("[Box 1 2 3 4]", Box(1, 2, 3, 4), "[box 1.0 2.0 3.0 4.0]"),
        ("[box 1 2 360 180]", Box(1, 2, 360, 180), "[box 1.0 2.0 360.0 180.0]"),
        ("[box 1 2 100mas 2arcmin]", Box(1, 2, 100 / 3.6e6, 2 / 60), None),
    ],
)
def test_kinds(text: str, selector: Selector, canonical: str | None) -> None:
    assert parse_selectors(text) == (selector,)
    assert canonical is None or str(selector) == canonical
    assert parse_selectors(str(selector)) == (selector,)
    assert split_selectors(f"x.fits{text}") == ("x.fits", (selector,))


@given(sky.selectors())
def test_round_trip(selectors: tuple[Selector, ...]) -> None:
    text = "".join(map(str, selectors))
    assert parse_selectors(text) == selectors
    assert split_selectors(f"/c/t/k=v.fits{text}") == ("/c/t/k=v.fits", selectors)
    assert "/" not in text


NEARLY = st.lists(
    st.sampled_from(
        [*"[]'\"%/ ,:*()-;.0129", "[", "]", "col ", "circle ", "box ", " > ", "%5D", "SCI", "é", "\n"]
    ),
    max_size=12,
).map(lambda pieces: f"[{''.join(pieces)}]")


@given(NEARLY | st.text().map(lambda text: f"[{text}]"))
def test_any_text_is_selectors_with_a_fixed_spelling_or_a_bad_path(text: str) -> None:
    try:
        selectors = parse_selectors(text)
    except BadPath:
        return
    spelled = "".join(map(str, selectors))
    assert parse_selectors(spelled) == selectors
    assert split_selectors(f"x.fits{spelled}") == ("x.fits", selectors)


@pytest.mark.parametrize(
    ("path", "base", "selectors"),
    [
        # a selector after an extension is that selector, never a glob; globs may stand before it
        ("*.fits[12]", "*.fits", (Hdu(12),)),
        ("/c/t/*/detector=*.fits[1]", "/c/t/*/detector=*.fits", (Hdu(1),)),
        ("detector=2[0-9].fits[1][1:5,1:5]", "detector=2[0-9].fits", None),
        ("detector=[12].fits[SCI]", "detector=[12].fits", (HduName("SCI"),)),
        ("a=[0-9].b[0-9].fits[1]", "a=[0-9].b[0-9].fits", (Hdu(1),)),
        ("x.fits.gz[1]", "x.fits.gz", (Hdu(1),)),
        ("x.fit[s]", "x.fit", (HduName("s"),)),
        ("x.fits[a == 'y.fits[1]']", "x.fits", (RowFilter("a == 'y.fits[1]'"),)),
        ("/c/t/k=v.fits[a/b > 1]", "/c/t/k=v.fits", (RowFilter("a/b > 1"),)),
        ("/.where/a = 'x.y[1] z'/c/k=v.fits[1]", "/.where/a = 'x.y[1] z'/c/k=v.fits", (Hdu(1),)),
        # no selectors
        ("detector=2[0-9].fits", "detector=2[0-9].fits", ()),
        ("x.fits[0-9]", "x.fits[0-9]", ()),
        ("x.fits[!a]", "x.fits[!a]", ()),
        ("x[1]", "x[1]", ()),
        ("x.FITS[1]", "x.FITS[1]", ()),
        ("x.5[1]", "x.5[1]", ()),
        ("x.[1]", "x.[1]", ()),
        ("[1]", "[1]", ()),
        ("x.fits[1]/", "x.fits[1]/", ()),
        ("x.fits[1][2]", "x.fits[1][2]", ()),
        ("x.fits[]", "x.fits[]", ()),
        ("x.fits\n[1]", "x.fits\n[1]", ()),
        ("x.fits", "x.fits", ()),
        ("", "", ()),
    ],
)
def test_split_selectors(path: str, base: str, selectors: tuple[Selector, ...] | None) -> None:
    found = split_selectors(path)
    assert found[0] == base
    assert selectors is None or found[1] == selectors
    assert base + path[len(base) :] == path


def test_nothing_is_no_selectors() -> None:
    assert parse_selectors("") == ()
