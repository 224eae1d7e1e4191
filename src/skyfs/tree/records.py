"""The files of ``/.records``: dimension records and side tables, written when somebody opens them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from ..model.element import Element
from ..model.paths import split_leaf
from ..registry.database import State
from ..repository import Repository
from .node import Content
from .record_tables import EXTENSIONS, write_records

KEPT_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Made:
    """A file as it was in the registry's state ``token``."""

    token: object
    data: bytes
    mtime_ns: int


class RecordFiles:
    """Writes the files, and keeps the latest while the registry stays as it is. Safe from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._kept: OrderedDict[str, _Made] = OrderedDict()
        self._lock = threading.Lock()

    def names(self) -> Iterator[str]:
        """Give the names of all files."""
        for name in self._elements():
            yield from (f"{name}{extension}" for extension in EXTENSIONS)

    def content(self, name: str) -> Content | None:
        """Give a file by name; None when there is none of that name."""
        leaf = split_leaf(name)
        if leaf is None or leaf[1] is not None or leaf[2] not in EXTENSIONS:
            return None
        element, extension = self._elements().get(leaf[0]), leaf[2]
        return None if element is None else Content(lambda: self._file(element, extension))

    # -- inside ----------------------------------------------------------------------------------------

    def _elements(self) -> dict[str, Element]:
        registry = self._repository.registry
        own = {name: one for name, one in registry.universe.elements.items() if one.has_records}
        return {**own, **registry.current().sides}

    def _file(self, element: Element, extension: str) -> tuple[bytes, int]:
        """Give the bytes, and when they became so."""
        name, state = element.name + extension, self._repository.registry.state()
        # What a transaction sees is nobody else's.
        if self._repository.registry.in_transaction:
            return write_records(self._repository, element, extension), time.time_ns()
        with self._lock:
            known = self._kept.get(name)
        if known is not None and known.token == state.token:
            return known.data, known.mtime_ns
        made = self._made(element, extension, state)
        if known is not None and known.data == made.data:
            # Something else was committed: to whoever has the file open it stays the same.
            made = _Made(made.token, known.data, known.mtime_ns)
        self._keep(name, made)
        return made.data, made.mtime_ns

    def _made(self, element: Element, extension: str, state: State) -> _Made:
        data = write_records(self._repository, element, extension)
        return _Made(state.token if state.settled else object(), data, state.changed_ns)

    def _keep(self, name: str, made: _Made) -> None:
        with self._lock:
            self._kept[name] = made
            self._kept.move_to_end(name)
            while len(self._kept) > 1 and sum(len(one.data) for one in self._kept.values()) > KEPT_BYTES:
                self._kept.popitem(last=False)
