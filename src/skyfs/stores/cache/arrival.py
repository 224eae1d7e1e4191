"""A file on its way into the cache: seen by nobody until it is whole, verified and on the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Self

from skyfs.config.durable import sync_path

from ..staged import StagedFile, digest_of
from .layout import Layout, content_name


class Arrival:
    """A temporary file in the cache's folder; a context manager that removes it unless it was kept.

    Raises
    ------
    OSError
        When the folder cannot be written; ``failed`` then tells that it was the cache and not the source.
    """

    def __init__(self, layout: Layout, name: str) -> None:
        self._layout = layout
        self.path = layout.new_incoming(name)
        self.file = StagedFile(self.path, layout.mode, name, f"cache {layout.root}", _always)
        layout.give_mode(self.path)

    @property
    def failed(self) -> bool:
        """Whether writing to it failed."""
        return self.file.failed is not None

    def write(self, data: bytes) -> None:
        """Write on."""
        view = memoryview(data)
        while view:
            view = view[self.file.write(view) :]

    def write_verified(self, data: bytes) -> None:
        """Write all at once what needs no digesting any more; nothing is written after."""
        descriptor, view = self.file.fileno(), memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        self.file.close()

    def seal(self) -> tuple[int, bytes]:
        """Give size and sha256 of what has come; nothing is written after."""
        size = os.stat(self.path).st_size
        digest = self.file.sha256(size)
        if digest is None:
            with open(self.path, "rb") as file:
                digest = digest_of(file.fileno())
        return size, digest

    def sync(self) -> None:
        """Make the bytes durable, so that after a loss of power no name has other bytes than its digest."""
        sync_path(self.path)

    def settle(self, digest: bytes) -> str:
        """Move it to where content of this digest lies; give that name."""
        name = content_name(digest)
        target = self._layout.path(name)
        try:
            os.rename(self.path, target)
        except FileNotFoundError:
            self._layout.make_folder(os.path.dirname(target))
            os.rename(self.path, target)
        return name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            os.unlink(self.path)
        self.file.close()


def link(layout: Layout, name: str, content: str) -> None:
    """Let a name mean some content, whatever it meant before."""
    path, aside = layout.path(name), layout.new_incoming(name)
    layout.make_folder(os.path.dirname(path))
    os.symlink(os.path.relpath(layout.path(content), os.path.dirname(path)), aside)
    os.rename(aside, path)


def _always() -> None:
    """Say that the file may be written at any time: there is no batch around it."""
