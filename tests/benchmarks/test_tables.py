"""Figures as tables: how sides compare, which targets are met, and what was not measured."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from reporting.machine import Machine, disk_of
from reporting.result import Result, newest, stored
from reporting.table import Ratio, Row, Table, Target, power_of_ten, shortly

TIMES = Ratio("times", "peer", ("skyfs",))


def lines(table: Table) -> list[str]:
    return table.markdown().splitlines()


def test_a_target_is_met_or_missed_beside_its_figure() -> None:
    rows = (
        Row("put", "ms", {"skyfs": 2.0, "peer": 9.0}, (Target("times", at_least=4),)),
        Row("get", "ms", {"skyfs": 2.0, "peer": 6.0}, (Target("times", at_least=4), Target("skyfs", 2))),
    )
    assert lines(Table("t", ("skyfs", "peer"), rows, (TIMES,))) == [
        "| | skyfs | peer | times |",
        "|---|---|---|---|",
        "| put, ms | 2 | 9 | 4.5 (≥ 4 met) |",
        "| get, ms | 2 (≤ 2 met) | 6 | 3 (≥ 4 **missed**) |",
    ]


def test_what_was_not_measured_is_said_and_what_makes_no_sense_is_empty() -> None:
    rows = (
        Row("put", "ms", {"skyfs": 2.0, "peer": None}, (Target("times", at_least=4),)),
        Row("push", "ms", {"skyfs": 3.0}),
    )
    table = Table("t", ("skyfs", "peer"), rows, (TIMES,), notes=("peer: is not installed",))
    assert lines(table)[2:] == [
        "| put, ms | 2 | not measured | not measured (≥ 4) |",
        "| push, ms | 3 |  |  |",
        "",
        "- peer: is not installed",
    ]


def test_ratios_of_rates_are_turned_over() -> None:
    row = Row("writers", "puts/s", {"skyfs": 1200.0, "peer": 300.0}, inverse=True)
    assert row.ratio(TIMES) == 4


def test_a_ratio_of_which_only_the_quotient_is_known_stands_as_it_was_given() -> None:
    row = Row("put", "ms", {"skyfs": 2.0, "times": 7.0})
    assert row.ratio(TIMES) == 7
    assert lines(Table("t", ("skyfs",), (row,), (TIMES,)))[-1] == "| put, ms | 2 | 7 |"


def test_sides_down_compare_in_parentheses_and_with_the_best_of_the_others() -> None:
    found = {"plain": 100.0, "skyfs": 150.0, "rclone": 600.0, "s3fs": 300.0, "fsspec": None}
    targets = (Target("skyfs ×", 2), Target("skyfs × the best peer", 1))
    ratios = (
        Ratio("skyfs ×", "skyfs", ("plain",)),
        Ratio("rclone ×", "rclone", ("plain",)),
        Ratio("skyfs × the best peer", "skyfs", ("rclone", "s3fs", "fsspec"), judged=True),
    )
    rows = (Row("ls, ms", "", found, targets), Row("find, ms", "", found))
    table = Table("t", tuple(found), rows, ratios, "sides down")
    assert lines(table) == [
        "| | ls, ms | find, ms |",
        "|---|---|---|",
        "| plain | 100 | 100 |",
        "| skyfs | 150 (1.5 ×: ≤ 2 met; 0.5 × the best peer: ≤ 1 met) | 150 (1.5 ×) |",
        "| rclone | 600 (6 ×) | 600 (6 ×) |",
        "| s3fs | 300 | 300 |",
        "| fsspec | not measured | not measured |",
    ]


def test_what_else_is_told_comes_after_the_ratios() -> None:
    row = Row("find", "ms", {"skyfs": 1.0, "peer": 2.0, "trips": 5})
    table = Table("t", ("skyfs", "peer"), (row,), (TIMES,), also=("trips",))
    assert lines(table)[::2] == ["| | skyfs | peer | times | trips |", "| find, ms | 1 | 2 | 2 | 5 |"]


@pytest.mark.parametrize(
    ("figure", "shown"),
    [(0.07384, "0.0738"), (2.5, "2.5"), (99.96, "100"), (1234.4, "1234"), (1052134, "1 052 134"), (0, "0")],
)
def test_figures_have_three_digits_or_all_before_the_point(figure: float, shown: str) -> None:
    assert shortly(figure) == shown


def test_round_numbers_are_powers() -> None:
    assert [power_of_ten(one) for one in (10**6, 2000, 10**10)] == ["10⁶", "2000", "10¹⁰"]


# -- results -----------------------------------------------------------------------------------------------


def a_result(date: str, *tables: Table, **more: object) -> Result:
    return Result("writes", date, Machine(2, load=(0.1, 0.2, 0.3)), tables, **more)  # type: ignore[arg-type]


def a_table(name: str, figure: float) -> Table:
    return Table(name, ("skyfs",), (Row("put", "ms", {"skyfs": figure}, (Target("skyfs", 1),)),), (TIMES,))


def test_a_stored_result_is_read_as_it_was(tmp_path: Path) -> None:
    kept = a_result("2026-11-29T08:15", a_table("put", 2.125), seconds=12.5, options={"rounds": 3})
    kept.save(tmp_path / kept.file_name)
    assert [path.name for path in tmp_path.iterdir()] == ["writes-2026-11-29T0815.json"]
    assert stored(tmp_path, "writes") == [kept]
    assert stored(tmp_path, "cache") == []
    a_result("2026-11-30", a_table("put", 2.123456789)).save(tmp_path / "other.json")
    assert stored(tmp_path, "writes")[0].tables[0].rows[0].found == {"skyfs": 2.1234568}
    assert json.loads((tmp_path / kept.file_name).read_text())["tables"][0] == json.loads(
        json.dumps(asdict(kept.tables[0]))
    )


def test_each_table_is_of_the_newest_run_that_has_it(tmp_path: Path) -> None:
    runs = [
        a_result("2026-11-28", a_table("put", 1.0), a_table("bulk", 2.0)),
        a_result("2026-11-29T08:15", a_table("put", 3.0)),
        a_result("2026-11-29T09:15", a_table("put", 4.0), quick=True),
    ]
    for one in runs:
        one.save(tmp_path / one.file_name)
    found = stored(tmp_path, "writes")
    assert found == [runs[1], runs[0]]
    assert newest(found, "put") == (runs[1], runs[1].tables[0])
    assert newest(found, "bulk") == (runs[0], runs[0].tables[1])
    assert newest(found, "writers") is None


# -- the machine -------------------------------------------------------------------------------------------


def test_a_machine_in_words_says_how_busy_it_was() -> None:
    machine = Machine(2, "EPYC", 23.4, "Linux 6.18", "ext4", {"Python": "3.11"}, (0.1, 0.25, 1.0), 3.4)
    assert machine.words() == (
        "two cores (EPYC), 23 GiB of memory, Linux 6.18, ext4, Python 3.11; load average before: "
        "0.1, 0.2, 1.0; 3 % of the processors' time taken just before"
    )
    assert Machine(remark="otherwise idle").words() == "otherwise idle"


def test_this_machine_can_be_told() -> None:
    machine = Machine.now({"PostgreSQL": "16"})
    assert machine.cores
    assert machine.memory_gib
    assert machine.versions["PostgreSQL"] == "16"
    assert machine.load is not None
    assert machine.busy_percent is not None
    assert 0 <= machine.busy_percent <= 100


def test_the_disk_is_that_of_the_nearest_mount() -> None:
    mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/nvme0n1p1 /tmp/fast xfs rw 0 0\n"
    assert disk_of(Path("/home/me"), mounts) == "ext4 on a virtual disk (vda)"
    assert disk_of(Path("/tmp/x"), mounts) == "tmpfs"
    assert disk_of(Path("/tmp/fast/x"), mounts) == "xfs on an NVMe disk (nvme0n1p1)"
