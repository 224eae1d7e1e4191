"""Making what was written durable: all that writes files stands above this."""

from __future__ import annotations

import os


def sync_path(path: str | os.PathLike[str]) -> None:
    """Make one file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
