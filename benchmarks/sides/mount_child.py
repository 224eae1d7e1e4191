"""A mount in a process of its own, until it is unmounted.

``python mount_child.py asking REPOSITORY FOLDER`` serves a repository by the native engine as it does for
a user who is not root: no file is passed through to the kernel, which asks for each piece.
``python mount_child.py fsspec PROTOCOL OPTIONS PATH FOLDER`` is what fsspec itself offers.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from functools import partial


def asking(repository: str, folder: str) -> None:
    """Serve a repository."""
    from skyfs.mount import native
    from skyfs.mount.native.session import Abilities
    from skyfs.mount.session import MountOptions, serve

    native.serve = partial(native.serve, abilities=Abilities(passthrough=False))
    serve(repository, folder, MountOptions(engine="native"))


def fsspec(protocol: str, options: str, path: str, folder: str) -> None:
    """Mount a filesystem of fsspec, through fusepy, or mfusepy in its place: they have the same interface."""
    if importlib.util.find_spec("fuse") is None:
        sys.modules["fuse"] = importlib.import_module("mfusepy")
    from fsspec import filesystem
    from fsspec.fuse import run

    run(filesystem(protocol, **json.loads(options)), path, folder, foreground=True, threads=False)


_KINDS: dict[str, Callable[..., None]] = {"asking": asking, "fsspec": fsspec}

if __name__ == "__main__":
    _KINDS[sys.argv[1]](*sys.argv[2:])
