"""Percent-encoding of values and names in paths.

The set of encoded characters is what a path, a URL, a glob and an extension need for themselves: control
characters and those that nobody sees, ``/ = % [ ] * ? :``, a leading dot, and (in values) a dot before a
letter.
"""

from __future__ import annotations

import re
import reprlib

from ..errors import BadPath

MAX_PART_BYTES = 255

_RESERVED = frozenset("/=%[]*?:")
_PLAIN = re.compile(r"[A-Za-z0-9_+-]*")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
# Control characters, and what Unicode 16 shows as nothing or turns the text around it: names that look alike.
CONTROL = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f"
)
_CONTROL = re.compile(f"[{CONTROL}]")
_FORBIDDEN_RAW = re.compile(rf"[{CONTROL}=\[\]*?]")
_WORD = re.compile(r"[a-z][a-z0-9]*")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200


def shown(value: object) -> str:
    """Give a value's ``repr`` for a message, cut when it is long."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python refuses to write integers of more than 4300 digits
        return f"<{type(value).__name__}>"


def _is_control(char: str) -> bool:
    return _CONTROL.match(char) is not None


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def encode_name(text: str) -> str:
    """Encode one part of a collection name."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        _percent(char) if char in _RESERVED or _is_control(char) or (char == "." and not index) else char
        for index, char in enumerate(text)
    )


def encode_value(text: str) -> str:
    """Encode a value, so that no extension can be read out of it."""
    if _PLAIN.fullmatch(text):
        return text
    following = text[1:] + " "
    return "".join(
        _percent(char)
        if char in _RESERVED
        or _is_control(char)
        or (char == "." and (not index or following[index].isalpha()))
        else char
        for index, char in enumerate(text)
    )


def decode(text: str, whole: str) -> str:
    """Decode a part of the path ``whole``; characters that have a meaning must be encoded.

    Raises
    ------
    BadPath
        When a reserved character stands bare, or an escape is not two hexadecimal digits of UTF-8.
    """
    bare = _FORBIDDEN_RAW.search(text)
    if bare:
        what = f"{bare.group()!r} stands bare in {shown(text)}"
        raise BadPath(f"bad path {shown(whole)}", what, f"write it as {_percent(bare.group())}")
    raw = text.encode("utf-8", "strict")
    if b"%" not in raw:
        return text
    if len(_ENCODED.findall(raw)) != raw.count(b"%"):
        raise BadPath(
            f"bad path {shown(whole)}", f"a broken %-escape in {shown(text)}", "a bare % is written %25"
        )
    try:
        return _ENCODED.sub(lambda match: bytes([int(match[1], 16)]), raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadPath(f"bad path {shown(whole)}", f"the %-escapes in {shown(text)} are not UTF-8") from None


def extension_at_end(text: str) -> str:
    """Give the extension that a text ends with, ``.fits.gz``; empty when there is none.

    One step for each dot: a regular expression would start again at every one of them.
    """
    start = len(text)
    while True:
        dot = text.rfind(".", 0, start)
        if dot < 0 or not _WORD.fullmatch(text, dot + 1, start):
            return text[start:]
        start = dot


def check_utf8(text: str) -> None:
    """Refuse text that has no UTF-8 form (lone surrogates, as from undecodable file names)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadPath(f"bad path {shown(text)}", f"character {error.start} has no UTF-8 form") from None


def check_length(part: str, whole: str, most_bytes: int = MAX_PART_BYTES) -> None:
    """Refuse a part over 255 encoded bytes: no file system could hold it."""
    # A character has at most 4 bytes.
    if len(part) * 4 > most_bytes and len(part.encode()) > most_bytes:
        found = f"the part {part[:40]!r}... has {len(part.encode())} bytes"
        raise BadPath(f"bad path {whole[:60]!r}...", found, f"a part has at most {MAX_PART_BYTES}")
