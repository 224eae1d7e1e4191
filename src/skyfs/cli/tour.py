"""A tour: commands that are printed, run as printed, and whose output is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import click

_SHOWN_LINES = 14
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Step:
    """One stop of the tour.

    Attributes
    ----------
    text
        What the visitor is about to see.
    command
        Lines for the shell, or of Python; the first that fails ends the step.
    python
        Which of the two it is.
    """

    text: str
    command: str
    python: bool = False


class Tour:
    """Runs steps in a folder, in a shell that finds this very skyfs.

    Attributes
    ----------
    failures
        How many steps have failed.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.failures = 0
        self._folder = folder
        self._programs = TemporaryDirectory(prefix="skyfs-demo-")
        path = f"{self._programs.name}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self._environment = {**os.environ, **variables, "PATH": path}

    def __enter__(self) -> Self:
        # Whatever PATH holds, `skyfs` and `python` of the printed lines are those that run now.
        for name, arguments in (("skyfs", " -m skyfs"), ("python", "")):
            program = Path(self._programs.name, name)
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._programs.cleanup()

    def show(self, step: Step) -> None:
        """Print a step and run it; each shell command has its output below it. A failure ends the step."""
        click.secho(f"\n{step.text}", bold=True)
        lines = step.command.splitlines()
        if step.python:
            for line in lines:
                click.secho(f">>> {line}", fg="cyan")
            passed = self._run(["python", "-c", step.command])
        else:
            passed = all(self._shell(line) for line in lines)
        self.failures += not passed

    def _shell(self, line: str) -> bool:
        click.secho(f"$ {line}", fg="cyan")
        return self._run(["sh", "-c", line])

    def _run(self, command: Sequence[str]) -> bool:
        sys.stdout.flush()
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
        _print(done.stdout.decode(errors="replace"))
        if done.returncode:
            click.secho(f"(this ended with status {done.returncode})", fg="red")
        return done.returncode == 0


def _print(output: str) -> None:
    lines = output.splitlines()
    kept = lines if len(lines) <= _SHOWN_LINES + 2 else lines[:_SHOWN_LINES]
    for line in kept:
        click.echo(f"  {line}")
    if len(kept) < len(lines):
        click.echo(f"  ... ({len(lines) - len(kept)} more lines)")
