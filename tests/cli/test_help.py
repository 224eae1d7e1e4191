"""What helps who does not know the way: first steps, groups of commands, near names, bars on long work."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import skyfs
from skyfs.cli.app import COMMANDS, GROUPS

from .conftest import NIGHT, VISIT, Command

LEAF = f"/HSC/runs/a/calexp/instrument=HSC/day_obs={NIGHT}/visit={VISIT}"


def test_skyfs_alone_tells_the_first_steps_and_the_commands(run: Command, tmp_path: Path) -> None:
    text = "\n".join(run.lines())
    assert "skyfs init DIR" in text
    assert "Your repositories" not in text
    words = text.split()
    assert [name for name in COMMANDS if name not in words] == []
    assert all(title in text for title in GROUPS)
    assert max(map(len, text.splitlines())) < 80
    with skyfs.create(tmp_path / "mine", name="mine"):
        pass
    assert "Your repositories: mine" in run.lines()


def test_help_has_the_groups(run: Command) -> None:
    text = "\n".join(run.lines("--help"))
    assert [title for title in GROUPS if f"{title}:" not in text] == []


def test_an_unknown_command_names_the_nearest(run: Command) -> None:
    assert run.fails("shwo", status=2) == "skyfs: no command 'shwo': did you mean show? (skyfs --help)"
    assert "did you mean cp, ln?" in run.fails("mv", "a", "b", status=2)
    assert "all are listed there (skyfs --help)" in run.fails("xyzzy", status=2)


@pytest.mark.usefixtures("sky")
@pytest.mark.parametrize(
    ("command", "todo"),
    [
        (["ls", "/HSC/run"], "did you mean /HSC/runs?"),
        (["ls", "/nothing/at/all"], "in / there are HSC"),
        (["cat", f"{LEAF}/detector=7.fits"], "did you mean detector=1.fits or detector=0.fits? They are in"),
        (["cat", f"{LEAF}/detector=7.fits[1:2,1:2]"], "did you mean detector=1.fits or detector=0.fits?"),
        (["info", "/HSC/runs/a/calxp"], "did you mean /HSC/runs/a/calexp?"),
        (["ls", "/HSC/runs/*nothing*"], "in /HSC/runs there are a"),
        (["put", "/nothing/at/all.fits", "calexp", "-r", "u/x"], "No such file or directory"),
        (["put", "/nothing/at/all.fits", "calexp", "-r", "u/x"], "see what there is: ls /nothing/at"),
        (["skymap", "add", "none.yaml"], "see what there is: ls ."),
        (["instrument", "add", "to/none.yaml"], "see what there is: ls to"),
        (["import", "to/none.yaml"], "see what there is: ls to"),
        (["import", "a b/none.tar"], "see what there is: ls 'a b'"),
        (["records", "visit", "--insert", "none.csv"], "see what there is: ls ."),
        (["cp", "/none/x", "/to"], "see what there is: ls /none; or skyfs ls"),
        (["ingest-raws", "none*.fits"], "name FITS files, or folders with some"),
        (["mount", "none"], "to mount without one: skyfs mount REPO DIR"),
        (["query", "calxp"], "did you mean calexp?"),
        (["query", "xyzzy"], "there are calexp, flat, metrics, src"),
        (["query", "src", "-c", "xyzzy"], "there are HSC/calib, HSC/calib/new"),
        (["query", "calexp", "--where", "band = i"], "texts stand in quotes"),
        (["query", "calexp", "visit"], "as visit=42"),
    ],
)
def test_errors_say_what_there_is(run: Command, command: list[str], todo: str) -> None:
    status = 2 if todo.startswith(("texts", "as ")) else 1
    message = run.fails(*command, status=status)
    assert todo in message
    assert ("there are HSC" in message) == ("there are HSC" in todo)


@pytest.mark.usefixtures("sky")
def test_a_glob_that_matches_no_collection_or_type_says_so(run: Command) -> None:
    for command in ("collections", "types"):
        done = run(command, "xyzzy*")
        assert (done.exit_code, done.stdout) == (0, "")
        assert "matches xyzzy*" in done.stderr


def errors_in_terminal(code: str) -> str:
    """Run Python code whose standard error is a terminal; give what it writes there."""
    reader, writer = pty.openpty()
    program = [sys.executable, "-c", f"from skyfs.cli import main, printing\n{code}"]
    with subprocess.Popen(
        program, stdout=subprocess.DEVNULL, stderr=writer, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(writer)
        found = b""
        try:
            while chunk := os.read(reader, 1 << 16):
                found += chunk
        except OSError:  # Linux says EIO when nobody has the terminal open any more
            pass
    os.close(reader)
    assert process.returncode == 0, found
    return found.decode()


_BAR = """
with printing.bars() as shown:
    shown.add_task("copying", total=None)
    while {waits} and not shown.live.is_started:
        pass
"""


def test_long_work_shows_a_bar_and_short_work_none() -> None:
    assert "copying" in errors_in_terminal(f"printing._PATIENCE_S = 0\n{_BAR.format(waits=True)}")
    assert errors_in_terminal(f"printing._PATIENCE_S = 3600\n{_BAR.format(waits=False)}") == ""


def test_what_has_no_end_that_is_known_says_how_much_it_did() -> None:
    code = """
import threading
printing._PATIENCE_S = 0
with printing.progress("push", None) as done:
    for one in threading.enumerate():
        if isinstance(one, threading.Timer):
            one.join()
    done(2048)
    done(1024)
"""
    assert "push: 3.0 KiB" in errors_in_terminal(code)


@pytest.mark.usefixtures("sky")
def test_quiet_shows_none() -> None:
    code = """
import click
@click.command()
def wait():
    with printing.bars() as shown:
        print(shown, file=__import__("sys").stderr)
main.add_command(wait)
main.resolve_command = lambda ctx, args: ("wait", wait, args[1:])
main({arguments!r}, standalone_mode=False)
"""
    assert errors_in_terminal(code.format(arguments=["--quiet", "wait"])).strip() == "None"
    assert "Progress" in errors_in_terminal(code.format(arguments=["wait"]))
