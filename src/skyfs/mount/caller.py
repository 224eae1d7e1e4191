"""Who asks something of a mount."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the thread (as the daemon sees its number; 0: unknown), its user and group, and its umask."""

    pid: int = 0
    uid: int = 0
    gid: int = 0
    umask: int = 0


UNKNOWN = Caller()
