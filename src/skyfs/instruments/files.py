"""Files that a user names: one by one, by globs, by folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from glob import glob, has_magic

from ..errors import NotFound
from .hdus import EXTENSIONS

_TODO = "name FITS files, or folders with some"

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def fits_files(given: Paths) -> list[str]:
    """Give the absolute paths of files, each once: a folder stands for the FITS files below it.

    Raises
    ------
    NotFound
        When a file is not there, a glob matches nothing, or a folder has no FITS file.
    """
    named = [given] if isinstance(given, str | os.PathLike) else list(given)
    found = {os.path.abspath(path): None for one in named for path in _expand(os.fspath(one))}
    return list(found)


def _expand(text: str) -> Iterator[str]:
    if os.path.isdir(text):
        below = list(_below(text))
        if not below:
            raise NotFound(f"no FITS file below {text!r}", todo=f"names end in {' '.join(EXTENSIONS)}")
        yield from below
    elif os.path.lexists(text):
        yield text
    elif has_magic(text):
        matching = sorted(glob(text, recursive=True))
        if not matching:
            raise NotFound(f"nothing matches {text!r}", todo=_TODO)
        for path in matching:
            yield from _expand(path)
    else:
        raise NotFound(f"no file {text!r}", todo=_TODO)


def _below(folder: str) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(above, name) for name in sorted(names) if name.lower().endswith(EXTENSIONS))
