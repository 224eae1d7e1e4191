"""Where the answers differ on purpose: what skyfs says, and beside it what the peer says.

Each test names the reason. When a later peer answers as skyfs does, its test fails: then the question moves
to the equal ones.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from . import ours
from .conftest import Sides
from .question import BOTH, CAM, Question


def ask(sides: Sides, question: Question, *columns: str) -> tuple[object, object]:
    """Give the chosen columns of both answers, or "refused"."""
    found: list[object] = []
    for answer in sides.ask(question):
        rows = answer.get("rows", ())
        plain = sorted(tuple(row[name] for name in columns) for row in rows)
        found.append(
            "refused" if "error" in answer else plain if len(columns) > 1 else [row[0] for row in plain]
        )
    return found[0], found[1]


def visits(where: str, bind: dict[str, object] | None = None) -> Question:
    return Question("cam", "records", ("visit",), f"{CAM} AND ({where})", bind or {})


@pytest.mark.parametrize(
    ("where", "ours"),
    [
        ("visit.exposure_time IS NULL", [5]),
        ("visit.exposure_time IS NOT NULL AND visit > 3", [4, 6, 7, 8]),
        ("visit.timespan IS NULL", [7]),
        ("visit.region IS NULL", [5, 7]),
    ],
)
def test_is_null_exists(sides: Sides, where: str, ours: list[int]) -> None:
    """The peer has no IS: what is missing cannot be asked for."""
    assert ask(sides, visits(where), "id") == (ours, "refused")


def test_a_quote_is_written_twice(sides: Sides) -> None:
    """The peer has no escape for a quote in a text."""
    assert ask(sides, visits("visit.science_program = 'it''''s'"), "id") == ([3], "refused")


def test_a_time_is_in_a_timespan(sides: Sides) -> None:
    """The peer's documentation says that ``IN (t1, t2)`` is containment; it finds what is equal to an end."""
    where = "visit.timespan.begin IN (T'2021-09-11T01:00:00/tai', T'2021-09-11T02:00:30/tai')"
    assert ask(sides, visits(where), "id") == ([3, 4], [3, 5])


@pytest.mark.parametrize(
    "where", ["visit.exposure_time * 2 > 61.5", "visit.exposure_time + 1 > 31.75", "2 * exposure_time > 61.5"]
)
def test_whole_and_other_numbers_mix(sides: Sides, where: str) -> None:
    """The peer refuses arithmetic between a float and an integer, and compares the two all the same."""
    ours, theirs = ask(sides, visits(where), "id")
    assert ours == [1, 2, 7]
    assert theirs == "refused"


def test_the_camera_may_be_left_out(sides: Sides) -> None:
    """The peer demands a condition on instrument or skymap; skyfs asks all of them."""
    assert ask(sides, Question("cam", "records", ("detector",), "detector = 2"), "instrument", "id") == (
        [("Cam1", 2), ("Cam2", 2)],
        "refused",
    )


def test_no_value_is_neither_earlier_nor_other(sides: Sides) -> None:
    """An unknown timespan begins in 1970 for the peer; a comparison with NULL holds nowhere in SQL."""
    assert ask(sides, visits("visit.timespan.begin < T'2021-09-10'"), "id") == ([1, 2], [1, 2, 7])
    where = "visit.timespan.begin != T'2021-09-11T02:00:00/tai' AND visit > 4"
    assert ask(sides, visits(where), "id") == ([5, 6, 8], [5, 6, 7, 8])


def test_timespans_are_ordered(sides: Sides) -> None:
    """Its documentation lists < and > of timespans, it refuses them; = is a bare AssertionError."""
    for where, expected in (
        ("visit.timespan < (T'2021-09-11T02:01:00/tai', NULL)", [1, 2, 3, 4]),
        ("visit.timespan > (NULL, T'2021-09-11T02:00:00/tai')", [4, 5, 6, 8]),
        ("visit.timespan = (T'2021-09-11T02:00:00/tai', T'2021-09-11T02:01:00/tai')", [4]),
    ):
        assert ask(sides, visits(where), "id") == (expected, "refused")


def test_timespans_of_a_visit_and_its_night_compare(sides: Sides) -> None:
    """The peer refuses a join that it would make by itself; it may still be false for some."""
    where = "exposure.timespan OVERLAPS visit.timespan"
    question = Question("cam", "data_ids", ("exposure", "visit"), f"{CAM} AND {where}")
    ours, theirs = ask(sides, question, "exposure", "visit")
    assert ours == [(11, 1), (31, 3), (41, 4), (51, 5), (61, 6), (80, 8)]
    assert theirs == "refused"


def test_seconds_since_1970_are_a_time(sides: Sides) -> None:
    """Any format of astropy is documented; the peer cannot read the numbers of unix times."""
    assert ask(sides, visits("visit.timespan.end > T'unix/1631325600'"), "id") == ([4, 5, 6, 8], "refused")


def test_a_circle_has_its_radius(sides: Sides) -> None:
    """The peer's CIRCLE is twice as wide as its third argument says; its REGION('CIRCLE ...') is not."""
    circle, region = (
        "visit.region OVERLAPS CIRCLE(0.0, 0.0, 0.45)",
        "visit.region OVERLAPS REGION('CIRCLE 0.0 0.0 0.45')",
    )
    ours, theirs = ask(sides, visits(circle), "id")
    same, others = ask(sides, visits(region), "id")
    wide, _ = ask(sides, visits(circle.replace("0.45", "0.9")), "id")
    assert ours == same == others
    assert theirs == wide
    assert ours != wide


