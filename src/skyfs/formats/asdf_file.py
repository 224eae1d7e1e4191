"""The bytes of ASDF files, looked at before the library sees them (ASDF standard 1.6).

An ASDF file may name other files (external arrays, ``$ref``), and libraries open them: such files are
refused. So are trees that aliases blow up, arrays larger than the bytes that are there, and cut files. What
tags mean is decided by the extensions that are installed, never by a class that the file names.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skyfs.abc.source import ByteSource
from skyfs.config.yamlfile import LOADER, refuse_bomb
from skyfs.errors import BadContent

from .guards import reading
from .text import decode_text

_MAGIC = b"#ASDF "
_TREE_END = (b"\n...\n", b"\n...\r\n")
_BLOCK = b"\xd3BLK"
_INDEX = b"#ASDF BLOCK INDEX"
# Flags, compression, allocated, used and data size, checksum: section 4.2 of the standard.
_HEADER = struct.Struct(">I4sQQQ16s")
_STREAMED = 1
_FREE_BYTES = 64 << 20
# What a byte may become at most: deflate 1032, bzip2 some 46 000, lz4 255.
_MOST_OF_A_BYTE = {b"\0\0\0\0": 1, b"zlib": 1100, b"bzp2": 50_000, b"lz4\0": 300}
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Blocks:
    """How many blocks there are, and the bytes that they hold when decompressed."""

    count: int
    data_bytes: int


def check_asdf(source: ByteSource) -> None:
    """Check the tree and that every block is complete; reads the tree and headers of blocks.

    Raises
    ------
    BadContent
        When the file is cut or damaged, or is refused for what it would do.
    """
    text, end = _tree_text(source)
    blocks = _blocks(source, end)
    if not text.strip():
        raise BadContent("cannot read as ASDF", "there is no tree")
    with reading("ASDF"):
        refuse_bomb(text)
        for node in _nodes(text):
            _check_node(node, blocks)


def _tree_text(source: ByteSource) -> tuple[str, int]:
    """Give the YAML, and where it ends."""
    head = source.read(0, _HEAD)
    if not head.startswith(_MAGIC):
        raise BadContent("not an ASDF file", f"it begins with {head[:8]!r}", "ASDF begins with #ASDF")
    while True:
        ends = [head.find(mark) + len(mark) for mark in _TREE_END if mark in head]
        if ends:
            return decode_text(head[: min(ends)], "ASDF"), min(ends)
        if len(head) >= source.size:
            raise BadContent("the ASDF file is truncated", f"its tree does not end within {len(head)} bytes")
        head += source.read(len(head), 4 * len(head))


def _blocks(source: ByteSource, start: int) -> Blocks:
    """Walk over the blocks, and check the index behind them."""
    count = total = 0
    for used, data, compression in _headers(source, start):
        most = _MOST_OF_A_BYTE.get(compression)
        if most is None:
            raise BadContent("cannot read as ASDF", f"block {count} has the compression {compression!r}")
        if data > _FREE_BYTES * (most > 1) + most * used:
            raise BadContent(
                "the ASDF file is refused", f"{data} bytes cannot be in {used} stored ones: block {count}"
            )
        count, total = count + 1, total + data
    return Blocks(count, total)


def _headers(source: ByteSource, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Give used size, data size and compression of each block."""
    size = source.size
    while start < size:
        head = source.read(start, start + 6 + _HEADER.size)
        if not head.startswith(_BLOCK):
            _check_tail(source, start)
            return
        if len(head) < 6 + _HEADER.size:
            raise BadContent("the ASDF file is truncated", f"a block's header ends at byte {size}")
        flags, compression, allocated, used, data, _ = _HEADER.unpack_from(head, 6)
        begin = start + 6 + int.from_bytes(head[4:6], "big")
        if flags & _STREAMED:
            yield size - begin, size - begin, compression
            return
        if begin + allocated > size or used > allocated:
            raise BadContent(
                "the ASDF file is truncated",
                f"a block needs {allocated} bytes from byte {begin}, the file has {size}",
            )
        yield used, data, compression
        start = begin + allocated


def _check_tail(source: ByteSource, start: int) -> None:
    tail = source.read(start, source.size)
    if tail.strip(b"\0 \r\n") and not (tail.startswith(_INDEX) and tail.rstrip().endswith(b"\n...")):
        raise BadContent(
            "the ASDF file is truncated", f"after its blocks it has {tail[:20]!r}, no whole index"
        )


def _nodes(text: str) -> Iterator[Any]:
    """Give every node of the tree once; nothing is made of them."""
    import yaml

    waiting, seen = [yaml.compose(text, LOADER)], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _check_node(node: Any, blocks: Blocks) -> None:  # noqa: ANN401 - a node of yaml, which has no types
    if "core/externalarray" in node.tag:
        raise BadContent("the ASDF file is refused", "it has an array in another file")
    if not isinstance(node.value, list) or not node.value or not isinstance(node.value[0], tuple):
        return
    items = {key.value: value for key, value in node.value if isinstance(key.value, str)}
    if "$ref" in items:
        raise BadContent("the ASDF file is refused", f"it refers to {items['$ref'].value!r}")
    if "core/ndarray" in node.tag and "source" in items:
        _check_source(items["source"].value, blocks)
        shape = [part.value for part in items["shape"].value] if "shape" in items else []
        lengths = [int(length) for length in shape if str(length).isdigit()]
        if math.prod(lengths) > blocks.data_bytes + _FREE_BYTES:
            raise BadContent("the ASDF file is refused", f"no array of shape {shape} can be in its blocks")


def _check_source(source: object, blocks: Blocks) -> None:
    try:
        number = int(str(source))
    except ValueError:
        raise BadContent("the ASDF file is refused", f"an array is in another file: {source!r}") from None
    if not -1 <= number < blocks.count:
        raise BadContent("the ASDF file is truncated", f"block {number} of {blocks.count} is wanted")
