"""Bytes that came, held against what was expected."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from skyfs.abc.store import Expected
from skyfs.errors import Transient, WrongBytes

_SLACK_BYTES = 4 << 20


def require_size(
    found: int, wanted: int | None, total: int | None, expected: Expected | None, asked: str
) -> None:
    """Raise WrongBytes when the whole has another size than expected, Transient when the answer was cut."""
    if expected is not None and total is not None and total != expected.size:
        raise WrongBytes(asked, f"it has {total} bytes, not {expected.size}", "restore it from another store")
    if wanted is None:
        wanted = expected.size if expected is not None else total
    if wanted is not None and found != wanted:
        raise Transient(asked, f"the answer was cut: {found} of {wanted} bytes", "try again")


def bounded(take: Callable[[bytes], object], most: int | None, asked: str) -> Callable[[bytes], None]:
    """Give what takes bytes until there are far more than expected: then the server's answer may never end.

    Some too many are taken, so that the whole size can be told.
    """
    taken = 0

    def take_some(data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        if most is not None and taken > most + _SLACK_BYTES:
            raise WrongBytes(asked, f"it goes on after {most} bytes", "restore it from another store")
        take(data)

    return take_some


def require_bytes(data: bytes, expected: Expected | None, asked: str) -> None:
    """Raise WrongBytes unless the whole of a file is what was expected."""
    known = expected is not None and expected.sha256 is not None
    require_whole(len(data), hashlib.sha256(data).digest() if known else b"", expected, asked)


def require_whole(size: int, sha256: bytes, expected: Expected | None, asked: str) -> None:
    """Raise WrongBytes unless size and digest of the whole are those expected, as far as these are known."""
    if expected is not None and size != expected.size:
        raise WrongBytes(asked, f"it has {size} bytes, not {expected.size}", "restore it from another store")
    if expected is not None and expected.sha256 is not None:
        require_digest(sha256, expected.sha256, asked)


def require_digest(found: bytes, expected: bytes, asked: str) -> None:
    """Raise WrongBytes unless both are the same."""
    if found != expected:
        digests = f"its sha256 is {found.hex()[:16]}..., not {expected.hex()[:16]}..."
        raise WrongBytes(asked, digests, "restore it from another store")
