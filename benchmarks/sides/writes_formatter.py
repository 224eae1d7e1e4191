"""FITS for the peer, which has no format for it that needs nothing of its pipelines."""

from __future__ import annotations

from typing import Any

from astropy.io import fits
from lsst.daf.butler import FormatterV2


class HdusFormatter(FormatterV2):
    """Writes and reads lists of HDUs."""

    default_extension = ".fits"
    can_read_from_local_file = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ANN401, ARG002 - the peer's signature
        """Read a file."""
        return fits.open(path, memmap=False, lazy_load_hdus=False)

    def write_local_file(self, in_memory_dataset: Any, uri: Any) -> None:  # noqa: ANN401 - the peer's signature
        """Write a file."""
        in_memory_dataset.writeto(uri.ospath)
