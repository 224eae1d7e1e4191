"""The parts of a repository, brought together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

from ..abc.store import Store
from ..config import Config
from ..errors import BadArgument, NotAllowed, NotFound, Unsupported
from ..formats.catalog import Formats
from ..looks import Looks, Pictures, Thumbnails
from ..model.collection import check_collection_name
from ..model.dataset import DatasetRef
from ..model.paths import Address
from ..reading.converter import Converter
from ..reading.finder import Finder
from ..reading.kept import Kept
from ..reading.opener import Opener
from ..reading.parter import Parter
from ..reading.reader import Reader
from ..reading.resolver import Resolver
from ..registry.collections import writable_run
from ..registry.registry import Registry
from ..writing.planner import Policy
from ..writing.routes import Routes
from ..writing.writer import Writer
from .eliding import Elided

Collections = str | Iterable[str] | None


class Base:
    """What every part of a repository stands on."""

    def __init__(
        self,
        root: Path,
        config: Config,
        registry: Registry,
        stores: Mapping[str, Store],
        formats: Formats,
        user: str,
    ) -> None:
        self.root = root
        self.config = config
        self.registry = registry
        self.stores = stores
        self.formats = formats
        self.user = user
        self.collections_searched: tuple[str, ...] = ()
        self.run: str | None = None
        policy = Policy(config.auto_register, user)
        self.reader = Reader(registry, stores, formats)
        ready = frozenset(name for name, store in stores.items() if store.writable)
        self.kept = Kept()
        self.converter = Converter(self.reader, formats, self.kept)
        self.opener = Opener(self.reader, self.converter)
        self.parter = Parter(self.reader, formats, self.converter, self.kept)
        self.writer = Writer(registry, stores, formats, policy, Routes(config.stores, ready, formats))
        self.finder = Finder(registry)
        self.resolver = Resolver(registry, self.finder)
        self.pictures = Pictures(self.reader, self.converter, self.opener, self.parter)
        self.looks = Looks(registry, Thumbnails(self.reader, self.pictures), self.path)
        self.elided: Elided[Self] | None = None
        self.recovered = 0
        self.reopen: Callable[[str, bool, tuple[str, ...], str | None], Self] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle where it is and how it was opened: it is opened again, there with its own connections."""
        if self.reopen is None:
            found = "it was opened with overrides, which may hold secrets"
            raise Unsupported(f"pickle the repository {self.name!r}", found, "open it where it is wanted")
        how = (self.writable, self.collections_searched, self.run)
        return self.reopen, (str(self.root), *how)

    @property
    def name(self) -> str:
        """The name by which ``skyfs://NAME/`` opens it."""
        return self.config.name

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self.registry.writable

    def transaction(self) -> AbstractContextManager[None]:
        """Run the body as one change: all that is done inside, or nothing."""
        if self.elided is None:
            return self.writer.transaction()
        return _both(self.writer, self.elided.repository.writer)

    def path(self, ref: DatasetRef) -> str:
        """Give the canonical path of a dataset in its RUN."""
        elided = self._in_memory(ref.type.name)
        if elided is not None:
            return elided.repository.path(ref)
        found = self.registry.lookup.by_id(self.registry.current(), [ref.id]).get(ref.id)
        if found is None:
            raise NotFound(f"dataset {ref.id}", "it is not in this repository")
        extension = self.reader.shown(found).extension if found.locations else ""
        keys = [(name, str(value)) for name, value in found.ref.data_id.levels]
        return str(Address.dataset(found.ref.run, found.ref.type.name, keys, extension))

    def recover(self) -> int:
        """Undo what writers that died have left behind; give how many files were taken away."""
        return sum(store.recover(self._asking(name)) for name, store in self.stores.items())

    def _asking(self, store: str) -> Callable[[str], bool]:
        """Give what tells of the keys of a store that dead writers wrote whether they were committed."""
        # At the first question, when it is known who is dead.
        settled = cache(self.registry.await_dead)

        def holds(key: str) -> bool:
            settled()
            return self.registry.lookup.holds(self.registry.current(), store, key)

        return holds

    def close(self) -> None:
        """Let go of connections and files."""
        self.looks.is_open = False
        self.registry.close()
        if self.elided is not None:
            self.elided.repository.looks.is_open = False
            self.elided.repository.registry.close()
        for store in self.stores.values():
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<skyfs.Repository {self.name!r} at {str(self.root)!r}{'' if self.writable else ', read-only'}>"
        )

    def _in_memory(self, type_name: str) -> Elided[Self] | None:
        """Give what keeps a type in memory; None when it is stored."""
        return self.elided if self.elided is not None and self.elided.takes(type_name) else None

    def _searched(self, collections: Collections) -> Sequence[str]:
        if collections is None:
            if not self.collections_searched:
                raise BadArgument(
                    "which collections?", "none are named", "give collections=, here or to skyfs.open"
                )
            return self.collections_searched
        return [collections] if isinstance(collections, str) else list(collections)

    def _run(self, run: str | None) -> str:
        chosen = self.run if run is None else run
        if chosen is None:
            raise BadArgument("which RUN?", "none is named", "give run=, here or to skyfs.open")
        return check_collection_name(chosen)

    def _require_owner(self, run: str, verb: str) -> None:
        collection = self.registry.current().collection(run).collection
        if verb != "lock":
            writable_run(self.registry.current().collection(run))
        if collection.owner and self.user not in (collection.owner, *self.config.admins):
            raise NotAllowed(
                f"{verb} the RUN {run!r}", f"it belongs to {collection.owner}, you are {self.user}"
            )


@contextmanager
def _both(one: Writer, other: Writer) -> Iterator[None]:
    """Run the body as one change of both."""
    with other.transaction(), one.transaction():
        yield
