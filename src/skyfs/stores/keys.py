"""What a key may be: the one check that keeps a store inside its root."""

from __future__ import annotations

import os

from skyfs.errors import StoreError

PRIVATE = ".skyfs"
"""First part of the keys that a store keeps for itself."""

QUARANTINE = f"{PRIVATE}/quarantine"
"""Where what was found wrong is kept, until a person has looked at it."""

_PART_BYTES_MAX = 255  # NAME_MAX of Linux filesystems


def check_key(key: str, store: str) -> None:
    """Raise StoreError unless ``key`` is a relative path of plain parts outside the private folder."""
    fault = _fault(key, key.split("/"))
    if fault:
        raise StoreError(f"key {key!r} in store {store!r}", fault, "keys are relative paths of plain names")


def check_prefix(prefix: str, store: str) -> str:
    """Give the folder that holds all keys with this prefix; raise StoreError when no key could have it."""
    folder = prefix.rpartition("/")[0]
    fault = _fault(prefix, folder.split("/")) if "/" in prefix or "\0" in prefix else ""
    if fault:
        raise StoreError(f"prefix {prefix!r} in store {store!r}", fault, "prefixes begin as keys do")
    return folder


def folder_of(key: str) -> str:
    """Give the folder part of a key, empty at the root."""
    return key.rpartition("/")[0]


def _fault(text: str, parts: list[str]) -> str:
    if "" in parts:
        return "it has an empty part"
    if "." in parts or ".." in parts:
        return "it has a part '.' or '..'"
    if "\0" in text:
        return "it has a NUL character"
    if parts[0] == PRIVATE:
        return f"{PRIVATE!r} is reserved"
    if text.isascii() and len(text) <= _PART_BYTES_MAX:
        return ""
    return _encoding_fault(parts)


def _encoding_fault(parts: list[str]) -> str:
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeEncodeError:
        return "it cannot be encoded as a file name"
    return f"a part exceeds {_PART_BYTES_MAX} bytes" if longest > _PART_BYTES_MAX else ""
