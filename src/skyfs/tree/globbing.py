"""Patterns, and all that lies below a folder: questions that are one statement for each dimension group.

A pattern is aligned with the names of collections and types in memory; what is left of it speaks about levels
and goes to the registry as a `LevelFilter`, which may let through more than the pattern, never less. What
comes back is matched against the whole pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import takewhile

from ..errors import BadDataId, BadPath, NotFound
from ..model.dataid import Value, coerce
from ..model.dimensions import Element
from ..model.paths import Address, parse
from ..model.quoting import decode, encode_name, encode_value, extension_at_end, shown
from ..registry.catalogue import CollectionEntry, Snapshot, TypeEntry
from ..registry.levels import LevelFilter
from . import Node, Tree, service_path

_MAGIC = re.compile(r"[*?\[]")
_TREES = (".hive", ".where")
_PLAIN_SERVICES = ((".repo",), (".by-id",), (".records",), (".where",))
# Expressions are not listed: no pattern stands for one.
_ANY_EXPRESSION = re.compile(r"[*?]+")


def find(tree: Tree, address: Address, *, max_depth: int | None = None, inside: bool = True) -> list[Node]:
    """Give a folder with all folders and files below it, or a file, sorted by path.

    Parameters
    ----------
    tree
        What to look in.
    address
        Where to begin; nothing there gives an empty list.
    max_depth
        How many parts a path may have more than the address.
    inside
        Whether what lies inside of datasets that are folders is given as well.
    """
    if inside and tree.split_inside(address) is not None:
        return _inside(tree, address, max_depth)
    if address.service in _PLAIN_SERVICES:
        return _browse(tree, address, max_depth)
    if tree.over is not None:
        over = _find(tree.over, address, max_depth=max_depth, inside=inside)
        return _merged([*over, *_find(tree, address, max_depth=max_depth, inside=inside)])
    return _find(tree, address, max_depth=max_depth, inside=inside)


def _merged(nodes: Sequence[Node]) -> list[Node]:
    found = {node.path: node for node in nodes}
    return [found[path] for path in sorted(found)]


def _find(tree: Tree, address: Address, *, max_depth: int | None, inside: bool) -> list[Node]:
    parts = tuple(str(address).strip("/").split("/"))[len(address.service) :]
    parts = parts if parts != ("",) else ()
    depth = None if max_depth is None else len(parts) + max_depth
    root = "" if str(address) == "/" else str(address)
    nodes = _Scan(tree, Reach(parts, depth, address.service)).nodes()
    found = {node.path: node for node in nodes if node.path == root or node.path.startswith(f"{root}/")}
    if not address.head:
        found[str(address)] = tree.folder(str(address))
    if inside:
        top = root.count("/")
        for node in [one for one in found.values() if one.is_dataset_folder]:
            left = None if max_depth is None else top + max_depth - node.path.count("/")
            found |= {one.path: one for one in tree.insides.below(node, left)}
    if found:
        return [found[path] for path in sorted(found)]
    try:
        node = tree.lookup(address)
    except NotFound:
        return []
    again = node.is_dir and node.path != root
    return find(tree, parse(node.path), max_depth=max_depth, inside=inside) if again else [node]


def _inside(tree: Tree, address: Address, max_depth: int | None) -> list[Node]:
    """Give a dataset's folder, or what lies inside of one, with all below it."""
    try:
        node = tree.lookup(address)
    except NotFound:
        return []
    below = tree.insides.below(node, max_depth) if node.is_dir and node.named is not None else ()
    return sorted([node, *below], key=lambda one: one.path)


def translate(pattern: str) -> str:
    """Give the regular expression of a pattern.

    Raises
    ------
    BadPath
        When ``**`` is not a whole part of it.
    """
    from fsspec.utils import glob_translate

    try:
        return str(glob_translate(pattern))
    except ValueError as error:
        raise BadPath(f"bad pattern {shown(pattern)}", str(error), "write ** between slashes") from None


def glob(tree: Tree, pattern: str, regex: str, *, max_depth: int | None = None) -> list[Node]:
    """Give the folders and files that match a pattern with wildcards, sorted by path.

    Parameters
    ----------
    tree
        What to look in.
    pattern
        A path with ``*``, ``?``, ``[...]`` and ``**``; with a ``/`` at its end it matches folders only.
    regex
        The same as a regular expression for whole paths; ``pattern`` only narrows the question.
    max_depth
        How many parts the first ``**`` may stand for.
    """
    if tree.over is not None:
        over = _glob(tree.over, pattern, regex, max_depth)
        return _merged([*over, *_glob(tree, pattern, regex, max_depth)])
    return _glob(tree, pattern, regex, max_depth)


