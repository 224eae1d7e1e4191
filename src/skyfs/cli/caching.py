"""``cache``: what is kept on this machine of stores that are far away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..abc.store import Expected
from ..errors import NotFound
from .arguments import PATH
from .exits import FAILED
from .printing import busy, human, print_json, print_table, to_person, utc
from .session import Session

if TYPE_CHECKING:
    from ..model.dataset import Location
    from ..repository import Repository
    from ..stores.cache import CachedStore, DiskCache
    from ..tree import Node


@click.group()
def cache() -> None:
    """Show, empty, check or pin what is kept of far stores.

    It is the repository's cache; when no repository is named, the user's own.
    """


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(session: Session, *, as_json: bool) -> None:
    """Tell where the cache is and what it holds."""
    from ..stores.cache import status as look

    found = asdict(look(_cache(session)))
    oldest_s = found.pop("oldest_s")
    values = {
        "folder": found["folder"],
        "quota": found["quota_bytes"],
        "bytes": found["size_bytes"],
        "entries": found["entries"],
        "pinned": found["pinned"],
        "parts": found["parts"],
        "oldest": None if oldest_s is None else utc(int(oldest_s * 10**9)),
    }
    if as_json:
        print_json(values)
        return
    if to_person():
        values |= {"quota": human(found["quota_bytes"]), "bytes": human(found["size_bytes"])}
    print_table(list(values.items()), ("what", "value"))


@cache.command()
@click.option("--all", "pinned", is_flag=True, help="Pinned files too.")
@click.pass_obj
def clear(session: Session, *, pinned: bool) -> None:
    """Remove all that is kept, but what is pinned, or being read at the moment."""
    from ..stores.cache import clear as empty

    kept = _cache(session)
    with busy("clear"):
        files, freed = empty(kept, pinned=pinned)
    click.echo(f"{files} files, {human(freed)}")


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, *, as_json: bool) -> None:
    """Compare all that is kept with its digests. What is damaged is removed, and the exit status is 1."""
    from ..stores.cache import verify as check

    kept = _cache(ctx.ensure_object(Session))
    with busy("verify"):
        damaged = check(kept)
    if as_json:
        print_json([{"file": file, "found": found} for file, found in damaged.items()])
    else:
        print_table(list(damaged.items()), ("removed", "found"))
    if damaged:
        ctx.exit(FAILED)


@cache.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option("-r", "--recursive", is_flag=True, help="Pin all that is in folders.")
@click.pass_obj
def pin(session: Session, *, paths: Sequence[str], recursive: bool) -> None:
    """Bring datasets here, and keep them until they are unpinned. Wildcards: quote them."""
    for path, store, place in _far(session, session.files(paths, "pin", recursive=recursive)):
        store.pin(place.key, _expected(place))
        click.echo(path)


@cache.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option("-r", "--recursive", is_flag=True, help="Unpin all that is in folders.")
@click.pass_obj
def unpin(session: Session, *, paths: Sequence[str], recursive: bool) -> None:
    """Let datasets be evicted again."""
    for path, store, place in _far(session, session.files(paths, "unpin", recursive=recursive)):
        if store.unpin(place.key, _expected(place)):
            click.echo(path)


def _cache(session: Session) -> DiskCache:
    from ..config.stores import CacheConfig
    from ..stores.cache import DiskCache
    from ..storing import open_cache

    if not session.is_named:
        return DiskCache(session.environment.cache_folder, quota_bytes=CacheConfig().quota_bytes)
    repository = session.repository()
    return open_cache(repository.config.cache, repository.root, session.environment)


def _far(session: Session, nodes: Iterable[Node]) -> Iterator[tuple[str, CachedStore, Location]]:
    """Give the files that datasets are read from, where that is through the cache."""
    repository = session.tree().repository
    for node in list(nodes):
        places = _places(repository, node)
        if places is None:
            raise NotFound(
                f"{node.path!r} in the cache", "it is not read through it", "only datasets of far stores are"
            )
        for store, place in places:
            yield node.path, store, place


def _places(repository: Repository, node: Node) -> list[tuple[CachedStore, Location]] | None:
    """Give the nearest places of a dataset; None when they are not read through the cache."""
    from ..stores.cache import CachedStore

    if node.named is None:
        return None
    places = repository.reader.places(node.named.resolved)
    nearest = places[0].store if places else ""
    store = repository.stores.get(nearest)
    if not isinstance(store, CachedStore):
        return None
    return [(store, place) for place in places if place.store == nearest]


def _expected(place: Location) -> Expected | None:
    """Give what is known of the file: of one that holds many datasets, only the key."""
    return None if place.part is not None else Expected(place.size, place.sha256)
