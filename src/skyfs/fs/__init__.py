"""The fsspec door: a repository as a filesystem for pandas, Dask, astropy and all that takes URLs."""

from __future__ import annotations

from .system import SkyFileSystem, filesystem

__all__ = ["SkyFileSystem", "filesystem"]
