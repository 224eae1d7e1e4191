"""Dataset types that are kept in the memory of this process: neither their bytes nor their rows are stored.

They live in a small repository of their own, all of it in memory, which gets to know of the records and types
of the stored one what its datasets need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import NotFound, Unsupported
from ..model.dataid import DataId
from ..registry.catalogue import Snapshot
from ..registry.registry import Registry
from ..writing.routes import takes

if TYPE_CHECKING:
    from . import Repository


class Elided:
    """Tells which types are elided, and copies what their datasets stand on.

    Parameters
    ----------
    stored
        The registry of the repository.
    memory
        The repository in memory.
    patterns
        The rule of its store: globs of types.
    """

    def __init__(self, stored: Registry, memory: Repository, patterns: Sequence[str]) -> None:
        self._stored = stored
        self.repository = memory
        self._memory = memory.registry
        self._patterns = patterns

    def takes(self, type_name: str) -> bool:
        """Tell whether a type is elided."""
        return takes(self._patterns, type_name)

    def prepare(self, type_name: str, data_id: Mapping[str, object]) -> dict[str, Any]:
        """Make a type and the records of a data ID known in memory; give the complete data ID.

        Raises
        ------
        NotFound, BadDataId
            When the type, or a value of the data ID, is not recorded.
        """
        entry = self._stored.current().types.get(type_name)
        if entry is None:
            found = "types that are kept in memory are not registered by writing"
            todo = f"register it: skyfs register {type_name} DIMENSIONS STORAGE_CLASS"
            raise NotFound(f"no dataset type {type_name!r}", found, todo)
        self._memory.collections.register(entry.type)
        completed = DataId(entry.group, self._stored.data_ids.complete(entry.group, data_id))
        values: dict[str, Any] = dict(completed.levels)
        universe = self._stored.universe
        with self._memory.transaction():
            for name in universe.dependency_order(completed):
                element = universe.element(name)
                if element.has_records and all(part in values for part in element.identity):
                    same = {part: values[part] for part in element.identity}
                    self._memory.records.insert(name, list(self._stored.records.select(name, same)))
        return values

    def collections(self, known: Snapshot, names: Iterable[str]) -> Sequence[str]:
        """Give, of collections and the members of chains, those that hold something in memory, in order.

        Raises
        ------
        NotFound
            When none does.
        """
        held = self._memory.current().collections
        flat: dict[str, None] = {}
        for name in names:
            entry = known.collections.get(name)
            members = [name] if entry is None else [one.collection.name for one in known.flatten([name])]
            flat |= dict.fromkeys(members)
        found = [name for name in flat if name in held]
        if not found:
            raise NotFound(
                f"nothing in memory in {', '.join(flat)}", "datasets there live as long as the process"
            )
        return found

    def refuse(self, verb: str, type_name: str) -> None:
        """Refuse what can be done to stored datasets only.

        Raises
        ------
        Unsupported
            When the type is elided.
        """
        if self.takes(type_name):
            found = f"the rules of the stores keep {type_name} in memory only"
            raise Unsupported(f"{verb} {type_name}", found, "use a type that is stored")
