"""Files compared with what is stored: by size, then by digest where there is one."""

from __future__ import annotations

import hashlib
import os
from typing import Self

from ..abc.source import ByteSource
from ..formats.fits_part import FitsFile
from ..model.dataset import Location
from ..stores.local import LocalStore
from .frames import Frame


class Comparing:
    """Compares frames with stored raws; the file read last stays open, its headers known."""

    def __init__(self) -> None:
        self._files = LocalStore("/", name="in-place", writable=False)
        self._opened: tuple[str, ByteSource, FitsFile] | None = None

    def is_same(self, frame: Frame, location: Location) -> bool:
        """Tell whether a place holds the bytes of a frame, in whatever file."""
        if frame.part is None:
            return same_bytes(frame.path, location)
        file = self._file(frame)
        if location.sha256 is None or file.find(frame.part).size != location.size:
            return file.find(frame.part).size == location.size
        return file.measure(frame.part).sha256 == location.sha256

    def _file(self, frame: Frame) -> FitsFile:
        if self._opened is None or self._opened[0] != frame.path:
            self.close()
            whole = self._files.open(frame.path[1:])
            self._opened = (frame.path, whole, FitsFile(whole, frame.extension))
        return self._opened[2]

    def close(self) -> None:
        """Close the file read last."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def same_bytes(path: str, location: Location) -> bool:
    """Compare a file with a stored dataset."""
    if os.path.getsize(path) != location.size:
        return False
    if location.sha256 is None:
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest() == location.sha256
