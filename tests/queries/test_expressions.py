"""Expressions, against a plain evaluation of every row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyfs.errors import InvalidQuery
from skyfs.model.query_bind import prepare
from skyfs.model.query_text import parse

from .conftest import Survey
from .oracle import holds

Row = dict[str, Any]


def visit_rows(survey: Survey) -> Iterator[Row]:
    """Give all that expressions about a visit and detector may name."""
    detectors = {(one["instrument"], one["id"]): one for one in survey.detectors}
    regions = {(one["instrument"], one["visit"], one["detector"]): one["region"] for one in survey.regions}
    for visit in survey.visits:
        for (camera, number), detector in detectors.items():
            if camera == visit["instrument"]:
                row = {"instrument": camera, "visit": visit["id"], "detector": number}
                row |= {f"visit.{name}": value for name, value in visit.items()}
                row |= {f"detector.{name}": value for name, value in detector.items()}
                row |= {name: visit[name] for name in ("physical_filter", "day_obs")}
                row["band"] = survey.bands.get(visit["physical_filter"])
                row["visit_detector_region.region"] = regions.get((camera, visit["id"], number))
                span = visit["timespan"] or (None, None)
                row |= {"visit.timespan.begin": span[0], "visit.timespan.end": span[1]}
                yield row


INTS = ["visit", "detector", "day_obs", "visit.seq_num", "visit.id"]
FLOATS = ["visit.exposure_time"]
TEXTS = [
    "instrument",
    "physical_filter",
    "band",
    "visit.target_name",
    "detector.purpose",
    "detector.raft",
    "visit.name",
]
T0 = "T'2014-05-13T16:53:20/tai'"
T1 = "T'2014-05-14T08:53:21/tai'"

integers = st.integers(-3, 7).map(str) | st.sampled_from(["20140513", "20140514"])
numbers = integers | st.sampled_from(["10.0", "30", "30.25", "1e1"])
texts = st.sampled_from(
    ["'A'", "'B'", "'r'", "'M31'", "'it''s'", "'SCIENCE'", "'R_0%'", "'A-r'", "'v3'", "'nothing'"]
)
patterns = st.sampled_from(["'*'", "'M*'", "'?31'", "'*[R]*'", "'it''s*'", "'R_0%'", "'COSMOS*'", "''"])


def _arithmetic(leaf: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(leaf, st.sampled_from("+-*/%"), leaf).map(lambda parts: f"({' '.join(parts)})")


number_terms = st.recursive(st.sampled_from(INTS + FLOATS) | numbers, _arithmetic, max_leaves=3)
comparators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
conditions = st.one_of(
    st.tuples(number_terms, comparators, number_terms).map(" ".join),
    st.tuples(st.sampled_from(TEXTS), comparators, texts).map(" ".join),
    st.tuples(
        st.sampled_from(TEXTS + INTS + FLOATS + ["visit.region", "visit.timespan"]),
        st.sampled_from(["IS NULL", "IS NOT NULL"]),
    ).map(" ".join),
    st.tuples(
        st.sampled_from(INTS),
        st.sampled_from(["IN", "NOT IN"]),
        st.lists(integers | st.sampled_from(["0..4", "1..6:2"]), min_size=1, max_size=9),
    ).map(lambda p: f"{p[0]} {p[1]} ({', '.join(p[2])})"),
    st.tuples(
        st.sampled_from(TEXTS), st.sampled_from(["IN", "NOT IN"]), st.lists(texts, min_size=1, max_size=9)
    ).map(lambda p: f"{p[0]} {p[1]} ({', '.join(p[2])})"),
    st.tuples(st.sampled_from(TEXTS), patterns).map(lambda p: f"GLOB({p[0]}, {p[1]})"),
    st.sampled_from(
        [
            f"visit.timespan OVERLAPS ({T0}, {T1})",
            f"visit.timespan OVERLAPS {T0}",
            f"visit.timespan.begin IN ({T0}, {T1})",
            f"visit.timespan.end < {T1}",
            f"visit.timespan OVERLAPS (NULL, {T1})",
            f"({T0}, NULL) OVERLAPS visit.timespan",
            "visit.region OVERLAPS CIRCLE(0, 0, 2)",
            "visit_detector_region.region OVERLAPS BOX(0, 0, 3, 3)",
            "POINT(359.5, 0.5) OVERLAPS visit_detector_region.region",
            "visit.region OVERLAPS POLYGON(358, -1, 2, -1, 0, 3)",
            "visit_detector_region.region OVERLAPS CIRCLE(100, 89, 3)",
            "visit_detector_region.region OVERLAPS visit.region",
        ]
    ),
)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(
        lambda parts: f"({''.join(parts)})"
    )
    return pairs | inner.map(lambda one: f"NOT ({one})")


expressions = st.recursive(conditions, _joined, max_leaves=4)


@settings(max_examples=250)
@given(text=expressions)
def test_data_ids_are_those_for_which_the_expression_holds(survey: Survey, text: str) -> None:
    """Every operator, on values and on no value, alone and joined."""
    tree = prepare(parse(text), {}, text)
    wanted = {
        (row["instrument"], row["visit"], row["detector"]) for row in visit_rows(survey) if holds(tree, row)
    }
    query = survey.repo.data_ids(["visit", "detector"], where=text)
    found = [(one["instrument"], one["visit"], one["detector"]) for one in query]
    assert sorted(found) == sorted(wanted)
    assert query.count() == len(wanted)
    assert query.any() == bool(wanted)


@settings(max_examples=120)
@given(text=expressions, collection=st.sampled_from(["runs/all", "runs/third", "runs/both"]))
def test_datasets_are_those_for_which_the_expression_holds(
    survey: Survey, text: str, collection: str
) -> None:
    """The same for datasets, through a chain each data ID once."""
    tree = prepare(parse(text), {}, text)
    rows = list(visit_rows(survey))
    if collection == "runs/third":
        rows = rows[::3]
    wanted = [(row["instrument"], row["visit"], row["detector"]) for row in rows if holds(tree, row)]
    query = survey.repo.query("calexp", collections=collection, where=text)
    found = [(ref.data_id["instrument"], ref.data_id["visit"], ref.data_id["detector"]) for ref in query]
    assert sorted(found) == sorted(wanted)
    assert query.count() == len(wanted)
    everything = survey.repo.query("calexp", collections="runs/both", where=text, find_first=False)
    assert everything.count() == len(list(everything)) >= len(wanted)


@settings(max_examples=80)
@given(
    names=st.lists(st.sampled_from([*INTS, *FLOATS, *TEXTS, "visit.timespan.begin"]), min_size=1, max_size=3),
    down=st.lists(st.booleans(), min_size=3, max_size=3),
    limit=st.none() | st.integers(0, 40),
)
def test_order_and_limit(survey: Survey, names: list[str], down: list[bool], limit: int | None) -> None:
    """Sorted by any columns, no value first, and of that the first few."""
    rows = {(row["instrument"], row["visit"], row["detector"]): row for row in visit_rows(survey)}
    order = [f"-{name}" if descending else name for name, descending in zip(names, down, strict=False)]
    query = survey.repo.data_ids(["visit", "detector"]).order_by(*order)
    query = query if limit is None else query.limit(limit)
    refs = survey.repo.query("calexp", collections="runs/both").order_by(*order)
    refs = refs if limit is None else refs.limit(limit)
    for found in (list(query), [ref.data_id for ref in refs]):
        keys = [(one["instrument"], one["visit"], one["detector"]) for one in found]
        assert len(keys) == min(len(rows), len(rows) if limit is None else limit)
        given_order = [_sortable(rows[key], order) for key in keys]
        everything = sorted(_sortable(row, order) for row in rows.values())
        assert given_order == everything[: len(keys)]


def _sortable(row: Row, order: list[str]) -> list[Any]:
    return [_Down(row[name[1:]]) if name.startswith("-") else _Up(row[name]) for name in order]


class _Up:
    """A value that sorts as the database does."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - a value of any type
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Up) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: _Up) -> bool:
        if self.value is None or other.value is None:
            return self.value is None and other.value is not None
        return bool(self.value < other.value)


