"""Zip files whose members lie in them as they are, so that each is a range of bytes."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NoReturn

from skyfs.errors import BadArgument

# The same files always give the same bytes: a zip must have a time, this is the earliest it can say.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


def pack(members: Iterable[tuple[str, bytes]], file: BinaryIO) -> None:
    """Write members, given as path and bytes, in the order given."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for path, data in members:
            info = zipfile.ZipInfo(path, _TIME)
            info.external_attr = _MODE
            packed.writestr(info, data)


def folder_members(folder: str) -> Iterator[tuple[str, bytes]]:
    """Give the files below a local folder as members, metadata first.

    Raises
    ------
    BadArgument
        When there is something that is neither file nor folder, as a link to a folder.
    OSError
        When a file or folder cannot be read.
    """
    paths = []
    for above, folders, files in os.walk(folder, onerror=_fail):
        links = [name for name in folders if os.path.islink(os.path.join(above, name))]
        paths += [os.path.join(above, name) for name in [*files, *links]]
    named = [(os.path.relpath(path, folder).replace(os.sep, "/"), path) for path in paths]
    for name, path in sorted(named, key=lambda one: (os.path.basename(one[1]) != "zarr.json", one[0])):
        if not os.path.isfile(path):
            raise BadArgument(f"pack {folder!r}", f"{name!r} is no file")
        with open(path, "rb") as opened:
            yield name, opened.read()


def _fail(error: OSError) -> NoReturn:
    """Raise what `os.walk` would leave out."""
    raise error
