"""What a mount on this machine tells of itself."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from .table import Mount, is_dead

# A daemon that lives answers in milliseconds; one that hangs must not hang who asks.
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a mount.

    Attributes
    ----------
    state
        ``mounted``, ``dead``, ``not answering``, or ``not yours``: who asks may not look in.
    engine
        Its name, without the reason; empty when it is not known.
    pid
        Of the process that serves it; None when it is not known.
    """

    state: str
    engine: str = ""
    pid: int | None = None


def ask(mounted: Mount, timeout_s: float = _PATIENCE_S) -> Standing:
    """Ask a mount how it is, but wait for no answer longer than ``timeout_s``."""
    answers: list[Standing] = []
    # A thread, because a read that nobody answers cannot be called off; it ends with the process.
    asking = threading.Thread(target=lambda: answers.append(_ask(mounted.folder)), daemon=True)
    asking.start()
    asking.join(timeout_s)
    return answers[0] if answers else Standing("not answering")


def _ask(folder: str) -> Standing:
    if is_dead(folder):
        return Standing("dead")
    try:
        with open(os.path.join(folder, ".repo", "status.json"), encoding="utf-8") as file:
            told = json.load(file).get("mount", {})
    except PermissionError:
        return Standing("not yours")
    except (OSError, ValueError):
        return Standing("dead" if is_dead(folder) else "mounted")
    return _read(told)


def _read(told: Mapping[str, object]) -> Standing:
    engine, pid = str(told.get("engine", "")), told.get("pid")
    name = engine.split(maxsplit=1)[0].rstrip(":,;") if engine else ""
    return Standing("mounted", name, pid if isinstance(pid, int) else None)
