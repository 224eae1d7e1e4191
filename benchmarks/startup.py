"""How long a user waits before anything happens: ``import skyfs``, and the shortest commands.

The floor of an import is Python itself; that of a command is Python with SQLAlchemy, which every command that
opens a repository needs. Run it alone: figures of a busy machine say nothing.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skyfs

ROUNDS = 7


def seconds(*arguments: str) -> float:
    """Give the wall time of a Python process: the best of some."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begun)
    return min(times)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.json")
        file.write_text("{}")
        root = str(Path(folder, "sky"))
        with skyfs.create(root) as repo:
            repo.register("a", [], "Dict")
            repo.ingest([skyfs.IngestFile(file, {})], "a", run="u/x")
        cli = ("-m", "skyfs", "-r", root)
        rows = [
            ("python", seconds("-c", "pass"), None),
            ("python, import sqlalchemy", seconds("-c", "import sqlalchemy"), None),
            ("python, import skyfs", seconds("-c", "import skyfs"), 0.15),
            ("skyfs --help", seconds("-m", "skyfs", "--help"), None),
            ("skyfs ls /", seconds(*cli, "ls", "/"), 0.5),
            ("skyfs cat /u/x/a.json", seconds(*cli, "cat", "/u/x/a.json"), 0.5),
            ("skyfs find '/u/*'", seconds(*cli, "find", "/u/*"), None),
        ]
    print(
        f"{platform.python_version()}, {os.cpu_count()} cores, Linux {platform.release()}; best of {ROUNDS}"
    )
    print(f"{'what':28} {'seconds':>8} {'target':>8}")
    for what, found, target in rows:
        print(f"{what:28} {found:8.3f} {'' if target is None else f'{target:8.2f}'}")


if __name__ == "__main__":
    main()
