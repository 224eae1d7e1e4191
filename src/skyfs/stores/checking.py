"""Bytes that came, held against what was expected."""

from __future__ import annotations

from skyfs.abc.store import Expected
from skyfs.errors import Transient, WrongBytes


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


def require_digest(found: bytes, expected: bytes, asked: str) -> None:
    """Raise WrongBytes unless both are the same."""
    if found != expected:
        digests = f"its sha256 is {found.hex()[:16]}..., not {expected.hex()[:16]}..."
        raise WrongBytes(asked, digests, "restore it from another store")
