"""``skyfs check``: what it prints, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from skyfs.checking.rows import Rows

from .conftest import Command

KEY = "HSC/runs/a/metrics/instrument=HSC/day_obs=20131102/visit=903334.json"


def test_clean(sky: Path, run: Command, unchanged: None) -> None:  # noqa: ARG001 - it looks at the end
    result = run("check", "--bytes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("7 files, ")
    assert result.stderr.endswith("0 findings, 0 repaired, 0 left\n")
    assert run("check").stderr == "7 files; 0 findings, 0 repaired, 0 left\n"


def test_found_in_words_and_json(sky: Path, run: Command) -> None:
    (sky / "data" / KEY).unlink()
    (sky / "data" / "extra").write_text("x")
    result = run("check")
    assert result.exit_code == 1
    cells = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in cells] == ["missing-file", "extra-file"]
    assert [len(row) for row in cells] == [4, 4]
    assert KEY in cells[0][1]
    result = run("check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["clean"] is False
    assert [one["code"] for one in found["findings"]] == ["missing-file", "extra-file"]
    assert found["tallies"]["missing-file"] == {"found": 1, "repaired": 0}


def test_repair_from_another_repository(sky: Path, run: Command, tmp_path: Path) -> None:
    shutil.copytree(sky, tmp_path / "copy")
    (sky / "data" / KEY).unlink()
    assert run("check", "--repair").exit_code == 1
    result = run("check", "--repair", "--from", tmp_path / "copy")
    assert result.exit_code == 0
    assert "repaired: restored from repository" in result.stdout
    assert run("check", "--bytes").exit_code == 0


def test_sample_and_resume(sky: Path, run: Command) -> None:
    result = run("check", "--bytes", "--sample", "2", "--seed", "7", "--resume", "--workers", "1")
    assert result.exit_code == 0
    assert result.stderr.startswith("2 files (a sample, seed 7), ")
    assert not (sky / ".skyfs" / "check").exists()


def test_interrupted(sky: Path, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (sky / "data" / "extra").write_text("x")
    looked = Rows.run

    def interrupted(rows: Rows) -> bool:
        looked(rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "run", interrupted)
        result = run("check", "--resume")
        assert result.exit_code == 130
        assert result.stderr == "skyfs: interrupted; the same command goes on\n"
        assert run("check").stderr == ""
    assert (sky / ".skyfs" / "check" / "state.sqlite3").exists()
    assert run("check", "--resume").stdout.startswith("extra-file\t")
    assert not (sky / ".skyfs").exists()


def test_misused(sky: Path, run: Command, unchanged: None) -> None:  # noqa: ARG001 - it looks at the end
    assert "--repair" in run.fails("check", "--from", "other", status=2)
    assert "--sample" in run.fails("check", "--seed", "3", status=2)
    assert "1000, or 5%" in run.fails("check", "--sample", "many", status=2)
    assert "1 or more" in run.fails("check", "--workers", "0", status=2)
