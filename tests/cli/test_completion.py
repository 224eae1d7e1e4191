"""Completion in shells."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_bash_runs_the_script(run: Command, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    script = "\n".join(run.lines("completion", "bash"))
    program = tmp_path / "skyfs"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m skyfs "$@"\n')
    program.chmod(0o755)
    line = "skyfs ls /HSC/runs/a/calexp/instrument=H"
    ask = f"compopt() {{ :; }}; COMP_LINE='{line}'; COMP_POINT={len(line)}; _skyfs_completion {program}"
    done = subprocess.run(
        ["bash", "-ec", f'{script}\n{ask}\necho "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "HSC/\n"


@pytest.mark.parametrize("shell_name", ["zsh", "fish"])
def test_scripts_of_other_shells(run: Command, shell_name: str) -> None:
    assert "_SKYFS_COMPLETE" in "\n".join(run.lines("completion", shell_name))
