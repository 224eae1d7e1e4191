"""What an engine is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

# How the kernel names the filesystem: fuse.skyfs.
SUBTYPE = "skyfs"

# native: speaks to /dev/fuse itself (Linux); libfuse: through mfusepy; auto: the first of them that works.
EngineName = Literal["auto", "native", "libfuse"]
ENGINES: tuple[str, ...] = get_args(EngineName)


@dataclass(frozen=True, slots=True)
class Serving:
    """What is mounted where.

    Attributes
    ----------
    folder
        The mount point.
    name
        Of the repository: the "device" that ``df`` shows.
    allow_other
        Whether other users may look in.
    writable
        Whether the kernel lets anything be changed.
    ready
        Called once, when requests are served, with the engine and why it is that one.
    """

    folder: str
    name: str
    allow_other: bool
    writable: bool
    ready: Callable[[str], None]
