"""What was measured of whom, as tables, and the targets beside."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mount_sides import LIBFUSE, NATIVE, PASSTHROUGH, WITHOUT, Side

ENGINES = (PASSTHROUGH, WITHOUT, LIBFUSE)


@dataclass(frozen=True, slots=True)
class Target:
    """What skyfs should reach.

    Attributes
    ----------
    measure
        What is measured, as its column is called.
    of
        Sides of skyfs it is for.
    at_least, at_most
        How many times the native directory's figure.
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


TARGETS = [
    Target("first read, MB/s", [PASSTHROUGH], at_least=0.9),
    Target("second read, MB/s", [PASSTHROUGH], at_least=0.9),
    Target("second read, MB/s", [WITHOUT, LIBFUSE], at_least=0.8),
    Target("random 4 KiB, reads/s", [PASSTHROUGH], at_least=0.8),
    Target("four readers, reads/s", [PASSTHROUGH], at_least=0.8),
    Target("ls -l of 10⁴ cold, ms", ENGINES[:2], at_most=2, peers=True),
    Target("find of 10⁵ cold, ms", ENGINES[:2], peers=True),
    Target("cat of 5000 cold, s", ENGINES[:2], at_most=5),
    Target("peak, MiB", ENGINES, value=150),
]


@dataclass
class Section:
    """Figures of all sides, round by round."""

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
        """Give the columns."""
        return list(dict.fromkeys(measure for own in self.found.values() for measure in own))

    def table(self) -> str:
        """Give a Markdown table; in parentheses: times the native directory."""
        columns = self.measures()
        lines = [f"### {self.title}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for side in self.found:
            cells = " | ".join(self._cell(side, measure) for measure in columns)
            lines.append(f"| {side} | {cells} |")
        return "\n".join(lines)

    def _cell(self, side: str, measure: str) -> str:
        own, floor = self.median(side, measure), self.median(NATIVE, measure)
        if own is None:
            return ""
        shown = shortly(own)
        return shown if side == NATIVE or not floor else f"{shown} ({shortly(own / floor)})"

    def verdicts(self, sides: Sequence[Side]) -> Iterator[str]:
        """Say which targets were reached."""
        for target in TARGETS:
            for side in target.of:
                own = self.median(side, target.measure)
                if own is not None:
                    yield from self._judged(target, side, own, sides)

    def _judged(self, target: Target, side: str, own: float, sides: Sequence[Side]) -> Iterator[str]:
        what, floor = f"{target.measure}, {side}", self.median(NATIVE, target.measure)
        if target.value is not None:
            yield _verdict(own <= target.value, what, shortly(own), f"at most {target.value:g}")
        if target.at_least is not None and floor:
            times = f"{shortly(own / floor)} x native"
            yield _verdict(own / floor >= target.at_least, what, times, f"at least {target.at_least:g}")
        if target.at_most is not None and floor:
            times = f"{shortly(own / floor)} x native"
            yield _verdict(own / floor <= target.at_most, what, times, f"at most {target.at_most:g}")
        best = self._best_peer(target.measure, sides)
        if target.peers and best is not None:
            name, figure = best
            yield _verdict(
                own <= figure, what, shortly(own), f"every peer: at most {name}'s {shortly(figure)}"
            )

    def _best_peer(self, measure: str, sides: Sequence[Side]) -> tuple[str, float] | None:
        others = {one.name: self.median(one.name, measure) for one in sides if one.kind == "peer"}
        known = [(name, figure) for name, figure in others.items() if figure is not None]
        return min(known, key=lambda one: one[1], default=None)


def _verdict(reached: bool, what: str, found: str, wanted: str) -> str:  # noqa: FBT001
    return f"{'reached' if reached else 'MISSED'}: {what}: {found} ({wanted})"


def shortly(figure: float) -> str:
    """Give three digits."""
    return f"{figure:,.0f}".replace(",", " ") if figure >= 100 else f"{figure:.3g}"
