"""Datasets in another format than the stored one, made when asked for."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..abc.source import ByteSource
from ..errors import NotFound
from ..formats.buffer import Buffer
from ..formats.catalog import Formats
from ..model.dataset import Location, Resolved
from .fallback import FAILURES
from .kept import Kept
from .reader import Reader

_log = logging.getLogger("skyfs")


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
        if self._origins(resolved, extension):
            return True
        return _has_components(resolved) and self._formats.can_convert(
            self._assembled_as(resolved), storage_class, extension
        )

    def rest(
        self,
        resolved: Resolved,
        component: str | None,
        extension: str,
        tried: Callable[[Location], bool] | None = None,
    ) -> Resolved | None:
        """Give the dataset without the places that are tried first; None when the others do not lead there.

        Parameters are those of `open`; ``tried`` tells which places these are, by default those that have
        what is asked for as it is.
        """
        if len(resolved.locations) == 1:
            return None
        tried = tried or (lambda place: (place.component, place.extension) == (component, extension))
        useful = (
            place
            for place in resolved.locations
            if not tried(place) and (component is None or place.component in (None, component))
        )
        left = replace(resolved, locations=tuple(useful))
        return left if left.locations and self.can(left, component, extension) else None

    def open(self, resolved: Resolved, component: str | None, extension: str) -> ByteSource:
        """Give the dataset, or a component of it, in the format of an extension.

        It is made of the nearest place whose bytes are sound.

        Raises
        ------
        NotFound
            When there is no way to it.
        NoBytes, StoreError, BadContent
            When no place delivers.
        """
        if not self.can(resolved, component, extension):
            named = resolved.ref.type.name + (f".{component}" if component else "")
            raise NotFound(
                f"{named} as {extension!r}", f"{resolved.ref.type.storage_class} does not convert to it"
            )
        key = ("as", component or "", extension)
        return Buffer(self._kept.made(resolved, key, partial(self._convert, resolved, component, extension)))

    # -- inside ----------------------------------------------------------------------------------------

    def _component_can(self, storage_class: str, extension: str) -> bool:
        own = self._formats.extension_for(storage_class)
        return self._formats.knows(extension) and self._formats.can_convert(own, storage_class, extension)

    def _origins(self, resolved: Resolved, extension: str) -> frozenset[str]:
        """Give the formats of whole files that lead to an extension."""
        storage_class = resolved.ref.type.storage_class
        stored = {place.extension for place in resolved.locations if place.component is None}
        return frozenset(one for one in stored if self._formats.can_convert(one, storage_class, extension))

    def _assembled_as(self, resolved: Resolved) -> str:
        """Give the format in which a dataset is written that is put together from its components."""
        dataset_type = resolved.ref.type
        return self._formats.extension_for(dataset_type.storage_class, dataset_type.name)

    def _convert(self, resolved: Resolved, component: str | None, extension: str) -> bytes:
        if component is not None:
            return self._of_component(resolved, component, extension)
        origins = self._origins(resolved, extension)
        if origins:
            try:
                return self._of_whole(resolved, extension, origins)
            except FAILURES as error:
                if not _has_components(resolved):
                    raise
                _log.warning("%s; it is put together from its components", error)
        value, storage_class = self._reader.assembled(resolved), resolved.ref.type.storage_class
        return self._written(value, storage_class, self._assembled_as(resolved), extension)

    def _of_whole(self, resolved: Resolved, extension: str, origins: frozenset[str]) -> bytes:
        def act(source: ByteSource, stored: str) -> bytes:
            file = io.BytesIO()
            self._formats.convert(source, stored, resolved.ref.type.storage_class, extension, file)
            return file.getvalue()

        return self._reader.use(resolved, act, extensions=origins, whole=True)

    def _of_component(self, resolved: Resolved, component: str, extension: str) -> bytes:
        value = self._reader.read_component(resolved, component)
        if value is None:
            raise NotFound(f"{component} of {resolved.ref.type.name} {resolved.ref.data_id!r}", "it has none")
        own_class = self._formats.component_class(resolved.ref.type.storage_class, component)
        return self._written(value, own_class, self._formats.extension_for(own_class), extension)

    def _written(self, value: object, storage_class: str, own: str, extension: str) -> bytes:
        """Write an object in its own format, and convert that when another is asked for."""
        file = io.BytesIO()
        self._formats.write(value, file, own, storage_class)
        if extension != own:
            written, file = Buffer(file.getvalue()), io.BytesIO()
            self._formats.convert(written, own, storage_class, extension, file)
        return file.getvalue()


def _has_components(resolved: Resolved) -> bool:
    """Tell whether components of the dataset are files of their own."""
    return any(place.component is not None for place in resolved.locations)
