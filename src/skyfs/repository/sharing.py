"""Sharing datasets with other repositories."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from ..config.stores import without_password
from ..errors import BadArgument, NotFound, StoreError, look_for
from ..stores.arriving import arriving
from .base import Base, Collections
from .naming import collections_named, types_named

if TYPE_CHECKING:
    from ..model.dataset import Resolved
    from ..model.manifest_line import FileRow, Line
    from ..registry.manifest.arriving import Applied, OnConflict
    from ..sharing.intake import Intake
    from ..sharing.selecting import Selection

Done = Callable[[int], None]
CHOICES = ("fail", "skip", "replace", "newest")


class Sharing(Base):
    """Exports datasets, takes exports in, and sends datasets to other repositories."""

    def export(  # noqa: PLR0913 - what to choose, and where to
        self,
        file: str | os.PathLike[str] | IO[bytes],
        types: str | Iterable[str] | None = None,
        *,
        collections: Collections = None,
        where: str | None = None,
        bind: Mapping[str, object] | None = None,
        files: bool | None = None,
        done: Done = lambda _: None,
        **data_id: object,
    ) -> int:
        """Write datasets, with all that belongs to them, to a file or stream.

        With them go the records and rows of side tables about them, tags, validity ranges, chains, captured
        values, and the ids of what they were made from. Nothing is held in memory but the ids.

        Parameters
        ----------
        file
            A path that ends in ``.tar`` (bytes too) or ``.jsonl`` (no bytes), or an open binary file. What
            lies under a path is replaced when the export is whole.
        types, collections
            Names or globs; default: all.
        where, bind, **data_id
            Conditions, as of `query`.
        files
            Whether bytes go along; default: as the path says, for an open file yes.
        done
            Is told of bytes that were written.

        Returns
        -------
        int
            How many datasets.

        Raises
        ------
        NotFound, StoreError, BadContent
            When bytes cannot be read, or are not what the registry says.
        """
        from ..sharing.deliveries import FromStores
        from ..sharing.exporting import export_archive, export_lines

        chosen = self.selection(types, collections, where, bind, data_id)
        with _written(file) as (target, with_bytes):
            if files is False or (files is None and not with_bytes):
                return export_lines(self.described(chosen), target)
            return export_archive(self.described(chosen, keys=True), FromStores(self.stores), target, done)

    def export_rubin(
        self,
        file: str | os.PathLike[str],
        types: str | Iterable[str] | None = None,
        *,
        collections: Collections = None,
        where: str | None = None,
        bind: Mapping[str, object] | None = None,
        **data_id: object,
    ) -> int:
        """Write a YAML export that Rubin data butlers import; it names files where they are.

        Left out is what a butler has no word for: captured values, provenance, side tables, and datasets
        without bytes. Give it to ``Butler.import_(filename=..., transfer="direct")``, or "copy".

        Parameters
        ----------
        file
            The YAML file.
        types, collections, where, bind, **data_id
            What is chosen, as of `export`.

        Returns
        -------
        int
            How many datasets.

        Raises
        ------
        Unsupported
            When butlers cannot read the files of a type, or know no such dimensions.
        """
        from ..sharing.rubin import RubinExport

        chosen = self.selection(types, collections, where, bind, data_id)
        lines = self.described(chosen, keys=True)
        with _replaced(os.path.abspath(os.fspath(file))) as target:
            return RubinExport(self.registry.universe, self._url, target).write(lines)

    def _url(self, file: FileRow) -> str:
        """Give the path or URL of a file."""
        urls = {store.name: store.url for store in self.config.stores}
        url, key = urls.get(file.store, ""), str(file.key)
        if "://" in url and not url.startswith(("file:", "local:")):
            return f"{without_password(url).rstrip('/')}/{key}"
        with self.stores[file.store].open(key) as source:
            return str(source.local_path)

    def import_manifest(
        self,
        file: str | os.PathLike[str] | IO[bytes],
        *,
        on_conflict: OnConflict = "fail",
        done: Done = lambda _: None,
    ) -> Applied:
        """Take in what `export` wrote: all of it, or nothing.

        Datasets keep their ids; what is there already is no change. Datasets that come without bytes are
        declared, until they come with bytes. New RUNs belong to you.

        Parameters
        ----------
        file
            A path, or an open binary file, which is read from where it stands and need not be seekable.
        on_conflict
            When something else is there: ``fail``; ``skip`` keeps what is there; ``replace`` takes what
            comes; ``newest`` takes of datasets what was made later, and keeps all else.
        done
            Is told of bytes that have come.

        Raises
        ------
        Conflict, Exists
            When something else is there, and that is to fail.
        BadContent
            When it is damaged, cut, hostile, or no export.
        WrongBytes
            When bytes are not what the manifest says.
        """
        from ..model.manifest import read_lines
        from ..sharing.deliveries import FromArchive
        from ..sharing.exporting import open_archive

        intake = self.intake(on_conflict)
        with _opened(file) as (source, origin), tempfile.TemporaryFile() as spool:
            first = source.read(1)
            whole = _Joined(first, source)
            if first == b"{" or origin.endswith(".jsonl"):
                return intake.refer(read_lines(whole, origin), {})
            archive = open_archive(whole, origin, spool)
            deliveries = FromArchive(archive, origin, near=_is_whole(source))
            return intake.bring(read_lines(spool, f"{origin}, manifest"), deliveries, done)

    def push(  # noqa: PLR0913 - what to choose, and where to
        self,
        destination: Sharing,
        types: str | Iterable[str] | None = None,
        *,
        collections: Collections = None,
        where: str | None = None,
        bind: Mapping[str, object] | None = None,
        on_conflict: OnConflict = "fail",
        done: Done = lambda _: None,
        **data_id: object,
    ) -> Applied:
        """Send datasets, with all that belongs to them, into another repository.

        They become visible there some at a time, each whole; tags, validity ranges and chains come last.
        What is there already, with the same id and digest, is not sent again: after an interruption, call it
        once more.

        Parameters
        ----------
        destination
            A repository that is open for writing, of the same dimensions.
        types, collections, where, bind, **data_id
            What is sent, as of `export`.
        on_conflict
            What wins when something else is there, as of `import_manifest`.
        done
            Is told of bytes that were sent.

        Raises
        ------
        Conflict, Exists
            When something else is there, and that is to fail.
        NotFound, StoreError, WrongBytes
            When bytes cannot be read, or are not what the registry says.
        """
        from ..sharing.deliveries import FromStores
        from ..sharing.pushing import send

        chosen = self.selection(types, collections, where, bind, data_id)
        lines = self.described(chosen, keys=True)
        return send(lines, destination.intake(on_conflict), FromStores(self.stores), done)

    def intake(self, on_conflict: OnConflict = "fail") -> Intake:
        """Give what puts manifests into this repository."""
        from ..sharing.intake import Intake

        if on_conflict not in CHOICES:
            raise BadArgument(f"on_conflict={on_conflict!r}", "no such", f"one of {', '.join(CHOICES)}")
        return Intake(self.registry, self.writer, on_conflict, self.user, self._give_way)

    def _give_way(self, resolved: Sequence[Resolved]) -> None:
        """Remove datasets that others take the place of, when their RUNs are this user's."""
        for run in {one.ref.run for one in resolved}:
            self._require_owner(run, "replace datasets of")
        self.writer.remove(resolved)

    def described(self, chosen: Selection, *, keys: bool = False) -> Iterator[Line]:
        """Give the lines of what is chosen; with ``keys``, those of all files are spelled out."""
        from ..registry.manifest.describing import Description

        description = Description(self.registry, self.name, keys=keys)
        if chosen.is_everything:
            return description.everything()
        return description.chosen(chosen.ids(self.registry), chosen.named(self.registry))

    def selection(
        self,
        types: str | Iterable[str] | None,
        collections: Collections,
        where: str | None,
        bind: Mapping[str, object] | None,
        data_id: Mapping[str, object],
    ) -> Selection:
        """Give what is chosen; raises NotFound when a type or collection does not exist."""
        from ..sharing.selecting import Selection

        known = self.registry.current()
        named = None
        if collections is not None:
            listed = [collections] if isinstance(collections, str) else list(collections)
            named = collections_named(known, listed)
        return Selection(None if types is None else types_named(known, types), named, where, bind, data_id)


