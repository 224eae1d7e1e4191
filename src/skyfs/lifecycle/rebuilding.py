"""A registry made anew: of the change log, and of the files that are there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from ..assemble import default_universe, locate, open_stores, registry_place
from ..config import Config, Environment
from ..errors import SkyfsError
from ..formats.catalog import Formats
from ..model.dataset import DatasetRef, Location
from ..model.manifest_line import Line, RemoveLine
from ..registry.changelog import FOLDER
from ..registry.manifest.applying import Applier
from ..registry.manifest.blocks import WHOLE, Past
from ..registry.place import Place
from ..registry.registry import Registry
from ..registry.sqlite import SqliteFile
from ..writing.ingester import IN_PLACE
from .files import Files
from .from_paths import FromPaths, Placed, not_in_paths
from .manifests import alone, close_logs, describe_whole, install_whole, stamp


@dataclass(slots=True)
class Rebuilt:
    """What came of rebuilding a registry.

    Attributes
    ----------
    datasets, declared
        How many datasets it has with bytes, and without.
    placed
        What came of files that no manifest tells of.
    lost
        (dataset, store, key) of files that are gone: without another copy the dataset is declared now.
    changed
        (dataset, store, key) of files that have another size now.
    doubtful
        How many datasets, or removals, were not taken whose writers never said that they were done: the files
        say otherwise. (Who closes a repository says so.)
    refused
        Changes of the log that could not be made again, and why.
    unknown
        What could not be known.
    aside
        Where the old registry and manifests are.
    """

    datasets: int = 0
    declared: int = 0
    placed: Placed = field(default_factory=Placed)
    lost: list[tuple[str, str, str]] = field(default_factory=list)
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    doubtful: int = 0
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)


def rebuild(
    root: str | Path,
    *,
    universe: Mapping[str, object] | None = None,
    dry_run: bool = False,
    environment: Environment | None = None,
) -> Rebuilt:
    """Make the registry of a repository anew; nobody may write to it meanwhile.

    What the change log tells is done again; files that it does not name are registered by their paths.
    The old registry, damaged or not, is set aside.

    Parameters
    ----------
    root
        The repository's folder, or its name.
    universe
        The dimensions, when no manifest tells them; default: those of the old registry, if it can be read,
        else the default ones.
    dry_run
        Only tell what would come of it.

    Raises
    ------
    NotFound
        When there is no configuration of a repository.
    StoreError
        When files or registry cannot be read or written; the old registry is as it was.
    """
    environment = environment or Environment.current()
    folder = locate(root, environment)
    config = Config.read(folder)
    with nullcontext() if dry_run else alone(folder):
        return _Rebuilding(folder, config, environment).run(universe, dry_run=dry_run)


class _Rebuilding:
    def __init__(self, folder: Path, config: Config, environment: Environment) -> None:
        self._folder, self._config, self._environment = folder, config, environment
        self._place = registry_place(folder, config)
        self._report = Rebuilt()
        self._past = Past.of(folder)

    def run(self, universe: Mapping[str, object] | None, *, dry_run: bool) -> Rebuilt:
        """Make it, and put it in its place unless it is a dry run."""
        chosen = self._universe(universe)
        mark = stamp()
        with self._new_place(mark, dry_run=dry_run) as place:
            registry = Registry.create(place, chosen, durability="process")
            if isinstance(place, SqliteFile) and not self._config.shared:
                place.path.chmod(0o600)
            try:
                self._fill(registry)
                if not dry_run:
                    self._keep(registry, place, mark)
            finally:
                registry.close()
        return self._report

    @contextmanager
    def _new_place(self, mark: str, *, dry_run: bool) -> Iterator[Place]:
        if dry_run:
            with tempfile.TemporaryDirectory() as folder:
                yield SqliteFile(Path(folder) / "registry.sqlite3")
            return
        place = self._place.beside(f"new_{mark}")
        try:
            yield place
        except BaseException:
            place.drop()
            raise

    def _universe(self, given: Mapping[str, object] | None) -> Mapping[str, object]:
        if given is not None or self._past.universe is not None:
            return given or self._past.universe or {}
        with suppress(SkyfsError):
            old = Registry.open(self._place, writable=False, durability="process")
            try:
                return old.universe_mapping()
            finally:
                old.close()
        self._report.unknown.append("the dimensions: the default ones were taken (or give a universe)")
        return default_universe()

    def _fill(self, registry: Registry) -> None:
        with open_stores(self._folder, self._config, self._environment) as stores:
            files = Files(stores)
            with registry.transaction():
                judge = _Judge(registry, files, self._report)
                applier = Applier(registry, "replace", judge=judge.believed)
                self._replay(registry, applier, judge)
                judge.finish()
                self._take(registry, files)
                formats, user = Formats.load(self._config.formats), self._environment.user
                paths = FromPaths(registry, self._config, formats, applier.apply, user)
                self._report.placed = paths.register(files, all_is_told=self._past.complete)
                applier.finish()
                self._count(registry)
            self._report.unknown += [
                f"store {name!r} was not looked at: {why}" for name, why in files.unseen.items()
            ]
        if not self._past.complete:
            self._report.unknown[:0] = list(not_in_paths())

    def _replay(self, registry: Registry, applier: Applier, judge: _Judge) -> None:
        for line in self._past.described():
            self._again(WHOLE, registry, [line], applier.apply)
        for block in self._past.blocks():
            judge.in_doubt = block.in_doubt
            what = f"{block.path.name}, transaction {block.id}"
            self._again(what, registry, block.lines(), lambda line: applier.apply(judge.judged(line)))
        judge.in_doubt = False
        self._report.unknown += self._past.damaged

    def _again(
        self, what: str, registry: Registry, lines: Iterable[Line], apply: Callable[[Line], None]
    ) -> None:
        """Do a change again, all of it or nothing."""
        try:
            with registry.transaction():
                for line in lines:
                    apply(line)
        except SkyfsError as error:
            self._report.refused.append(f"{what}: {error}")

    def _take(self, registry: Registry, files: Files) -> None:
        """Take all files that datasets have off the list."""
        for one in registry.lookup.everything(registry.current(), declared=True):
            for place in one.locations:
                size = files.take(place)
                if size is not None and size != place.whole[0]:
                    self._report.changed.append((str(one.ref), place.store, place.key))
                if place.store == IN_PLACE and not files.holds(place):
                    self._report.lost.append((str(one.ref), place.store, place.key))

    def _count(self, registry: Registry) -> None:
        for one in registry.lookup.everything(registry.current(), declared=True):
            self._report.datasets += bool(one.locations)
            self._report.declared += not one.locations

    def _keep(self, registry: Registry, place: Place, mark: str) -> None:
        """Describe the new registry, and put both in their places: the registry first."""
        logs = close_logs(self._folder, mark)
        new = describe_whole(self._folder, registry, self._config.name, logs)
        registry.close()
        aside = self._place.beside(f"old_{mark}")
        if self._place.take(place, aside):
            self._report.aside.append(aside.name)
        kept = self._folder / FOLDER / f"old_{mark}"
        install_whole(self._folder, new, logs, kept)
        self._report.aside.append(str(kept))


class _Judge:
    """Compares what the log tells with the files that are there."""

    def __init__(self, registry: Registry, files: Files, report: Rebuilt) -> None:
        self._registry, self._files, self._report = registry, files, report
        self._lost: dict[UUID, tuple[Location, ...]] = {}
        self.in_doubt = False

    def believed(self, ref: DatasetRef, places: tuple[Location, ...]) -> tuple[Location, ...] | None:
        """Give the places whose files are there; None for a dataset that was never committed."""
        # What lies elsewhere is not ours: its disk may be away, and later lines may say where it is now.
        there = tuple([place for place in places if place.store == IN_PLACE or self._files.holds(place)])
        if self.in_doubt and not there and any(place.owned for place in places):
            self._report.doubtful += 1
            return None
        if len(there) < len(places):
            self._lost[ref.id] = tuple([place for place in places if place not in there])
        else:
            self._lost.pop(ref.id, None)
        return there

    def judged(self, line: Line) -> Line:
        """Leave out the removals that were never committed: their files are there."""
        if not isinstance(line, RemoveLine):
            return line
        kept: set[UUID] = set()
        if self.in_doubt:
            found = self._registry.lookup.by_id(self._registry.current(), line.ids)
            kept = {one.ref.id for one in found.values() if self._is_there(one.locations)}
            self._report.doubtful += len(kept)
        for uuid in line.ids:
            if uuid not in kept:
                self._lost.pop(uuid, None)
        return replace(line, ids=tuple([uuid for uuid in line.ids if uuid not in kept]))

    def finish(self) -> None:
        """Report what is lost."""
        found = self._registry.lookup.by_id(self._registry.current(), self._lost)
        for uuid, one in found.items():
            self._report.lost += [(str(one.ref), place.store, place.key) for place in self._lost[uuid]]

    def _is_there(self, places: tuple[Location, ...]) -> bool:
        return bool(places) and all(place.owned and self._files.holds(place) for place in places)
