"""What a check has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes
    ----------
    code
        Which kind; it never changes.
    what
        Which row or file.
    found
        What is wrong with it.
    todo
        What to do about it; when it is repaired, what was done.
    repaired
        Whether it is as it should be now.
    """

    code: str
    what: str
    found: str
    todo: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings of one code there are, and how many of them are repaired."""

    found: int
    repaired: int


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    Attributes
    ----------
    findings
        The first thousand of each code, repaired ones too.
    tallies
        The number of all, by code.
    files, read_bytes
        How many files were looked at, and how much of them was read.
    undigested, filled
        Files without a digest in the registry: how many there are, and how many have one by now.
    skipped
        What could not be looked at, and why.
    seed
        By which a sample was drawn; None when there was none.
    quarantine
        Name of the folder in the quarantine of stores, when something was moved there.
    """

    findings: tuple[Finding, ...]
    tallies: Mapping[str, Tally]
    files: int = 0
    read_bytes: int = 0
    undigested: int = 0
    filled: int = 0
    skipped: tuple[str, ...] = ()
    seed: int | None = None
    quarantine: str = ""

    @property
    def found(self) -> int:
        """How many things are not as they should be, or were not."""
        return sum(tally.found for tally in self.tallies.values())

    @property
    def repaired(self) -> int:
        """How many of them are repaired."""
        return sum(tally.repaired for tally in self.tallies.values())

    @property
    def clean(self) -> bool:
        """Whether all was looked at, and is as it should be now."""
        return self.found == self.repaired and not self.skipped

    def to_mapping(self) -> dict[str, object]:
        """Give all of it for JSON."""
        return {"clean": self.clean, **asdict(self)}