def _glob(tree: Tree, pattern: str, regex: str, max_depth: int | None) -> list[Node]:
    parts = tuple(pattern.strip("/").split("/"))
    service = _service(parts)
    typed = "".join(f"/{part}" for part in parts[: len(service)])
    depth: int | None = len(parts)
    if "**" in parts:
        first = parts.index("**")
        depth = None if max_depth is None else first + max_depth
        parts = parts[:first]
    slash = pattern.endswith(("/", "/**"))
    nodes = list(_below(tree, service, parts, depth))
    nodes += [one for folder in _entered(tree, pattern, nodes) for one in tree.insides.below(*folder)]
    matches = re.compile(regex).match
    # An expression may be typed with signs that canonical paths encode; the pattern has it as typed.
    top = service_path(service)
    found = {node.path: node for node in nodes if matches(typed + _matched(node, slash=slash)[len(top) :])}
    return [found[path] for path in sorted(found)]


def _entered(tree: Tree, pattern: str, nodes: list[Node]) -> Iterator[tuple[Node, int | None]]:
    """Give datasets that are folders in which a pattern looks, and how deep."""
    parts = pattern.strip("/").split("/")
    literal = list(takewhile(lambda part: not _MAGIC.search(part), parts))
    if literal and len(literal) < len(parts):
        try:
            address = parse("/".join(literal))
            split = tree.split_inside(address)
            node = tree.lookup(address) if split is not None else None
        except (FileNotFoundError, IsADirectoryError, BadPath):
            return
        if node is not None:
            # It need not be stored so, and then no listing has it.
            yield node, None if "**" in parts else len(parts) - len(literal)
            return
    for node in nodes:
        if node.is_dataset_folder:
            names = node.path.strip("/").split("/")
            if "**" in parts[: len(names)]:
                yield node, None
            elif len(parts) > len(names) and all(map(fnmatchcase, names, parts)):
                yield node, None if "**" in parts else len(parts) - len(names)


