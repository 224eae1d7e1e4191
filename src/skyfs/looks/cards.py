"""What notebooks show of a dataset, a query and a repository.

It is bounded, whatever there is: some rows, some thumbnails, some hundred regions. It never raises: what
cannot be shown is said in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from ..errors import SkyfsError
from ..model.collection import Collection
from ..model.dataset import DatasetRef, DatasetType, Resolved, ref_facts
from ..model.markup import Html, beside, card, facts, note, picture, table
from ..registry.registry import Registry
from .footprints import Footprint, chart, footprint
from .thumbnails import Thumbnails

ROWS = 10
COLUMNS = 10
THUMBNAILS = 4
REGIONS = 500
CHART_WIDTH = 320


class Answers(Protocol):
    """What a query gives, as far as a card needs it."""

    def __iter__(self) -> Iterator[Any]:
        """Give the answers."""

    def limit(self, n: int) -> Answers:
        """Give the first ones."""

    def columns(self) -> list[str]:
        """Give the names of columns."""

    def row(self, answer: Any) -> Mapping[str, object]:  # noqa: ANN401 - whatever it is asked for
        """Give an answer as a row."""

    def footprints(self) -> list[Footprint]:
        """Find where the answers are on the sky."""


def in_words(title: object, make: Callable[[], Html]) -> Html:
    """Make a card; when that fails, one that says so."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - a notebook shall show a variable, whatever has become of it
        return card(title, "", note(f"it cannot be shown: {str(error) or type(error).__name__}"))


