"""What there is, for who asked for a path that leads nowhere."""

from __future__ import annotations

import re
from difflib import get_close_matches
from itertools import islice

from ..errors import NotFound, SkyfsError
from ..model.paths import parse
from ..model.selectors import split_selectors
from ..tree import Listed
from .session import Session

# Other messages name files of this machine.
_PATH = re.compile(r"(?:nothing at|nothing matches|no dataset) '(/[^']*)'")
_MOST_NAMED = 6
_MOST_COMPARED = 2_000


def advised(error: NotFound, session: Session) -> NotFound:
    """Add the nearest names to an error that names a path and says nothing about what to do."""
    named = _PATH.fullmatch(error.asked)
    if error.todo or named is None or not session.is_named:
        return error
    try:
        todo = _nearest(session, split_selectors(named[1])[0])
    except SkyfsError:
        return error
    return type(error)(error.asked, error.found, todo)


def _nearest(session: Session, path: str) -> str:
    """Go up to the first folder that there is, and say what is in it."""
    missing = ""
    while path != "/":
        path, _, missing = path.rstrip("/").rpartition("/")
        path = path or "/"
        try:
            found = list(islice(session.tree().entries(parse(path)), _MOST_COMPARED))
        except SkyfsError:
            continue
        return _said(path, missing, found)
    return ""


def _said(folder: str, missing: str, found: list[Listed]) -> str:
    names = sorted(one.name for one in found)
    near = get_close_matches(missing, names, 3)
    base = folder.rstrip("/")
    if len(near) == 1:
        return f"did you mean {base}/{near[0]}?"
    if near:
        return f"did you mean {' or '.join(near)}? They are in {folder}"
    if not names:
        return f"there is nothing in {folder}"
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f"in {folder} there are {', '.join(names[:_MOST_NAMED])}{more}"
