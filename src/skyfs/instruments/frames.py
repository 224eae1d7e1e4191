"""Raw files: which instrument each is of, and what its header tells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BadDataId, SkyfsError, UnknownFormat
from ..formats.catalog import Formats
from ..formats.fits_part import require_parts
from ..repository import Repository
from ..stores.local import LocalStore
from ..writing.ingester import extension_of
from .cameras import SHIPPED, Described, kept, load, shipped
from .definition import Definition
from .hdus import Hdu, merged, plain, read_hdus
from .observation import Observation, observe, translator_of

if TYPE_CHECKING:
    from astropy.io import fits


@dataclass(frozen=True, slots=True)
class Frame:
    """What was read of a raw file: one exposure of one detector.

    Attributes
    ----------
    part
        The HDU, in a file that holds several detectors; None: the whole file.
    """

    path: str
    extension: str
    definition: Definition
    observation: Observation
    part: int | None = None


class FrameReader:
    """Reads headers of raw files, and tells instruments by them.

    Parameters
    ----------
    instrument
        The only one that files may be of; None: any that ships with skyfs or that the repository keeps.
    """

    def __init__(self, repository: Repository, instrument: Described | None) -> None:
        self._formats: Formats = repository.formats
        self._files = LocalStore("/", name="in-place", writable=False)
        self._given = None if instrument is None else load(instrument, repository)
        self._known = [] if self._given else list(_known(repository))

    def read(self, path: str) -> list[Frame]:
        """Read one file: a frame for each detector in it.

        Raises
        ------
        BadContent
            When it is truncated, or no FITS file.
        BadDataId
            When no instrument has such headers, or the header lacks something.
        Unsupported
            When it holds several detectors, and is packed as a whole.
        NotFound, StoreError, UnknownFormat
            When it cannot be read.
        """
        try:
            return self._read(path)
        except SkyfsError as error:
            reason = f"{error.asked}: {error.found}" if error.found else error.asked
            raise type(error)(f"ingest {path!r}", reason, error.todo) from error.__cause__

    def _read(self, path: str) -> list[Frame]:
        extension = extension_of(os.path.basename(path), self._formats)
        if extension is None:
            raise UnknownFormat("its extension", "no format has it", "rename it to .fits")
        with self._files.open(path[1:]) as source:
            hdus = read_hdus(source, extension)
        values = plain(_main(hdus))
        definition = self._given or self._recognise(values)
        found = _detector_hdus(definition, hdus)
        if len(found) > 1:
            require_parts(extension, f"a file of {len(found)} detectors")
        # Keywords of the primary header are read once, not again for each of sixty detectors.
        inherited = plain(hdus[0].header.copy(strip=True)) if found[0].index else values
        frames: list[Frame] = []
        for hdu in found:
            told = {**inherited, **plain(hdu.header.copy(strip=True))} if hdu.index else values
            header = {**definition.defaults, **told, **_extname(definition, hdu)}
            part = hdu.index if len(found) > 1 else None
            seen = observe(definition, header, frames[0].observation if frames else None)
            frames.append(Frame(path, extension, definition, seen, part))
        return frames

    def _recognise(self, header: Mapping[str, object]) -> Definition:
        """Give the instrument whose keywords match; else the one whose translator knows the header."""
        for one in self._known:
            if any(str(header.get(key, "")).strip() in values for key, values in one.match.items()):
                return one
        for one in self._known:
            translator = translator_of(one)
            if translator is not None and translator.can_translate(header):
                return one
        named = ", ".join(dict.fromkeys(one.name for one in self._known))
        raise BadDataId(
            f"its header (INSTRUME is {header.get('INSTRUME')!r})",
            f"it is of no instrument that is known: {named}",
            "describe the instrument in a YAML file and give that as instrument",
        )


def _known(repository: Repository) -> Iterator[Definition]:
    own = {one.name: one for one in kept(repository)}
    yield from own.values()
    yield from (shipped(name) for name in SHIPPED if name not in own)


def _main(hdus: Sequence[Hdu]) -> fits.Header:
    """Give the header that says which instrument it is: the primary, with the first extension's if empty."""
    return merged(hdus, hdus[1]) if not hdus[0].axes and len(hdus) > 1 else hdus[0].header


def _detector_hdus(definition: Definition, hdus: Sequence[Hdu]) -> list[Hdu]:
    """Give the HDUs whose headers tell of detectors: one for each."""
    images = [hdu for hdu in hdus if len(hdu.axes) > 1]
    if not images:
        raise BadDataId("its HDUs", "none has an image", "leave the file out")
    if definition.layout == "primary":
        # fpack moves a single image into the first extension, its header with it.
        alone = len(images) == 1 and images[0].compressed and images[0].index == 1
        return [images[0] if alone else hdus[0]]
    extensions = {one.extension.lower() for one in definition.detectors.values()}
    return [hdu for hdu in images if hdu.name.lower() in extensions] or images


def _extname(definition: Definition, hdu: Hdu) -> dict[str, object]:
    """Give the detector's EXTNAME as the definition spells it: fpack adds its own, astropy changes case."""
    name = hdu.name.lower() if definition.layout == "extensions" else ""
    known = [one.extension for one in definition.detectors.values() if one.extension.lower() == name]
    return {"EXTNAME": known[0]} if known else {}


def read_all(
    reader: FrameReader, paths: Iterable[str], *, skip: bool
) -> tuple[list[Frame], list[tuple[str, SkyfsError]]]:
    """Read many files; with ``skip``, those that cannot be read are given with the reason."""
    frames: list[Frame] = []
    failed: list[tuple[str, SkyfsError]] = []
    for path in paths:
        try:
            frames += reader.read(path)
        except SkyfsError as error:
            if not skip:
                raise
            failed.append((path, error))
    return frames, failed
