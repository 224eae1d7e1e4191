"""A side of a comparison in a process of its own, which `worker.py` is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent


class Process:
    """One side, in a process of its own."""

    def __init__(self, python: str, side: str, folder: Path, *options: str) -> None:
        source = str(HERE.parents[1] / "src")
        self._python, self._side, self._folder, self._options = python, side, folder, options
        self._process = subprocess.Popen(
            [python, str(HERE / "worker.py"), side, str(folder), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"}
            | ({"PYTHONPATH": source} if side.endswith("ours") else {}),
        )

    def again(self) -> Process:
        """Start another process of the same side, in the same folder."""
        return Process(self._python, self._side, self._folder, *self._options)

    def ask(self, do: str, calls: Sequence[Sequence[object]]) -> Any:  # noqa: ANN401 - JSON
        """Call a method of the side some times; give the answers, and the seconds that each took."""
        self.tell(do, calls)
        return self.answer(do)

    def tell(self, do: str, calls: Sequence[Sequence[object]]) -> None:
        """Begin what `ask` does."""
        assert self._process.stdin is not None
        print(json.dumps({"do": do, "with": calls}), file=self._process.stdin, flush=True)

    def answer(self, do: str) -> Any:  # noqa: ANN401 - JSON
        """Wait for what `tell` began."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{do}: the process ended with status {self._process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
