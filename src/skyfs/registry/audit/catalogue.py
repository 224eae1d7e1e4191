"""Rules of collections: what chains name is there, and no chain contains itself."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from ..catalogue import Catalogue
from .ground import Ground
from .rule import Broken, Rule, SelectRule, missing


def catalogue_rules(ground: Ground, catalogue: Catalogue) -> Iterator[Rule]:
    """Give the rules of collections and chains."""
    yield ChainRule(ground, catalogue)
    yield CycleRule(ground)


class ChainRule(SelectRule):
    """What chains name is there."""

    def __init__(self, ground: Ground, catalogue: Catalogue) -> None:
        chain, collection = ground.schema["chain"], ground.schema["collection"]
        gone = missing(collection, collection.c.id == chain.c.child_id) | missing(
            collection, collection.c.id == chain.c.parent_id
        )
        self._catalogue = catalogue
        super().__init__(
            ground.database,
            "chain-names-nothing",
            sa.select(chain).where(gone),
            lambda row: (
                f"chain {ground.collection(row.parent_id)}, position {row.position}",
                f"it names {ground.collection(row.child_id)}",
            ),
            "drop the link",
            [chain.delete().where(gone)],
        )

    def mend(self) -> None:
        SelectRule.mend(self)
        self._catalogue.bump()


class CycleRule(Rule):
    """No chain contains itself."""

    code, mendable = "chain-cycle", False
    todo = "give one of them other children: skyfs chain CHAIN CHILD..."

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def find(self) -> Broken:
        chain = self._ground.schema["chain"]
        children: dict[int, list[int]] = {}
        for parent, child in self._ground.database.read(sa.select(chain.c.parent_id, chain.c.child_id)):
            children.setdefault(parent, []).append(child)
        broken = Broken()
        for cycle in _cycles(children):
            names = [self._ground.collection(one) for one in (*cycle, cycle[0])]
            broken.add(1, [(f"chain {names[0]}", f"it contains itself: {' -> '.join(names)}")])
        return broken


def _cycles(children: dict[int, list[int]]) -> Iterator[list[int]]:
    """Give circles, each once, without recursion: chains may be deeper than Python's stack."""
    done: set[int] = set()
    for start in sorted(children):
        trail: list[int] = []
        waiting: list[tuple[int, bool]] = [(start, True)]
        while waiting:
            node, entering = waiting.pop()
            if not entering:
                done.add(trail.pop())
            elif node in trail:
                yield trail[trail.index(node) :]
            elif node not in done:
                trail.append(node)
                waiting.append((node, False))
                waiting += [(child, True) for child in children.get(node, ())]
