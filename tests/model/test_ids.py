"""Identifiers: UUIDv7 for new datasets, the Rubin butler's UUIDv5 for raws."""

from __future__ import annotations

import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from skyfs.model import ids
from skyfs.model.dataid import DataId
from skyfs.model.dimensions import Universe
from skyfs.model.ids import new_ids, raw_id


def test_version_variant_and_time() -> None:
    before_ms = time.time_ns() // 10**6
    first = uuid.UUID(bytes=new_ids(1)[0])
    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    # Ids of earlier tests may have run ahead of the clock.
    assert before_ms <= first.int >> 80 < before_ms + 3_600_000
    for one in new_ids(5_000):
        found = uuid.UUID(bytes=one)
        assert (found.version, found.variant) == (7, uuid.RFC_4122)


def test_increasing_and_unique() -> None:
    found = [one for count in (1, 99_000, 0, 900, *[1] * 100) for one in new_ids(count)]
    assert len(found) == 100_001
    assert all(one < other for one, other in pairwise(found))
    assert len({one[8:] for one in found}) == len(found)  # the random part differs too


def test_increasing_across_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: new_ids(50), range(400)))
    assert all(batch == sorted(batch) for batch in found)
    assert len({one for batch in found for one in batch}) == 20_000


def test_a_clock_that_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_ids(1)[0]
    monkeypatch.setattr("skyfs.model.ids.time.time_ns", lambda: 10**18)
    assert new_ids(1)[0] > before


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_while_another_thread_makes_ids_is_not_stuck() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ids._lock:  # noqa: SLF001 - as a thread inside of new_ids does
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if not child:
        try:
            os._exit(0 if new_ids(1) else 1)
        finally:
            os._exit(2)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Made by the Rubin data butler: DatasetIdFactory.makeDatasetId(..., DatasetIdGenEnum.DATAID_TYPE_RUN).
RAWS = [
    (
        "raw",
        "HSC/raw/all",
        {"instrument": "HSC", "exposure": 903334, "detector": 20},
        "14b125c6-0cf7-52f7-b732-5acab8bcce71",
    ),
    (
        "raw",
        "LSSTCam/raw/all",
        {"instrument": "LSSTCam", "exposure": 2025111200012, "detector": 94},
        "f90078ac-6aa8-5069-8252-fb6cc4b8fa8b",
    ),
    (
        "raw",
        "DECam/raw/é, x=1",
        {"instrument": "DECam", "exposure": -1, "detector": 0},
        "d1d8a9a5-2330-5fc4-b633-3268e70d93e4",
    ),
    ("skyMap", "skymaps", {"skymap": "hsc_rings_v1"}, "9e2d045f-9691-58b4-9f6c-7e56ac9cac42"),
    ("config", "u/me", {}, "0b2756c6-f36d-50f9-982b-83270d088270"),
    (
        "flat",
        "HSC/calib",
        {"instrument": "HSC", "physical_filter": "HSC-R", "detector": 1},
        "8b411223-0e2a-5f71-bb10-26b09253944a",
    ),
]


@pytest.mark.parametrize(("type_name", "run", "data_id", "expected"), RAWS)
def test_ids_of_raws_are_the_butlers(
    type_name: str, run: str, data_id: dict[str, object], expected: str
) -> None:
    found = raw_id(type_name, run, data_id)
    assert found == uuid.UUID(expected)
    assert found.version == 5
    assert raw_id(type_name, run, dict(reversed(data_id.items()))) == found


def test_the_grouping_level_is_no_part_of_a_raws_id(universe: Universe) -> None:
    data_id = DataId(universe.group(["exposure", "detector"]), ("HSC", 20131102, 903334, 20))
    assert raw_id("raw", "HSC/raw/all", data_id) == uuid.UUID(RAWS[0][3])
