"""Where a dataset's bytes lie in a store, when nothing else is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
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


def file_key(refs: Sequence[DatasetRef], name: str, extension: str, mark: UUID | None = None) -> str:
    """Give the key of a file of many datasets: its name, in the folder of what they have in common.

    No dataset has such a key by itself: a folder named by a level holds nothing but levels, and a file
    without levels gets the mark, which no path has. With a ``mark`` no other file has the key either.

    Parameters
    ----------
    refs
        What lies in it, all of one RUN.
    name
        The name that the file has now; of it stays what keys can hold.

    Raises
    ------
    BadPath
        When a part of the folder is over 255 bytes.
    """
    first, *_ = refs
    # The last level is left out, so that no folder has the name that a dataset's file may have.
    each = zip(*[ref.data_id.levels[:-1] for ref in refs], strict=False)
    levels = [same[0] for same in takewhile(lambda found: len(set(found)) == 1, each)]
    named = [f"{name}={encode_value(str(value))}" for name, value in levels]
    folders = [*map(encode_name, first.run.split("/")), first.type.name, *named]
    for part in folders:
        check_length(part, "/".join(folders))
    stem = name[: -len(extension)] if extension and name.lower().endswith(extension) else name
    # What no text can hold (names of files are bytes) is replaced.
    text = encode_value(stem.encode(errors="replace").decode())
    end = f"=={(mark or first.id).hex}{extension}" if mark or not levels else extension
    kept = text.encode()[: MAX_PART_BYTES - len(end)].decode(errors="ignore")
    return f"{'/'.join(folders)}/{kept or first.type.name}{end}"


def id_in_key(key: str) -> UUID | None:
    """Read the dataset's id out of a key made by `unique_key`."""
    found = _MARK.search(key.rpartition("/")[2])
    return UUID(found[1]) if found else None
