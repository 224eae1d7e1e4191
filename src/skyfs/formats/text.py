"""Plain text in UTF-8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadContent

from .guards import refuse_options, refuse_value, require_class, writing

_HEAD = 1 << 16


class Text(Format):
    """UTF-8 text; line ends are kept as they are."""

    extensions = (".txt",)
    storage_classes = ("Text",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read all as `str`."""
        require_class("text", storage_class, self.storage_classes)
        return decode_text(source.read_all(), "text")

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write a `str`."""
        refuse_options("text", options)
        if not isinstance(value, str):
            raise refuse_value("text", value, "str")
        with writing("UTF-8 text"):
            file.write(value.encode("utf-8"))

    def check(self, source: ByteSource) -> None:
        """Check that the beginning is UTF-8, and that the end does not cut a character."""
        check_text(source, "text")


def decode_text(data: bytes, what: str) -> str:
    """Decode UTF-8, without its optional byte order mark.

    Raises
    ------
    BadContent
        When it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadContent(
            f"cannot read as {what}", f"not UTF-8 at byte {error.start}: {error.reason}"
        ) from error


def check_text(source: ByteSource, what: str) -> None:
    """Raise BadContent when the first 64 KiB hold no UTF-8 text, or the last character is cut."""
    head = source.read(0, _HEAD)
    whole = len(head) == source.size
    if not whole:
        head = _without_cut(head)
        decode_text(_from_character(source.read(source.size - _HEAD, source.size)), what)
    decode_text(head, what)
    if b"\0" in head:
        raise BadContent(f"cannot read as {what}", f"a zero byte at byte {head.index(0)}")


def _without_cut(data: bytes) -> bytes:
    """Drop a character that the end of a read cuts: a lead byte with too few continuation bytes."""
    for back in range(1, 4):
        if data[-back] >= 0xC0:
            return data[:-back]
        if data[-back] < 0x80:
            return data
    return data


def _from_character(data: bytes) -> bytes:
    """Drop continuation bytes at the beginning."""
    skip = 0
    while skip < 3 and data[skip] & 0xC0 == 0x80:
        skip += 1
    return data[skip:]
