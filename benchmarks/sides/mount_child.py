"""A mount in a process of its own, until it is unmounted.

``python mount_child.py unprivileged REPOSITORY FOLDER ENGINE`` serves a repository without CAP_SYS_ADMIN, as
for a user who is not root: through fusermount3, and with no file passed through to the kernel.
``python mount_child.py fsspec PROTOCOL OPTIONS PATH FOLDER`` is what fsspec itself offers.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable

_VERSION_3 = 0x20080522  # of the structures of capget and capset: <linux/capability.h>
_CAP_SYS_ADMIN = 1 << 21


def unprivileged(repository: str, folder: str, engine: str) -> None:
    """Serve a repository; whatever this process executes has the rights of its user again."""
    from skyfs.mount.session import MountOptions, serve

    drop_sys_admin()
    serve(repository, folder, MountOptions(engine=engine))  # type: ignore[arg-type]


def drop_sys_admin() -> None:
    """Give up CAP_SYS_ADMIN for this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # Twice: effective, permitted, inheritable.
    sets = (ctypes.c_uint32 * 6)()
    for call in (libc.capget, libc.capset):
        if call(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "the capabilities of this process")
        sets[0] &= ~_CAP_SYS_ADMIN
        sets[1] &= ~_CAP_SYS_ADMIN


def fsspec(protocol: str, options: str, path: str, folder: str) -> None:
    """Mount a filesystem of fsspec, through fusepy, or mfusepy in its place: they have the same interface."""
    if importlib.util.find_spec("fuse") is None:
        sys.modules["fuse"] = importlib.import_module("mfusepy")
    from fsspec import filesystem
    from fsspec.fuse import run

    run(filesystem(protocol, **json.loads(options)), path, folder, foreground=True, threads=False)


_KINDS: dict[str, Callable[..., None]] = {"unprivileged": unprivileged, "fsspec": fsspec}

if __name__ == "__main__":
    _KINDS[sys.argv[1]](*sys.argv[2:])
