"""Filesystems of other machines, on which SQLite must not write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

# The kernel's names for them; those of FUSE carry the program's name. Cluster filesystems are here too: their
# locks may hold between machines, shared memory does not.
_KINDS = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "gfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "pvfs2"),
        *("smb3", "smbfs", "virtiofs"),
        *("fuse.ceph", "fuse.ceph-fuse", "fuse.cvmfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys"),
        *("fuse.juicefs", "fuse.mount-s3", "fuse.mountpoint-s3", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    }
)
_MOUNTS = Path("/proc/self/mountinfo")


def network_filesystem(path: Path, mounts: Path = _MOUNTS) -> str:
    """Name the filesystem of another machine that a folder or file lies on; empty for a local one.

    Parameters
    ----------
    mounts
        What the kernel says is mounted (proc_pid_mountinfo(5)).
    """
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for found, kind in _mounted(mounts):
        if found == wanted and kind in _KINDS:
            return kind
    return ""


def _mounted(mounts: Path) -> Iterator[tuple[str, str]]:
    """Give device and kind of all that is mounted; nothing where the kernel does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        found = re.match(r"\S+ \S+ (\d+:\d+) .* - (\S+) ", line)
        if found:
            yield found[1], found[2]
