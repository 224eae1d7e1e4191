"""The tables of docs/howto/butler.md: each row's two sides, run one after the other, give the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from .conftest import CHECKOUT, HERE

PAGE = (CHECKOUT / "docs" / "howto" / "butler.md").read_text("utf-8")
ROW = re.compile(r"^\| `(.+)` \| `(.+)` \|$", re.MULTILINE)


def rows(*, commands: bool) -> list[tuple[str, str]]:
    """Give the rows of Python, or of the command line."""
    python, shell = PAGE.split("## The command line")
    return ROW.findall(shell if commands else python)


def preludes() -> tuple[str, str]:
    """Give what the page runs before the rows: the peer's, ours."""
    theirs, ours = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return theirs, ours


def answers(python: str, texts: list[str], folder: Path) -> list[dict[str, object]]:
    """Run texts in a folder of their own."""
    folder.mkdir()
    asked = json.dumps(texts)
    command = [python, str(HERE / "page_peer.py")]
    done = subprocess.run(command, input=asked, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def differences(python: str, folder: Path) -> Iterator[str]:
    """Tell of each row that fails, or gives different things."""
    table = rows(commands=False)
    theirs, ours = preludes()
    left = answers(python, [theirs, *(row[0] for row in table)], folder / "theirs")
    right = answers(sys.executable, [ours, *(row[1] for row in table)], folder / "ours")
    names = [("prelude", "prelude"), *table]
    none: dict[str, object] = {"error": "not reached"}
    for name, one, other in zip_longest(names, left, right, fillvalue=none):
        silent = one.get("gives") is None or other.get("gives") is None
        if "error" in one or "error" in other or not (silent or one == other):
            yield f"{name}\n  {one}\n  {other}"


def test_both_columns_do_the_same(peer_python: str, tmp_path: Path) -> None:
    assert len(rows(commands=False)) > 50
    assert not list(differences(peer_python, tmp_path))


@pytest.mark.parametrize("side", ["Rubin", "skyfs"])
def test_the_commands_of_a_column_run(side: str, peer_python: str, tmp_path: Path) -> None:
    column = rows(commands=True)
    assert column
    bin_folder = Path(peer_python).parent if side == "Rubin" else Path(sys.executable).parent
    script = "set -e\n" + "\n".join(row[side == "skyfs"] for row in column)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
