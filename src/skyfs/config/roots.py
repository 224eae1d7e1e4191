"""Where a repository was when files in its folder were registered in place.

Keys of such files are absolute. When the folder is found elsewhere, they are looked for there; the next who
opens it for writing corrects them.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import NotFound
from .yamlfile import read_yaml, write_yaml

_ROOT = ".skyfs/root.yaml"


def record(folder: Path) -> None:
    """Write down where a repository is, unless it is known."""
    if recorded(folder) != real(folder):
        write_yaml(folder / _ROOT, {"folder": f"/{real(folder)}"}, mode=0o644)


def recorded(folder: Path) -> str | None:
    """Give where a repository was, as keys have it; None when no file in it was registered in place."""
    try:
        return str(read_yaml(folder / _ROOT).get("folder"))[1:]
    except NotFound:
        return None


def real(folder: Path) -> str:
    """Give where a repository is, as keys have it."""
    return os.path.realpath(folder)[1:]
