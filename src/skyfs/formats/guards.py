"""Foreign exceptions and warnings at the border of a format."""

from __future__ import annotations

import errno
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Self

from skyfs.errors import BadArgument, BadContent, SkyfsError


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a parser raises into BadContent; errors of the system and of skyfs pass.

    Parsers answer damaged input with nearly any exception type, so all are caught here.
    """
    try:
        yield
    except (SkyfsError, MemoryError):
        raise
    except Exception as error:
        # astropy, gzip and pyarrow raise OSError without an errno about content; with one it is the disk,
        # unless the content says that something lies before the first byte.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise BadContent(
            f"cannot read as {what}", _reason(error), "the bytes are damaged or of another format"
        ) from error


@contextmanager
def making(what: str) -> Iterator[None]:
    """Turn the refusal of parts that do not fit into BadContent: they came out of a file."""
    try:
        yield
    except BadArgument as error:
        raise BadContent(f"cannot read as {what}", str(error), "the parts of the file do not fit") from error


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn a library's refusal of a value into BadArgument; errors of the system and of skyfs pass."""
    try:
        yield
    except (SkyfsError, MemoryError, OSError):
        raise
    except Exception as error:
        # astropy trips over its own report of a full disk; what the system said is underneath.
        if isinstance(error.__context__, SkyfsError | OSError):
            raise error.__context__ from None
        raise BadArgument(f"cannot write as {what}", _reason(error)) from error


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class Tolerance:
    """Within it, astropy's remarks about odd files are shown as warnings, even under ``-W error``.

    `warnings.catch_warnings` is not safe when threads overlap, so that the first thread in sets the filter
    and the last one out restores it.
    """

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _inside: ClassVar[int] = 0
    _saved: ClassVar[warnings.catch_warnings[None] | None] = None

    def __enter__(self) -> Self:
        from astropy.utils.exceptions import AstropyWarning

        cls = type(self)
        with cls._lock:
            if cls._inside == 0:
                cls._saved = warnings.catch_warnings()
                cls._saved.__enter__()
                warnings.simplefilter("default", AstropyWarning)
            cls._inside += 1
        return self

    def __exit__(self, *exception: object) -> None:
        cls = type(self)
        with cls._lock:
            cls._inside -= 1
            if cls._inside == 0 and cls._saved is not None:
                cls._saved.__exit__(None, None, None)
                cls._saved = None


def refuse_options(what: str, options: Mapping[str, object], known: tuple[str, ...] = ()) -> None:
    """Raise BadArgument when there is an option that the format does not know."""
    unknown = sorted(set(options) - set(known))
    if unknown:
        accepted = ", ".join(known) or "none"
        raise BadArgument(
            f"{what} has no option {', '.join(map(repr, unknown))}", todo=f"options are: {accepted}"
        )


def refuse_value(what: str, value: object, accepted: str) -> BadArgument:
    """Make the error for a value of a type that the format cannot hold."""
    given = f"{type(value).__module__}.{type(value).__qualname__}"
    return BadArgument(f"cannot write {given} as {what}", todo=f"it takes {accepted}")


def require_class(what: str, storage_class: str, known: tuple[str, ...]) -> None:
    """Raise BadArgument when the format cannot give a storage class."""
    if storage_class not in known:
        raise BadArgument(f"{what} cannot be read as {storage_class}", todo=f"it gives {', '.join(known)}")
