"""What an answer costs, in steps of SQLite's virtual machine: the same however many datasets lie below."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skyfs.model.ids import new_ids
from skyfs.registry.levels import LevelFilter
from skyfs.testing.registry_sky import CAMERA, DAYS, RUNS, Sky, visit_record

_VISITS = range(100, 110)


def _declare(sky: Sky, detectors: range) -> None:
    """Declare a dataset for each visit and detector."""
    sky.registry.records.insert("detector", [{"instrument": CAMERA, "id": number} for number in detectors])
    sky.registry.records.insert("visit", [visit_record(visit, day_obs=DAYS[visit % 2]) for visit in _VISITS])
    rows = [(CAMERA, DAYS[visit % 2], visit, number) for visit in _VISITS for number in detectors]
    ids = new_ids(len(rows))
    sky.registry.datasets.declare(sky.entry("calexp"), sky.collection(RUNS[0]), rows, ids)


def _steps(sky: Sky, act: Callable[[], object]) -> int:
    """Count the steps of what is done."""
    act()
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    database = sky.registry._database  # noqa: SLF001 - the connection's own counter
    with database._session() as session:  # noqa: SLF001
        session.raw.set_progress_handler(step, 1)
    act()
    with database._session() as session:  # noqa: SLF001
        session.raw.set_progress_handler(None, 1)
    return count


_NIGHT: dict[str, int | str] = {"instrument": CAMERA, "day_obs": DAYS[0]}


@pytest.mark.parametrize(
    ("depth", "exact", "like", "count"),
    [
        (1, {}, {}, 1),
        (2, {"instrument": CAMERA}, {}, 2),
        (3, _NIGHT, {}, 5),
        (None, {**_NIGHT, "visit": 104, "detector": 120}, {}, 1),
        (None, {"detector": 120}, {}, 10),
        (None, {"detector": 120}, {"visit": "*4"}, 1),
    ],
    ids=["instruments", "nights", "visits", "one", "of all visits", "glob"],
)
def test_a_question_costs_its_answer(
    sky: Sky, depth: int | None, exact: dict[str, int | str], like: dict[str, str], count: int
) -> None:
    filters = LevelFilter(exact, like)

    def ask() -> None:
        snapshot, lookup = sky.registry.current(), sky.registry.lookup
        where = ([snapshot.type("calexp")], [snapshot.collection(RUNS[0])])
        if depth is None:
            found = len(list(lookup.datasets(snapshot, *where, filters, declared=True)))
        else:
            found = len(list(lookup.directories(snapshot, *where, filters, depth, declared=True)))
        assert found == count

    _declare(sky, range(100, 130))
    few = _steps(sky, ask)
    _declare(sky, range(130, 1_100))
    many = _steps(sky, ask)
    assert few < 3_000
    assert many == pytest.approx(few, rel=0.05)


def test_looking_for_many_costs_those(sky: Sky) -> None:
    rows = [(CAMERA, DAYS[visit % 2], visit, 120) for visit in _VISITS]

    def ask() -> None:
        snapshot, lookup = sky.registry.current(), sky.registry.lookup
        found = lookup.members(snapshot, snapshot.type("calexp"), snapshot.collection(RUNS[0]), rows)
        assert len(found) == len(rows)

    _declare(sky, range(100, 130))
    few = _steps(sky, ask)
    _declare(sky, range(130, 1_100))
    assert _steps(sky, ask) == pytest.approx(few, rel=0.05)


@pytest.mark.parametrize("act", ["declare", "store", "remove"])
def test_a_change_costs_itself(sky: Sky, act: str) -> None:
    """Neither the next id nor the summary is looked for in all rows."""
    numbers = iter(range(2_000, 2_100))
    sky.registry.records.insert(
        "detector", [{"instrument": CAMERA, "id": number} for number in range(2_000, 2_100)]
    )

    def change() -> None:
        ref = sky.ref("bias", detector=next(numbers))
        if act == "declare":
            row, ids = ref.data_id.row, [ref.id.bytes]
            sky.registry.datasets.declare(sky.entry("bias"), sky.collection(RUNS[0]), [row], ids)
        else:
            ref = sky.put("bias", detector=next(numbers))
            if act == "remove":
                sky.registry.datasets.remove([ref])

    _declare(sky, range(100, 130))
    few = _steps(sky, change)
    _declare(sky, range(130, 1_100))
    assert _steps(sky, change) == pytest.approx(few, rel=0.2)
