"""What the command line prints moves no cursor, however collections, records and datasets are named."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import skyfs
from skyfs.cli import main

EVIL = "e\x1b[31mv\rX\x07\u202ez\x9b31m"
SPELLED = "e%1B%5B31mv%0DX%07%E2%80%AEz%C2%9B31m"
COMMANDS = [
    ["collections"],
    ["ls", "/"],
    ["ls", "-l", f"/u/{SPELLED}/notes"],
    ["find", "/u"],
    ["info", f"/u/{SPELLED}/notes/instrument={SPELLED}.json"],
    ["query", "notes", "-c", f"u/{EVIL}"],
    ["records", "instrument"],
    ["data-ids", "instrument"],
    ["records", "side"],
    ["ls", f"/{EVIL}"],
    [EVIL],
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "sky"
    with skyfs.create(root) as repository:
        repository.create_collection(EVIL, "TAGGED", doc=EVIL)
        repository.insert("instrument", [{"name": EVIL, "class_name": EVIL}])
        repository.register("notes", ["instrument"], "Dict")
        repository.put({EVIL: EVIL}, "notes", run=f"u/{EVIL}", instrument=EVIL)
        repository.attach("side", [{"instrument": EVIL, "quality": EVIL}], on=["instrument"])
    return root


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_output_of_a_pipe(root: Path, command: list[str]) -> None:
    done = CliRunner().invoke(main, ["-r", str(root), *command])
    text = (done.output + done.stderr).replace("\n", "").replace("\t", "")
    assert text
    assert text.isprintable(), ascii(text)


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[6]], ids=" ".join)
def test_output_of_a_terminal(root: Path, command: list[str]) -> None:
    reader, writer = pty.openpty()
    program = [sys.executable, "-m", "skyfs", "-r", str(root), *command]
    with subprocess.Popen(program, stdout=writer, stderr=writer, stdin=subprocess.DEVNULL) as process:
        os.close(writer)
        shown = b""
        try:
            while data := os.read(reader, 1 << 16):
                shown += data
        except OSError:  # so Linux tells the end of a terminal
            pass
        os.close(reader)
        assert process.wait() == 0
    text = shown.decode()
    assert "e\\x1b" in text
    assert not {"\x07", "\u202e", "\x9b"} & set(text)
    assert "\x1b[31mv" not in text


def test_json_has_the_values_as_they_are(root: Path) -> None:
    done = CliRunner().invoke(main, ["-r", str(root), "collections", "--json"])
    assert EVIL in {row["name"] for row in json.loads(done.output)}
    assert done.output.replace("\n", "").isprintable()
