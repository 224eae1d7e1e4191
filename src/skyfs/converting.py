"""Datasets in another format than the stored one, made when asked for."""

from __future__ import annotations

import io
from functools import partial

from .abc.source import ByteSource
from .errors import NotFound
from .formats.buffer import Buffer
from .formats.catalog import Formats
from .keeping import Kept
from .model.dataset import Resolved
from .reading import Reader


class Converter:
    """Gives the bytes of datasets and components in other formats; they are kept for who asks again."""

    def __init__(self, reader: Reader, formats: Formats, kept: Kept) -> None:
        self._reader = reader
        self._formats = formats
        self._kept = kept

    def can(self, resolved: Resolved, component: str | None, extension: str) -> bool:
        """Tell whether the dataset, or a component of it, can be had with an extension."""
        storage_class = resolved.ref.type.storage_class
        if component is not None:
            components = dict(self._formats.storage_class(storage_class).components)
            return component in components and self._component_can(components[component], extension)
        stored = self._reader.shown(resolved).extension
        return self._formats.knows(extension) and self._formats.can_convert(stored, storage_class, extension)

    def open(self, resolved: Resolved, component: str | None, extension: str) -> ByteSource:
        """Give the dataset, or a component of it, in the format of an extension.

        Raises
        ------
        NotFound
            When there is no way to it.
        """
        if not self.can(resolved, component, extension):
            named = resolved.ref.type.name + (f".{component}" if component else "")
            raise NotFound(
                f"{named} as {extension!r}", f"{resolved.ref.type.storage_class} does not convert to it"
            )
        key = ("as", component or "", extension)
        return Buffer(self._kept.made(resolved, key, partial(self._convert, resolved, component, extension)))

    def _component_can(self, storage_class: str, extension: str) -> bool:
        own = self._formats.extension_for(storage_class)
        return self._formats.knows(extension) and self._formats.can_convert(own, storage_class, extension)

    def _convert(self, resolved: Resolved, component: str | None, extension: str) -> bytes:
        storage_class = resolved.ref.type.storage_class
        file = io.BytesIO()
        if component is not None:
            value = self._reader.read_component(resolved, component)
            if value is None:
                raise NotFound(
                    f"{component} of {resolved.ref.type.name} {resolved.ref.data_id!r}", "it has none"
                )
            own_class = self._formats.component_class(storage_class, component)
            own = self._formats.extension_for(own_class)
            self._formats.write(value, file, own, own_class)
            if extension != own:
                written, file = Buffer(file.getvalue()), io.BytesIO()
                self._formats.convert(written, own, own_class, extension, file)
        elif self._reader.is_apart(resolved):
            stored = self._reader.shown(resolved).extension
            self._formats.write(self._reader.read(resolved), file, stored, storage_class)
            if stored != extension:
                whole, file = Buffer(file.getvalue()), io.BytesIO()
                self._formats.convert(whole, stored, storage_class, extension, file)
        else:
            location, source = self._reader.open(resolved)
            with source:
                self._formats.convert(source, location.extension, storage_class, extension, file)
        return file.getvalue()
