"""All files that the registry names, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..errors import SkyfsError
from ..model.dataset import DatasetRef, Resolved
from ..registry.audit import StoredRow
from ..registry.registry import Registry
from .options import Options, mark

_PAGE_ROWS = 500
_SAMPLED_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the registry knows it.

    Attributes
    ----------
    store, key
        Where it is.
    size, sha256
        What it holds; without a digest it was taken in unread.
    owned
        Whether skyfs may move it.
    ref, number
        A dataset in it, and that one's row.
    """

    store: str
    key: str
    size: int
    sha256: bytes | None
    owned: bool
    ref: DatasetRef
    number: int

    @property
    def what(self) -> str:
        """Name it."""
        values = ", ".join(f"{name}={value}" for name, value in self.ref.data_id.levels)
        named = f"{self.ref.type.name} [{values}] in {self.ref.run}"
        return f"{self.key!r} in store {self.store!r} ({named})"


@dataclass(slots=True)
class Page:
    """Some files; ``last`` is the number of the last dataset, ``lost`` those that cannot be made out."""

    last: int
    datasets: int
    files: list[StoredFile] = field(default_factory=list)
    lost: list[tuple[UUID, str]] = field(default_factory=list)


class Walk:
    """Goes over all datasets with bytes, or a sample of them, in the order of their rows."""

    def __init__(self, registry: Registry, options: Options, seed: int) -> None:
        self._registry, self._seed = registry, seed
        self._limit: int | None = None
        if options.sample is not None:
            self._limit = options.sample.limit(seed, self._every())

    def pages(self, after: int) -> Iterator[Page]:
        """Give what comes after a dataset, as far as it is there by now."""
        size = _PAGE_ROWS if self._limit is None else _SAMPLED_ROWS
        while rows := self._registry.audit.stored_after(after, size):
            after = rows[-1].number
            chosen = [row for row in rows if self._limit is None or mark(row.id, self._seed) <= self._limit]
            page = Page(after, len(rows))
            self._fill(page, chosen)
            yield page

    def fresh(self, file: StoredFile) -> bool:
        """Tell whether the registry still says the same of a file."""
        page = Page(0, 0)
        self._fill(page, [StoredRow(file.number, file.ref.id)])
        return any(
            (one.store, one.key, one.size) == (file.store, file.key, file.size)
            and file.sha256 in (one.sha256, None)
            for one in page.files
        )

    def _every(self) -> Iterator[UUID]:
        after = 0
        while rows := self._registry.audit.stored_after(after, _SAMPLED_ROWS):
            yield from (row.id for row in rows)
            after = rows[-1].number

    def _fill(self, page: Page, rows: Sequence[StoredRow]) -> None:
        try:
            found = self._resolved([row.id for row in rows])
        except (SkyfsError, LookupError, ValueError, TypeError) as error:
            if len(rows) == 1:
                page.lost.append((rows[0].id, _told(error)))
                return
            # One of them cannot be made out: the others can.
            for row in rows:
                self._fill(page, [row])
            return
        for row in rows:
            if row.id in found:
                page.files += files_of(row.number, found[row.id])

    def _resolved(self, ids: Sequence[UUID]) -> dict[UUID, Resolved]:
        return self._registry.lookup.by_id(self._registry.current(), ids)


def files_of(number: int, resolved: Resolved) -> list[StoredFile]:
    """Give the files of a dataset."""
    ref = resolved.ref
    return [
        StoredFile(place.store, place.key, *place.whole, place.owned, ref, number)
        for place in resolved.locations
    ]


def _told(error: Exception) -> str:
    if isinstance(error, SkyfsError):
        return str(error)
    if isinstance(error, LookupError):
        return f"a row that it names is gone ({type(error).__name__}: {error})"
    return f"its row cannot be read ({type(error).__name__}: {error})"
