"""A whole check: the registry's rows, the files of all stores, what is extra, and the disk cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..abc.store import FetchesMany, Store
from ..config import Config
from ..errors import SkyfsError, StoreError
from ..registry.registry import Registry
from ..stores.cache import damages, verify
from .extras import Extras
from .files import Files
from .judging import Judge
from .options import Options, new_seed
from .places import Places
from .report import Finding, Report
from .restoring import Origin, Restorer
from .rows import DAMAGED, Rows
from .state import State
from .walking import Walk

FOLDER = ".skyfs/check"
_UNPLACED = {
    "dataset-without-run",
    "dataset-without-type",
    "artifact-without-name",
    "location-without-artifact",
    "unreadable-row",
}
"""Codes of datasets of which it is not known where their files are."""


Watch = Callable[[str, int, int], None]
"""Is told how far a stage of a check has come: so many of so many are done; a total of 0 is not known."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A repository as it is checked.

    Attributes
    ----------
    recovered
        How many files of dead writers were taken away when it was opened.
    """

    root: Path
    config: Config
    registry: Registry
    stores: Mapping[str, Store]
    recover: Callable[[], int]
    recovered: int


class Checker:
    """Checks a repository, and repairs it when that is asked for."""

    def __init__(
        self, subject: Subject, options: Options, state: State, origin: Origin | None, watch: Watch
    ) -> None:
        self._subject, self._options, self._state, self._watch = subject, options, state, watch
        self._origin = origin
        self._places = Places(subject.stores, subject.config, subject.root)
        self._skipped: list[str] = []
        self._rules = 0
        self._repair = options.repair
        self._left: set[str] = set()

    def run(self, *, resume: bool) -> Report:
        """Check all; with ``resume``, go on where the same check was interrupted."""
        self._state.begin(self._options.signature, resume=resume)
        self._settle()
        self._dead_writers()
        if self._check_rows():
            self._check_files()
        if self._options.digests:
            self._check_cache()
        return self._report()

    def _settle(self) -> None:
        """Choose seed and quarantine, or take those of the check that goes on."""
        if self._state.get("quarantine") is None:
            self._state.set("quarantine", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
            self._state.set("seed", new_seed() if self._options.seed is None else self._options.seed)

    # -- dead writers

    def _dead_writers(self) -> None:
        """Recover first, so that nothing of a dead writer is taken for anything else."""
        dead = {}
        for name in self._subject.stores:
            aside = self._places.setter_aside(name)
            if aside is not None:
                dead[name] = aside.claims().dead_writers
        if self._options.repair:
            taken = self._subject.recover() + self._subject.recovered
            if taken:
                found = f"{taken} files of writers that died"
                self._state.add("dead", Finding("dead-writer", "stores", found, "taken away", repaired=True))
            return
        for name, number in dead.items():
            if number:
                found = f"{number} writers died and left something behind"
                todo = "open the repository for writing, or check with --repair: that undoes or finishes it"
                self._state.add("dead", Finding("dead-writer", f"store {name!r}", found, todo))

    # -- rows

    def _check_rows(self) -> bool:
        def step() -> None:
            self._rules += 1
            self._watch("registry", self._rules, 0)

        rows = Rows(self._subject.registry, self._state, repair=self._options.repair, step=step)
        whole = rows.run()
        self._skipped += rows.skipped
        self._left = rows.left
        self._repair = self._repair and DAMAGED not in rows.left
        return whole

    # -- files

    def _check_files(self) -> None:
        usable = self._usable()
        scanned = self._scanned(usable) if self._options.sample is None else set()
        walk = Walk(self._subject.registry, self._options, self._state.number("seed"))
        restorer = self._restorer()
        with Judge(self._places, digests=self._options.digests, workers=self._options.workers) as judge:
            files = Files(
                self._subject.registry,
                self._places,
                self._state,
                walk,
                judge,
                restorer=restorer,
                skipped=frozenset(self._subject.stores) - usable,
                scanned=frozenset(scanned),
                advance=self._advance(),
            )
            files.run()
            if restorer is not None:
                self._state.set("moved", self._state.number("moved") + restorer.moved)
            extras = Extras(
                self._subject.registry, self._places, self._state, folder=self._folder, doubt=self._doubt()
            )
            for name in sorted(scanned):
                self._state.set("moved", self._state.number("moved") + extras.run(name))

    def _usable(self) -> set[str]:
        """Give the stores that can be looked at; note why others cannot."""
        usable = set()
        for name in self._subject.stores:
            why = self._places.why_not(name)
            if why:
                self._skipped.append(f"files of store {name!r}: {why}")
            else:
                usable.add(name)
        return usable

    def _scanned(self, usable: set[str]) -> set[str]:
        """Note what lies in all stores where it is skyfs's to say what may; take out those that fail."""
        scanned = set()
        for name in sorted(usable):
            try:
                if self._places.setter_aside(name) is not None:
                    self._scan(name)
                    scanned.add(name)
            except SkyfsError as error:
                self._skipped.append(f"extra files of store {name!r}: {error}")
                if isinstance(self._places.own(name), FetchesMany):
                    # To ask for each of its files would take as long as its patience with failures.
                    self._skipped.append(f"files of store {name!r}: it does not answer")
                    usable.discard(name)
        return scanned

    def _scan(self, name: str) -> None:
        done = f"scanned {name}"
        if self._state.get(done) is None:
            self._watch(f"scan of {name}", 0, 0)
            found = self._places.own(name).scan()
            self._state.add_files(name, ((key, stat.size) for key, stat in found))
            self._state.set(done, 1)

    def _restorer(self) -> Restorer | None:
        if not self._repair:
            return None
        spool = self._subject.root / FOLDER
        return Restorer(self._subject.registry, self._places, self._origin, spool=spool, folder=self._folder)

    def _advance(self) -> Callable[[int], None]:
        total = self._subject.registry.audit.stored_count()
        done = self._state.number("datasets")

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._state.set("datasets", done)
            self._watch("files", done, max(total, done))

        return advance

    @property
    def _folder(self) -> str:
        return str(self._state.get("quarantine")) if self._repair else ""

    def _doubt(self) -> str:
        """Tell why files that no dataset names may be those of datasets all the same."""
        lost = {"dataset-unreadable"} & self._state.tallies().keys() | _UNPLACED & self._left
        return f"some may be those of what is found as {', '.join(sorted(lost))}" if lost else ""

    # -- the disk cache

    def _check_cache(self) -> None:
        cache = self._places.cache
        if cache is None:
            return
        self._watch("cache", 0, 0)
        repair = self._repair
        try:
            damaged = verify(cache) if repair else damages(cache)
        except (StoreError, OSError) as error:
            self._skipped.append(f"the disk cache: {error}")
            return
        todo = (
            "removed: it is fetched again"
            if repair
            else "skyfs cache verify, or --repair: it is fetched again"
        )
        for path, found in damaged.items():
            self._state.add("cache", Finding("damaged-cache-file", path, found, todo, repair))

    # -- the end

    def _report(self) -> Report:
        numbers = {name: self._state.number(name) for name in ("files", "read_bytes", "undigested", "filled")}
        return Report(
            tuple(self._state.findings()),
            dict(self._state.tallies()),
            **numbers,
            skipped=tuple(self._skipped),
            seed=None if self._options.sample is None else self._state.number("seed"),
            quarantine=self._folder if self._state.number("moved") else "",
        )
