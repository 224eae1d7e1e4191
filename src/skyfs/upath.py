"""Paths of a repository as `pathlib` has them: ``UPath("skyfs://NAME/...")``."""

from __future__ import annotations

import fsspec
from upath import UPath

# universal_pathlib asks fsspec for the class when it makes a path.
fsspec.get_filesystem_class("skyfs")


class SkyPath(UPath):
    """A path of a repository."""

    __slots__ = ()
