"""Where a dataset's bytes lie in a store, when nothing else is said."""

from __future__ import annotations

import re
from uuid import UUID

from .dataset import DatasetRef
from .quoting import MAX_PART_BYTES, encode_name, encode_value

_UNIQUE = re.compile(r"~([0-9a-f]{32})(?:\.|$)")


def default_key(ref: DatasetRef, extension: str) -> str:
    """Give the key that mirrors the dataset's path in its RUN."""
    run = "/".join(map(encode_name, ref.run.split("/")))
    levels = [f"/{name}={encode_value(str(value))}" for name, value in ref.data_id.levels]
    return f"{run}/{ref.type.name}{''.join(levels)}{extension}"


def unique_key(ref: DatasetRef, extension: str) -> str:
    """Give a key that no other dataset has, for one that takes the place of another."""
    folder, _, name = default_key(ref, "").rpartition("/")
    mark = f"~{ref.id.hex}{extension}"
    # Cut to a whole number of characters, so that the part stays within what file systems hold.
    kept = name.encode()[: MAX_PART_BYTES - len(mark)].decode(errors="ignore")
    return f"{folder}/{kept}{mark}" if folder else f"{kept}{mark}"


def id_in_key(key: str) -> UUID | None:
    """Read the dataset's id out of a key made by `unique_key`."""
    found = _UNIQUE.search(key.rpartition("/")[2])
    return UUID(found[1]) if found else None