def test_regions_that_do_not_touch_do_not_overlap(sides: Sides) -> None:
    """Of a box and a polygon sphgeom does not tell whether they are apart: the peer says they overlap."""
    where = "visit.region OVERLAPS BOX(0.0, 0.0, 1.0, 0.5)"
    assert ask(sides, visits(where), "id") == ([3, 6], [3, 4, 6])


@pytest.mark.parametrize(
    ("where", "ours"),
    [
        ("NOT visit.region OVERLAPS POINT(0.3, 0.3)", [1, 2, 4, 6, 8]),
        ("visit.region OVERLAPS POINT(0.3, 0.3) OR visit = 8", [3, 8]),
    ],
)
def test_regions_stand_anywhere(sides: Sides, where: str, ours: list[int]) -> None:
    """The peer takes regions only where all else holds too, not below OR and NOT."""
    assert ask(sides, visits(where), "id") == (ours, "refused")


def test_a_range_is_bound(sides: Sides) -> None:
    """A list may be bound, and a range is one; the peer's TypeError does not name the bound value."""
    question = Question(
        "cam", "records", ("detector",), f"{CAM} AND detector IN (:d)", {"d": {"range": [1, 4, 2]}}
    )
    assert ask(sides, question, "id") == ([1, 3], "refused")


def test_a_bound_value_may_have_the_name_of_a_dimension(sides: Sides) -> None:
    """``visit = :visit`` is true of all visits for the peer, which takes the value for the column."""
    assert ask(sides, visits("visit = :visit", {"visit": 3}), "id") == ([3], [1, 2, 3, 4, 5, 6, 7, 8])


def test_truth_values_and_ids_sort(sides: Sides) -> None:
    """The peer refuses; tables of people have such columns too. False comes first, no value before it."""
    exposures = Question(
        "cam", "records", ("exposure",), CAM, order_by=("exposure.has_simulated", "exposure")
    )
    mine, theirs = sides.ask(exposures)
    assert [row["id"] for row in mine["rows"]] == [90, 11, 21, 31, 41, 51, 61, 71, 72, 80]
    assert "error" in theirs
    datasets = Question(
        "cam", "datasets", ("cat",), CAM, order_by=("-cat.dataset_id",), collections=("run/b",)
    )
    mine, theirs = sides.ask(datasets)
    assert [row["id"] for row in mine["rows"]] == sorted((row["id"] for row in mine["rows"]), reverse=True)
    assert "error" in theirs


def test_a_condition_does_not_bring_back_what_is_hidden(sides: Sides) -> None:
    """The first collection that has a data ID wins, then come conditions on the dataset: for the peer before.

    Its documentation: of each data ID, the dataset from the first collection in which one appears.
    """
    question = Question("cam", "datasets", ("cat",), "cat.run = 'run/c'", collections=("run/a", "run/c"))
    assert ask(sides, question, "visit", "detector") == ([(8, 1)], [(3, 2), (8, 1)])


def test_the_first_of_collections_named_by_a_glob(sides: Sides) -> None:
    """A glob gives collections in the order of their names; the peer wants find_first off."""
    question = Question("cam", "datasets", ("?at",), collections=("run/*",))
    ours, theirs = ask(sides, question, "visit", "run")
    listed, _ = ask(
        sides, Question("cam", "datasets", ("cat",), collections=("run/a", "run/b", "run/c")), "visit", "run"
    )
    assert ours == listed
    assert theirs == "refused"


def test_all_calibrations_that_are_valid_are_given(sides: Sides) -> None:
    """Two follow one another in exposure 61; the peer gives one of each data ID, with find_first off too."""
    where = f"{CAM} AND exposure = 61 AND detector = 3 AND bias.timespan OVERLAPS exposure.timespan"
    ours, theirs = sides.ask(
        Question("cam", "datasets", ("bias",), where, collections=("calib",), find_first=False)
    )
    assert [len(ours["rows"]), len(theirs["rows"])] == [2, 1]


def test_calibrations_are_joined_by_time(sides: Sides) -> None:
    """An exposure chooses its calibrations; the peer wants the join spelled out."""
    where = f"{CAM} AND exposure = 31 AND detector = 2"
    ours, _ = ask(
        sides, Question("cam", "datasets", ("bias",), where, collections=("calib",)), "detector", "run"
    )
    joined = f"{where} AND bias.timespan OVERLAPS exposure.timespan"
    spelled = Question("cam", "datasets", ("bias",), joined, collections=("calib",), find_first=False)
    assert (ours, ours) == ask(sides, spelled, "detector", "run")


@pytest.mark.parametrize("where", ["visit", "visit.exposure_time", "visit.timespan", "3", "'x'"])
def test_what_is_no_condition_is_a_clear_error(sides: Sides, where: str) -> None:
    """The peer's is a bare AssertionError for ``where="visit"``."""
    mine, theirs = sides.ask(Question("cam", "records", ("visit",), where))
    assert mine["error"].startswith("InvalidQuery: ")
    assert "no condition" in mine["error"]
    assert "error" in theirs


def test_deep_conditions_stay_small(sides: Sides) -> None:
    """The peer multiplies ORs of ANDs out, and is busy with this for hours: it is not asked."""
    pairs = [f"(visit = {number} AND visit.exposure_time > {number}.5)" for number in range(1, 9)]
    some = (f"NOT ({one} OR {other})" for one, other in pairwise(pairs))
    where = f"NOT ({' AND '.join(some)})"
    answer = ours.answer(sides.repo("cam"), visits(where))
    assert [row["id"] for row in answer["rows"]] == [1, 2, 3, 4, 7, 8]


def test_regions_join_without_being_asked(sides: Sides) -> None:
    """A visit without a region overlaps nothing, for both."""
    question = Question("cam", "data_ids", ("visit", "tract"), f"{BOTH} AND visit IN (5, 7)")
    assert ask(sides, question, "visit", "tract") == ([], [])
