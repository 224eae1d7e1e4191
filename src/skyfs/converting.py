"""Datasets in another format than the stored one, made when asked for."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

from .abc.source import ByteSource
from .errors import NotFound
from .formats.buffer import Buffer
from .formats.catalog import Formats
from .model.dataset import Resolved
from .reading import Reader

# A preview is some hundred kB; tables are asked for again within one session of work.
KEPT_BYTES = 64 * 2**20

_Key = tuple[object, str | None, str]


class Converter:
    """Gives the bytes of datasets and components in other formats; keeps the latest in memory."""

    def __init__(self, reader: Reader, formats: Formats) -> None:
        self._reader = reader
        self._formats = formats
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def can(self, resolved: Resolved, component: str | None, extension: str) -> bool:
        """Tell whether the dataset, or a component of it, can be had with an extension."""
        storage_class = resolved.ref.type.storage_class
        if component is not None:
            components = dict(self._formats.storage_class(storage_class).components)
            return component in components and extension in self._extensions_of(components[component])
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
        key = (resolved.ref.id, component, extension)
        with self._lock:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
        if data is None:
            data = self._convert(resolved, component, extension)
            if resolved.ref.type.immutable:
                self._keep(key, data)
        return Buffer(data)

    def _extensions_of(self, storage_class: str) -> list[str]:
        return [self._formats.extension_for(storage_class)]

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
            self._formats.write(value, file, extension, own_class)
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

    def _keep(self, key: _Key, data: bytes) -> None:
        with self._lock:
            if key not in self._kept and len(data) <= KEPT_BYTES:
                self._kept[key] = data
                self._size += len(data)
            while self._size > KEPT_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1])
