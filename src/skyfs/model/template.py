"""Where a dataset's bytes lie in a store, when nothing else is said."""

from __future__ import annotations

import re
from uuid import UUID

from .dataset import DatasetRef
from .quoting import MAX_PART_BYTES, check_length, encode_name, encode_value

# No path holds `==`: a mark can never be part of another dataset's default key.
_MARK = re.compile(r"==([0-9a-f]{32})(?:\.|\Z)")


def default_key(ref: DatasetRef, extension: str, component: str | None = None) -> str:
    """Give the key that mirrors the path, in its RUN, of a dataset or of a component of it.

    Raises
    ------
    BadPath
        When a part is over 255 bytes.
    """
    run = "/".join(map(encode_name, ref.run.split("/")))
    levels = [f"/{name}={encode_value(str(value))}" for name, value in ref.data_id.levels]
    named = ref.type.name if component is None else f"{ref.type.name}.{component}"
    if component is not None and not levels:
        named = f"{named}/{ref.type.name}"
    key = f"{run}/{named}{''.join(levels)}{extension}"
    if len(key) * 4 > MAX_PART_BYTES:
        for part in key.split("/"):
            check_length(part, key)
    return key


def unique_key(ref: DatasetRef, extension: str, component: str | None = None) -> str:
    """Give a key that no other dataset has, for one that takes the place of another.

    Raises
    ------
    BadPath
        When a part of the default key is over 255 bytes.
    """
    folder, _, name = default_key(ref, extension, component).rpartition("/")
    mark = f"=={ref.id.hex}{extension}"
    # Cut to a whole number of characters, so that the part stays within what file systems hold.
    kept = name.removesuffix(extension).encode()[: MAX_PART_BYTES - len(mark)].decode(errors="ignore")
    return f"{folder}/{kept}{mark}"


def id_in_key(key: str) -> UUID | None:
    """Read the dataset's id out of a key made by `unique_key`."""
    found = _MARK.search(key.rpartition("/")[2])
    return UUID(found[1]) if found else None
