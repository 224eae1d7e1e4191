"""Figures of several sides as a table: values, how they compare, and whether they reach their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

# "columns": a column for each side and each ratio; "inline": ratios in parentheses beside the side that they
# are of; "sides down": the same, with a line for each side and a column for each thing measured.
Layout = Literal["columns", "inline", "sides down"]
NOT_MEASURED = "not measured"


def shortly(figure: float) -> str:
    """Give three digits, or more when it is an integer of more."""
    if figure >= 100:
        return f"{figure:,.0f}".replace(",", " ") if figure >= 10_000 else f"{figure:.0f}"
    return f"{figure:.3g}"


def times(ratio: float) -> str:
    """Give a ratio: three digits, but not many zeros before them."""
    return "<0.001" if 0 < ratio < 0.001 else shortly(ratio)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How a side compares: its figure divided by another one's, by the least one's of several.

    When its place is in parentheses, it is called by what its name says after the name of ``over``;
    ``judged`` says that it is shown only where there is a target for it.
    """

    name: str
    over: str
    under: tuple[str, ...]
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What the figure of a side, or a ratio, should be."""

    column: str
    at_most: float | None = None
    at_least: float | None = None

    def __str__(self) -> str:
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    def met(self, value: float) -> bool:
        """Tell whether a figure is as it should be."""
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing, measured on all sides.

    Attributes
    ----------
    found
        The figure of each side. None: it was not measured; a side that is not there has no such figure.
        A ratio may be given here too, where only that is known.
    inverse
        Whether more is better, in a table whose ratios are of what takes time: they are turned over.
    """

    what: str
    unit: str
    found: Mapping[str, float | None]
    targets: tuple[Target, ...] = ()
    inverse: bool = False

    @property
    def label(self) -> str:
        """How the row is called."""
        return f"{self.what}, {self.unit}" if self.unit else self.what

    def ratio(self, ratio: Ratio) -> float | None:
        """Give a ratio, if both of its sides are known."""
        if ratio.name in self.found:
            return self.found[ratio.name]
        over = self.found.get(ratio.over)
        others = [one for name in ratio.under if (one := self.found.get(name)) is not None]
        if over is None or not others:
            return None
        return min(others) / over if self.inverse else over / min(others)

    def shows(self, ratio: Ratio) -> bool:
        """Tell whether a ratio is to be shown beside its side."""
        return not ratio.judged or any(one.column == ratio.name for one in self.targets)

    def has(self, ratio: Ratio) -> bool:
        """Tell whether a ratio makes sense here."""
        return ratio.name in self.found or (
            ratio.over in self.found and bool(self.found.keys() & ratio.under)
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Figures that were taken in one run.

    Attributes
    ----------
    name
        By which a page finds it.
    sides
        Who is measured, in order.
    also
        What else is told of each row, after the ratios.
    notes
        Why something was not measured, and whatever else must be known to read the figures.
    """

    name: str
    sides: tuple[str, ...]
    rows: tuple[Row, ...]
    ratios: tuple[Ratio, ...] = ()
    layout: Layout = "columns"
    notes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Take what `dataclasses.asdict` gave."""
        ratios = [Ratio(**one | {"under": tuple(one["under"])}) for one in given["ratios"]]
        rows = [Row(**one | {"targets": tuple(Target(**t) for t in one["targets"])}) for one in given["rows"]]
        plain = {key: tuple(given[key]) for key in ("sides", "notes", "also")}
        return cls(**dict(given) | plain | {"rows": tuple(rows), "ratios": tuple(ratios)})

    # -- what was reached ----------------------------------------------------------------------------------

    def verdicts(self) -> Iterator[tuple[Row, Target, float | None]]:
        """Give all targets, and the figures that are held against them."""
        for row in self.rows:
            for target in row.targets:
                yield row, target, self._value(row, target.column)

    def _value(self, row: Row, column: str) -> float | None:
        for ratio in self.ratios:
            if ratio.name == column:
                return row.ratio(ratio)
        return row.found.get(column)

    # -- as Markdown ---------------------------------------------------------------------------------------

    def markdown(self) -> str:
        """Give a Markdown table, and the notes."""
        if self.layout == "sides down":
            lines = _lines([row.label for row in self.rows], self._by_side())
        else:
            ratios = self.ratios if self.layout == "columns" else ()
            rows = ([row.label, *self._cells(row, ratios)] for row in self.rows)
            lines = _lines([*self.sides, *(one.name for one in ratios), *self.also], rows)
        return "\n".join([*lines, *([""] if self.notes else []), *(f"- {note}" for note in self.notes)])

    def _by_side(self) -> Iterator[list[str]]:
        for side in self.sides:
            yield [side, *(self._cell(row, side) for row in self.rows)]

    def _cells(self, row: Row, ratios: Sequence[Ratio]) -> Iterator[str]:
        yield from (self._cell(row, side) for side in self.sides)
        for one in ratios:
            yield _judged(row, one.name, row.ratio(one), times) if row.has(one) else ""
        yield from (self._cell(row, name) for name in self.also)

    def _cell(self, row: Row, side: str) -> str:
        if side not in row.found:
            return ""
        shown = _judged(row, side, row.found[side])
        if self.layout == "columns":
            return shown
        own = ((one, row.ratio(one)) for one in self.ratios if one.over == side and row.shows(one))
        beside = "; ".join(_beside(row, one, value) for one, value in own if value is not None)
        return f"{shown} ({beside})" if beside else shown


def _beside(row: Row, ratio: Ratio, value: float) -> str:
    verdict = "".join(f": {_verdict(one, value)}" for one in row.targets if one.column == ratio.name)
    return f"{times(value)} {ratio.name.removeprefix(ratio.over).strip()}{verdict}"


def _judged(row: Row, column: str, value: float | None, show: Callable[[float], str] = shortly) -> str:
    shown = NOT_MEASURED if value is None else show(value)
    verdicts = "; ".join(_verdict(one, value) for one in row.targets if one.column == column)
    return f"{shown} ({verdicts})" if verdicts else shown


def _verdict(target: Target, value: float | None) -> str:
    if value is None:
        return str(target)
    return f"{target} {'met' if target.met(value) else '**missed**'}"


def _lines(heads: Sequence[str], rows: Iterator[list[str]]) -> list[str]:
    head = f"| | {' | '.join(heads)} |"
    return [head, "|---" * (len(heads) + 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def power_of_ten(number: int) -> str:
    """Write a round number as people do: 10⁶."""
    text = str(number)
    if text.strip("0") != "1":
        return text
    return "10" + str(len(text) - 1).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
