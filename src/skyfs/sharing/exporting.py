"""A manifest written to a stream: alone, or in an archive with the bytes that it speaks of."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from ..errors import BadContent
from ..model.manifest import read_lines, write
from ..model.manifest_line import DatasetsLine, Line
from .archive import ArchiveReader, ArchiveWriter, Stream
from .deliveries import FromStores
from .travelling import Names, size_of

MANIFEST = "manifest.jsonl"
_COPY_BYTES = 1 << 20

Done = Callable[[int], None]


def export_lines(lines: Iterable[Line], file: IO[bytes]) -> int:
    """Write a manifest; give how many datasets are in it."""
    number = 0
    for line in lines:
        file.write(write(line))
        number += len(line.rows) if isinstance(line, DatasetsLine) else 0
    return number


def export_archive(lines: Iterable[Line], source: FromStores, file: IO[bytes], done: Done) -> int:
    """Write an archive: the manifest, then each file in its order; give how many datasets are in it.

    Lines have the keys of all files. Raises NotFound, StoreError or BadContent when a file cannot be read as
    the registry says it is.
    """
    archive = ArchiveWriter(file)
    with tempfile.TemporaryFile() as manifest:
        number = export_lines(lines, manifest)
        archive.add(MANIFEST, manifest.tell(), _pieces(manifest))
        manifest.seek(0)
        names = Names()
        for line in read_lines(manifest, MANIFEST):
            rows = line.rows if isinstance(line, DatasetsLine) else ()
            files = [(name, one) for row in rows for one, name in names.of(row)]
            source.expect(files)
            for name, one in files:
                archive.add(name, size_of(one), _told(source.pieces(name, one), done), one.mtime_ns)
    archive.end()
    return number


def open_archive(file: Stream, origin: str, manifest: IO[bytes]) -> ArchiveReader:
    """Begin to read an archive: its manifest is copied to ``manifest``, its files come next."""
    archive = ArchiveReader(file, origin)
    member = archive.next()
    if member is None or member.name != MANIFEST:
        found = "it is empty" if member is None else f"it begins with {member.name!r}"
        raise BadContent(f"read {origin}", found, f"an archive of skyfs begins with {MANIFEST}")
    manifest.writelines(archive.pieces())
    manifest.seek(0)
    return archive


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_COPY_BYTES):
        yield piece


def _told(pieces: Iterable[bytes], done: Done) -> Iterator[bytes]:
    for piece in pieces:
        done(len(piece))
        yield piece
