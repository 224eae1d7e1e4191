"""The files that an export names: which are there, and which can be ingested."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from ..errors import NotFound, SkyfsError, UnknownFormat, Unsupported
from ..formats.catalog import Formats
from ..writing.ingester import IngestFile, extension_of
from .entries import DatasetsEntry
from .result import LeftFiles
from .shapes import bad

USES = ("auto", "need", "ignore")

# Extensions of the butler that have another name here.
_ALIASES = {".parq": ".parquet", ".py": ".txt"}

_OR_AUTO = "files='auto' declares such datasets"


class Files:
    """Finds the files of datasets below a folder.

    ``use``: ``auto`` leaves those that are missing, or that no format can read as their type; ``need``
    raises; ``ignore`` looks for none.
    """

    def __init__(self, folder: Path, formats: Formats, use: str) -> None:
        self._folder = folder
        self._formats = formats
        self._use = use
        self._holds: dict[str, UUID | None] = {}
        self._left: Counter[tuple[str, str]] = Counter()

    def note(self, entries: Iterable[DatasetsEntry]) -> None:
        """Note what each file holds: records of one file may stand anywhere."""
        for entry in entries if self._use != "ignore" else ():
            for file in entry.files:
                place = self._place(file.path, entry.where)
                for uuid in entry.ids[file.first : file.end]:
                    if self._holds.setdefault(place, uuid) != uuid:
                        self._holds[place] = None

    def of(self, entry: DatasetsEntry, storage_class: str, wanted: set[UUID]) -> dict[UUID, IngestFile]:
        """Give those files of an entry that hold a wanted dataset and can be ingested."""
        found: dict[UUID, IngestFile] = {}
        for file in entry.files if self._use != "ignore" else ():
            held = [index for index in range(file.first, file.end) if entry.ids[index] in wanted]
            place = self._place(file.path, entry.where)
            if held and self._is_there(place):
                try:
                    extension = self._readable(place, storage_class)
                except (Unsupported, UnknownFormat) as error:
                    self._leave(entry, error, len(held))
                else:
                    uuid = entry.ids[held[0]]
                    found[uuid] = IngestFile(place, entry.data_ids[held[0]], extension, uuid)
        if self._use == "need" and wanted != found.keys():
            raise NotFound(
                f"dataset {min(wanted - found.keys())}", "the export names no file of it", _OR_AUTO
            )
        return found

    def left(self) -> tuple[LeftFiles, ...]:
        """Give the files that are there, but could not be ingested."""
        return tuple(LeftFiles(name, reason, count) for (name, reason), count in sorted(self._left.items()))

    def _readable(self, place: str, storage_class: str) -> str:
        """Give the extension of a file, when it holds one dataset that can be read as its type."""
        if self._holds[place] is None:
            raise Unsupported(f"ingest {place!r}", "it holds several datasets")
        extension = self._extension(place, storage_class)
        self._formats.require(extension, storage_class)
        return extension

    def _extension(self, place: str, storage_class: str) -> str:
        name = os.path.basename(place)
        found = extension_of(name, self._formats)
        last = os.path.splitext(name)[1].lower()
        if found is None and last in _ALIASES:
            return _ALIASES[last]
        if found is None and storage_class != "Bytes":
            raise UnknownFormat(f"ingest {place!r}", f"no format has {last!r}")
        return found or ""

    def _place(self, path: str, where: str) -> str:
        """Give the absolute path; of what is elsewhere, its URL."""
        if path.startswith("file://"):
            return "/" + unquote(path.removeprefix("file://").partition("/")[2])
        if "://" in path:
            return path
        if ".." in path.split("/") or "\0" in path:
            raise bad(where, f"the path {path!r}", "one below the folder is wanted, without '..'")
        return os.path.join(self._folder, path)

    def _is_there(self, place: str) -> bool:
        if os.path.isfile(place):
            return True
        if self._use == "need":
            raise NotFound(f"no file {place!r}", todo=_OR_AUTO)
        return False

    def _leave(self, entry: DatasetsEntry, error: SkyfsError, count: int) -> None:
        if self._use == "need":
            raise type(error)(error.asked, error.found, _OR_AUTO)
        reason = error.found if error.asked.startswith("ingest ") else f"{error.asked}: {error.found}"
        self._left[entry.type_name, reason] += count
