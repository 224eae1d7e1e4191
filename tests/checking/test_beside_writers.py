"""A check that repairs, again and again, beside processes that write, replace, tag and remove."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import skyfs
from skyfs.writing.ingester import IngestFile

from .conftest import VISITS, Place, at, codes

_ROUNDS = 6


def _write(root: Path, folder: Path, number: int) -> None:
    visit, run = VISITS[number], f"u/w{number}"
    with skyfs.open(root, writable=True) as repo:
        for turn in range(_ROUNDS):
            refs = [repo.put({"n": turn}, "metrics", run=run, **at(visit, detector)) for detector in range(2)]
            repo.tag(refs, f"u/t{number}")
            repo.put({"n": turn + 1}, "metrics", run=run, replace=True, **at(visit, 0))
            given = folder / f"{number}-{turn}.json"
            given.write_text(f'{{"n": {turn}}}')
            repo.ingest([IngestFile(given, at(visit, 2))], "metrics", run=run, mode="move")
            if turn < _ROUNDS - 1:
                repo.remove(repo.query("metrics", collections=run))


def test_nothing_of_live_writers_is_found_or_moved(place: Place, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(place.root, tmp_path, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    reports = 0
    while any(writer.is_alive() for writer in writers):
        report = place.check(digests=True, repair=True)
        assert (report.findings, report.skipped) == ((), ())
        reports += 1
    assert reports > 0
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert codes(place.check(digests=True)) == set()
    assert not [name for name in place.files() if "quarantine" in name]
    with skyfs.open(place.root) as repo:
        for number, visit in enumerate(VISITS):
            wanted: list[Any] = [_ROUNDS, _ROUNDS - 1, _ROUNDS - 1]
            for detector, value in enumerate(wanted):
                found = repo.get("metrics", collections=f"u/w{number}", **at(visit, detector))
                assert found == {"n": value}
