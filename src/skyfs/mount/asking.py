"""What a mount on this machine tells of itself, asked by a process that may hang."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from dataclasses import dataclass

# A daemon that lives answers in milliseconds; one that hangs must not hang who asks.
_PATIENCE_S = 3.0
_DYING_S = 2.0
# Exit statuses are errnos above this, so that they are not taken for those of Python.
_ABOVE = 100
_LOOK = f"""
import os, sys
try:
    os.statvfs(sys.argv[1])
    with open(os.path.join(sys.argv[1], ".repo", "status.json"), "rb") as file:
        sys.stdout.buffer.write(file.read())
except OSError as error:
    sys.exit({_ABOVE} + error.errno)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a mount.

    Attributes
    ----------
    state
        ``mounted``, ``dead`` ("transport endpoint is not connected"), ``not answering``, or ``not yours``:
        who asks may not look in.
    engine
        Its name, without the reason; empty when it is not known.
    pid
        Of the process that serves it; None when it is not known.
    """

    state: str
    engine: str = ""
    pid: int | None = None


def ask(folder: str, timeout_s: float = _PATIENCE_S) -> Standing:
    """Ask the mount at a folder how it is, but wait for no answer longer than ``timeout_s``."""
    status, answer = _answer(folder, timeout_s)
    if status is None:
        return Standing("not answering")
    if status - _ABOVE in (errno.ENOTCONN, errno.ECONNABORTED):
        return Standing("dead")
    if status - _ABOVE in (errno.EACCES, errno.EPERM):
        return Standing("not yours")
    try:
        told = json.loads(answer).get("mount", {})
    except ValueError:
        return Standing("mounted")
    engine, pid = str(told.get("engine", "")), told.get("pid")
    name = engine.split(maxsplit=1)[0].rstrip(":,;") if engine else ""
    return Standing("mounted", name, pid if isinstance(pid, int) else None)


def _answer(folder: str, timeout_s: float) -> tuple[int | None, bytes]:
    """Give exit status and output of a process that looks; no status when it does not come back."""
    command = [sys.executable, "-I", "-S", "-c", _LOOK, folder]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/")
    try:
        answer, _ = asking.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _abandon(asking)
        return None, b""
    return asking.returncode, answer


def _abandon(asking: subprocess.Popen[bytes]) -> None:
    """Kill a process that waits for a mount; the kernel may let it die only when the daemon answers."""
    asking.kill()
    if asking.stdout is not None:
        asking.stdout.close()
    try:
        # As long as it looks there, the mount is in use: on a busy machine it takes its time to die.
        asking.wait(_DYING_S)
    except subprocess.TimeoutExpired:
        asking.returncode = -signal.SIGKILL  # whoever ends first: nobody waits for it any more
