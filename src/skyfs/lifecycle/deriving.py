"""Repositories made of others: subsets and merges."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..assemble import create
from ..config import Environment, referring
from ..errors import BadArgument, Unsupported
from ..registry.manifest.arriving import Applied, OnConflict
from ..repository import Collections, Repository
from ..sharing.deliveries import FromStores
from ..sharing.selecting import Selection
from ..storing import absolute
from ..writing.ingester import IN_PLACE
from .destroying import destroy

Done = Callable[[int], None]


def subset(  # noqa: PLR0913 - what to choose, and where to
    repository: Repository,
    root: str | os.PathLike[str],
    types: str | Iterable[str] | None = None,
    *,
    view: bool = False,
    name: str | None = None,
    collections: Collections = None,
    where: str | None = None,
    bind: Mapping[str, object] | None = None,
    done: Done = lambda _: None,
    environment: Environment | None = None,
    **data_id: object,
) -> Repository:
    """Make a new repository of datasets of another, and open it for writing.

    With them come the records and rows of side tables about them, calibrations that hold for them, tags,
    validity, chains, captured values, and the ids of what they were made from.

    Parameters
    ----------
    repository
        Where they are.
    root
        The new folder.
    types, collections, where, bind, **data_id
        What is chosen, as of `Repository.export`.
    view
        Whether files stay where they are, and are referred to; False: they are copied, and the new repository
        needs nothing of the other one.
    name
        Name for ``skyfs://NAME/``; added to the index when given.
    done
        Is told of bytes that were copied.

    Raises
    ------
    Exists
        When the folder holds something.
    NotFound, StoreError, WrongBytes
        When bytes cannot be read, or are not what the registry says; nothing is left behind then.
    """
    environment = environment or Environment.current()
    chosen = repository.selection(types, collections, where, bind, data_id)
    new = create(
        root,
        universe=repository.registry.universe_mapping(),
        stores=_stores(repository) if view else None,
        name=name,
        environment=environment,
    )
    try:
        _fill(new, repository, chosen, done, view=view)
    except BaseException:
        new.close()
        destroy(new.root, environment=environment)
        raise
    return new


def _fill(new: Repository, repository: Repository, chosen: Selection, done: Done, *, view: bool) -> None:
    lines = repository.described(chosen, keys=True)
    if not view:
        new.intake().bring(lines, FromStores(repository.stores), done)
        return
    names = {store.name: _named(repository, store.name) for store in repository.config.stores}
    new.intake().refer(lines, {**names, IN_PLACE: IN_PLACE})
    referring.write_down(new.root, repository.root)


def _named(repository: Repository, store: str) -> str:
    return f"{repository.name}.{store}"


def _stores(repository: Repository) -> list[dict[str, Any]]:
    """Give the stores of a view: one of its own, and those of the other repository, for reading."""
    found: list[dict[str, Any]] = [{"name": "local", "url": "data"}]
    for store in repository.config.stores:
        if store.url.startswith("memory://"):
            todo = "copy it, or choose types that lie elsewhere"
            raise Unsupported(f"a view of store {store.name!r}", "it is the memory of a process", todo)
        found.append(
            {**absolute(repository.root, store), "name": _named(repository, store.name), "writable": False}
        )
    return found


def merge(
    repositories: Sequence[Repository],
    into: Repository,
    *,
    on_conflict: str = "fail",
    done: Done = lambda _: None,
) -> list[Applied]:
    """Put all that repositories hold into one, with its bytes, as one change; tell what each added.

    Parameters
    ----------
    repositories
        Of the same dimensions.
    into
        Open for writing; it may hold something.
    on_conflict
        When something else is there: ``fail``; ``skip`` keeps what came first; ``newest`` takes of datasets
        what was made later; ``prefer=NAME`` takes what the repository of that name has.
    done
        Is told of bytes that were copied.

    Raises
    ------
    Conflict, Exists
        When repositories contradict each other, and that is to fail; nothing is changed then.
    """
    ordered = _ordered(repositories, on_conflict)
    found: dict[Path, Applied] = {}
    there, locked = {one.name for one in into.collections()}, set[str]()
    with into.transaction():
        for one, choice in ordered:
            # What one brings locked may get more of the next.
            locked |= _unlocked(into, there)
            lines = one.described(Selection(), keys=True)
            found[one.root] = into.intake(choice).bring(lines, FromStores(one.stores), done)
        for run in sorted(locked):
            into.registry.collections.set_locked(run, locked=True)
    return [found[one.root] for one in repositories]


def _unlocked(repository: Repository, but: Collection[str]) -> set[str]:
    """Unlock all RUNs but those of these names; give which were locked."""
    locked = {one.name for one in repository.collections() if one.locked and one.name not in but}
    for run in locked:
        repository.registry.collections.set_locked(run, locked=False)
    return locked


def _ordered(repositories: Sequence[Repository], on_conflict: str) -> list[tuple[Repository, OnConflict]]:
    """Give the repositories in the order in which they are put in, and what wins for each."""
    if on_conflict in ("fail", "skip", "newest"):
        choice: OnConflict = on_conflict  # type: ignore[assignment]
        return [(one, choice) for one in repositories]
    kind, _, name = on_conflict.partition("=")
    preferred = [one for one in repositories if name in (one.name, str(one.root))]
    if kind != "prefer" or len(preferred) != 1:
        names = " or ".join(f"prefer={one.name}" for one in repositories)
        raise BadArgument(f"on_conflict={on_conflict!r}", "no such choice", f"fail, skip, newest, {names}")
    others: list[tuple[Repository, OnConflict]] = [
        (one, "skip") for one in repositories if one not in preferred
    ]
    return [*others, (preferred[0], "replace")]
