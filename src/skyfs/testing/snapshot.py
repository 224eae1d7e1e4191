"""The whole state of a repository, to tell whether anything has changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import yaml

from skyfs.config.settings import CONFIG_NAME
from skyfs.config.stores import is_server


def snapshot(root: Path) -> tuple[tuple[tuple[str, bytes | None], ...], tuple[str, ...]]:
    """Give all files with their bytes, and the registry's content as SQL, or as rows of text.

    The write-ahead log and the journals of live writers are left out: they change without a change of state;
    so is the change log, which tells of the past.
    """
    files = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        kept = {".skyfs", "manifests"}.isdisjoint(path.relative_to(root).parts)
        if kept and "registry.sqlite3" not in path.name:
            files.append((name, None if path.is_dir() else path.read_bytes()))
    config = yaml.safe_load((root / CONFIG_NAME).read_text(encoding="utf-8"))
    if is_server(config.get("registry", "")):
        return tuple(files), _server_rows(config["registry"], config["schema"])
    return tuple(files), _file_rows(root / "registry.sqlite3")


def _file_rows(path: Path) -> tuple[str, ...]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return tuple(connection.iterdump())
    finally:
        connection.close()


def _server_rows(url: str, schema: str) -> tuple[str, ...]:
    from skyfs.registry.postgres.address import Address

    from .postgres_server import read_tables

    tables = read_tables(Address.parse(url, schema))
    # The count of changes is no state: a transaction that changed nothing is counted, too.
    return tuple(f"{name}: {row}" for name, rows in tables.items() if name != "skyfs_changes" for row in rows)
