"""Data IDs as values, and what is taken for a dimension's value."""

from __future__ import annotations

import copy
import enum
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadDataId
from skyfs.model.dataid import DataId, coerce
from skyfs.model.dimensions import Universe


class Camera(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    HSC = "HSC"


@pytest.fixture
def visit(universe: Universe) -> DataId:
    return DataId(universe.group(["visit", "detector"]), ("HSC", 20131102, 903334, 20))


def test_a_mapping_of_the_required_dimensions(visit: DataId) -> None:
    assert dict(visit) == {"instrument": "HSC", "visit": 903334, "detector": 20}
    assert list(visit) == ["instrument", "visit", "detector"]
    assert len(visit) == 3
    assert visit["detector"] == 20
    assert visit.values_required == ("HSC", 903334, 20)
    assert visit.levels == (("instrument", "HSC"), ("day_obs", 20131102), ("visit", 903334), ("detector", 20))
    assert repr(visit) == "{instrument: 'HSC', visit: 903334, detector: 20}"


@pytest.mark.parametrize("name", ["day_obs", "band", "", 1])
def test_grouping_levels_are_no_part_of_the_mapping(visit: DataId, name: Any) -> None:  # noqa: ANN401
    assert name not in visit
    with pytest.raises(KeyError):
        visit[name]


def test_equality_is_by_required_values(universe: Universe, visit: DataId) -> None:
    group = visit.group
    other_night = DataId(group, ("HSC", 20131103, 903334, 20))
    assert other_night == visit
    assert hash(other_night) == hash(visit)
    assert DataId(group, ("HSC", 20131102, 903334, 21)) != visit
    assert visit == {"detector": 20, "visit": 903334, "instrument": "HSC"}
    assert visit != {"instrument": "HSC", "visit": 903334}
    assert visit != 5
    with_night = universe.group(["visit", "detector", "day_obs"])
    assert DataId(with_night, ("HSC", 20131102, 903334, 20)) != visit
    assert len({visit, other_night}) == 1


def test_pickling_and_copying(visit: DataId) -> None:
    for again in (pickle.loads(pickle.dumps(visit)), copy.copy(visit), copy.deepcopy(visit)):  # noqa: S301
        assert again == visit
        assert again.levels == visit.levels


def test_immutable(visit: DataId) -> None:
    with pytest.raises(AttributeError, match="cannot be changed"):
        visit.row = ()
    with pytest.raises(AttributeError, match="cannot be changed"):
        del visit.row
    with pytest.raises(AttributeError):
        visit.other = 1
    with pytest.raises(TypeError):
        visit["visit"] = 1  # type: ignore[index]
    assert visit["visit"] == 903334


def numbered(values: Iterable[object]) -> list[Any]:
    """Cases by number and type: ids of their own, also for integers too long to be written."""
    return [pytest.param(value, id=f"{index} {type(value).__name__}") for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (20, 20),
        ("20", 20),
        ("-5", -5),
        ("0", 0),
        (np.int64(20), 20),
        (np.uint8(20), 20),
        (np.array(20), 20),
        (np.str_("20"), 20),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
    ],
    ids=[f"{index}" for index in range(12)],
)
def test_whole_numbers(universe: Universe, value: object, number: int) -> None:
    found = coerce(universe.element("detector"), value)
    assert found == number
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    numbered(
        [
            *(
                "020",
                "+20",
                "2_0",
                " 20",
                "20 ",
                "20\n",
                "٢٠",
                "²",
                "-0",
                "--5",
                "",
                "-",
                "x",
                "20.0",
                "2e1",
                "0x14",
                "\0",
            ),
            *(
                True,
                False,
                np.True_,
                20.0,
                np.float64(20),
                float("nan"),
                None,
                b"20",
                [20],
                (20,),
                {},
                object(),
            ),
            *(2**63, -(2**63) - 1, 10**5_000, str(2**63), "9" * 20, "9" * 5_000, np.uint64(2**63)),
            *(np.array([1, 2]), np.array(1.5), np.ma.masked, np.array("20")),
        ]
    ),
)
def test_no_whole_numbers(universe: Universe, value: object) -> None:
    with pytest.raises(BadDataId, match=r"detector=.*a whole number of 64 bits is wanted") as caught:
        coerce(universe.element("detector"), value)
    assert type(value).__name__ in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("HSC", "HSC"),
        ("20", "20"),
        (" ", " "),
        ("a/b=c%", "a/b=c%"),
        ("Å星🔭", "Å星🔭"),
        (np.str_("HSC"), "HSC"),
        (Camera.HSC, "HSC"),
        ("x" * 1000, "x" * 1000),
    ],
    ids=[f"{index}" for index in range(8)],
)
def test_texts(universe: Universe, value: object, text: str) -> None:
    found = coerce(universe.element("instrument"), value)
    assert found == text
    assert type(found) is str


@pytest.mark.parametrize(
    "value",
    numbered(
        ["", "\0", "a\0b", "\ud800", "a\udcff", 20, np.int64(20), True, None, b"HSC", ["HSC"], 1.5, 10**5_000]
    ),
)
def test_no_texts(universe: Universe, value: object) -> None:
    with pytest.raises(BadDataId, match=r"instrument=.*a text is wanted") as caught:
        coerce(universe.element("instrument"), value)
    str(caught.value).encode()


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_has_one_text(universe: Universe, number: int) -> None:
    element = universe.element("visit")
    assert coerce(element, str(number)) == coerce(element, number) == number


@given(st.text() | st.from_regex(r"[-+]?[0-9_ ]{1,22}", fullmatch=True))
def test_a_text_that_is_taken_for_a_number_is_its_text(universe: Universe, text: str) -> None:
    try:
        number = coerce(universe.element("visit"), text)
    except BadDataId:
        return
    assert str(number) == text


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("healpix0", 0, 11),
        ("healpix9", 0, 12 * 4**9 - 1),
        ("healpix17", 0, 12 * 4**17 - 1),
        ("htm0", 8, 15),
        ("htm7", 8 * 4**7, 16 * 4**7 - 1),
        ("htm24", 8 * 4**24, 16 * 4**24 - 1),
    ],
)
def test_pixels(universe: Universe, name: str, first: int, last: int) -> None:
    element = universe.element(name)
    assert [coerce(element, pixel) for pixel in (first, str(last))] == [first, last]
    for outside in (first - 1, last + 1, str(last + 1)):
        with pytest.raises(BadDataId, match=f"{name}=.*no such pixel.* {first} to {last}"):
            coerce(element, outside)
