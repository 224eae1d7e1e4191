"""Files that the registry does not name: told from those of live writers, and moved out of the way."""

from __future__ import annotations

from collections.abc import Sequence

from ..abc.store import Claims, SetsAside
from ..errors import BadArgument, NotFound, StoreError
from ..registry.registry import Registry
from .places import Places
from .report import Finding
from .state import State

PHASE = "extras"
_TODO = "look at it, and ingest it or move it away; --repair moves it to the quarantine"
_FEW = 100
_FOREIGN = (
    "not moved: most files of the store are nobody's here. Does another repository write to it? Then"
    " configure the store with writable: false"
)


class Extras:
    """Judges what was found in a store and is named by no dataset.

    Parameters
    ----------
    folder
        In the quarantine; empty: nothing is moved.
    doubt
        Why extra files are not moved at all: some may be those of datasets that cannot be made out.
    """

    def __init__(self, registry: Registry, places: Places, state: State, *, folder: str, doubt: str) -> None:
        self._registry, self._places, self._state = registry, places, state
        self._folder = "" if doubt else folder
        self._doubt = self._of_all = f"not moved: {doubt}" if doubt and folder else ""

    def run(self, store: str) -> int:
        """Go over the files of a store; give how many were moved."""
        aside = self._places.setter_aside(store)
        moved = 0
        self._doubt = self._of_all
        unseen, every = self._state.unseen_count(store)
        if unseen > _FEW and 2 * unseen > every and self._folder:
            self._doubt = _FOREIGN
        if aside is not None:
            for keys in self._state.unseen(store):
                moved += self._judge(store, aside, keys)
        return moved

    def _judge(self, store: str, aside: SetsAside, keys: Sequence[str]) -> int:
        """Judge some files.

        First what each is, then what writers are about to do, then what is registered: a file that was
        there at first is a live writer's by its intent, or a dataset's by now, or nobody's.
        """
        there = {key: aside.identify(key) for key in keys if not self._places.is_foreign(store, key)}
        claims = aside.claims()
        moved = 0
        for key, identity in there.items():
            if identity and not _claimed(key, claims) and not self._is_named(store, key):
                moved += self._extra(store, aside, key, identity)
        return moved

    def _is_named(self, store: str, key: str) -> bool:
        try:
            return self._registry.lookup.holds(self._registry.current(), store, key)
        except BadArgument:
            return False  # no text: the registry cannot hold such a name
        except (LookupError, NotFound, ValueError, TypeError):
            return True  # its dataset's rows are damaged: that is reported as such

    def _extra(self, store: str, aside: SetsAside, key: str, identity: str) -> bool:
        what, found = f"{key!r} in store {store!r}", "no dataset is stored there"
        where, todo = "", self._doubt or _TODO
        if self._folder and not self._doubt:
            try:
                where = aside.set_aside(key, identity, self._folder)
            except StoreError as error:
                todo = f"it could not be moved: {error}"
            else:
                if not where:
                    return False  # another file lies there by now
                todo = f"moved to {where}"
        self._state.add(PHASE, Finding("extra-file", what, found, todo, bool(where)))
        return bool(where)


def _claimed(key: str, claims: Claims) -> bool:
    """Tell whether a writer will decide about a key, or recovery will."""
    return key in claims.live or key in claims.dead