class Looks:
    """Makes the cards of a repository and of what is in it.

    Parameters
    ----------
    registry
        What there is.
    thumbnails
        Small pictures; None: there are none.
    path
        Gives the path of a dataset.

    Attributes
    ----------
    is_open
        False when the repository was closed: of references there is only what they are.
    """

    def __init__(
        self, registry: Registry, thumbnails: Thumbnails | None, path: Callable[[DatasetRef], str]
    ) -> None:
        self._registry = registry
        self._thumbnails = thumbnails
        self._path = path
        self.is_open = True

    @classmethod
    def of(cls, registry: Registry) -> Looks:
        """Give one for queries that were made without a repository."""
        return cls(registry, None, str)

    def html_of(self, ref: DatasetRef) -> str:
        """Give the card of a dataset."""
        return in_words(ref.type.name, lambda: self._dataset(ref))

    def html_of_query(self, title: str, answers: Answers) -> str:
        """Give the card of a query: the first rows, and where the first answers are."""
        return in_words(title, lambda: self._query(title, answers))

    def html_of_repository(
        self,
        title: str,
        about: Mapping[str, object],
        collections: Sequence[Collection],
        types: Sequence[DatasetType],
    ) -> str:
        """Give the card of a repository."""
        return in_words(title, lambda: self._repository(title, about, collections, types))

    # -- cards -----------------------------------------------------------------------------------------

    def _dataset(self, ref: DatasetRef) -> Html:
        known = ref_facts(ref)
        kind = f"{ref.type.storage_class} dataset"
        if not self.is_open:
            return card(ref.type.name, kind, facts(known), note("its repository is closed"))
        found = self._registry.lookup.by_id(self._registry.current(), [ref.id]).get(ref.id)
        if found is None:
            return card(ref.type.name, kind, facts(known), note("it was removed"))
        known = [("path", self._path(ref)), *known, *_stored(found)]
        where = footprint(self._registry, ref.type.name, ref.type.group.required, [ref.data_id])
        return card(
            ref.type.name,
            kind,
            beside(self._thumbnail(found, ref), facts(known), _sky([where])),
        )

    def _query(self, title: str, answers: Answers) -> Html:
        first = list(answers.limit(ROWS + 1))
        shown = first[:ROWS]
        if not first:
            return card(title, "no answer", note("query.explain() says why"))
        rows = [answers.row(answer) for answer in shown]
        names = [name for name in answers.columns() if _is_telling(name, rows)]
        listed = table(names[:COLUMNS], [[row.get(name) for name in names[:COLUMNS]] for row in rows])
        more = f"the first {ROWS} rows" if len(first) > ROWS else f"{len(first)} row{'s' * (len(first) > 1)}"
        left = f"; {len(names) - COLUMNS} more columns: .to_table()" if len(names) > COLUMNS else ""
        refs = [answer for answer in shown if isinstance(answer, DatasetRef)]
        pictures = list(islice(filter(None, self._small(refs)), THUMBNAILS))
        places = answers.limit(REGIONS).footprints()
        return card(title, more + left, beside(Html(listed + beside(*pictures)), _sky(places)))

    def _repository(
        self,
        title: str,
        about: Mapping[str, object],
        collections: Sequence[Collection],
        types: Sequence[DatasetType],
    ) -> Html:
        named = [(one.name, one.kind.value, ", ".join(one.children) or one.doc) for one in collections]
        typed = [(one.name, ", ".join(one.group.required), one.storage_class) for one in types]
        parts = [
            _some(("collection", "kind", "children"), named, "repo.collections()"),
            _some(("dataset type", "dimensions", "storage class"), typed, "repo.types()"),
        ]
        return card(title, "skyfs repository", facts(about.items()), beside(*parts, self._everywhere()))

    # -- parts -----------------------------------------------------------------------------------------

    def _small(self, refs: Sequence[DatasetRef]) -> Iterator[Html]:
        """Give thumbnails of some datasets; those that are none, or dear, are left out."""
        found = self._registry.lookup.by_id(self._registry.current(), [ref.id for ref in refs])
        for ref in refs:
            if ref.id in found:
                yield self._thumbnail(found[ref.id], ref, quiet=True)

    def _thumbnail(self, resolved: Resolved, ref: DatasetRef, *, quiet: bool = False) -> Html:
        try:
            png = None if self._thumbnails is None else self._thumbnails.png(resolved)
        except SkyfsError as error:
            return Html("") if quiet else note(error)
        caption = ", ".join(str(value) for value in ref.data_id.values())
        return Html("") if png is None else picture(png, caption)

    def _everywhere(self) -> Html:
        """Draw the records of the coarsest elements that have regions."""
        universe, registry = self._registry.universe, self._registry
        places: list[Footprint] = []
        for element in universe.elements.values():
            if element.spatial and element.is_dimension and len(places) < 2:
                found = Footprint(element.name)
                for record in islice(registry.records.select(element, {}), REGIONS):
                    region = record["region"]
                    found.add(region if isinstance(region, bytes) else None)
                places += [found] if found.regions else []
        return _sky(places)


def _sky(places: Iterable[Footprint]) -> Html:
    """Draw where things are; nothing when they are nowhere."""
    some = [one for one in places if one.regions]
    if not some:
        return Html("")
    drawn = chart(some)
    first = f"regions of the first {REGIONS}" if any(one.total >= REGIONS for one in some) else ""
    return Html(drawn.to_svg(CHART_WIDTH) + note(first))


def _some(names: Sequence[str], rows: Sequence[Sequence[object]], call: str) -> Html:
    left = f"{len(rows) - ROWS} more: {call}" if len(rows) > ROWS else ""
    return Html(table(names, rows[:ROWS]) + note(left)) if rows else note(f"no {names[0]}s yet")


def _stored(resolved: Resolved) -> Iterator[tuple[str, object]]:
    for place in resolved.locations[:3]:
        what = f"{place.component}: " if place.component else ""
        yield "stored", f"{what}{place.size:,} bytes as {place.extension or 'bytes'} in {place.store}"
    if not resolved.locations:
        yield "stored", "no: it is declared only"


def _is_telling(name: str, rows: Sequence[Mapping[str, object]]) -> bool:
    """Leave out what nobody reads: regions, and columns without a value."""
    return any(row.get(name) is not None and not isinstance(row[name], bytes) for row in rows)
