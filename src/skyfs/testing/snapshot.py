"""The whole state of a repository, to tell whether anything has changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def snapshot(root: Path) -> tuple[tuple[tuple[str, bytes | None], ...], tuple[str, ...]]:
    """Give all files with their bytes, and the registry's content as SQL.

    The write-ahead log and the journals of live writers are left out: they change without a change of state.
    """
    files = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if ".skyfs" not in path.parts and "registry.sqlite3" not in path.name:
            files.append((name, None if path.is_dir() else path.read_bytes()))
    connection = sqlite3.connect(f"file:{root / 'registry.sqlite3'}?mode=ro", uri=True)
    try:
        rows = tuple(connection.iterdump())
    finally:
        connection.close()
    return tuple(files), rows
