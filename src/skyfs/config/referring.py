"""Which repositories refer to files of which others: written down on both sides.

A view keeps the folder that it was made of, and its own, in ``.skyfs/origin.yaml``; that folder keeps its
views in ``.skyfs/views.yaml``, when whoever made the view may write there. A view of a view shows files of
both.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import BadConfig, NotFound
from .settings import CONFIG_NAME
from .yamlfile import read_yaml, write_yaml

_ORIGIN, _VIEWS = ".skyfs/origin.yaml", ".skyfs/views.yaml"


def write_down(view: Path, origin: Path) -> bool:
    """Write down that a repository refers to files of another; False when that one cannot be told."""
    before = _own_folder(view)
    write_yaml(view / _ORIGIN, {"folder": str(origin), "view": str(view)})
    known = {str(one) for one in views_of(origin) if one != before or is_there(one)}
    return _write_views(origin, {*known, str(view)})


def forget(view: Path, origin: Path) -> None:
    """Take a view, wherever it was, off the list of its origin."""
    known = views_of(origin)
    left = [one for one in known if one not in (view, _own_folder(view))]
    if len(left) < len(known):
        _write_views(origin, set(map(str, left)))


def views_of(origin: Path) -> list[Path]:
    """Give the folders of the views that a repository knows of; they may be gone."""
    with suppress(NotFound):
        found = read_yaml(origin / _VIEWS).get("views")
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise BadConfig(str(origin / _VIEWS), f"views: {found!r}", "a list of folders")
        return [Path(one) for one in found]
    return []


def all_views_of(origin: Path) -> list[Path]:
    """Give the views of a repository, the views of these, and so on; they may be gone."""
    found = dict.fromkeys([origin])
    waiting = [origin]
    while waiting:
        more = [one for one in views_of(waiting.pop()) if one not in found]
        found.update(dict.fromkeys(more))
        waiting += more
    return list(found)[1:]


def origin_of(view: Path) -> Path | None:
    """Give the folder that a view was made of; None when it is no view."""
    with suppress(NotFound):
        return Path(str(read_yaml(view / _ORIGIN).get("folder")))
    return None


def is_there(folder: Path) -> bool:
    """Tell whether a repository is in a folder."""
    return (folder / CONFIG_NAME).is_file()


def _own_folder(view: Path) -> Path:
    """Give where a view was when that was written down: it may have been moved since."""
    with suppress(NotFound):
        return Path(str(read_yaml(view / _ORIGIN).get("view", view)))
    return view


def _write_views(origin: Path, views: set[str]) -> bool:
    if not os.access(origin, os.W_OK):
        return False
    try:
        write_yaml(origin / _VIEWS, {"views": sorted(views)}, mode=0o644)
    except OSError:
        return False
    return True
