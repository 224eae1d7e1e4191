"""What `stat` shows of nodes and of files that are being written."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ..tree import Listed, Node
from .written import Written

_BLOCK = 512  # of st_blocks, whatever the block size is
_PREFERRED_BLOCK = 1 << 17  # FUSE's reads are of this many bytes unless read-ahead is raised


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom all files belong, and what its folder permits to whom: no mount widens that."""

    uid: int
    gid: int
    mask: int

    @classmethod
    def of(cls, root: str | os.PathLike[str]) -> Owner:
        """Take them from a folder."""
        found = os.stat(root)
        return cls(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode) & 0o777)


class Attributes:
    """Makes the attributes of files and folders: times in nanoseconds.

    Parameters
    ----------
    owner
        To whom they belong.
    writable
        Whether datasets look as if they could be written to: `rm` and editors ask before they touch others.
    """

    def __init__(self, owner: Owner, *, writable: bool) -> None:
        self._owner = owner
        self._file = stat.S_IFREG | (0o644 if writable else 0o444) & owner.mask
        self._folder = stat.S_IFDIR | (0o755 if writable else 0o555) & owner.mask

    def mode(self, node: Node | Listed) -> int:
        """Give kind and permissions of a node, or of an entry of a listing."""
        return self._folder if node.is_dir else self._file

    def of(self, node: Node | Listed) -> dict[str, int]:
        """Give the attributes of a node, or of an entry of a listing whose size is known."""
        return {
            "st_mode": self.mode(node),
            "st_ino": node.inode,
            "st_nlink": 2 if node.is_dir else 1,
            "st_uid": self._owner.uid,
            "st_gid": self._owner.gid,
            "st_size": node.size,
            "st_blocks": -(-node.size // _BLOCK),
            "st_blksize": _PREFERRED_BLOCK,
            "st_atime": node.mtime_ns,
            "st_mtime": node.mtime_ns,
            "st_ctime": node.mtime_ns,
        }

    def of_written(self, written: Written) -> dict[str, int]:
        """Give the attributes of a file that is being written."""
        state = written.state()
        return {
            "st_mode": stat.S_IFREG | written.mode,
            "st_ino": written.inode,
            "st_nlink": 0 if written.path is None else 1,
            "st_uid": written.uid,
            "st_gid": written.gid,
            "st_size": state.size,
            "st_blocks": state.blocks,
            "st_blksize": _PREFERRED_BLOCK,
            "st_atime": state.mtime_ns,
            "st_mtime": state.mtime_ns,
            "st_ctime": state.mtime_ns,
        }
