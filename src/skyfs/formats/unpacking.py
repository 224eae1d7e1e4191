"""Bounds to what a file may become in memory: a few bytes can stand for more than any machine has."""

from __future__ import annotations

import bz2
import gzip
from typing import BinaryIO, cast

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .buffer import Buffer
from .guards import reading

# Constant images and columns shrink a thousandfold and more, so that small files may do so to any degree.
_FREE_BYTES = 1 << 29
# Of FITS by gzip, which may make 1032 of a byte.
_MOST_OF_A_PACKED_BYTE = 100
# Of chunks and columns, whose values may all be the same.
_MOST_OF_A_BYTE = 1000
_STEP_BYTES = 16 << 20


def gunzip(source: ByteSource) -> Buffer:
    """Give the bytes in a gzip file; raises BadContent when it is damaged, or would fill the memory."""
    with reading("gzip"), source.open() as packed, gzip.GzipFile(fileobj=packed) as file:
        return _all_of(cast("BinaryIO", file), source.size, "gzip")


def bunzip2(source: ByteSource) -> Buffer:
    """Give the bytes in a bzip2 file; raises BadContent as `gunzip`."""
    with reading("bzip2"), source.open() as packed, bz2.BZ2File(packed) as file:
        return _all_of(cast("BinaryIO", file), source.size, "bzip2")


def check_size(what: str, size_bytes: int, stored_bytes: int, most_of_a_byte: int = _MOST_OF_A_BYTE) -> None:
    """Raise BadContent when a value would be of a size that so few stored bytes have no business to be."""
    most = _FREE_BYTES + most_of_a_byte * stored_bytes
    if size_bytes > most:
        found = f"{stored_bytes} stored bytes would become {size_bytes}, more than {most}"
        raise BadContent(f"{what} is refused", found, "read a part of it, or store it uncompressed")


def _all_of(file: BinaryIO, stored_bytes: int, what: str) -> Buffer:
    pieces, size = [], 0
    while piece := file.read(_STEP_BYTES):
        pieces.append(piece)
        size += len(piece)
        check_size(f"the {what} file", size, stored_bytes, _MOST_OF_A_PACKED_BYTE)
    return Buffer(b"".join(pieces))
