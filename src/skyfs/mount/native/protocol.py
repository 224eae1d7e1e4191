"""The messages of FUSE: numbers, flags and structures of ``include/uapi/linux/fuse.h``, 7.45 (Linux 6.18).

All structures are in the order of bytes of the machine, and padded by hand to eight bytes.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import IntEnum
from struct import Struct

from ..caller import Caller
from ..failures import Refusal

MAJOR = 7
# The newest version whose structures are spoken here, and the oldest kernel's that gets on with them (4.18).
MINOR = 45
OLDEST_MINOR = 27

ROOT = 1


class Opcode(IntEnum):
    """What is asked."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    SETXATTR = 21
    GETXATTR = 22
    LISTXATTR = 23
    REMOVEXATTR = 24
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42
    FALLOCATE = 43
    READDIRPLUS = 44
    RENAME2 = 45


class Init:
    """Flags of INIT."""

    ASYNC_READ = 1 << 0
    ATOMIC_O_TRUNC = 1 << 3
    BIG_WRITES = 1 << 5
    DO_READDIRPLUS = 1 << 13
    ASYNC_DIO = 1 << 15
    PARALLEL_DIROPS = 1 << 18
    MAX_PAGES = 1 << 22
    EXT = 1 << 30
    PASSTHROUGH = 1 << 37


class Opened:
    """Flags of the answer to OPEN."""

    DIRECT_IO = 1 << 0
    KEEP_CACHE = 1 << 1
    NO_FLUSH = 1 << 5
    PASSTHROUGH = 1 << 7


class Valid:
    """Which fields of SETATTR count."""

    MODE = 1 << 0
    UID = 1 << 1
    GID = 1 << 2
    SIZE = 1 << 3
    ATIME = 1 << 4
    MTIME = 1 << 5
    FH = 1 << 6
    ATIME_NOW = 1 << 7
    MTIME_NOW = 1 << 8


GETATTR_FH = 1 << 0
NOTIFY_INC_EPOCH = 8

# fuse_in_header: len opcode unique nodeid uid gid pid extlen padding
IN_HEADER = Struct("=IIQQIIIHH")
# fuse_out_header: len error unique
OUT_HEADER = Struct("=IiQ")
# fuse_init_in: major minor max_readahead flags flags2; those before 7.36 have no flags2
INIT_IN = Struct("=IIII")
INIT_FLAGS2 = Struct("=16xI")
# fuse_init_out: major minor max_readahead flags max_background congestion_threshold max_write time_gran
#                max_pages map_alignment flags2 max_stack_depth
INIT_OUT = Struct("=IIIIHHIIHHII24x")
# fuse_entry_out: nodeid generation entry_valid attr_valid entry_valid_nsec attr_valid_nsec; fuse_attr follows
ENTRY = Struct("=QQQQII")
# fuse_attr: ino size blocks atime mtime ctime atimensec mtimensec ctimensec mode nlink uid gid rdev
#            blksize flags
ATTR = Struct("=QQQQQQIIIIIIIIII")
# fuse_attr_out: attr_valid attr_valid_nsec; fuse_attr follows
ATTR_OUT = Struct("=QI4x")
# fuse_dirent: ino off namelen type; the name follows, padded to 8 bytes
DIRENT = Struct("=QQII")
FORGET_IN = Struct("=Q")
BATCH_FORGET_IN = Struct("=I4x")
FORGET_ONE = Struct("=QQ")
GETATTR_IN = Struct("=I4xQ")
# fuse_setattr_in: valid fh size lock_owner atime mtime ctime atimensec mtimensec ctimensec mode uid gid
SETATTR_IN = Struct("=I4xQQQQQQIIII4xII4x")
OPEN_IN = Struct("=II")
# fuse_open_out: fh open_flags backing_id
OPEN_OUT = Struct("=QIi")
# fuse_create_in, fuse_mknod_in, fuse_mkdir_in: their names follow
CREATE_IN = Struct("=IIII")
MKNOD_IN = Struct("=IIII")
MKDIR_IN = Struct("=II")
RENAME_IN = Struct("=Q")
RENAME2_IN = Struct("=QI4x")
LINK_IN = Struct("=Q")
# fuse_read_in and fuse_write_in: fh offset size flags lock_owner open_flags
READ_IN = Struct("=QQIIQI4x")
WRITE_OUT = Struct("=I4x")
# fuse_release_in, fuse_flush_in, fuse_fsync_in begin with fh
HANDLE_IN = Struct("=Q")
# fuse_fallocate_in: fh offset length mode
FALLOCATE_IN = Struct("=QQQI4x")
ACCESS_IN = Struct("=I4x")
# fuse_getxattr_in and fuse_setxattr_in: size flags
XATTR_IN = Struct("=II")
XATTR_OUT = Struct("=I4x")
# fuse_kstatfs: blocks bfree bavail files ffree bsize namelen frsize
STATFS_OUT = Struct("=QQQQQIII28x")
INTERRUPT_IN = Struct("=Q")


class Request:
    """One message of the kernel.

    Attributes
    ----------
    body
        What follows the header; valid until the request is answered.
    undo
        Takes back what the answer gave away (a number of an open file, a count); for when the kernel does not
        want the answer any more.
    """

    __slots__ = ("body", "gid", "node", "opcode", "pid", "uid", "undo", "unique")

    def __init__(self, message: memoryview) -> None:
        length, self.opcode, self.unique, self.node, self.uid, self.gid, self.pid, _, _ = (
            IN_HEADER.unpack_from(message)
        )
        self.body = message[IN_HEADER.size : length]
        self.undo: Callable[[], object] | None = None

    def caller(self, umask: int = 0) -> Caller:
        """Tell who asks."""
        return Caller(self.pid, self.uid, self.gid, umask)

    def name(self, start: int = 0) -> str:
        """Give the name of a file that stands in the body from there on."""
        return self.names(start, 1)[0]

    def names(self, start: int, count: int) -> list[str]:
        """Give names that stand one after another."""
        names = self.texts(start, count)
        if any("/" in name or name in ("", ".", "..") for name in names):
            raise Refusal(errno.EINVAL)
        return names

    def texts(self, start: int, count: int) -> list[str]:
        """Give what ends with a null byte each."""
        parts = bytes(self.body[start:]).split(b"\0", count)
        if len(parts) <= count:
            raise Refusal(errno.EINVAL)
        return [part.decode("utf-8", "surrogateescape") for part in parts[:count]]


def answer(unique: int, *parts: bytes | memoryview, error: int = 0) -> tuple[bytes | memoryview, ...]:
    """Give the message that answers a request, in pieces."""
    length = OUT_HEADER.size + sum(map(len, parts))
    return (OUT_HEADER.pack(length, -error, unique), *parts)
