"""Completion in shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skyfs
from skyfs.cli import main
from skyfs.cli.completing import WholeWords

from .conftest import Command, Shell

pytestmark = pytest.mark.usefixtures("sky")


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("skyfs col", ["collections"]),
        ("skyfs ls /HSC/r", ["/HSC/runs/"]),
        ("skyfs ls :/HSC/r", ["/HSC/runs/"]),
        ("skyfs cat /HSC/runs/a/calexp/instrument=H", ["HSC/"]),
        ("skyfs cat /HSC/runs/a/metrics/instrument=HSC/day_obs=20131102/visit=", ["903334.json"]),
        ("skyfs ls /none/", []),
    ],
)
def test_bash_gets_what_follows_the_last_break(shell: Shell, line: str, answers: list[str]) -> None:
    variables = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_WORDBREAKS": " \t\n\"'><=;|&(:"}
    done = shell(_SKYFS_COMPLETE="bash_complete", **variables)
    assert done.stdout.decode().split() == [f"plain,{answer}" for answer in answers]


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("skyfs query ca", ["calexp"]),
        ("skyfs query calexp,s", ["calexp,src"]),
        ("skyfs query calexp -c HSC/r", ["HSC/runs/a"]),
        ("skyfs query calexp --collections HSC/runs/a,HSC/d", ["HSC/runs/a,HSC/defaults"]),
        ("skyfs query calexp det", ["detector="]),
        ("skyfs query calexp visit=1 v", []),
        ("skyfs query flat ", ["instrument=", "detector=", "physical_filter=", "band="]),
        ("skyfs query calexp detector=", ["0", "1", "2"]),
        ("skyfs query calexp instrument=HSC detector=2", ["2"]),
        ("skyfs query calexp instrument=None detector=", []),
        ("skyfs query calexp physical_filter=H", ["HSC-I"]),
        ("skyfs query calexp tract=", []),
        ("skyfs data-ids visit dete", ["detector"]),
        ("skyfs data-ids visit visit=", ["903334"]),
        ("skyfs records phys", ["physical_filter"]),
        ("skyfs records detector ra", ["raft="]),
        ("skyfs records detector detector=", ["0", "1", "2"]),
        ("skyfs records nothing x", []),
        ("skyfs cat --as fits.", ["fits.bz2", "fits.fz", "fits.gz"]),
        ("skyfs get x --as .par", [".parquet"]),
    ],
)
def test_names_and_values(monkeypatch: pytest.MonkeyPatch, line: str, answers: list[str]) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    monkeypatch.setenv("COMP_WORDBREAKS", "=:")
    found = WholeWords(main, {}, "skyfs", "_SKYFS_COMPLETE").complete()
    assert found.split() == [f"plain,{answer}" for answer in answers]


def test_bash_runs_the_script(run: Command, sky: Path, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    with skyfs.open(sky, writable=True) as repo:
        repo.insert("physical_filter", [{"instrument": "HSC", "name": "i wide 9.0", "band": "i"}])
    script = "\n".join(run.lines("completion", "bash"))
    program = tmp_path / "skyfs"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m skyfs "$@"\n')
    program.chmod(0o755)
    for line, answer in (
        ("skyfs ls /HSC/runs/a/calexp/instrument=H", "nospace HSC/"),
        ("skyfs query calexp det", "nospace detector="),
        ("skyfs query calexp detector=2", "2"),
        ("skyfs query calexp physical_filter=i", "i\\ wide\\ 9.0"),
    ):
        ask = f"compopt() {{ printf 'nospace '; }}; COMP_LINE='{line}'; COMP_POINT={len(line)}"
        done = subprocess.run(
            ["bash", "-ec", f'{script}\n{ask}; _skyfs_completion {program}\necho "${{COMPREPLY[@]}}"'],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"{answer}\n"


@pytest.mark.parametrize("shell_name", ["zsh", "fish"])
def test_scripts_of_other_shells(run: Command, shell_name: str) -> None:
    assert "_SKYFS_COMPLETE" in "\n".join(run.lines("completion", shell_name))
