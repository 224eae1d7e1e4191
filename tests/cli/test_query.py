"""``query``, ``data-ids`` and ``records``, and paths below ``/.where``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import skyfs

from .conftest import NIGHT, VISIT, Command, Shell

pytestmark = pytest.mark.usefixtures("sky")

WHERE = "visit.timespan.begin < T'2020-01-01'"
HEADER = "dataset_type\tinstrument\tvisit\tdetector\trun\tid"


def cells(lines: list[str], *columns: int) -> list[tuple[str, ...]]:
    return [tuple(line.split("\t")[column] for column in columns) for line in lines]


def test_rows(run: Command) -> None:
    header, *rows = run.lines("query", "calexp,src", "-c", "HSC/runs/a", "--where", WHERE, "detector=1")
    assert header == HEADER
    assert cells(rows, 0, 2, 3, 4) == [
        ("calexp", str(VISIT), "1", "HSC/runs/a"),
        ("src", str(VISIT), "1", "HSC/runs/a"),
    ]


def test_all_collections_unless_told(run: Command) -> None:
    assert run.lines("query", "flat", "--count") == ["2"]
    assert run.lines("query", "flat", "-c", "HSC/calib/*", "--all", "--count") == ["2"]
    assert run.lines("query", "flat", "-c", "HSC/calib/old,HSC/calib/new", "--count") == ["1"]
    assert run.lines("query", "flat", "-c", "HSC/calib/old", "-c", "HSC/calib/new", "--all", "--count") == [
        "2"
    ]
    assert run.lines("query", "flat", "-c", "HSC/runs/a") == [
        "dataset_type\tinstrument\tdetector\tphysical_filter\trun\tid"
    ]


def test_json_is_an_object_a_line(run: Command) -> None:
    rows = [json.loads(line) for line in run.lines("query", "src", "-c", "HSC/runs/a", "--json")]
    assert [(row["dataset_type"], row["visit"], row["detector"]) for row in rows] == [
        ("src", VISIT, 0),
        ("src", VISIT, 1),
    ]
    assert list(rows[0]) == HEADER.split("\t")


def test_paths_can_be_read_back(run: Command) -> None:
    paths = run.lines("query", "metrics", "--paths")
    assert paths == [f"/HSC/runs/a/metrics/instrument=HSC/day_obs={NIGHT}/visit={VISIT}.json"]
    assert json.loads("\n".join(run.lines("cat", *paths)))["n"] == 3


def test_order_limit_and_bound_values(run: Command) -> None:
    rows = run.lines("query", "src", "--order-by", "-detector", "--limit", "1")
    assert cells(rows[1:], 3) == [("1",)]
    asked = ["query", "src", "-c", "HSC/runs/a", "--count"]
    assert run.lines(*asked, "--where", "detector IN :d", "--bind", "d=1", "--bind", "d=5") == ["1"]
    assert run.lines(*asked, "--where", "detector.full_name = :n", "--bind", "n=1_0") == ["1"]
    assert run.lines(*asked, "--where", "detector.full_name = :n", "--bind", "n='1'") == ["0"]


def test_exclude(run: Command, tmp_path: Path) -> None:
    listed = tmp_path / "done.txt"
    listed.write_text("# done\n" + run.lines("query", "src", "--paths")[0] + "\n")
    rows = run.lines("query", "src", "-c", "HSC/runs/a", "--exclude", listed)
    assert cells(rows[1:], 3) == [("1",)]


def test_explain(run: Command) -> None:
    (line,) = run.lines("query", "src", "--where", "detector = 2", "--explain")
    assert line == "nothing has detector = 2"


def test_data_ids(run: Command) -> None:
    assert run.lines("data-ids", "visit", "detector", "detector=2") == [
        "instrument\tvisit\tdetector",
        f"HSC\t{VISIT}\t2",
    ]
    assert run.lines("data-ids", "detector", "--where", "detector.full_name = '1_1'", "--json") == [
        '{"instrument": "HSC", "detector": 1}'
    ]
    assert run.lines("data-ids", "detector", "--count") == ["3"]


def test_records(run: Command) -> None:
    header, *rows = run.lines("records", "detector", "--where", "detector > 0", "--order-by", "-detector")
    assert header.split("\t")[:2] == ["instrument", "id"]
    assert cells(rows, 1) == [("2",), ("1",)]
    assert run.lines("records", "detector", "--count") == ["3"]
    text = run.lines("records", "detector", "--json")
    assert [one["id"] for one in json.loads("\n".join(text))] == [0, 1, 2]
    assert len(text) == 5
    assert run.json("records", "detector", "id=7", "--json") == []
    assert run.lines("records", "visit", "--explain", "id=7") == ["nothing has visit.id = 7"]


def test_a_person_sees_a_table(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyfs.cli.printing.to_person", lambda: True)
    monkeypatch.setattr("skyfs.cli.querying.to_person", lambda: True)
    lines = [line for line in run.lines("data-ids", "detector", "detector=2") if line.strip()]
    assert lines[0].split() == ["instrument", "detector"]
    assert set(lines[1].strip()) == {"─"}
    assert lines[2].split() == ["HSC", "2"]
    monkeypatch.setattr("skyfs.cli.querying._TABLE_ROWS", 2)
    result = run("data-ids", "detector")
    assert len(result.stdout.split()) == 2 + 2 * 2 + 1
    assert "The first 2 are shown" in result.stderr


def test_rows_come_as_they_are_found(sky: Path) -> None:
    with skyfs.open(sky, writable=True) as repo:
        repo.insert("detector", [{"instrument": "HSC", "id": n} for n in range(100, 30_000)])
    command = [sys.executable, "-m", "skyfs", "data-ids", "detector", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["detector"] == 0
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


FAILURES = {
    "no name": (
        ["query", "src", "--where", "visit.exposure_tim > 3"],
        2,
        "character 1, '-->visit.exposure_tim",
    ),
    "no end": (["query", "src", "--where", "visit > "], 2, "character 9, 'visit > -->'"),
    "kinds": (["query", "src", "--where", "visit > 'a'"], 2, "cannot be compared"),
    "unbound": (["query", "src", "--where", "visit = :v"], 2, ":v"),
    "bound only": (["query", "src", "--bind", "v=1"], 2, "where"),
    "bad bind": (["query", "src", "--where", "visit = :v", "--bind", "v"], 2, "KEY=VALUE"),
    "no type": (["query", "sorce"], 1, "did you mean src"),
    "no glob": (["query", "x*"], 1, "calexp"),
    "no collection": (["query", "src", "-c", "HSC/run/a"], 1, "HSC/runs/a"),
    "no dimension": (["query", "src", "detectr=1"], 1, "did you mean detector"),
    "no value": (["query", "src", "detector=a"], 1, "whole number"),
    "an option": (["query", "src", "where=a"], 2, "--where"),
    "no file": (["query", "src", "--exclude", "none.txt"], 2, "none.txt"),
    "two answers": (["query", "src", "--count", "--json"], 2, "--count and --json"),
    "two answers of query": (["query", "src", "--paths", "--count"], 2, "--paths and --count"),
    "no order": (["query", "src", "--order-by", "nothing"], 2, "nothing"),
    "bad limit": (["query", "src", "--limit", "-1"], 2, "-1"),
    "no dimensions": (["data-ids", "band=i"], 2, "visit detector"),
    "wrong dimension": (["data-ids", "vist"], 1, "visit"),
    "no data ID": (["data-ids", "visit", "--where", "vist = 1"], 2, "-->vist = 1"),
    "records": (["records", "visit", "--where", "vist = 1"], 2, "-->vist = 1"),
    "records and file": (["records", "visit", "--count", "--insert", "x.csv"], 2, "--insert"),
    "where": (["ls", "/.where/vist = 1/HSC"], 2, "character 1, '-->vist = 1'"),
    "nothing": (["ls", "/.where/detector = 2/HSC/runs/a/src"], 1, "nothing there matches"),
}


@pytest.mark.parametrize(("arguments", "status", "part"), FAILURES.values(), ids=FAILURES)
def test_failures(run: Command, arguments: list[str], status: int, part: str) -> None:
    assert part in run.fails(*arguments, status=status)


def test_paths_below_where(run: Command) -> None:
    top = "/.where/detector = 1 AND visit > 0"
    below = f"instrument=HSC/day_obs={NIGHT}/visit={VISIT}"
    assert run.lines("ls", f"{top}/HSC/runs/a") == ["calexp/", "metrics/", "src/"]
    assert run.lines("ls", f"{top}/HSC/runs/a/calexp/{below}") == ["detector=1.fits"]
    found = run.lines("find", f"{top}/HSC/runs/a/src")
    assert found == [f"/.where/detector %3D 1 AND visit > 0/HSC/runs/a/src/{below}/detector=1.parquet"]
    assert run("cat", found[0]).stdout_bytes[:4] == b"PAR1"


def test_records_as_files(run: Command) -> None:
    header, *rows = run.lines("cat", "/.records/detector.csv")
    assert header.startswith('"instrument","id","full_name"')
    assert len(rows) == 3


def test_the_command_is_loaded_when_called(shell: Shell) -> None:
    assert shell("query", "--help").stdout.startswith(b"Usage: skyfs query [OPTIONS] TYPE")
    assert b"data-ids" in shell("--help").stdout
