"""Where the bytes of arriving datasets come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from ..abc.store import Expected, FetchesMany, Store
from ..errors import BadContent, NotFound, SkyfsError
from ..model.manifest_line import FileRow
from .archive import ArchiveReader
from .travelling import digest_of, size_of

_COPY_BYTES = 1 << 22
_SMALL_BYTES = 8 * 2**20
# Fetched ahead at most: so much memory is held.
_AHEAD_BYTES, _AHEAD_FILES = 64 * 2**20, 256


class Deliveries(ABC):
    """Gives the files that travel, in the order of the manifest."""

    near: bool
    """Whether they come without delay."""

    def expect(self, files: Sequence[tuple[str, FileRow]]) -> None:  # noqa: B027 - most need not know
        """Tell which files will be asked for next, in this order."""

    @abstractmethod
    def pieces(self, name: str, file: FileRow) -> Iterator[bytes]:
        """Give the bytes of the next file, some at a time.

        Raises
        ------
        BadContent
            When another file comes than the manifest says, or of another size.
        NotFound, StoreError
            When it cannot be read.
        """

    @abstractmethod
    def pass_by(self, name: str, file: FileRow) -> None:
        """Leave the next file out."""

    @abstractmethod
    def end(self) -> None:
        """Refuse what comes after the last file."""


class FromArchive(Deliveries):
    """Files of an archive; near, when none of it is still to be sent."""

    def __init__(self, archive: ArchiveReader, origin: str, *, near: bool) -> None:
        self._archive = archive
        self._origin = origin
        self.near = near

    def pieces(self, name: str, file: FileRow) -> Iterator[bytes]:
        self.pass_by(name, file)
        yield from self._archive.pieces()

    def pass_by(self, name: str, file: FileRow) -> None:
        member = self._archive.next()
        if member is None or (member.name, member.size) != (name, size_of(file)):
            found = "nothing" if member is None else f"{member.name!r} of {member.size} bytes"
            wanted = f"the manifest says {name!r} of {size_of(file)} bytes"
            raise BadContent(f"read {self._origin}", f"{found} comes; {wanted}", "export it again")

    def end(self) -> None:
        member = self._archive.next()
        if member is not None:
            found = f"{member.name!r} comes, of which the manifest says nothing"
            raise BadContent(f"read {self._origin}", found, "export it again")


class FromStores(Deliveries):
    """Files in the stores of another repository, of manifests that spell their keys.

    Small files that are far away are fetched together, some ahead of those that are asked for.
    """

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = stores
        self._far = {name: store for name, store in stores.items() if isinstance(store, FetchesMany)}
        self.near = not self._far
        self._expected: deque[tuple[str, FileRow]] = deque()
        self._fetched: dict[str, bytes | SkyfsError] = {}

    def expect(self, files: Sequence[tuple[str, FileRow]]) -> None:
        self._expected = deque(files)
        self._fetched = {}

    def pieces(self, name: str, file: FileRow) -> Iterator[bytes]:
        store = self._stores.get(file.store)
        if store is None or file.key is None:
            raise NotFound(f"read {name} from store {file.store!r}", "the repository has no such store")
        far = self._far.get(file.store)
        if far is not None and size_of(file) <= _SMALL_BYTES:
            yield self._small(far, name, file)
            return
        expected = Expected(size_of(file), digest_of(file))
        with closing(store.open(file.key, expected)) as source:
            if source.size != expected.size:
                found = f"{source.size} bytes, the registry says {expected.size}"
                raise BadContent(f"read {file.key!r} from store {file.store!r}", found, "check its store")
            for start in range(0, source.size, _COPY_BYTES):
                yield source.read(start, min(start + _COPY_BYTES, source.size))

    def pass_by(self, name: str, file: FileRow) -> None:
        """Nothing comes that is not asked for."""

    def end(self) -> None:
        """Nothing comes that is not asked for."""

    def _small(self, store: FetchesMany, name: str, file: FileRow) -> bytes:
        if name not in self._fetched:
            self._fetch(store, name, file)
        found = self._fetched.pop(name)
        if isinstance(found, SkyfsError):
            raise found
        return found

    def _fetch(self, store: FetchesMany, name: str, file: FileRow) -> None:
        """Fetch a small file, and those of its store that come next, as far as they are not much."""
        wanted, size = {name: file}, size_of(file)
        while self._expected and size < _AHEAD_BYTES and len(wanted) < _AHEAD_FILES:
            other, one = self._expected.popleft()
            if one.store == file.store and size_of(one) <= _SMALL_BYTES:
                wanted[other] = one
                size += size_of(one) if other != name else 0
        items = [(str(one.key), Expected(size_of(one), digest_of(one))) for one in wanted.values()]
        found = store.read_many(items, lambda _: None)
        self._fetched.update(zip(wanted, found, strict=True))
