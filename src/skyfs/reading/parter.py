"""Parts of datasets that selectors name, as files of their own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial

from ..abc.source import ByteSource
from ..errors import BadContent, Unsupported
from ..formats.buffer import Buffer
from ..formats.catalog import Formats
from ..model.dataset import Location, Resolved
from ..model.selectors import Hdu, HduName, Selector
from .converter import Converter
from .fallback import or_else
from .kept import Kept
from .reader import Reader

Selectors = tuple[Selector, ...]


class Parter:
    """Gives the bytes of parts of datasets and components, in their own format or another."""

    def __init__(self, reader: Reader, formats: Formats, converter: Converter, kept: Kept) -> None:
        self._reader = reader
        self._formats = formats
        self._converter = converter
        self._kept = kept

    def open(
        self, resolved: Resolved, component: str | None, extension: str, selectors: Sequence[Selector]
    ) -> ByteSource:
        """Give a part as a file of an extension; the caller closes the source.

        The stored file is cut, where its format is one that these selectors cut, and the part converted.
        Otherwise the dataset is converted and what comes of it is cut.

        Raises
        ------
        BadArgument
            When the selectors do not fit the dataset; the message says what is there.
        Unsupported
            When no selectors, or not these, cut the format.
        NotFound
            When the dataset does not convert to the extension.
        """
        asked = tuple(selectors)
        key = ("part", component or "", extension, "".join(map(str, asked)))
        make = partial(self._made, resolved, component, extension, asked)
        return Buffer(self._kept.made(resolved, key, make))

    def read(self, resolved: Resolved, component: str | None, selectors: Sequence[Selector]) -> object:
        """Read a part as what the whole is read as; parameters and errors as `open`.

        A part that is none of the storage class, such as one HDU of a composite, is read as the most general
        of its extension.
        """
        storage_class = resolved.ref.type.storage_class
        if component is None:
            extension = self._reader.shown(resolved).extension
        else:
            storage_class = self._formats.component_class(storage_class, component)
            apart = (place.extension for place in resolved.locations if place.component == component)
            extension = next(apart, None) or self._formats.extension_for(storage_class)
        with self.open(resolved, component, extension, selectors) as source:
            try:
                return self._formats.read(source, extension, storage_class)
            except BadContent:
                general = self._formats.storage_class_for(extension)
                if general == storage_class:
                    raise
                return self._formats.read(source, extension, general)

    def _made(self, resolved: Resolved, component: str | None, extension: str, selectors: Selectors) -> bytes:
        if self._reader.stored(resolved, extension, component) is None:
            return self._of_another(resolved, component, extension, selectors)

        def stored() -> bytes:
            cut = partial(self._cut, selectors=selectors)
            return self._reader.use(resolved, cut, extensions=(extension,), component=component, whole=False)

        rest = self._converter.rest(resolved, component, extension)
        made = None if rest is None else partial(self._of_another, rest, component, extension, selectors)
        return or_else(stored, made)

    def _of_another(
        self, resolved: Resolved, component: str | None, extension: str, selectors: Selectors
    ) -> bytes:
        """Make a part out of files with other formats: cut them where the nearest can be cut."""

        def tried(place: Location) -> bool:
            return place.component is None and self._formats.can_cut(place.extension)

        cuttable = frozenset(place.extension for place in resolved.locations if tried(place))
        if component is not None or self._reader.shown(resolved).extension not in cuttable:
            return self._convert_first(resolved, component, extension, selectors)
        rest = self._converter.rest(resolved, None, extension, tried)
        other = None if rest is None else partial(self._convert_first, rest, None, extension, selectors)
        return or_else(lambda: self._cut_first(resolved, cuttable, extension, selectors), other)

    def _cut_first(
        self, resolved: Resolved, cuttable: frozenset[str], extension: str, selectors: Selectors
    ) -> bytes:
        def act(source: ByteSource, stored: str) -> bytes:
            part = self._cut(source, stored, selectors)
            return self._converted(resolved, part, stored, extension, selectors)

        try:
            return self._reader.use(resolved, act, extensions=cuttable, whole=False)
        except Unsupported:
            # These selectors may mean something in the other format: an HDU of a table as FITS.
            if not self._formats.can_cut(extension):
                raise
        return self._convert_first(resolved, None, extension, selectors)

    def _convert_first(
        self, resolved: Resolved, component: str | None, extension: str, selectors: Selectors
    ) -> bytes:
        with self._converter.open(resolved, component, extension) as source:
            return self._cut(source, extension, selectors)

    def _cut(self, source: ByteSource, extension: str, selectors: Selectors) -> bytes:
        file = io.BytesIO()
        self._formats.cut(source, extension, selectors, file)
        return file.getvalue()

    def _converted(
        self, resolved: Resolved, part: bytes, stored: str, extension: str, selectors: Selectors
    ) -> bytes:
        storage_class = resolved.ref.type.storage_class
        if any(isinstance(one, Hdu | HduName) for one in selectors):
            # Any HDU of an image's file may be meant: its mask, its table of stars.
            storage_class = self._formats.storage_class_for(stored)
        file = io.BytesIO()
        self._formats.convert(Buffer(part), stored, storage_class, extension, file)
        return file.getvalue()
