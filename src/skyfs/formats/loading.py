"""Dotted names ↔ Python objects. The only place where text from a configuration becomes code."""

from __future__ import annotations

import pkgutil
from functools import lru_cache

from skyfs.errors import BadConfig, MissingPackage


def load_object(dotted: str, wanted_by: str) -> object:
    """Import ``package.module:Name`` or ``package.module.Name``.

    Parameters
    ----------
    dotted
        The name.
    wanted_by
        What names it, for the error message: ``entry point 'h5' of package foo``.

    Raises
    ------
    MissingPackage
        When a module of the name, or one that it imports, is not installed.
    BadConfig
        When the name is malformed, the module has no such attribute, or fails while it is imported.
    """
    try:
        return pkgutil.resolve_name(dotted)
    except ImportError as error:
        raise MissingPackage(f"{wanted_by} needs {dotted}", str(error), "install the package") from error
    except Exception as error:
        # Importing runs foreign code, which may fail in any way.
        raise BadConfig(f"{wanted_by} names {dotted!r}", f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=1000)
def load_class(dotted: str, wanted_by: str) -> type:
    """Import a class; raises as `load_object`, and BadConfig when it is something else."""
    found = load_object(dotted, wanted_by)
    if not isinstance(found, type):
        raise BadConfig(f"{wanted_by} names {dotted!r}", f"it is a {type(found).__name__}", "name a class")
    return found


def refers_to(dotted: str, cls: type) -> bool:
    """Tell whether a dotted name means that class.

    A class has several names (``astropy.table.Table`` lives in ``astropy.table.table``). Nothing is imported
    unless package and last name agree, so that looking through many names stays cheap.
    """
    package, last = dotted.replace(":", ".").split(".")[0], dotted.replace(":", ".").rpartition(".")[2]
    if cls.__module__.partition(".")[0] != package or cls.__name__ != last:
        return False
    return load_object(dotted, f"type {cls.__qualname__}") is cls
