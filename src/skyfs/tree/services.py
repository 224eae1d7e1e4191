"""Service directories that hold no datasets by key: ``/.repo`` and ``/.records``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version

from ..model.paths import Address
from ..repository import Repository
from .node import Content, Node
from .record_tables import EXTENSIONS
from .records import RecordFiles

# `.by-id` and `.where` can be opened by name, and are listed empty.
PLAIN = ((".repo",), (".by-id",), (".records",), (".where",))


class Services:
    """Gives the files of service directories.

    Parameters
    ----------
    repository, born_ns
        What they tell of, and the time of what never changes.
    status
        Gives what ``/.repo/status.json`` tells besides the repository, each time it is looked at.
    """

    def __init__(
        self,
        repository: Repository,
        born_ns: int,
        status: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._status = status
        self._repository = repository
        self._born_ns = born_ns
        self._records = RecordFiles(repository)

    def files(self, address: Address) -> Iterator[Node]:
        """Give all files of a service directory."""
        if address.head:
            return
        if address.service == (".repo",):
            yield from (self._file(address, name, one) for name, one in self._repo().items())
        elif address.service == (".records",):
            for name in self._records.names():
                found = self._records.content(name)
                if found is not None:
                    yield self._file(address, name, found)

    def file(self, address: Address) -> Node | None:
        """Give a file by its address; None when there is none."""
        if len(address.head) != 1 or address.selectors:
            return None
        (name,) = address.head
        found = self._repo().get(name) if address.service == (".repo",) else None
        if address.service == (".records",):
            found = self._records.content(name)
        return None if found is None else self._file(Address(service=address.service), name, found)

    def known(self, address: Address) -> tuple[str, ...]:
        """Give what an error says about a name that a service directory does not have."""
        if address.service != (".records",):
            return ()
        names = sorted({name.partition(".")[0] for name in self._records.names()})
        return f"there are {', '.join(names)}", f"each with {', '.join(EXTENSIONS)}"

    def _file(self, folder: Address, name: str, content: Content) -> Node:
        return Node(f"{folder}/{name}", is_dir=False, content=content)

    def _repo(self) -> dict[str, Content]:
        repository = self._repository
        return {
            "config.yaml": self._fixed(repository.config.annotated()),
            "version": self._fixed(f"{version('skyfs')}\n"),
            "status.json": Content(self._standing, volatile=True),
        }

    def _standing(self) -> tuple[bytes, int]:
        repository = self._repository
        known = {"name": repository.name, "root": str(repository.root), "writable": repository.writable}
        text = json.dumps({**known, **self._status()}, indent=1, ensure_ascii=False)
        return f"{text}\n".encode(errors="surrogateescape"), time.time_ns()

    def _fixed(self, text: str) -> Content:
        made = text.encode(), self._born_ns
        return Content(lambda: made)
