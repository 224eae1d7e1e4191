"""What a batch is about to do: one line of a journal."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

_CHECK = b',"crc":'


@dataclass(frozen=True, slots=True)
class Mark:
    """Enough of a file's state to know it again: the same inode, not written since.

    The device is left out: its number changes between boots, and a path stays on its filesystem.
    """

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, state: os.stat_result) -> Self:
        """Mark a file."""
        return cls(state.st_ino, state.st_size, state.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Intent:
    """The writes, moved sources and deletions of one batch.

    Attributes
    ----------
    files
        Pairs of staging file (its key in the private folder) and final key.
    sources
        Key, absolute path and mark of the files that MOVE takes away.
    deletions
        Key and mark of what is to be deleted.
    removals
        Key and identity of what is to be deleted from a far store, where there are no inodes.
    marks
        Key and mark of what is written: when the power fails, its name in staging may be lost, and the final
        one not.
    """

    files: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str, Mark], ...] = ()
    deletions: tuple[tuple[str, Mark], ...] = ()
    removals: tuple[tuple[str, str], ...] = ()
    marks: tuple[tuple[str, Mark], ...] = ()

    def line(self, number: int) -> bytes:
        """Give the journal line of this intent."""
        fields = {
            "batch": number,
            "files": self.files,
            "sources": [(key, path, _numbers(mark)) for key, path, mark in self.sources],
            "deletions": [(key, _numbers(mark)) for key, mark in self.deletions],
            "removals": self.removals,
            "marks": [(key, _numbers(mark)) for key, mark in self.marks],
        }
        return _line(fields)


def end_line(number: int) -> bytes:
    """Give the journal line that says a batch is over."""
    return _line({"ended": number})


def unfinished(journal: bytes) -> list[Intent]:
    """Give the intents of a journal that have no end.

    A line that cannot be read was torn by a crash while it was appended: nothing was done for it yet,
    because a batch acts only after its line is durable.
    """
    open_intents: dict[int, Intent] = {}
    for line in journal.split(b"\n"):
        text, _, check = line.rpartition(_CHECK)
        try:
            if check != b"%d}" % zlib.crc32(text):
                continue
            fields = json.loads(line)
            if "ended" in fields:
                open_intents.pop(fields["ended"], None)
            else:
                open_intents[fields["batch"]] = _parse(fields)
        except (ValueError, KeyError, TypeError):
            continue
    return list(open_intents.values())


def keys_of(intents: Iterable[Intent]) -> set[str]:
    """Give the keys that these intents write."""
    return {key for intent in intents for _, key in intent.files}


def touched_by(intents: Iterable[Intent]) -> set[str]:
    """Give the keys that these intents write or delete."""
    found = list(intents)
    gone = {key for intent in found for key, _ in (*intent.deletions, *intent.removals)}
    return keys_of(found) | gone


def _line(fields: Mapping[str, object]) -> bytes:
    # Newlines on both sides: what a full disk or a power failure tore spoils neither neighbour. The journal
    # is written over: without a checksum half a line could go on as the half of an older one.
    text = json.dumps(fields, separators=(",", ":")).encode()[:-1]
    return b"\n%b%b%d}\n" % (text, _CHECK, zlib.crc32(text))


def _numbers(mark: Mark) -> tuple[int, int, int]:
    return mark.inode, mark.size, mark.mtime_ns


def _parse(fields: dict[str, list[list[object]]]) -> Intent:
    return Intent(
        tuple((str(staged), str(key)) for staged, key in fields["files"]),
        tuple((str(key), str(path), _mark(mark)) for key, path, mark in fields["sources"]),
        tuple((str(key), _mark(mark)) for key, mark in fields["deletions"]),
        tuple((str(key), str(identity)) for key, identity in fields.get("removals", ())),
        tuple((str(key), _mark(mark)) for key, mark in fields.get("marks", ())),
    )


def _mark(numbers: object) -> Mark:
    inode, size, mtime_ns = numbers  # type: ignore[misc]
    return Mark(inode, size, mtime_ns)  # type: ignore[has-type]
