"""The choice between the engines that carry requests of the kernel to `Operations`."""

from __future__ import annotations

from .operations import Operations
from .serving import EngineName, Serving


def run(operations: Operations, serving: Serving, engine: EngineName = "auto") -> None:  # noqa: ARG001
    """Mount and serve until it is unmounted.

    Raises
    ------
    MissingPackage
        When there is no FUSE.
    StoreError
        When the kernel, or fusermount3, refuses.
    """
    from . import libfuse

    libfuse.run(operations, serving)
