"""RUNs of a person who tries again and again: a chain with the newest in front."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ..errors import BadArgument, Conflict, NotFound
from ..model.collection import Collection, CollectionKind
from ..registry.collections import writable_run
from .changing import Changing
from .collecting import Collecting

# What follows the chain's name: the time, and a number when a second sees several.
_TIME = re.compile(r"/\d{8}T\d{6}Z(-\d+)?", re.ASCII)


class Running(Collecting, Changing):
    """Begins RUNs."""

    def begin_run(
        self,
        name: str,
        inputs: str | Iterable[str] | None = None,
        *,
        extend: bool = False,
        replace: bool = False,
        prune: bool = False,
    ) -> str:
        """Make a new RUN at the head of a chain, to write the results of one try to.

        The RUN is called ``name/20261121T041530Z`` (UTC). The chain ``name``, which is made when it is new,
        searches it first, then the earlier RUNs, then the inputs.

        Parameters
        ----------
        name
            The chain.
        inputs
            Collections to search last. Default: those that the chain has.
        extend
            Give the chain's newest RUN again; a new one only when there is none.
        replace
            Take the newest RUN out of the chain: the new one is for its place.
        prune
            With ``replace``: remove that RUN with all its datasets.

        Returns
        -------
        str
            The RUN, to be named when something is put.

        Raises
        ------
        Conflict
            When the chain has other inputs, or the name is that of another collection.
        NotFound
            When an input does not exist, or there is no RUN to replace.
        Locked, NotAllowed
            When the RUN to extend or remove is locked, in another chain, or somebody else's.
        BadArgument
            When options contradict each other.
        """
        if extend and replace:
            raise BadArgument(f"begin a RUN of {name!r}", "extend and replace", "choose one of them")
        if prune and not replace:
            raise BadArgument(f"begin a RUN of {name!r}", "prune without replace", "give replace=True too")
        with self.transaction():
            self.registry.collections.create(Collection(name, CollectionKind.CHAINED))
            runs, rest = self._parts(name)
            rest = self._inputs(name, inputs, rest, new=not runs and not rest)
            if extend and runs:
                writable_run(self.registry.current().collection(runs[0]))
                return runs[0]
            old = self._replaced(name, runs) if replace else None
            run = self._new_run(name)
            self.chain(name, [run, *(one for one in runs if one != old), *rest])
            if old is not None and prune:
                self.remove_run(old)
        return run

    def _parts(self, name: str) -> tuple[list[str], list[str]]:
        """Give the RUNs that were begun for a chain, the newest first, and what else is in it."""
        children = self.registry.current().collection(name).collection.children
        runs = [child for child in children if self._is_own(name, child)]
        return runs, [child for child in children if child not in runs]

    @staticmethod
    def _is_own(name: str, child: str) -> bool:
        return child.startswith(name) and _TIME.fullmatch(child[len(name) :]) is not None

    def _inputs(
        self, name: str, given: str | Iterable[str] | None, there: Sequence[str], *, new: bool
    ) -> list[str]:
        if given is None:
            return list(there)
        wanted = list(dict.fromkeys([given] if isinstance(given, str) else given))
        own = [one for one in wanted if one == name or self._is_own(name, one)]
        if own:
            what = f"begin a RUN of {name!r} with the input {own[0]!r}"
            raise Conflict(what, "it is part of the chain itself", "name other inputs")
        if not new and wanted != list(there):
            found = f"it has {', '.join(there) or 'none'}, asked for {', '.join(wanted) or 'none'}"
            todo = f"leave inputs out, use another name, or change the chain {name!r}"
            raise Conflict(f"begin a RUN of {name!r} with other inputs", found, todo)
        return wanted

    def _replaced(self, name: str, runs: Sequence[str]) -> str:
        if not runs:
            raise NotFound(f"a RUN of {name!r} to replace", "the chain has none", "leave replace out")
        return runs[0]

    def _new_run(self, name: str) -> str:
        known = self.registry.current().collections
        first = run = f"{name}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        number = 1
        while run in known:
            number += 1
            run = f"{first}-{number}"
        self.create_collection(run, CollectionKind.RUN)
        return run
