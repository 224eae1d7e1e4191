"""What is checked, and how."""

from __future__ import annotations

import hashlib
import heapq
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from ..errors import BadArgument

_SAMPLE = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_ALL = 2**64


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the datasets, drawn by a seed: so many, or such a share of them."""

    count: int = 0
    share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Sample:
        """Read ``1000`` or ``5%``.

        Raises
        ------
        BadArgument
            When it is neither, or nothing would be drawn.
        """
        found = _SAMPLE.fullmatch(text.strip())
        number = float(found[1]) if found else 0.0
        fits = number <= 100 if found and found[2] else number == int(number)
        if not found or not number or not fits:
            raise BadArgument(f"sample {text!r}", "no number and no share of datasets above 0", "1000, or 5%")
        return cls(share=number / 100) if found[2] else cls(count=int(number))

    def limit(self, seed: int, ids: Iterable[UUID]) -> int:
        """Give the greatest mark of those that are drawn."""
        if self.share:
            return int(self.share * _ALL)
        smallest = heapq.nsmallest(self.count, (mark(one, seed) for one in ids))
        return smallest[-1] if smallest else 0


def mark(dataset_id: UUID, seed: int) -> int:
    """Give a number that looks like chance, and is the same for the same dataset and seed."""
    key = seed.to_bytes(8, "big")
    return int.from_bytes(hashlib.blake2b(dataset_id.bytes, digest_size=8, key=key).digest(), "big")


def new_seed() -> int:
    """Give a seed by chance."""
    return secrets.randbelow(10**6)


@dataclass(frozen=True, slots=True)
class Options:
    """What is checked, and how.

    Attributes
    ----------
    digests
        Whether files are read and held against their digests; else only their sizes are.
    sample
        Which files; None: all, and then extra ones are looked for too.
    seed
        Of the sample.
    repair
        Whether what can be repaired is.
    workers
        How many processors are to be busy: three times as many local files are read at once, and four times
        as many far ones.
    """

    digests: bool = False
    sample: Sample | None = None
    seed: int | None = None
    repair: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.workers < 1:
            raise BadArgument(f"workers={self.workers}", "nobody would work", "1 or more")
        if self.seed is not None and not 0 <= self.seed < _ALL:
            raise BadArgument(f"seed={self.seed}", "out of range", "a whole number from 0 on")

    @property
    def signature(self) -> str:
        """What must be the same for an interrupted check to go on."""
        return repr((self.digests, self.sample, self.repair))
