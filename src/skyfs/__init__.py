"""skyfs: a repository of scientific datasets as a filesystem.

::

    repo = skyfs.open("sky")  # by name, or by folder
    repo.get("calexp", collections="HSC/runs/RC2", instrument="HSC", visit=903334, detector=20)
    fs = skyfs.filesystem(repo)  # = fsspec.filesystem("skyfs", repo=repo)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from . import errors

if TYPE_CHECKING:
    from .assemble import create
    from .assemble import open_repository as open
    from .fs import filesystem
    from .lifecycle.deriving import merge, subset
    from .lifecycle.destroying import destroy
    from .lifecycle.relocating import relocate
    from .model.timespan import Timespan
    from .repository import Repository
    from .writing.ingester import IngestFile

__version__ = "0.1.0"

__all__ = [
    "IngestFile",
    "Repository",
    "Timespan",
    "create",
    "destroy",
    "errors",
    "filesystem",
    "merge",
    "open",
    "relocate",
    "subset",
]

# Loaded when first used: SQL and formats take longer to import than a path takes to open.
_HOMES = {
    "create": ("assemble", "create"),
    "destroy": ("lifecycle.destroying", "destroy"),
    "open": ("assemble", "open_repository"),
    "filesystem": ("fs", "filesystem"),
    "merge": ("lifecycle.deriving", "merge"),
    "relocate": ("lifecycle.relocating", "relocate"),
    "subset": ("lifecycle.deriving", "subset"),
    "IngestFile": ("writing.ingester", "IngestFile"),
    "Timespan": ("model.timespan", "Timespan"),
    "Repository": ("repository", "Repository"),
    "load_ipython_extension": ("ipython", "install"),  # `%load_ext skyfs`
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = globals()[name] = getattr(import_module(f".{module}", __name__), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