class _Joined:
    """A stream of which the first byte was read."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self._first, self._rest = first, rest

    def read(self, size: int) -> bytes:
        first, self._first = self._first[:size], self._first[size:]
        return first + self._rest.read(size - len(first))

    def readline(self, size: int) -> bytes:
        first, self._first = self._first[:size], self._first[size:]
        return first + self._rest.readline(size - len(first))


@contextmanager
def _written(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], bool]]:
    """Open the target, and tell whether its name asks for bytes; a path is there when all is."""
    if not isinstance(file, str | os.PathLike):
        yield file, True
        return
    path = os.path.abspath(os.fspath(file))
    if not path.endswith((".tar", ".jsonl")):
        raise BadArgument(f"export to {path!r}", "the name tells no format", ".tar has bytes, .jsonl none")
    with _replaced(path) as target:
        yield target, path.endswith(".tar")


@contextmanager
def _replaced(path: str) -> Iterator[IO[bytes]]:
    """Give a file that lies under a path when it is whole."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise NotFound(f"export to {path!r}", "its folder does not exist", "make it: mkdir -p")
    with arriving(path) as descriptor, open(descriptor, "wb", closefd=False) as target:
        yield target
        target.flush()
        os.fsync(descriptor)


def _is_whole(file: IO[bytes]) -> bool:
    """Tell whether all of a stream is there: it is a file, not what another program sends."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:  # no descriptor
        return isinstance(file, io.BytesIO)


@contextmanager
def _opened(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    if not isinstance(file, str | os.PathLike):
        yield file, str(getattr(file, "name", "the stream"))
        return
    path = os.fspath(file)
    try:
        opened = open(path, "rb")  # noqa: SIM115 - errors of opening alone are translated
    except FileNotFoundError:
        raise NotFound(f"import {path!r}", "no such file", look_for(path)) from None
    except OSError as error:
        raise StoreError(f"import {path!r}", error.strerror or str(error)) from None
    with opened:
        yield opened, os.path.basename(path)
