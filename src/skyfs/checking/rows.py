"""The rules of the registry: gone over one by one, and mended where that is asked for."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import SkyfsError
from ..registry.audit import SHOWN, Broken, Rule
from ..registry.database import Clash
from ..registry.registry import Registry
from .report import Finding
from .state import State

PHASE = "rows"
DAMAGED = "database-damaged"
# What comes of rows that hold what skyfs never writes.
_UNREADABLE = (SkyfsError, LookupError, ValueError, TypeError, AttributeError)


class Rows:
    """Holds the registry to its rules.

    Parameters
    ----------
    state
        Takes the findings.
    repair
        Whether rules are mended where they can be.
    step
        Called for each rule.

    Attributes
    ----------
    left
        The codes of what is found and not repaired.
    skipped
        What could not be looked at.
    """

    def __init__(self, registry: Registry, state: State, *, repair: bool, step: Callable[[], None]) -> None:
        self._registry, self._state = registry, state
        self._repair, self._step = repair, step
        self.skipped: list[str] = []
        self.left: set[str] = set()

    def run(self) -> bool:
        """Go over all rules; False when the registry cannot be read so far that files could be looked at."""
        try:
            for rule in self._registry.audit.rules():
                self._apply(rule)
                self._step()
        except _UNREADABLE as error:
            self.skipped.append(f"other rules, and all files: {error}")
            return False
        return True

    def _apply(self, rule: Rule) -> None:
        try:
            broken = rule.find()
        except _UNREADABLE as error:
            self.skipped.append(f"{rule.code}: {error}")
            return
        if not broken.count:
            return
        # To write to a damaged database may damage more.
        mends = self._repair and rule.mendable and DAMAGED not in self.left
        why = self._mend(rule) if mends else ""
        left = rule.find() if mends else broken
        if left.count:
            self.left.add(rule.code)
        self._note(rule, broken, left, why)

    def _mend(self, rule: Rule) -> str:
        """Mend a rule, all or nothing; give why that failed."""
        try:
            with self._registry.transaction():
                rule.mend()
        except (SkyfsError, Clash) as error:
            return str(error)
        return ""

    def _note(self, rule: Rule, broken: Broken, left: Broken, why: str) -> None:
        still = set(left.shown)
        todo = f"{rule.todo}; it was not done: {why}" if why else rule.todo
        repaired = max(0, broken.count - left.count)
        shown = [(what, found, bool(repaired) and (what, found) not in still) for what, found in broken.shown]
        for what, found, done in shown[:SHOWN]:
            self._state.add(PHASE, Finding(rule.code, what, found, todo, done))
        rest = repaired - sum(done for _, _, done in shown)
        self._state.count(PHASE, rule.code, broken.count - len(shown), rest)
