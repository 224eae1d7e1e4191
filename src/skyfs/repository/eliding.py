"""Dataset types that are kept in the memory of this process: neither their bytes nor their rows are stored.

They live in a small repository of their own, all of it in memory, which gets to know of the records, types and
RUNs of the stored one what its datasets need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import BadArgument
from ..model.dataid import DataId
from ..registry.catalogue import Snapshot
from ..registry.registry import Registry


class Elided:
    """Tells which types are elided, and copies what their datasets stand on.

    Parameters
    ----------
    stored
        The registry of the repository.
    memory
        The one in memory.
    takes
        Tells of a type's name whether it is elided.
    """

    def __init__(self, stored: Registry, memory: Registry) -> None:
        self._stored = stored
        self._memory = memory

    def prepare(self, type_name: str, data_id: Mapping[str, object]) -> dict[str, object]:
        """Make a type and the records of a data ID known in memory; give the complete data ID.

        Raises
        ------
        NotFound, BadDataId
            When the type, or a value of the data ID, is not recorded.
        """
        entry = self._stored.current().type(type_name)
        self._memory.collections.register(entry.type)
        completed = DataId(entry.group, self._stored.data_ids.complete(entry.group, data_id))
        values: dict[str, object] = dict(completed.levels)
        universe = self._stored.universe
        with self._memory.transaction():
            for name in universe.dependency_order(completed):
                element = universe.element(name)
                if element.has_records and all(part in values for part in element.identity):
                    same = {part: values[part] for part in element.identity}
                    self._memory.records.insert(name, list(self._stored.records.select(name, same)))
        return values

    def collections(self, known: Snapshot, names: Iterable[str]) -> Sequence[str]:
        """Give, of collections and the members of chains, those that hold something in memory, in order."""
        held = self._memory.current().collections
        flat: dict[str, None] = {}
        for name in names:
            entry = known.collections.get(name)
            members = [name] if entry is None else [one.collection.name for one in known.flatten([name])]
            flat |= dict.fromkeys(members)
        return [name for name in flat if name in held]


def split_types(names: Sequence[str], elided: frozenset[str]) -> tuple[list[str], list[str]]:
    """Tell stored types and elided ones apart; both at once can only be asked for by globs."""
    stored = [name for name in names if name not in elided]
    return stored, [name for name in names if name in elided]


def refuse_elided(asked: str, type_name: str) -> BadArgument:
    """Give the error for what is done to stored datasets only."""
    found = f"{type_name} is kept in memory only, by the rules of the stores"
    return BadArgument(asked, found, "put it in a type that is stored")
