"""Where new datasets go: which stores take a dataset type, in which format, under which key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..config.stores import StoreConfig
from ..errors import NotAllowed
from ..formats.catalog import Formats
from ..model.dataset import DatasetRef, DatasetType
from ..model.template import Template


@dataclass(frozen=True, slots=True)
class Route:
    """One file of a new dataset.

    Attributes
    ----------
    store
        Name of the store.
    extension, storage_class, options
        How it is written: format, what it holds, and writer options beside those configured for all stores.
    component
        Which component of the dataset it is; None: all of it.
    template
        Gives its key.
    own_format
        Whether the store has a format of its own: else it keeps what is written as it comes.
    """

    store: str
    extension: str
    storage_class: str
    options: Mapping[str, object] = field(default_factory=dict, hash=False)
    component: str | None = None
    template: Template = field(default_factory=Template)
    own_format: bool = False

    def key(self, ref: DatasetRef, *, unique: bool = False) -> str:
        """Give the key of a dataset; with ``unique``, one that no other dataset has."""
        return self.template.key(ref, self.extension, self.component, unique=unique)


class Routes:
    """Chooses the stores of new datasets, by the rules of the configuration.

    Parameters
    ----------
    stores
        In the order of reading.
    writable
        Names of those that can be written to now.
    """

    def __init__(self, stores: Sequence[StoreConfig], writable: frozenset[str], formats: Formats) -> None:
        self._stores = stores
        self._writable = writable
        self._formats = formats

    def of(
        self, dataset_type: DatasetType, extension: str | None, *, given: bool = False
    ) -> tuple[Route, ...]:
        """Give the files of a new dataset, those of the nearest store first.

        Parameters
        ----------
        extension
            The format asked for; None: the configured one.
        given
            Whether the bytes are given in that format, and not made of an object: the first store keeps them
            as they are, unless its own rule names another format, and nothing is taken apart.

        Raises
        ------
        NotAllowed
            When no store that can be written takes the type.
        """
        routes: list[Route] = []
        for store in self._taking(dataset_type.name):
            routes += self._files(store, dataset_type, extension, given=given)
        return tuple(routes)

    def _taking(self, type_name: str) -> list[StoreConfig]:
        ready = [store for store in self._stores if store.name in self._writable]
        # A store in memory that says which types it takes has a registry of its own.
        ready = [store for store in ready if store.types is None or not store.url.startswith("memory://")]
        named = [store for store in ready if store.types is not None and takes(store.types, type_name)]
        chosen = named or [store for store in ready if store.types is None][:1]
        if not chosen:
            todo = "check stores: in its configuration (types, writable)"
            raise NotAllowed(
                f"write a {type_name}", "no store of the repository that takes it can be written", todo
            )
        return chosen

    def _files(
        self, store: StoreConfig, dataset_type: DatasetType, extension: str | None, *, given: bool
    ) -> list[Route]:
        name, storage_class = dataset_type.name, dataset_type.storage_class
        rule = _rule(store, name, storage_class)
        apart = rule.get("disassemble", self._formats.disassembles(storage_class, name))
        template = Template(store.template)
        if apart and not given and "extension" not in rule and extension is None:
            return self._components(store, dataset_type, template)
        own = rule.get("extension")
        chosen = str(own) if own is not None else extension
        if chosen is None:
            chosen = self._formats.extension_for(storage_class, name)
        options = rule.get("options", {})
        has_own = bool(options) or own is not None
        return [Route(store.name, chosen, storage_class, options, None, template, has_own)]  # type: ignore[arg-type]

    def _components(self, store: StoreConfig, dataset_type: DatasetType, template: Template) -> list[Route]:
        found = []
        for component, own_class in self._formats.components(dataset_type.storage_class).items():
            named = f"{dataset_type.name}.{component}"
            rule = _rule(store, named, own_class)
            extension = rule.get("extension") or self._formats.extension_for(own_class, named)
            options = rule.get("options", {})
            route = Route(store.name, str(extension), own_class, options, component, template)  # type: ignore[arg-type]
            found.append(route)
        return found


def takes(patterns: Sequence[str], type_name: str) -> bool:
    """Tell whether a store's rule takes a dataset type: the last pattern that matches decides."""
    taken = False
    for pattern in patterns:
        if fnmatchcase(type_name, pattern.removeprefix("!")):
            taken = not pattern.startswith("!")
    return taken


def _rule(store: StoreConfig, *names: str) -> Mapping[str, object]:
    """Give what a store says of the first of these names, or of all (``*``)."""
    for name in (*names, "*"):
        rule = store.formats.get(name)
        if isinstance(rule, Mapping):
            return rule
    return {}
