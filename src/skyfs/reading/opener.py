"""Files of datasets in the format that a path asks for: as stored, or made of what is stored."""

from __future__ import annotations

from functools import partial

from ..abc.source import ByteSource
from ..model.dataset import Resolved
from .converter import Converter
from .fallback import or_else
from .reader import Reader


class Opener:
    """Opens datasets and components as files of an extension, from the first place that delivers."""

    def __init__(self, reader: Reader, converter: Converter) -> None:
        self._reader = reader
        self._converter = converter

    def open(
        self,
        resolved: Resolved,
        component: str | None,
        extension: str,
        *,
        whole: bool = False,
        as_stored: bool = False,
    ) -> ByteSource:
        """Open the file; the caller closes it.

        Where no place that has the format delivers, the file is made of another place's, with other bytes
        than the registry knows it by; a warning tells.

        Parameters
        ----------
        whole
            Whether all of it will be read: then what is stored is held against its digest first.
        as_stored
            Whether a file that is stored may only be what the registry knows: an error, not another's bytes.

        Raises
        ------
        NoBytes
            When the dataset is declared only.
        NotFound
            When no store has the bytes, or they do not convert.
        StoreError, BadContent
            When no place delivers.
        """
        if self._reader.stored(resolved, extension, component) is None:
            return self._converter.open(resolved, component, extension)

        def stored() -> ByteSource:
            source = self._reader.open(resolved, extension, component, verify=whole)[1]
            return source if rest is None else _answering(source)

        rest = None if as_stored else self._converter.rest(resolved, component, extension)
        made = None if rest is None else partial(self._converter.open, rest, component, extension)
        return or_else(stored, made)


def _answering(source: ByteSource) -> ByteSource:
    """Ask a far store for a byte: one that lacks the file would say so when it is read, and too late."""
    if source.cost.far and source.size:
        try:
            source.read(0, 1)
        except BaseException:
            source.close()
            raise
    return source
