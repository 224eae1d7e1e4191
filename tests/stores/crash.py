"""Processes that die at a chosen system call."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable

STEPS = [
    *("close", "fdatasync", "fsync", "ftruncate", "link", "listdir", "lstat", "mkdir", "open"),
    *("pwrite", "readlink", "rmdir", "stat", "symlink", "unlink", "utime", "write"),
]
"""The functions of ``os`` before which a process may die: all by which a store touches the disk."""


def run_child(work: Callable[[], None]) -> int:
    """Run in a forked child; give its wait status (a signal, or 0 when all was done)."""
    return os.waitpid(start_child(work), 0)[1]


def start_child(work: Callable[[], None]) -> int:
    """Begin to run in a forked child; give its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - shown, then told by the exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def die_at(step: int) -> None:
    """Let this process kill itself before its ``step``-th system call; a write is torn in the middle."""
    count = 0

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == step:
                if name == "write":
                    data = memoryview(args[1])  # type: ignore[arg-type]
                    real(args[0], data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        setattr(os, name, call)

    for name in STEPS:
        wrap(name)


def killed(status: int) -> bool:
    """Tell whether a child was killed; one that failed by itself is an error of the test."""
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed: see its traceback"
    return os.WIFSIGNALED(status)
