"""`make bench` and `make bench-page`, from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from reporting import BENCHMARKS
from reporting.result import Result

from .conftest import CHECKOUT, Write

ONE = 'yield Table("{name}", ("skyfs",), (Row("hit", "µs", {{"skyfs": {figure}}}, (Target("skyfs", 2),)),))'

HANG = """import signal, tempfile
    with tempfile.TemporaryDirectory(dir={folder!r}):
        print("made", flush=True)
        signal.pause()
        yield
"""


def call(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def page(folder: Path) -> str:
    return (folder.parent / "docs" / "performance.md").read_text()


def test_the_page_is_what_the_stored_results_give() -> None:
    done = call(CHECKOUT / "benchmarks", "page.py", "--check")
    assert (done.returncode, done.stdout) == (0, "")


def test_each_program_is_run_and_has_its_text() -> None:
    folder = CHECKOUT / "benchmarks"
    assert {path.stem for path in folder.glob("*.py")} - {"run", "page"} == set(BENCHMARKS)
    assert {path.stem for path in (folder / "pages").glob("*.md")} - {"head"} == set(BENCHMARKS)


def test_one_that_fails_keeps_neither_the_others_nor_its_own_finished_tables_away(
    benchmarks: Path, write: Write
) -> None:
    write("startup", ONE.format(name="startup", figure=7.25) + '\n    raise SystemExit("no more")')
    write("cache", ONE.format(name="hit", figure=1.5))
    done = call(benchmarks, "run.py", "startup", "cache")
    assert done.returncode == 1
    last = done.stdout.splitlines()
    assert any(line.startswith("startup") and line.endswith("FAILED, status 1") for line in last)
    assert any(line.startswith("cache") and line.endswith("s") for line in last)
    kept = sorted(path.name.partition("-")[0] for path in (benchmarks / "results").iterdir())
    assert kept == ["cache", "startup"]
    text = page(benchmarks)
    assert "| hit, µs | 7.25 (≤ 2 **missed**) |" in text
    assert "| [Start](#start) | hit, µs: skyfs | 7.25 | ≤ 2 |" in text
    assert "| hit, µs | 1.5 (≤ 2 met) |" in text
    assert "failed before all was measured: SystemExit: no more" in text


def test_all_that_succeed_give_a_page_that_says_what_is_missing(benchmarks: Path, write: Write) -> None:
    write("cache", ONE.format(name="hit", figure=1.5))
    done = call(benchmarks, "run.py", "cache")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Of 1 targets 1 are met, 0 are **missed**, 0 not measured." in page(benchmarks)
    assert "**Not measured**: `make bench ONLY=startup` does." in page(benchmarks)
    assert "The disk cache (fill)" in page(benchmarks)
    assert re.search(r"== cache \(took \d+ s on \d{4}-", call(benchmarks, "run.py", "cache").stdout)


def test_quick_keeps_nothing(benchmarks: Path, write: Write) -> None:
    write("cache", ONE.format(name="hit", figure=1.5))
    done = call(benchmarks, "run.py", "cache", "--quick")
    assert done.returncode == 0
    assert "figures mean nothing" in done.stdout
    assert not list((benchmarks / "results").iterdir())
    assert not list((benchmarks.parent / "docs").iterdir())


def test_one_that_hangs_is_ended(benchmarks: Path, write: Write) -> None:
    write("cache", "import signal; signal.pause()")
    done = call(benchmarks, "run.py", "cache", "--longest", "3")
    assert done.returncode == 1
    assert "cache.py took more than 3 s" in done.stderr


def test_an_end_from_outside_ends_the_one_that_runs_and_leaves_nothing(
    benchmarks: Path, write: Write, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    write("cache", HANG.format(folder=str(scratch)))
    command = [sys.executable, str(benchmarks / "run.py"), "cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        while "made" not in runner.stdout.readline():
            assert runner.poll() is None
        assert list(scratch.iterdir())
        runner.terminate()
        # It waits for the one that it has started: both hold the pipe.
        _, told = runner.communicate(timeout=30)
    assert runner.returncode == 1
    assert told.count("ended by SIGTERM") == 2
    assert not list(scratch.iterdir())


def test_an_unknown_name_is_refused_with_those_that_there_are(benchmarks: Path) -> None:
    done = call(benchmarks, "run.py", "write")
    assert done.returncode == 2
    assert f"no benchmark write; there are {', '.join(BENCHMARKS)}" in done.stderr


def test_a_page_that_was_changed_by_hand_is_found_out(benchmarks: Path, write: Write) -> None:
    write("cache", ONE.format(name="hit", figure=1.5))
    assert call(benchmarks, "run.py", "cache").returncode == 0
    assert call(benchmarks, "page.py", "--check").returncode == 0
    target = benchmarks.parent / "docs" / "performance.md"
    target.write_text(page(benchmarks).replace("1.5", "0.5"))
    done = call(benchmarks, "page.py", "--check")
    assert done.returncode == 1
    assert "make bench-page" in done.stdout


def test_what_was_measured_is_never_left_out(benchmarks: Path, write: Write) -> None:
    write("cache", ONE.format(name="miss", figure=1.5))
    done = call(benchmarks, "run.py", "cache")
    assert done.returncode == 1
    assert "benchmarks/pages/cache.md no place for it: write <!-- table: miss -->" in done.stderr


def test_the_options_of_quick_give_way_to_those_that_are_given(benchmarks: Path, write: Write) -> None:
    write("cache", ONE.format(name="hit", figure="options.rounds"))
    for arguments, rounds in (([], 3), (["--quick"], 1), (["--quick", "--rounds", "2"], 2)):
        assert f"| hit, µs | {rounds} " in call(benchmarks, "cache.py", *arguments).stdout


def test_a_real_one_measures_and_writes_what_it_found(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    done = call(CHECKOUT / "benchmarks", "startup.py", "--quick", "--json", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    result = Result.load(file)
    assert re.fullmatch(r"[0-9a-f]{7,}(, changed)?|of no commit", result.machine.versions["skyfs"])
    (table,) = result.tables
    assert [row.what.partition(" (")[0] for row in table.rows] == [
        "import skyfs",
        "skyfs --help",
        "skyfs ls /",
    ]
    assert all(value is not None and value > 0 for row in table.rows for value in row.found.values())
    assert table.markdown() in done.stdout
    assert f"{result.benchmark}: {result.machine.words()}" in done.stdout
