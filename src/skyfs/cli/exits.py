"""How a command ends: one line on stderr, and an exit status.

====== ==========================================================================
status meaning
====== ==========================================================================
0      done
1      not done: what was asked for is missing, taken, damaged or not allowed
2      not understood: the command line itself is at fault
130    interrupted (Ctrl-C)
141    the program that read the output is gone (``skyfs find | head``)
====== ==========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from ..errors import SkyfsError, look_for, printable

DEBUG_VARIABLE = "SKYFS_DEBUG"
FAILED, MISUSED, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

STATUS: Mapping[str, int] = {
    "skyfs": FAILED,
    "bad-path": MISUSED,
    "bad-data-id": FAILED,
    "bad-definition": FAILED,
    "bad-config": FAILED,
    "bad-content": FAILED,
    "bad-argument": MISUSED,
    "unknown-format": FAILED,
    "invalid-query": MISUSED,
    "ambiguous": FAILED,
    "conflict": FAILED,
    "not-found": FAILED,
    "no-bytes": FAILED,
    "exists": FAILED,
    "is-directory": FAILED,
    "not-directory": FAILED,
    "not-allowed": FAILED,
    "read-only": FAILED,
    "locked": FAILED,
    "store": FAILED,
    "transient": FAILED,
    "in-doubt": FAILED,
    "wrong-bytes": FAILED,
    "version": FAILED,
    "missing-package": FAILED,
    "unsupported": FAILED,
}
"""Error code → exit status."""


def explain(error: Exception) -> tuple[str, int]:
    """Give the message, one line, and the exit status of an error."""
    if isinstance(error, click.ClickException):
        return _one_line(_usage(error)), error.exit_code
    if isinstance(error, SkyfsError):
        return _one_line(str(error)), STATUS.get(error.code, FAILED)
    if isinstance(error, OSError):
        named = f": {error.filename}" if error.filename else ""
        missing = isinstance(error, FileNotFoundError) and isinstance(error.filename, str)
        todo = f" ({look_for(error.filename)})" if missing else ""
        return _one_line(f"{error.strerror or error}{named}{todo}"), FAILED
    if isinstance(error, MemoryError):
        return "out of memory", FAILED
    todo = f"a mistake in skyfs; {DEBUG_VARIABLE}=1 shows where"
    return _one_line(f"{type(error).__name__}: {error} ({todo})"), FAILED


def debugging() -> bool:
    """Tell whether tracebacks are wanted."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _usage(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text} ({context.command_path} --help)" if context is not None else text


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
