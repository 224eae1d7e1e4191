"""The choice between the engines that carry requests of the kernel to `Operations`."""

from __future__ import annotations

import sys
from dataclasses import replace

from ..errors import SkyfsError, Unsupported
from .failures import log
from .operations import Operations
from .serving import EngineName, Serving


def run(operations: Operations, serving: Serving, engine: EngineName = "auto") -> None:
    """Mount and serve until it is unmounted.

    Raises
    ------
    Unsupported
        When the engine asked for is not for this system.
    MissingPackage
        When there is no FUSE.
    StoreError
        When the kernel, or fusermount3, refuses.
    """
    if engine == "native" and sys.platform != "linux":
        raise Unsupported(
            "mount by the engine native", f"this is {sys.platform}, not Linux", "engine: libfuse"
        )
    reason = "it was asked for"
    if engine != "libfuse":
        reason = _run_native(operations, serving, must=engine == "native")
        if not reason:
            return
    from . import libfuse

    libfuse.run(operations, replace(serving, ready=lambda text: serving.ready(f"{text}, because {reason}")))


def _run_native(operations: Operations, serving: Serving, *, must: bool) -> str:
    """Serve by the native engine; give the reason when it cannot mount."""
    if sys.platform != "linux":
        return f"this is {sys.platform}"
    from . import native

    try:
        mounted = native.mount(serving)
    except SkyfsError as error:
        if must:
            operations.close()
            raise
        log.info("the native engine cannot mount: %s", error)
        return str(error)
    native.serve(operations, serving, mounted)
    return ""
