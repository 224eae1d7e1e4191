"""Reading and writing files of a repository through fsspec."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.compression import compr
from fsspec.core import get_compression
from fsspec.transaction import Transaction
from fsspec.utils import isfilelike

from ..abc.source import ByteSource
from ..errors import BadArgument, Exists, NotAllowed, NotDirectory, NotFound, Unsupported
from ..formats.zip_writing import folder_members, pack
from ..model.paths import Address, parse
from ..model.selectors import is_pattern
from ..repository import Repository
from ..tree.editing import Doomed
from ..writing.writer import Draft
from .bulk import BulkFileSystem
from .files import PackedFile, ReadFile, TextFile, WriteFile

_COPY_BYTES = 1 << 22
_TEXT_OPTIONS = ("encoding", "errors", "newline")

# ruff: noqa: FBT001, FBT002, ANN401 - these signatures are fsspec's


class Together(Transaction):
    """``with fs.transaction:`` all that is written and removed inside is done at its end, or nothing.

    Attributes
    ----------
    doomed
        What is to be removed.
    """

    fs: Any

    def __init__(self, fs: Any, **options: Any) -> None:
        super().__init__(fs, **options)
        self.doomed: Doomed = {}

    def complete(self, commit: bool = True) -> None:
        """Do all of it, or nothing."""
        fs, files, doomed = self.fs, list(self.files), self.doomed
        self.files.clear()
        self.doomed = {}
        try:
            if commit and (files or doomed):
                fs.commit(files, doomed)
        finally:
            # Those that are committed take no notice.
            for file in files:
                file.discard()
            fs._intrans, fs._transaction, self.fs = False, None, None  # noqa: SLF001 - what fsspec's own does


class SkyFileSystem(BulkFileSystem):
    """A repository of datasets as an fsspec filesystem.

    Names begin with ``/``, or with the repository's name when they were given so (``skyfs://NAME/path``).

    Parameters
    ----------
    repo
        A repository, or its folder or name.
    name
        The name in the URL, when it comes from one; names the repository when ``repo`` is left out.
    writable
        True opens it for writing at once, False refuses to write. Default: for writing when first written to.
    replace
        Whether writing where a dataset exists puts another in its place; can be given in each call as well.
    fo, target_protocol, target_options
        From chained URLs, ``skyfs:///path::file:///folder``.

    Raises
    ------
    NotFound
        When there is no such repository.
    BadArgument
        When none is named, or an option is unknown.
    """

    transaction_type = Together
    blocksize = _COPY_BYTES

    # -- reading ---------------------------------------------------------------------------------------

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,  # noqa: ARG002 - nothing is read ahead
        cache_options: Mapping[str, object] | None = None,  # noqa: ARG002
        compression: str | None = None,
        **options: Any,
    ) -> Any:
        """Open a file.

        Parameters
        ----------
        path
            For writing, that of a dataset in a RUN, or in a collection that is new.
        mode
            ``r``, ``w`` or ``x``, with ``b`` for bytes. ``w`` fails where a dataset exists, unless it may be
            replaced.
        block_size, cache_options
            Not needed.
        compression
            As the standard library knows it: ``gzip``, ``bz2``, ``xz``; ``infer`` takes it from the name.
        **options
            ``replace``; for text ``encoding``, ``errors`` and ``newline``.

        Raises
        ------
        NotFound, NoBytes, IsDirectory
            When there is nothing to read.
        Exists, NotAllowed, ReadOnly, BadPath, BadDataId, UnknownFormat, ...
            When the path cannot be written to; nothing has changed then.
        Unsupported
            When the mode appends or updates.
        """
        if "b" not in mode:
            text = {name: options.pop(name) for name in _TEXT_OPTIONS if name in options}
            binary = self.open(path, mode.replace("t", "") + "b", compression=compression, **options)
            return TextFile(binary, **text)
        path = self._strip_protocol(path)
        autocommit = options.pop("autocommit", not self._intrans)
        file = self._open(path, mode, autocommit=autocommit, **options)
        if not autocommit and "r" not in mode:
            self.transaction.files.append(file)
        if compression is None:
            return file
        return PackedFile(compr[get_compression(path, compression)](file, mode=mode[0]), file)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,  # noqa: ARG002
        autocommit: bool = True,
        cache_options: Mapping[str, object] | None = None,  # noqa: ARG002
        replace: bool | None = None,
        **options: Any,
    ) -> ReadFile | WriteFile:
        if options:
            raise BadArgument(f"open option {min(options)!r}", "unknown", "there is replace")
        if mode == "rb":
            prefix, tree, node = self._lookup(path)
            details = self._info(tree, node, prefix)
            source = tree.open_node(node)
            return ReadFile(self, path, {**details, "size": source.size}, source)
        if mode not in ("wb", "xb"):
            raise Unsupported(
                f"open {path!r} with mode {mode!r}", "datasets do not change", "write it anew with 'wb'"
            )
        replace = (self._replace if replace is None else replace) and mode == "wb"
        draft = self._draft(parse(self._split(path)[1]), replace=replace)
        return WriteFile(self, path, mode, draft, autocommit=autocommit)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_options: object
    ) -> bytes:
        """Give bytes ``start`` to ``end`` (exclusive) of a file; negative ones count from its end.

        All of a file is held against its digest.
        """
        whole = start is None and end is None
        with self._source(path, whole=whole) as source:
            return source.read_all() if whole else _part_of(source, start, end)

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: int | Sequence[int | None] | None,
        ends: int | Sequence[int | None] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        **_options: object,
    ) -> list[bytes | Exception]:
        """Give ranges of files, in order; each file is opened once.

        Ranges that lie no more than ``max_gap`` bytes apart are read as one. What fails is given as an
        exception, or raised with ``on_error="raise"``.
        """
        if not isinstance(paths, list | tuple):
            raise TypeError("paths must be a list")
        starts = list(starts) if isinstance(starts, Iterable) else [starts] * len(paths)
        ends = list(ends) if isinstance(ends, Iterable) else [ends] * len(paths)
        if not len(starts) == len(ends) == len(paths):
            raise ValueError("paths, starts and ends are not equally many")
        by_path: dict[str, list[int]] = {}
        for index, path in enumerate(paths):
            by_path.setdefault(path, []).append(index)
        found: list[bytes | Exception] = [b""] * len(paths)
        for path, indices in by_path.items():
            try:
                with self._source(path) as source:
                    cuts = [slice(starts[index], ends[index]).indices(source.size) for index in indices]
                    ranges = [(start, stop) for start, stop, _ in cuts]
                    data: Sequence[bytes | Exception] = read_merged(source, ranges, max_gap or 0)
            except Exception as error:
                if on_error == "raise":
                    raise
                data = [error] * len(indices)
            for index, one in zip(indices, data, strict=True):
                found[index] = one
        return found

    def get_file(
        self,
        rpath: str,
        lpath: Any = None,
        callback: Any = DEFAULT_CALLBACK,
        outfile: BinaryIO | None = None,
        **_options: object,
    ) -> None:
        """Copy a file to a local one, or to an open file; of a folder the local folder is made."""
        outfile = lpath if outfile is None and isfilelike(lpath) else outfile
        if outfile is None and self._collects(rpath, lpath):
            return
        _, tree, node = self._lookup(rpath)
        if outfile is None:
            os.makedirs(lpath if node.is_dir else os.path.dirname(lpath) or ".", exist_ok=True)
        if node.is_dir:
            return
        with tree.open_node(node, whole=True) as source, source.open() as file:
            callback.set_size(source.size)
            if outfile is not None:
                _copy(file, outfile, callback)
                return
            try:
                with open(lpath, "wb") as local:
                    _copy(file, local, callback)
            except BaseException:
                with suppress(OSError):
                    os.unlink(lpath)
                raise

    # -- writing ---------------------------------------------------------------------------------------

    def pipe_file(self, path: str, value: bytes, mode: str = "create", **options: Any) -> None:
        """Write a dataset; ``mode="overwrite"`` puts it in the place of one that is there."""
        with self.open(path, "wb", **_replacing(mode, options)) as file:
            file.write(value)

    def put_file(
        self, lpath: str, rpath: str, callback: Any = DEFAULT_CALLBACK, mode: str = "create", **options: Any
    ) -> None:
        """Copy a local file to a dataset's path; ``mode="overwrite"`` replaces. Folders need not be made.

        A local Zarr folder goes to a path ending with ``.zarr``; other folders are passed over.
        """
        if self._collects(lpath, rpath):
            return
        if os.path.isdir(lpath):
            if self._is_dataset_folder(rpath):
                with self.open(rpath, "wb", **_replacing(mode, options)) as file:
                    pack(callback.wrap(list(folder_members(os.fspath(lpath)))), file)
            return
        with open(lpath, "rb") as local, self.open(rpath, "wb", **_replacing(mode, options)) as file:
            callback.set_size(os.fstat(local.fileno()).st_size)
            _copy(local, file, callback)

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        """Copy a file's bytes to a dataset's path; a Zarr dataset as a whole, other folders not at all."""
        if self._collects(path1, path2):
            return
        _, tree, node = self._lookup(path1)
        if node.is_dataset_folder and self._is_dataset_folder(path2):
            node = tree.insides.as_file(node)
        if node.is_dir:
            return
        with (
            tree.open_node(node, whole=True) as source,
            source.open() as origin,
            self.open(path2, "wb", **options) as file,
        ):
            _copy(origin, file, DEFAULT_CALLBACK)

    def touch(self, path: str, truncate: bool = True, **options: Any) -> None:
        """Write an empty dataset.

        Raises
        ------
        Exists
            When there is one and it may not be replaced.
        Unsupported
            With ``truncate=False``, when there is one: its time is that of its bytes.
        """
        if not truncate and self.exists(path):
            raise Unsupported(f"touch {path!r}", "the time of a dataset is that of its bytes", "leave it")
        self.pipe_file(path, b"", **options)

    def commit(self, files: Sequence[WriteFile], doomed: Doomed | None = None) -> None:
        """Store files that were written with ``autocommit=False``, and remove: all of it or nothing."""
        editor = self._home.writing()
        with editor.repository.transaction():
            for file in files:
                file.commit()
            editor.take_away(doomed or {})

    def mv(self, path1: str, path2: str, *_: object, **_options: object) -> None:
        """Refuse, unless both are the same: the path of a dataset says what it is."""
        if self._strip_protocol(path1) != self._strip_protocol(path2):
            found = "a dataset's path says what it is, and does not change"
            raise NotAllowed(f"move {path1!r} to {path2!r}", found, "copy it, then remove the old one")

    # -- folders and removing --------------------------------------------------------------------------

    def mkdir(self, path: str, create_parents: bool = True, **_options: object) -> None:  # noqa: ARG002
        """Do nothing: folders are there when something is in them. A file in the way is refused."""
        if self.isfile(path):
            raise Exists(f"make the folder {path!r}", "it is a file")

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing, as `mkdir`; a folder that exists is refused unless ``exist_ok``."""
        self.mkdir(path)
        if not exist_ok and self.isdir(path):
            raise Exists(f"make the folder {path!r}", "it exists")

    def rmdir(self, path: str) -> None:
        """Do nothing: empty folders are not there. Others are refused."""
        kind = self._is_folder(path)
        if kind is False:
            raise NotDirectory(f"remove the folder {path!r}", "it is a file")
        if kind:
            raise NotAllowed(f"remove the folder {path!r}", "it is not empty", "use rm with recursive=True")

    def rm_file(self, path: str) -> None:
        """Remove a dataset, by its stored spelling: its RUN deletes it, a TAGGED collection untags it.

        Raises
        ------
        NotFound, IsDirectory
            When there is no such file.
        NotAllowed, ReadOnly, Locked
            When the collection is of another kind, or belongs to somebody else.
        """
        self._remove([parse(self._split(path)[1])])

    def rm(self, path: str | list[str], recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, what matches patterns, and with ``recursive`` folders: all of it or nothing.

        In a transaction paths are looked up at once, and what they name is removed at the end.
        """
        listed = path if isinstance(path, list) else [path]
        names = [name for one in listed for name in self._matching(one)]
        addresses = [parse(self._split(name)[1]) for name in names]
        self._remove(addresses, recursive=recursive, max_depth=maxdepth)

    # -- inside ----------------------------------------------------------------------------------------

    def _remove(self, addresses: Sequence[Address], **how: Any) -> None:
        editor = self._home.writing()
        doomed = editor.doomed(addresses, **how)
        if self._intrans:
            self.transaction.doomed.update(doomed)
        else:
            editor.take_away(doomed)

    def _draft(self, address: Address, *, replace: bool) -> Draft:
        """Begin a file; it takes the place of one that this transaction removes."""
        editor = self._home.writing()
        if not self._intrans or not self.transaction.doomed:
            return editor.draft(address, replace=replace)
        draft = editor.draft(address, replace=True)
        old = draft.plan.old
        if old is None or self.transaction.doomed.pop((None, old.ref.id), None) or replace:
            return draft
        draft.discard()
        return editor.draft(address)

    def _source(self, path: str, *, whole: bool = False) -> ByteSource:
        _, tree, node = self._lookup(path)
        return tree.open_node(node, whole=whole)

    def _matching(self, path: str) -> list[str]:
        typed = self._strip_protocol(path)
        if not is_pattern(typed):
            return [typed]
        found = list(self.glob(path))
        if not found:
            raise NotFound(f"nothing matches {path!r}")
        return found


def filesystem(repo: Repository | str | os.PathLike[str], *, replace: bool = False) -> SkyFileSystem:
    """Give a repository as an fsspec filesystem.

    Parameters
    ----------
    repo
        A repository, or its folder or name.
    replace
        Whether writing where a dataset exists puts another in its place.
    """
    found: SkyFileSystem = SkyFileSystem(repo=repo, replace=replace)
    return found


def read_merged(source: ByteSource, ranges: Sequence[tuple[int, int]], max_gap_bytes: int) -> list[bytes]:
    """Read ranges (start, stop) of a source; those ``max_gap_bytes`` apart, or nearer, are read at once."""
    # Python's slices may end before they begin: those are empty.
    wanted = [(start, max(start, stop)) for start, stop in ranges]
    blocks: list[tuple[int, int]] = []
    for start, stop in sorted(wanted):
        if blocks and start - blocks[-1][1] <= max_gap_bytes:
            blocks[-1] = (blocks[-1][0], max(blocks[-1][1], stop))
        else:
            blocks.append((start, stop))
    data = source.read_many(blocks)
    return [_part(blocks, data, start, stop) for start, stop in wanted]


def _part(blocks: Sequence[tuple[int, int]], data: Sequence[bytes], start: int, stop: int) -> bytes:
    found = next(
        index for index, (first, last) in enumerate(blocks) if first <= start <= last and stop <= last
    )
    first = blocks[found][0]
    return data[found][start - first : stop - first]


def _part_of(source: ByteSource, start: int | None = None, end: int | None = None) -> bytes:
    first, last, _step = slice(start, end).indices(source.size)
    return source.read(first, max(first, last))


def _replacing(mode: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if mode not in ("create", "overwrite"):
        raise BadArgument(f"mode {mode!r}", "unknown", "create, or overwrite")
    return {"replace": True, **options} if mode == "overwrite" else dict(options)


def _copy(source: Any, target: Any, callback: Any) -> None:
    """Copy what is left of a file, telling the progress."""
    copied: Callable[[int], object] = callback.relative_update
    while data := source.read(_COPY_BYTES):
        target.write(data)
        copied(len(data))