class _Down(_Up):
    """The other way round."""

    def __lt__(self, other: _Up) -> bool:
        return _Up(other.value) < _Up(self.value)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("visit.exposure_tme > 3", 1, "exposure_time"),
        ("vist = 3", 1, "visit"),
        ("visit = 'three'", 7, "texts stand in quotes"),
        ("instrument = 3", 12, "a text and an integer"),
        ("visit.timespan > 3", 16, "cannot be compared"),
        ("visit.region = visit.region2", 16, "region"),
        ("visit OVERLAPS detector", 7, "between two regions"),
        ("visit", 1, "no condition"),
        ("visit + 1", 7, "no condition"),
        ("visit > 1 AND instrument", 15, "no condition"),
        ("instrument + 1 = 3", 1, "only numbers"),
        ("GLOB(visit, 'a*')", 6, "GLOB matches texts"),
        ("visit IN ('a')", 11, "texts stand in quotes"),
        ("instrument IN (1..3)", 16, "range of integers"),
        ("visit.timespan.begin IN (1, 2)", 26, "among times"),
        ("visit_definition > 1", 1, "no value by itself"),
        ("exposure_time > 3", 1, "exposure.exposure_time, visit.exposure_time"),
        ("visit.timespan <= visit.timespan", 16, "OVERLAPS"),
        ("visit.region < visit.region", 14, "no order"),
        ("(visit, detector) OVERLAPS visit.timespan", 2, "where a time is wanted"),
    ],
)
def test_what_does_not_fit_is_shown(survey: Survey, text: str, place: int, message: str) -> None:
    """An error has the place, what is wrong and what would do."""
    dimensions = ["visit", "exposure", "detector"]
    with pytest.raises(InvalidQuery, match=f"character {place}") as caught:
        survey.repo.data_ids(dimensions, where=text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("'a' < 'B'", False),
        ("'é' > 'z'", True),
        ("1 / 2 = 0.5", True),
        ("5 / 0 = 1 OR 5 % 0 = 1", False),
        ("-7 % 3 = -1", True),
        ("7.9 % 2 = 1", True),
        ("9223372036854775807 + 1 > 9223372036854775806", True),
        ("visit.exposure_time > 1e300 * 1e-300 OR visit.exposure_time IS NULL", True),
        ("T'2014-05-13T16:53:20/tai' IN (T'2014-05-13T16:53:20/tai', T'2014-05-13T16:53:21/tai')", True),
    ],
)
def test_values_mean_the_same_in_every_database(survey: Survey, text: str, *, holds: bool) -> None:
    everything = survey.repo.data_ids(["visit"]).count()
    assert survey.repo.data_ids(["visit"], where=text).count() == (everything if holds else 0)
