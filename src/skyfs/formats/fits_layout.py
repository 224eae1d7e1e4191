"""Where the HDUs of a FITS file lie, from its headers alone (FITS standard 4.0, sections 3.3, 4.4, 7).

Written out because opening a file with a FITS library costs a hundred times more than these few integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .unpacking import check_size

BLOCK = 2880
_CARD = 80
_END = b"END".ljust(_CARD)
_BITPIX = frozenset((8, 16, 32, 64, -32, -64))
# Most headers end within it; reading 11 KiB costs as much as reading one block (7 µs here, page cache warm).
_FIRST_READ = 4 * BLOCK
# From far away 11 KiB may be more than all the pixels that are wanted.
_FIRST_FAR_READ = 2 * BLOCK
_MAX_READ = 64 * BLOCK
# A header without END is not followed for ever: 64 MiB are 840 000 cards.
_MAX_HEADER = 64 << 20
_MAX_FIELDS = 999
_MAX_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class Extent:
    """One HDU: its header's cards up to END, and the bytes of its data without padding."""

    index: int
    cards: bytes
    start: int
    data_start: int
    data_size: int
    axes: tuple[int, ...]

    @property
    def kind(self) -> str:
        """``PRIMARY``, ``IMAGE``, ``BINTABLE``, ``TABLE``, or what else XTENSION says."""
        return "PRIMARY" if self.index == 0 else _text(self.cards[:_CARD])

    @property
    def bitpix(self) -> int:
        """BITPIX of the image, also of a compressed one."""
        return _number(self.cards, b"ZBITPIX " if self.compressed else b"BITPIX  ", None, self.index)

    @property
    def name(self) -> str:
        """EXTNAME; empty when it has none."""
        return _text(b" " * 9 + _raw(self.cards, b"EXTNAME "))

    @property
    def version(self) -> int:
        """EXTVER, which is 1 when it is not given."""
        return _number(self.cards, b"EXTVER  ", 1, self.index)

    @property
    def end(self) -> int:
        """Where the next HDU begins."""
        return self.data_start + -(-self.data_size // BLOCK) * BLOCK

    @property
    def compressed(self) -> bool:
        """Whether it is a tile-compressed image inside a binary table."""
        return self.kind == "BINTABLE" and _raw(self.cards, b"ZIMAGE  ").strip() == b"T"

    @property
    def image_axes(self) -> tuple[int, ...]:
        """NAXIS1, NAXIS2... of the image, also of a compressed one; empty when it is no image with data."""
        if self.compressed:
            count = _number(self.cards, b"ZNAXIS  ", 0, self.index)
            return tuple(_number(self.cards, b"ZNAXIS%-2d" % n, 0, self.index) for n in range(1, count + 1))
        if self.kind not in ("PRIMARY", "IMAGE") or self.data_size == 0 or (self.axes and self.axes[0] == 0):
            return ()
        return self.axes


def extents(source: ByteSource) -> Iterator[Extent]:
    """Give the HDUs in order, each checked to lie wholly within the source; reads headers only.

    Missing padding after the last data unit is tolerated: many programs leave it out. So are blank bytes and
    whole blocks of special records after the last HDU.

    Raises
    ------
    BadContent
        When the source is no FITS file, or ends before a header or data unit is complete. The message
        says at which HDU, how many bytes it needs and how many there are.
    """
    size, window = source.size, _Window(source)
    extent = _extent(window, 0, 0, size)
    yield extent
    while extent.end < size:
        head = window.read(extent.end)[:8]
        if not head.startswith(b"XTENSION"[: len(head)]):
            _check_tail(source, extent, size)
            return
        extent = _extent(window, extent.index + 1, extent.end, size)
        yield extent


class _Window:
    """The bytes that were read last: a header that begins within them is not asked for again."""

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self._first = _FIRST_FAR_READ if source.cost.far else _FIRST_READ
        self._start, self._bytes = 0, b""

    def read(self, start: int, more_than: int = 0) -> bytes:
        """Give bytes from a start, more than so many unless the source ends there."""
        kept = self._bytes[start - self._start :] if start >= self._start else b""
        if len(kept) <= more_than:
            at_least = min(len(kept), _MAX_READ) or self._first
            kept += self.source.read(start + len(kept), start + len(kept) + at_least)
        self._start, self._bytes = start, kept
        return kept


def check_layout(source: ByteSource) -> None:
    """Raise BadContent unless every HDU is complete, as `extents`, and no image would fill the memory."""
    for extent in extents(source):
        if extent.compressed:
            size = math.prod(extent.image_axes) * abs(extent.bitpix) // 8
            check_size(f"the compressed image in FITS HDU {extent.index}", size, extent.data_size)


def main_image(found: list[Extent]) -> Extent:
    """Give the first 2-d image, or else the first of any dimension."""
    images = [extent for extent in found if extent.image_axes]
    for extent in images:
        if len(extent.image_axes) == 2:
            return extent
    if images:
        return images[0]
    raise BadContent(
        "no image in the FITS file", f"none of its {len(found)} HDUs has one", "use Hdus or Table"
    )


def _extent(window: _Window, index: int, start: int, size: int) -> Extent:
    cards, data_start = _read_header(window, index, start, size)
    axes, data_size = _shape(cards, index)
    fields = _number(cards, b"TFIELDS ", 0, index)
    if not 0 <= fields <= _MAX_FIELDS:
        raise BadContent(
            f"FITS HDU {index} is damaged", f"TFIELDS is {fields}", "a table has at most 999 columns"
        )
    if data_start + data_size > size:
        raise BadContent(
            f"FITS HDU {index} is truncated",
            f"its data need {data_size} bytes, {max(size - data_start, 0)} are there",
            f"the file should have at least {data_start + data_size} bytes and has {size}",
        )
    return Extent(index, cards, start, data_start, data_size, axes)


def _read_header(window: _Window, index: int, start: int, size: int) -> tuple[bytes, int]:
    """Give the cards before END, and where the data begin."""
    header = window.read(start)
    if index == 0 and (header[:9] != b"SIMPLE  =" or not header[9:30].strip().startswith(b"T")):
        if not header or not b"SIMPLE  =".startswith(header[:9]):
            raise BadContent(
                "not a FITS file", f"it begins with {header[:9]!r}", "FITS begins with SIMPLE  ="
            )
        if len(header) >= _CARD:
            raise BadContent("not a standard FITS file", f"its first card is {header[:30]!r}")
    searched = 0
    while (end := _find_end(header, searched)) < 0:
        searched, read = len(header) - len(header) % _CARD, len(header)
        header = window.read(start, read)
        if len(header) == read or read > _MAX_HEADER:
            raise BadContent(
                f"the header of FITS HDU {index} is truncated",
                f"no END card in the {len(header)} bytes from byte {start}",
                f"the file has {size} bytes",
            )
    data_start = start + -(-(end + _CARD) // BLOCK) * BLOCK
    return header[:end], data_start


def _find_end(header: bytes, begin: int) -> int:
    """Give the offset of the END card, looking only where cards begin; -1 when there is none."""
    found = header.find(_END, begin)
    while found >= 0 and found % _CARD:
        found = header.find(_END, found + 1)
    return found


def _shape(cards: bytes, index: int) -> tuple[tuple[int, ...], int]:
    """Give the axes, and the size of the data in bytes (equations 1, 2 and 4 of the standard)."""
    bitpix = _number(cards, b"BITPIX  ", None, index, 80)
    count = _number(cards, b"NAXIS   ", None, index, 160)
    if bitpix not in _BITPIX or not 0 <= count <= 999:
        raise BadContent(f"FITS HDU {index} is damaged", f"BITPIX is {bitpix} and NAXIS {count}")
    axes = tuple(_number(cards, b"NAXIS%-3d" % n, None, index, 160 + _CARD * n) for n in range(1, count + 1))
    if any(n < 0 for n in axes):
        raise BadContent(f"FITS HDU {index} is damaged", f"its axes are {axes}")
    if not axes:
        return axes, 0
    groups = index == 0 and axes[0] == 0 and _raw(cards, b"GROUPS  ").strip() == b"T"
    items = 1
    for n in axes[groups:]:
        items *= n
    if groups or index:
        after = 160 + _CARD * (count + 1)
        parameters = _number(cards, b"PCOUNT  ", 0, index, after)
        repeat = _number(cards, b"GCOUNT  ", 1, index, after + _CARD)
        if parameters < 0 or repeat < 0:
            raise BadContent(f"FITS HDU {index} is damaged", f"PCOUNT is {parameters} and GCOUNT {repeat}")
        items = repeat * (parameters + items)
    return axes, abs(bitpix) // 8 * items


def _number(cards: bytes, key: bytes, default: int | None, index: int, expected: int = 0) -> int:
    """Give an integer keyword, looking first where the standard puts it."""
    if cards[expected : expected + 8] == key:
        raw = cards[expected + 9 : expected + _CARD].partition(b"/")[0]
    else:
        raw = _raw(cards, key)
    if not raw.strip() and default is not None:
        return default
    try:
        return int(raw)
    except ValueError:
        name = key.decode("ascii").strip()
        raise BadContent(
            f"FITS HDU {index} is damaged", f"{name} is {raw.strip()!r}, not an integer"
        ) from None


def _raw(cards: bytes, key: bytes) -> bytes:
    """Give the value field of a keyword, without comment; empty when it is not there."""
    found = cards.find(key + b"=")
    while found >= 0 and found % _CARD:
        found = cards.find(key + b"=", found + 1)
    return b"" if found < 0 else cards[found + 9 : found + _CARD].partition(b"/")[0]


def _text(card: bytes) -> str:
    return card[9:].partition(b"/")[0].strip().strip(b"'").strip().decode("ascii", "replace")


def _check_tail(source: ByteSource, last: Extent, size: int) -> None:
    """Accept blank bytes and special records after the last HDU, nothing else."""
    tail = source.read(last.end, last.end + _MAX_TAIL)
    if tail.strip(b"\0 ") and (size - last.end) % BLOCK:
        raise BadContent(
            f"the FITS file goes on after HDU {last.index}",
            f"{size - last.end} bytes beginning with {tail[:8]!r}",
            "an extension begins with XTENSION",
        )
