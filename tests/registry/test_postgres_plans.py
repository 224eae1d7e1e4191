"""What an answer costs in PostgreSQL, in blocks looked at: the same however many datasets lie below.

Nothing is known of the tables: statistics come later, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from skyfs.model.ids import new_ids
from skyfs.registry.levels import LevelFilter
from skyfs.registry.postgres.place import PostgresSchema
from skyfs.testing.registry_sky import CAMERA, DAYS, RUNS, Sky, visit_record

from .conftest import create

_VISITS = range(100, 110)
_LOOKED_AT = sa.text(
    "SELECT sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0))"
    " FROM pg_statio_user_tables WHERE schemaname = current_schema()"
)


@pytest.fixture
def sky(place: PostgresSchema) -> Iterator[Sky]:
    sky = Sky.fill(create(place))
    yield sky
    sky.registry.close()


def _declare(sky: Sky, detectors: range) -> None:
    """Declare a dataset for each visit and detector."""
    sky.registry.records.insert("detector", [{"instrument": CAMERA, "id": number} for number in detectors])
    sky.registry.records.insert("visit", [visit_record(visit, day_obs=DAYS[visit % 2]) for visit in _VISITS])
    rows = [(CAMERA, DAYS[visit % 2], visit, number) for visit in _VISITS for number in detectors]
    sky.registry.datasets.declare(sky.entry("calexp"), sky.collection(RUNS[0]), rows, new_ids(len(rows)))


def _blocks(sky: Sky, act: Callable[[], object]) -> int:
    """Count the blocks of tables and indexes that are looked at."""
    act()
    before = _looked_at(sky)
    act()
    return _looked_at(sky) - before


def _looked_at(sky: Sky) -> int:
    database = sky.registry._database  # noqa: SLF001 - the session's own counters
    # What a session has counted is seen when its next transaction ends.
    for text in ("SELECT pg_stat_force_next_flush()", "SELECT 1", "SELECT pg_stat_clear_snapshot()"):
        database.read(sa.text(text))
    return int(database.read(_LOOKED_AT)[0][0])


def _compare(sky: Sky, act: Callable[[], object]) -> None:
    _declare(sky, range(100, 300))
    few = _blocks(sky, act)
    _declare(sky, range(300, 2_000))
    many = _blocks(sky, act)
    # A tree may have grown by a level, and rows that were replaced leave traces for a while.
    assert many < 1.5 * few + 10


_NIGHT: dict[str, int | str] = {"instrument": CAMERA, "day_obs": DAYS[0]}


@pytest.mark.parametrize(
    ("depth", "exact", "count"),
    [
        (1, {}, 1),
        (2, {"instrument": CAMERA}, 2),
        (3, _NIGHT, 5),
        (None, {**_NIGHT, "visit": 104, "detector": 120}, 1),
        (None, {"detector": 120}, 10),
    ],
    ids=["instruments", "nights", "visits", "one", "of all visits"],
)
def test_a_question_costs_its_answer(
    sky: Sky, depth: int | None, exact: dict[str, int | str], count: int
) -> None:
    filters = LevelFilter(exact)

    def ask() -> None:
        snapshot, lookup = sky.registry.current(), sky.registry.lookup
        where = ([snapshot.type("calexp")], [snapshot.collection(RUNS[0]), snapshot.collection(RUNS[1])])
        if depth is None:
            found = len(list(lookup.datasets(snapshot, *where, filters, declared=True)))
        else:
            found = len(list(lookup.directories(snapshot, *where, filters, depth, declared=True)))
        assert found == count

    _compare(sky, ask)


def test_looking_for_many_costs_those(sky: Sky) -> None:
    rows = [(CAMERA, DAYS[visit % 2], visit, 120) for visit in _VISITS]

    def ask() -> None:
        snapshot, lookup = sky.registry.current(), sky.registry.lookup
        found = lookup.members(snapshot, snapshot.type("calexp"), snapshot.collection(RUNS[0]), rows)
        assert len(found) == len(rows)

    _compare(sky, ask)


@pytest.mark.parametrize("act", ["insert", "tag", "remove"])
def test_a_change_costs_itself(sky: Sky, act: str) -> None:
    """Whether something is in the way is not looked for in all rows."""
    numbers = iter(range(3_000, 3_100))
    new = [{"instrument": CAMERA, "id": number} for number in range(3_000, 3_100)]
    sky.registry.records.insert("detector", new)

    def change() -> None:
        ref = sky.put("calexp", visit=100, detector=next(numbers))
        if act == "tag":
            sky.registry.datasets.tag([ref], "t/a")
        elif act == "remove":
            sky.registry.datasets.remove([ref])

    _compare(sky, change)
