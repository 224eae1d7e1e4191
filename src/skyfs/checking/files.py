"""The files that the registry names: looked at, judged twice where something is wrong, and restored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace

from ..errors import StoreError
from ..registry.registry import Registry
from .judging import Judge, Verdict, by_store, compared, missing
from .places import Places
from .report import Finding
from .restoring import Restorer
from .state import State
from .walking import Page, StoredFile, Walk

PHASE = "files"
_AHEAD_PAGES = 3

_RESTORE = "--repair restores it from another store, or from the repository of --from"
_TODO = {
    "missing-file": _RESTORE,
    "wrong-size": f"{_RESTORE}; what lies there goes into the quarantine",
    "wrong-digest": f"{_RESTORE}; what lies there goes into the quarantine",
    "unreadable-file": f"check permissions and disk; {_RESTORE}",
}


class Files:
    """Goes over the files of all datasets.

    Parameters
    ----------
    restorer
        Repairs; None: nothing is changed.
    skipped
        Names of stores that are not looked at.
    advance
        Called with the number of datasets that are done.
    """

    def __init__(  # noqa: PLR0913 - what they bring together
        self,
        registry: Registry,
        places: Places,
        state: State,
        walk: Walk,
        judge: Judge,
        *,
        restorer: Restorer | None,
        skipped: frozenset[str],
        scanned: frozenset[str],
        advance: Callable[[int], None],
    ) -> None:
        self._registry, self._places, self._state = registry, places, state
        self._walk, self._judge, self._restorer = walk, judge, restorer
        self._skipped, self._scanned = skipped, scanned
        self._advance = advance
        self._digests = judge.digests

    def run(self) -> None:
        """Go on after the last dataset that was done, as far as there are some by now."""
        waiting: deque[tuple[Page, list[Verdict], list[Future[list[Verdict]]]]] = deque()
        for page in self._walk.pages(self._state.number("position")):
            waiting.append((page, *self._begin(page)))
            if len(waiting) > _AHEAD_PAGES:
                self._end(*waiting.popleft())
        while waiting:
            self._end(*waiting.popleft())

    def _begin(self, page: Page) -> tuple[list[Verdict], list[Future[list[Verdict]]]]:
        """Note what the registry names; judge by the scan what can be, and begin to look at the others."""
        done, asked = [], []
        for store, files in by_store(page.files).items():
            for file, size in self._noted(store, files):
                if store in self._skipped:
                    continue
                if store in self._scanned and (size is None or size != file.size):
                    done.append(missing(file) if size is None else compared(file, size, None))
                elif store in self._scanned and not self._digests:
                    done.append(Verdict(file, size=file.size))
                else:
                    asked.append(file)
        return done, self._judge.begin(asked, self._scanned)

    def _noted(self, store: str, files: Sequence[StoredFile]) -> Iterator[tuple[StoredFile, int | None]]:
        """Note that the registry names files; give those for which that is new, with the sizes they had."""
        inside = [(pair, file) for file in files for pair in self._places.own_keys(store, file.key)]
        for (other, key), file in inside:
            self._state.see(other, {key: file.number})
        first = {file.key: file for file in reversed(files)}
        before = self._state.see(store, {key: file.number for key, file in first.items()})
        yield from ((first[key], size) for key, size in before.items())

    def _end(self, page: Page, done: list[Verdict], begun: list[Future[list[Verdict]]]) -> None:
        verdicts = [*done, *(one for future in begun for one in future.result())]
        # Judged before the state's transaction: what is repaired is repaired, whatever becomes of it.
        findings = [self._judged_again(one) for one in verdicts if one.code]
        filled = self._fill([one for one in verdicts if not one.code])
        with self._state.together():
            for dataset_id, why in page.lost:
                what = f"dataset {dataset_id}"
                self._state.add(
                    PHASE, Finding("dataset-unreadable", what, why, "mend the other findings first")
                )
            for finding in filter(None, findings):
                self._state.add(PHASE, finding)
            self._count(verdicts, filled)
            self._state.set("position", page.last)
        self._advance(page.datasets)

    def _count(self, verdicts: list[Verdict], filled: int) -> None:
        read = sum(one.size for one in verdicts if one.sha256 is not None)
        undigested = sum(one.file.sha256 is None for one in verdicts)
        added = {"files": len(verdicts), "read_bytes": read, "undigested": undigested, "filled": filled}
        for name, number in added.items():
            self._state.set(name, self._state.number(name) + number)

    def _judged_again(self, verdict: Verdict) -> Finding | None:
        """Look once more, and then whether the registry still says the same: others write meanwhile."""
        file = verdict.file
        identity = self._identity(file)
        verdict = self._judge.judge(file)
        if not verdict.code or not self._walk.fresh(file):
            return None
        todo, repaired = _TODO[verdict.code], False
        if self._restorer is not None:
            repaired, todo = self._restorer.restore(file, identity)
        return Finding(verdict.code, file.what, verdict.found, todo, repaired)

    def _identity(self, file: StoredFile) -> str:
        """Give what tells the file that lies there from others; empty: nothing that could be moved."""
        aside = self._places.setter_aside(file.store)
        try:
            return "" if aside is None else aside.identify(file.key)
        except StoreError:
            # Its folder leads out of the store: nothing is moved there, and who restores it is refused.
            return ""

    def _fill(self, verdicts: list[Verdict]) -> int:
        """Give the registry the digests of files that were taken in unread; give how many."""
        new = [one for one in verdicts if one.file.sha256 is None and one.sha256 is not None]
        if not new or self._restorer is None:
            return 0
        with self._registry.transaction():
            for one in new:
                fresh = replace(one.file, sha256=None)
                if one.sha256 is not None and self._walk.fresh(fresh):
                    self._registry.audit.fill_digest(fresh.ref.id, fresh.store, fresh.size, one.sha256)
        return len(new)
