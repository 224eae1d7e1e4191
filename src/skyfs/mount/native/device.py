"""Mounting and unmounting, as root by the system's calls, else through fusermount3."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from array import array

from ...errors import MissingPackage, StoreError
from ..serving import SUBTYPE, Serving

DEVICE = "/dev/fuse"
MAX_BYTES = 1 << 20
_MS_RDONLY, _MS_NOSUID, _MS_NODEV = 1, 2, 4
_MNT_FORCE, _MNT_DETACH = 1, 2


class Mounted:
    """A mount point, and the descriptor by which its requests come."""

    def __init__(self, folder: str, descriptor: int, *, directly: bool) -> None:
        self.folder = folder
        self.descriptor = descriptor
        self._directly = directly

    def take_away(self) -> None:
        """Unmount; when files are open, the folder is free all the same, and their readers get an error."""
        if not self._directly:
            _fusermount("-u", "-z", "-q", "--", self.folder)
        elif _libc().umount2(os.fsencode(self.folder), 0):
            _libc().umount2(os.fsencode(self.folder), _MNT_FORCE | _MNT_DETACH)

    def close(self) -> None:
        """Let go of the device."""
        os.close(self.descriptor)


def open_mount(serving: Serving, *, directly: bool | None = None) -> Mounted:
    """Mount; nothing is answered yet.

    Parameters
    ----------
    directly
        Whether to ask the kernel, which only root may; None: root does.

    Raises
    ------
    MissingPackage
        When there is no FUSE.
    StoreError
        When the kernel, or fusermount3, refuses.
    """
    if not os.path.exists(DEVICE):
        raise MissingPackage(
            "mount", f"there is no {DEVICE}", "load the kernel's module, or give it to the container"
        )
    directly = os.geteuid() == 0 if directly is None else directly
    descriptor = _mount(serving) if directly else _ask_fusermount(serving)
    return Mounted(serving.folder, descriptor, directly=directly)


def _mount(serving: Serving) -> int:
    descriptor = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    allowing = ",allow_other" if serving.allow_other else ""
    options = (
        f"fd={descriptor},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},"
        f"default_permissions,max_read={MAX_BYTES}{allowing}"
    )
    flags = _MS_NOSUID | _MS_NODEV | (0 if serving.writable else _MS_RDONLY)
    source = f"{SUBTYPE}:{serving.name}".encode()
    kind = f"fuse.{SUBTYPE}".encode()
    if _libc().mount(source, os.fsencode(serving.folder), kind, ctypes.c_ulong(flags), options.encode()):
        number = ctypes.get_errno()
        os.close(descriptor)
        raise StoreError(f"mount at {serving.folder!r}", f"the kernel says {os.strerror(number)!r}")
    return descriptor


def _ask_fusermount(serving: Serving) -> int:
    """Let fusermount3 mount; it sends the descriptor through a socket."""
    name = f"{SUBTYPE}:{serving.name}".replace("\\", "\\\\").replace(",", "\\,")
    options = [
        f"fsname={name}",
        f"subtype={SUBTYPE}",
        "rw" if serving.writable else "ro",
        "nosuid",
        "nodev",
        "default_permissions",
        f"max_read={MAX_BYTES}",
        *(["allow_other"] if serving.allow_other else []),
    ]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = _fusermount("-o", ",".join(options), "--", serving.folder, passing=theirs.fileno())
        theirs.close()
        found = array("i")
        _, control, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(found.itemsize))
    for _, _, data in control:
        found.frombytes(data)
    if not found:
        todo = "allow_other needs user_allow_other in /etc/fuse.conf" if "user_allow_other" in done else ""
        raise StoreError(f"mount at {serving.folder!r}", done or "fusermount3 gave no device", todo)
    os.set_inheritable(found[0], False)  # noqa: FBT003
    return found[0]


def _fusermount(*arguments: str, passing: int = -1) -> str:
    """Run it; give what it complains of."""
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        raise MissingPackage("mount", "there is no fusermount3", "as root: apt-get install fuse3")
    done = subprocess.run(
        [program, *arguments],
        env={**os.environ, "_FUSE_COMMFD": str(passing)},
        pass_fds=[passing] if passing >= 0 else [],
        capture_output=True,
        text=True,
        check=False,
    )
    return " ".join(done.stderr.split())


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
