"""What fsspec is asked for when many files are copied, so that folders stay what they are.

fsspec puts all that lies below the folders of a list into one folder, and takes a folder that has a target of
its own for an empty one. So it is asked about one folder at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fsspec.spec import AbstractFileSystem
from fsspec.utils import stringify_path

from ..errors import BadArgument
from ..model.selectors import is_pattern

# ruff: noqa: ANN401 - what fsspec takes: a path, or several

Pairs = list[tuple[str, str]]


def calls(
    sources: AbstractFileSystem,
    source: Any,
    target: Any,
    *,
    recursive: bool,
    is_dataset: Callable[[str], bool] = lambda _: False,
) -> Iterator[tuple[Any, Any]]:
    """Give the sources and targets of the calls that one call with these is made of.

    Parameters
    ----------
    sources
        Where the sources are.
    source, target
        As they were given.
    is_dataset
        Tells whether a folder that goes to a target becomes that, and does not go into it.
    """
    source, target = stringify_path(source), stringify_path(target)
    if isinstance(source, str):
        whole = recursive and isinstance(target, str) and is_dataset(target) and sources.isdir(source)
        yield _content(source) if whole else source, target
    elif not recursive:
        yield source, target
    elif isinstance(target, str):
        yield from _into(sources, list(source), target)
    else:
        yield from _one_by_one(sources, list(source), list(target))


def arrivals(pairs: Pairs, *, is_dataset: Callable[[str, str], bool], is_dir: Callable[[str], bool]) -> Pairs:
    """Give the pairs of files, and of folders that are a dataset each but not what lies in those."""
    whole = {target for source, target in pairs if is_dataset(source, target)}
    rest = [pair for pair in dict.fromkeys(pairs) if whole.isdisjoint(_above(pair[1]))]
    return [(source, target) for source, target in rest if target in whole or not is_dir(source)]


def _into(sources: AbstractFileSystem, listed: Iterable[Any], target: str) -> Iterator[tuple[Any, Any]]:
    """Put files, and folders under their names, into one folder."""
    names = [str(stringify_path(one)) for one in listed]
    found = [one for name in names for one in (sources.glob(name) if is_pattern(name) else [name])]
    folders = [name for name in found if sources.isdir(name)]
    for name in folders:
        yield _content(name), "/".join((target.rstrip("/"), name.rstrip("/").rpartition("/")[2]))
    if len(folders) < len(found) or not found:
        yield [name for name in found if name not in set(folders)] or names, target


def _one_by_one(sources: AbstractFileSystem, listed: Any, targets: Any) -> Iterator[tuple[Any, Any]]:
    """Give each source the target in its place."""
    if len(listed) != len(targets):
        found = f"{len(listed)} sources, {len(targets)} targets"
        raise BadArgument("copy a list to a list", found, "give each source a target, or one folder for all")
    for one, two in zip(listed, targets, strict=True):
        path = str(stringify_path(one))
        yield (_content(path), stringify_path(two)) if sources.isdir(path) else ([one], [two])


def _content(folder: str) -> str:
    """Name what lies in a folder, as ``cp -r folder/`` does."""
    return folder.rstrip("/") + "/"


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
