"""What all queries can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ..errors import BadArgument
from ..looks import Looks
from ..looks.footprints import Footprint, chart
from ..model.query import Expression
from ..registry.queries.question import Question
from ..registry.registry import Registry
from .conditions import Asked
from .tables import make_table
from .wording import said

if TYPE_CHECKING:
    from ..charts import SkyChart

T = TypeVar("T")


@dataclass(frozen=True)
class Query(ABC, Generic[T]):
    """A lazy question; each method that narrows it gives a new one. Iterating asks anew each time."""

    registry: Registry
    asked: Asked
    limited: int | None = None
    looks: Looks | None = field(default=None, compare=False, repr=False)

    @abstractmethod
    def __iter__(self) -> Iterator[T]:
        """Give the answers, read in pages."""

    @abstractmethod
    def count(self) -> int:
        """Count the answers."""

    @abstractmethod
    def question(self) -> Question:
        """Give what is asked of the registry."""

    @abstractmethod
    def row(self, answer: T) -> Mapping[str, object]:
        """Give an answer as a row of a table."""

    def any(self) -> bool:
        """Tell whether there is an answer."""
        return next(iter(self.limit(1)), None) is not None

    def where(self, expression: str, **bind: object) -> Self:
        """Demand another expression besides."""
        return self._narrowed(replace(self.asked, more=(*self.asked.more, (expression, bind))))

    def order_by(self, *names: str) -> Self:
        """Sort by columns: ``visit.exposure_time``, ``visit.timespan.begin``; ``-`` in front: descending."""
        return self._narrowed(replace(self.asked, order=names))

    def limit(self, n: int) -> Self:
        """Give only the first ``n``."""
        if n < 0:
            raise BadArgument(f"limit({n!r})", "no whole number from 0", "give how many are wanted")
        return self._changed(limited=n if self.limited is None else min(n, self.limited))

    def to_table(self, kind: str = "astropy") -> Any:  # noqa: ANN401 - a table of the library asked for
        """Give all answers as a table: ``astropy``, ``pandas`` or ``arrow``."""
        return make_table([self.row(answer) for answer in self], self.columns(), kind)

    @abstractmethod
    def columns(self) -> list[str]:
        """Give the names of the columns of `to_table`."""

    @abstractmethod
    def footprints(self) -> list[Footprint]:
        """Find where the answers are on the sky: one set of regions for each kind of answer."""

    def sky(self) -> SkyChart:
        """Draw where all answers are on the sky.

        Datasets and data IDs are where the records of what they name are: that of a visit and detector, of a
        patch, of the visit that an exposure belongs to. A notebook shows the chart; `SkyChart.save` writes it
        to a file.
        """
        return chart(self.footprints())

    @property
    @abstractmethod
    def title(self) -> str:
        """What is asked for, in a few words."""

    def _repr_html_(self) -> str:
        return (self.looks or Looks.of(self.registry)).html_of_query(self.title, self)

    def explain(self) -> str:
        """Say in words why there is no answer, or how many there are."""
        if self.any():
            return f"{self.count()} found"
        reason = self._nothing_at_all()
        if reason is not None:
            return reason
        return self._guilty()

    def _nothing_at_all(self) -> str | None:
        """Say why there would be no answer without any condition either."""
        return None if self._with(()).any() else "there is nothing, whatever the conditions"

    def _guilty(self) -> str:
        """Find the conditions that leave nothing."""
        conditions = self.question().conditions
        for condition in conditions:
            if not self._with((condition,)).any():
                return f"nothing has {said(condition)}"
        for number in range(2, len(conditions) + 1):
            if not self._with(conditions[:number]).any():
                some = " and ".join(said(condition) for condition in conditions[: number - 1])
                return f"some have {some}, but none of these has {said(conditions[number - 1])}"
        return "there is nothing in the limit asked for"

    def _with(self, conditions: tuple[Expression, ...]) -> Self:
        return self._changed(asked=replace(self.asked, only=conditions, order=()), limited=None)

    def _changed(self, **changes: object) -> Self:
        return replace(self, **changes)  # type: ignore[arg-type]

    def _narrowed(self, asked: Asked) -> Self:
        narrowed = self._changed(asked=asked)
        narrowed.question()
        return narrowed
