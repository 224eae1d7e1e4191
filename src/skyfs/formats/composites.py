"""Composites taken apart into components, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skyfs.errors import BadArgument, BadConfig, Unsupported
from skyfs.model.storage import StorageClass

from .guards import writing
from .loading import load_object


def check_assembles(whole: StorageClass) -> None:
    """Raise Unsupported unless objects of the storage class can be put together from components."""
    if not whole.assembler:
        raise Unsupported(
            f"storage class {whole.name!r} in components", "it has no assembler", "store it as one file"
        )


def take_apart(whole: StorageClass, value: object, name: str) -> object:
    """Give one component as the object has it; None when it has none."""
    if not whole.disassembler:
        return getattr(value, name, None)
    found: object = _function(whole, whole.disassembler)(value, name)
    return found


def put_together(whole: StorageClass, parts: Mapping[str, object]) -> object:
    """Give the whole; raises as `Formats.assemble`."""
    check_assembles(whole)
    unknown = sorted(set(parts) - set(whole.components))
    if unknown:
        known = ", ".join(whole.components) or "none"
        raise BadArgument(
            f"components {', '.join(unknown)} of {whole.name}", "unknown", f"components are: {known}"
        )
    with writing(whole.name):
        found: object = _function(whole, whole.assembler)(parts)
    return found


def _function(whole: StorageClass, dotted: str) -> Callable[..., Any]:
    found = load_object(dotted, f"storage class {whole.name!r}")
    if not callable(found):
        raise BadConfig(f"storage class {whole.name!r} names {dotted!r}", "it cannot be called")
    function: Callable[..., Any] = found
    return function
