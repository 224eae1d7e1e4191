"""Joins follow from the shape of a universe, whatever its names."""

from __future__ import annotations

from pathlib import Path

import pytest

import skyfs
from skyfs.errors import BadDefinition
from skyfs.model.region import circle
from skyfs.repository import Repository

UNIVERSE = {
    "name": "ocean",
    "elements": {
        "ship": {"keys": [{"name": "name", "type": "string"}]},
        "cast": {
            "keys": [{"name": "id", "type": "int"}],
            "requires": ["ship"],
            "metadata": [{"name": "depth", "type": "float"}],
            "temporal": True,
            "spatial": True,
        },
        "storm": {"keys": [{"name": "name", "type": "string"}], "temporal": True},
        "basin": {"keys": [{"name": "name", "type": "string"}], "spatial": True},
        "bottle": {"keys": [{"name": "id", "type": "int"}], "requires": ["ship"]},
        "cast_bottle": {"requires": ["cast", "bottle"]},
    },
}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Give casts of a ship in time and space."""
    repo = skyfs.create(tmp_path / "repo", universe=UNIVERSE, name=None)
    repo.insert("ship", [{"name": "Meteor"}])
    hours = [(f"2024-01-01T{n:02d}:00:00", f"2024-01-01T{n:02d}:30:00") for n in range(4)]
    repo.insert(
        "cast",
        [
            {
                "ship": "Meteor",
                "id": n,
                "depth": n * 1.5,
                "timespan": hours[n],
                "region": circle(n * 10, 0, 1),
            }
            for n in range(4)
        ],
    )
    repo.insert("storm", [{"name": "Xaver", "timespan": ("2024-01-01T01:15:00", "2024-01-01T02:15:00")}])
    repo.insert("basin", [{"name": "north", "region": circle(15, 0, 6)}])
    repo.insert("bottle", [{"ship": "Meteor", "id": n} for n in range(3)])
    repo.insert("cast_bottle", [{"ship": "Meteor", "cast": n, "bottle": n} for n in range(3)])
    return repo


def test_times_meet_where_nothing_else_joins(repo: Repository) -> None:
    """A cast and the storm it was made in; a moment on both is enough."""
    found = [(one["cast"], one["storm"]) for one in repo.data_ids(["cast", "storm"])]
    assert found == [(1, "Xaver"), (2, "Xaver")]
    repo.register("profile", ["cast"], "Table")
    repo.declare("profile", [{"ship": "Meteor", "cast": n} for n in range(4)], run="r")
    assert [ref.data_id["cast"] for ref in repo.query("profile", collections="r", storm="Xaver")] == [1, 2]


def test_regions_meet(repo: Repository) -> None:
    """Casts in a basin."""
    assert [one["cast"] for one in repo.data_ids(["cast"], basin="north")] == [1, 2]


def test_a_relation_of_nothing_but_dimensions_joins_these(repo: Repository) -> None:
    """Which bottle was closed in which cast."""
    assert [(one["cast"], one["bottle"]) for one in repo.data_ids(["cast", "bottle"])] == [
        (0, 0),
        (1, 1),
        (2, 2),
    ]
    assert [one["id"] for one in repo.records("cast", where="bottle = 1")] == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {
                "cast": {"keys": [{"name": "id", "type": "int"}], "requires": ["bottle"]},
                "bottle": {"keys": [{"name": "id", "type": "int"}], "requires": ["cast"]},
            },
            "circle",
        ),
        ({"storm": {"keys": [{"name": "name", "type": "wind"}]}}, "type 'wind'"),
    ],
)
def test_a_bad_universe_makes_no_repository(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """A circle, an unknown type: one error, nothing made."""
    bad = {**UNIVERSE, "elements": {**UNIVERSE["elements"], **change}}  # type: ignore[dict-item]
    with pytest.raises(BadDefinition, match=message):
        skyfs.create(tmp_path / "repo", universe=bad, name=None)
    assert not (tmp_path / "repo").exists() or not any((tmp_path / "repo").iterdir())