def _service(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Give the service directory that a pattern begins with."""
    if parts[0] == ".where" and len(parts) > 1 and not _ANY_EXPRESSION.fullmatch(parts[1]):
        return parse("/".join(parts[:2])).service
    return parts[:1] if parts[0].startswith(".") else ()


def _matched(node: Node, *, slash: bool) -> str:
    path = "" if node.path == "/" else node.path
    return f"{path}/" if slash and node.is_dir else path


def _below(tree: Tree, service: tuple[str, ...], parts: tuple[str, ...], depth: int | None) -> Iterator[Node]:
    if service and (service[0] not in _TREES or service == (".where",)):
        yield from _browse(tree, Address(service=service), None) if service in _PLAIN_SERVICES else ()
        return
    yield tree.folder(service_path(service) or "/")
    width = len(service)
    yield from _Scan(tree, Reach(parts[width:], None if depth is None else depth - width, service)).nodes()


def _browse(tree: Tree, address: Address, max_depth: int | None) -> list[Node]:
    """Walk service directories, which are few and small."""
    try:
        node = tree.lookup(address)
    except NotFound:
        return []
    found = [node]
    if node.is_dir and (max_depth is None or max_depth > 0):
        below = None if max_depth is None else max_depth - 1
        for child in tree.children(address):
            found += _browse(tree, parse(child.path), below)
    return sorted(found, key=lambda one: one.path)


@dataclass(frozen=True, slots=True)
class Reach:
    """The part of the tree that is asked for.

    Attributes
    ----------
    parts
        What the leading parts of paths must match, encoded as in paths.
    depth
        How many parts paths may have; None: any number.
    service
        ``()``, ``(".hive",)`` or ``(".where", expression)``, which counts for neither.
    """

    parts: tuple[str, ...]
    depth: int | None
    service: tuple[str, ...] = ()

    def part(self, index: int) -> str:
        """Give what a part must match."""
        return self.parts[index] if index < len(self.parts) else "*"


@dataclass(frozen=True, slots=True)
class _Question:
    """What one statement answers: datasets, or the folders of the first ``depth`` levels."""

    group_id: int
    type_name: str
    exact: tuple[tuple[str, Value], ...]
    like: tuple[tuple[str, str], ...]
    depth: int | None

    @property
    def filters(self) -> LevelFilter:
        return LevelFilter(dict(self.exact), dict(self.like))


@dataclass(slots=True)
class _Scope:
    """The collections and types that a question is about."""

    collections: dict[str, CollectionEntry] = field(default_factory=dict)
    types: dict[str, TypeEntry] = field(default_factory=dict)


class _Scan:
    """Collects nodes: at least all that the reach asks for."""

    def __init__(self, tree: Tree, reach: Reach) -> None:
        self._tree = tree
        self._reach = reach
        self._shown = tree.shown(reach.service)
        self._hive = reach.service == (".hive",)
        self._top = service_path(reach.service)
        self._folders: set[str] = set()

    def nodes(self) -> Iterator[Node]:
        """Give files as they are found, then folders."""
        snapshot = self._tree.repository.registry.current()
        for question, scope in self._questions(snapshot).items():
            if question.depth is None:
                yield from self._files(snapshot, question, scope)
            else:
                self._climb(self._paths(snapshot, question, scope))
        yield from map(self._tree.folder, self._folders)

    def _questions(self, snapshot: Snapshot) -> dict[_Question, _Scope]:
        """Read collection and type names off the pattern; ask about the rest."""
        shown = [one for one in self._tree.collections(snapshot) if self._may_match(_names(one))]
        questions: dict[_Question, _Scope] = {}
        for name, type_names in self._shown.held(snapshot, shown).items():
            collection = snapshot.collections[name]
            offset = self._enter(_names(collection))
            for type_name in type_names if self._within(offset) else ():
                question = self._question(snapshot.types[type_name], offset)
                if question is not None:
                    scope = questions.setdefault(question, _Scope())
                    scope.collections[name] = collection
                    scope.types[type_name] = snapshot.types[type_name]
                    self._enter(
                        (*_names(collection), type_name) if snapshot.types[type_name].group.required else ()
                    )
        return {question: scope for question, scope in questions.items() if question.depth != 0}

    def _may_match(self, names: Sequence[str]) -> bool:
        return all(fnmatchcase(name, part) for name, part in zip(names, self._reach.parts, strict=False))

    def _within(self, depth: int) -> bool:
        return self._reach.depth is None or depth <= self._reach.depth

    def _enter(self, names: Sequence[str]) -> int:
        """Note the folders on the way to a collection or type; give how many parts the next level has."""
        kept = names if self._reach.depth is None else names[: self._reach.depth]
        self._climb([f"{self._top}/{'/'.join(kept)}"] if kept else [])
        return len(names) + 1

    def _question(self, entry: TypeEntry, offset: int) -> _Question | None:
        """Give what to ask about a type whose name is part number ``offset``; None when it cannot match."""
        type_part = self._reach.part(offset - 1)
        levels = entry.group.levels
        if not levels:
            matches = _begins(entry.type.name, type_part)
            return _Question(entry.group_id, type_part, (), (), None) if matches else None
        exact: dict[str, Value] = {}
        like: dict[str, str] = {}
        universe = self._tree.repository.registry.universe
        for index, level in enumerate(levels):
            leaf = index == len(levels) - 1 and not self._hive
            if not _narrow(universe.element(level), self._reach.part(offset + index), leaf, exact, like):
                return None
        if not fnmatchcase(entry.type.name, type_part):
            return None
        left = None if self._reach.depth is None else self._reach.depth - offset
        depth = None if left is None or left >= len(levels) + self._hive else left
        return _Question(entry.group_id, type_part, tuple(exact.items()), tuple(like.items()), depth)

    def _files(self, snapshot: Snapshot, question: _Question, scope: _Scope) -> Iterator[Node]:
        like = Address(service=self._reach.service)
        shown, types = list(scope.collections.values()), list(scope.types.values())
        width = len(self._reach.service)
        for collection, resolved in self._shown.datasets(snapshot, shown, types, question.filters):
            node = self._tree.node(collection.collection.name, resolved, like)
            self._climb([node.path.rpartition("/")[0]])
            if self._within(node.path.count("/") - width):
                yield node

    def _paths(self, snapshot: Snapshot, question: _Question, scope: _Scope) -> Iterator[str]:
        """Give the paths of folders below types."""
        types = list(scope.types.values())
        levels, depth = types[0].group.levels, question.depth or 0
        shown = list(scope.collections.values())
        for found in self._shown.directories(snapshot, types, shown, question.filters, depth):
            values = zip(levels[:depth], found.values, strict=True)
            below = "".join(f"/{level}={encode_value(str(value))}" for level, value in values)
            names = "/".join(_names(snapshot.collections[found.collection]))
            yield f"{self._top}/{names}/{found.type_name}{below}"

    def _climb(self, paths: Iterator[str] | Sequence[str]) -> None:
        """Note folders, and those above them."""
        for folder in paths:
            path = folder
            while path not in self._folders and path != self._top:
                self._folders.add(path)
                path = path.rpartition("/")[0]


def _names(entry: CollectionEntry) -> tuple[str, ...]:
    return tuple(map(encode_name, entry.collection.name.split("/")))


def _begins(type_name: str, part: str) -> bool:
    """Tell whether a file of a type without dimensions can match; its extension is not known yet."""
    literal = _MAGIC.split(part)[0]
    if literal != part:
        return type_name.startswith(literal.partition(".")[0])
    return type_name == literal.partition(".")[0]


def _narrow(element: Element, part: str, leaf: bool, exact: dict[str, Value], like: dict[str, str]) -> bool:  # noqa: FBT001
    """Read what a part says about a level; False when no value can match it."""
    key, equals, value = part.partition("=")
    if "[" in key or not equals:
        return _MAGIC.search(part) is not None
    if not fnmatchcase(element.name, key):
        return False
    if not _MAGIC.search(value):
        text = value.removesuffix(extension_at_end(value)) if leaf else value
        try:
            exact[element.name] = coerce(element, decode(text, part))
        except (BadPath, BadDataId):
            return False
        return True
    # Of a leaf only the start is certain: the rest may stand for its extension.
    start = re.split(r"[*?.\[]", value)[0] + "*" if leaf else re.sub(r"\[.*", "*", value).replace("?", "*")
    # Values are encoded in paths, and not in the registry.
    if "%" not in start and start.strip("*"):
        like[element.name] = start
    return True
