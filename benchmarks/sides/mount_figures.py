"""What was measured of whom in the rounds of a section, as a table with targets."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mount_sides import LIBFUSE, PASSTHROUGH, PLAIN, WITHOUT, Side
from reporting.table import Ratio, Row, Table, Target

ENGINES = (PASSTHROUGH, WITHOUT, LIBFUSE)


@dataclass(frozen=True, slots=True)
class Aim:
    """What sides of skyfs should reach.

    Attributes
    ----------
    measure
        What is measured, as its column is called.
    of
        Sides of skyfs it is for.
    at_least, at_most
        How many times the plain folder's figure.
    value
        The most that the figure itself may be.
    peers
        Whether it may not be more than that of any peer.
    """

    measure: str
    of: Sequence[str]
    at_least: float | None = None
    at_most: float | None = None
    value: float | None = None
    peers: bool = False

    def targets(self, side: str) -> Iterator[Target]:
        """Give what it means for a side."""
        if self.value is not None:
            yield Target(side, self.value)
        if self.at_least is not None or self.at_most is not None:
            yield Target(_times(side), self.at_most, self.at_least)
        if self.peers:
            yield Target(_beside_peers(side), 1)


def _times(side: str) -> str:
    return f"{side} ×"


def _beside_peers(side: str) -> str:
    return f"{side} × the best peer"


TARGETS = [
    Aim("first read, MB/s", [PASSTHROUGH], at_least=0.9),
    Aim("second read, MB/s", [PASSTHROUGH], at_least=0.9),
    Aim("second read, MB/s", [WITHOUT, LIBFUSE], at_least=0.8),
    Aim("random 4 KiB, reads/s", [PASSTHROUGH], at_least=0.8),
    Aim("four readers, reads/s", [PASSTHROUGH], at_least=0.8),
    Aim("ls -l of 10⁴ cold, ms", ENGINES[:2], at_most=2, peers=True),
    Aim("find of 10⁵ cold, ms", ENGINES[:2], peers=True),
    Aim("cat of 5000 cold, s", ENGINES[:2], at_most=5),
    Aim("peak, MiB", ENGINES, value=150),
]


@dataclass
class Section:
    """Figures of all sides, round by round.

    Attributes
    ----------
    reasons
        Why a side was not measured, or not to the end.
    """

    name: str
    title: str
    found: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, side: str, figures: Mapping[str, float]) -> None:
        """Take the figures of a round."""
        own = self.found.setdefault(side, {})
        for measure, figure in figures.items():
            own.setdefault(measure, []).append(figure)

    def median(self, side: str, measure: str) -> float | None:
        """Give the figure of a side."""
        some = self.found.get(side, {}).get(measure)
        return statistics.median(some) if some else None

    def measures(self) -> list[str]:
        """Give all that was measured of anyone."""
        return list(dict.fromkeys(measure for own in self.found.values() for measure in own))

    def table(self, sides: Sequence[Side], aims: Sequence[Aim], note: str) -> Table:
        """Give the medians, beside those of the plain folder."""
        names = list(dict.fromkeys([*(one.name for one in sides), *self.found, *self.reasons]))
        names = [one for one in names if one in self.found or one in self.reasons]
        peers = tuple(one.name for one in sides if one.kind == "peer")
        rows = tuple(self._row(measure, names, aims) for measure in self.measures())
        ratios = [Ratio(_times(one), one, (PLAIN,)) for one in names if one != PLAIN]
        wanting = {side for one in aims if one.peers and one.measure in self.measures() for side in one.of}
        ratios += [Ratio(_beside_peers(one), one, peers, judged=True) for one in names if one in wanting]
        notes = (
            self.title,
            *filter(None, [note]),
            *(f"{side}: {reason}" for side, reason in self.reasons.items()),
        )
        return Table(self.name, tuple(names), rows, tuple(ratios), "sides down", notes)

    def _row(self, measure: str, names: Sequence[str], aims: Sequence[Aim]) -> Row:
        own = {name: self.median(name, measure) for name in names if self._knows(name, measure)}
        targets = [
            target
            for aim in aims
            if aim.measure == measure
            for side in aim.of
            if side in own
            for target in aim.targets(side)
        ]
        return Row(measure, "", own, tuple(targets))

    def _knows(self, side: str, measure: str) -> bool:
        """Tell whether there is such a figure of a side: a plain folder has no daemon."""
        return side not in self.found or measure in self.found[side]
