"""One side of a comparison in a process of its own: ``python worker.py MODULE FOLDER [OPTION...]``.

Reads commands as JSON lines: a method and the arguments of some calls. Answers each with a line: the seconds
of each call, what was found, and how far resident memory rose.
"""

from __future__ import annotations

import gc
import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until the commands end."""
    channel, sys.stdout = sys.stdout, sys.stderr
    side: Any = importlib.import_module(sys.argv[1]).Side(Path(sys.argv[2]), *sys.argv[3:])
    for line in sys.stdin:
        command = json.loads(line)
        answers = _run(getattr(side, command["do"]), command["with"])
        print(json.dumps(answers), file=channel, flush=True)


def _run(method: Callable[..., object], calls: list[list[object]]) -> dict[str, object]:
    gc.collect()
    before = _forget_peak()
    seconds, answers = [], []
    for arguments in calls:
        begun = time.perf_counter()
        answers.append(method(*arguments))
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "answers": answers, "growth_bytes": _kib("VmHWM") * 1024 - before}


def _forget_peak() -> int:
    """Let the kernel count the peak of resident memory anew; give what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _kib("VmRSS") * 1024


def _kib(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None, name
    return int(found[1])


if __name__ == "__main__":
    main()
