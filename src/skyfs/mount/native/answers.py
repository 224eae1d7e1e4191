"""Attributes, entries and listings as the kernel reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from struct import Struct

from .protocol import ATTR, ATTR_OUT, DIRENT, ENTRY

_NS = 1_000_000_000
_64_BITS = (1 << 64) - 1
_DAY_S = 86_400
# Answers to "there is no such file" are believed so long; somebody may just be making it.
_ABSENT_NS = 250_000_000
# Without epochs, names are believed so long.
_NAME_NS = 500_000_000


@dataclass(frozen=True, slots=True)
class Validity:
    """How long the kernel believes a name and the attributes of what it names, in seconds and nanoseconds."""

    name_s: int = 0
    name_ns: int = 0
    attr_s: int = 0
    attr_ns: int = 0


@dataclass(frozen=True, slots=True)
class Validities:
    """Those of each kind of node.

    Attributes
    ----------
    content
        A dataset: its number stands for its bytes.
    folder
        A folder of the tree.
    changing
        What may have other attributes at any time.
    """

    content: Validity
    folder: Validity
    changing: Validity = Validity()

    @classmethod
    def of(cls, *, epochs: bool) -> Validities:
        """Choose: with epochs, the kernel is told when names become untrue."""
        name = (_DAY_S, 0) if epochs else (0, _NAME_NS)
        return cls(Validity(*name, _DAY_S, 0), Validity(*name, *name))


# The root is never looked up, so that its attributes are renewed by time only.
ROOT_VALIDITY = Validity(attr_ns=_NAME_NS)

ABSENT = ENTRY.pack(0, 0, 0, 0, _ABSENT_NS, 0) + bytes(ATTR.size)


def attr(found: Mapping[str, int]) -> bytes:
    """Give attributes (times in nanoseconds) as a ``fuse_attr``."""
    return ATTR.pack(*attr_fields(found))


def attr_fields(found: Mapping[str, int]) -> tuple[int, ...]:
    """Give the fields of a ``fuse_attr``."""
    (atime, atime_ns), (mtime, mtime_ns), (ctime, ctime_ns) = (
        divmod(found[name], _NS) for name in ("st_atime", "st_mtime", "st_ctime")
    )
    return (
        found["st_ino"],
        found["st_size"],
        found["st_blocks"],
        atime & _64_BITS,
        mtime & _64_BITS,
        ctime & _64_BITS,
        atime_ns,
        mtime_ns,
        ctime_ns,
        found["st_mode"],
        found["st_nlink"],
        found["st_uid"],
        found["st_gid"],
        0,
        found["st_blksize"],
        0,
    )


def attr_out(found: Mapping[str, int], valid: Validity) -> bytes:
    """Give the answer to GETATTR and SETATTR."""
    return ATTR_OUT.pack(valid.attr_s, valid.attr_ns) + attr(found)


def entry(node: int, found: Mapping[str, int], valid: Validity) -> bytes:
    """Give the answer to LOOKUP and to all that makes a name."""
    head = ENTRY.pack(node, 0, valid.name_s, valid.attr_s, valid.name_ns, valid.attr_ns)
    return head + attr(found)


@cache
def plain_record(length: int) -> Struct:
    """Give the structure of an entry of the answer to READDIR: a ``fuse_dirent`` with a name so long."""
    return Struct(f"{DIRENT.format}{-(-length // 8) * 8}s")


@cache
def full_record(length: int) -> Struct:
    """Give that of READDIRPLUS: ``fuse_entry_out`` with its ``fuse_attr``, and a ``fuse_dirent``."""
    parts = (ENTRY.format, ATTR.format.lstrip("="), DIRENT.format.lstrip("="))
    return Struct(f"{''.join(parts)}{-(-length // 8) * 8}s")
