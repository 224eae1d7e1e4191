"""Which repositories refer to files of which others: written down on both sides.

A view keeps the folder that it was made of in ``.skyfs/origin.yaml``; that folder keeps its views in
``.skyfs/views.yaml``, when whoever made the view may write there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import BadConfig, NotFound
from .yamlfile import read_yaml, write_yaml

_ORIGIN, _VIEWS = ".skyfs/origin.yaml", ".skyfs/views.yaml"


def write_down(view: Path, origin: Path) -> bool:
    """Write down that a repository refers to files of another; False when that one cannot be told."""
    write_yaml(view / _ORIGIN, {"folder": str(origin)})
    known = [str(one) for one in views_of(origin)]
    if not os.access(origin, os.W_OK):
        return False
    try:
        write_yaml(origin / _VIEWS, {"views": sorted({*known, str(view)})}, mode=0o644)
    except OSError:
        return False
    return True


def forget(view: Path, origin: Path) -> None:
    """Take a view that is gone off the list of its origin."""
    left = [str(one) for one in views_of(origin) if one != view]
    if os.access(origin, os.W_OK) and len(left) < len(views_of(origin)):
        write_yaml(origin / _VIEWS, {"views": left}, mode=0o644)


def views_of(origin: Path) -> list[Path]:
    """Give the folders of the views that a repository knows of; they may be gone."""
    with suppress(NotFound):
        found = read_yaml(origin / _VIEWS).get("views")
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise BadConfig(str(origin / _VIEWS), f"views: {found!r}", "a list of folders")
        return [Path(one) for one in found]
    return []


def origin_of(view: Path) -> Path | None:
    """Give the folder that a view was made of; None when it is no view."""
    with suppress(NotFound):
        return Path(str(read_yaml(view / _ORIGIN).get("folder")))
    return None
