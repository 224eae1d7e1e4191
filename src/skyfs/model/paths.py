"""The path grammar: text ↔ `Address`, without asking any repository.

A path says what a dataset is: ``/<collection>/<type>/<dim>=<value>/.../<dim>=<value><ext>[<selector>]``.
Parsing is pure, and ``parse(str(address)) == address`` for every address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import BadPath
from .quoting import check_length, check_utf8, decode, encode_name, encode_value
from .selectors import EXTENSION_AT_END, Selector, parse_selectors, split_selectors

SERVICES = (".repo", ".by-id", ".records", ".where", ".hive")

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TYPE = re.compile(r"([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?", re.ASCII)
_FILE_TYPE = re.compile(r"(\w+)(?:\.([A-Za-z_]\w*))?", re.ASCII)
_EXTENSION = re.compile(r"(?:\.[a-z][a-z0-9]*)*")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed path.

    Attributes
    ----------
    head
        The parts before the first key, decoded. With keys, the last one is the type (``type.component``) and
        those before it are the collection. Without keys only a registry can tell them apart.
    keys
        Dimension names and values (text) in the order written.
    extension
        Of a leaf with keys: ``.fits``; empty for a directory or plain bytes.
    selectors
        The part of the dataset that is meant.
    service
        Of a service directory: ``(".hive",)``, ``(".where", expression)``.
    inner
        Names inside of a dataset that is itself a tree: ``detector=20.zarr/0/c/1``.
    """

    head: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    extension: str = ""
    selectors: tuple[Selector, ...] = ()
    service: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what has no spelling."""
        _validate(self)

    @classmethod
    def dataset(
        cls,
        collection: str,
        type_name: str,
        keys: Iterable[tuple[str, str]] = (),
        extension: str = "",
        *,
        component: str | None = None,
        selectors: tuple[Selector, ...] = (),
    ) -> Address:
        """Give the address of a dataset, or of a component of it."""
        keys = tuple(keys)
        named = type_name if component is None else f"{type_name}.{component}"
        head = (*collection.split("/"), named)
        if keys:
            return cls(head, keys, extension, selectors)
        leaf = f"{type_name}{extension}"
        return cls((*head[:-1], leaf) if component is None else (*head, leaf), selectors=selectors)

    @property
    def collection(self) -> str:
        """The collection of an address with keys."""
        return "/".join(self.head[:-1])

    @property
    def type_name(self) -> str:
        """The dataset type of an address with keys."""
        return self.head[-1].partition(".")[0]

    @property
    def component(self) -> str | None:
        """The component of an address with keys."""
        return self.head[-1].partition(".")[2] or None

    @property
    def parent(self) -> Address:
        """The directory that holds this."""
        text = str(replace(self, selectors=()))
        return parse(text.rpartition("/")[0])

    def __str__(self) -> str:
        """Give the one canonical spelling of this address."""
        parts = [*self.service[:1], *(encode_name(part) for part in self.service[1:])]
        raw_head = self.service[:1] in _PLAIN_SERVICES
        parts += list(self.head) if raw_head else [encode_name(part) for part in self.head]
        parts += [f"{key}={encode_value(value)}" for key, value in self.keys]
        if self.keys and self.extension and self.service == (".hive",):
            parts.append(self.type_name + self.extension)
        elif self.keys:
            parts[-1] += self.extension
        parts += self.inner
        return "/" + "/".join(parts) + "".join(map(str, self.selectors))


_PLAIN_SERVICES = ((".repo",), (".by-id",), (".records",))


def parse(path: str) -> Address:
    """Parse a path; a leading and a trailing ``/`` may be there or not.

    Raises
    ------
    BadPath
        When the text is not of the grammar; the message tells where and how to mend it.
    """
    check_utf8(path)
    base, selectors = split_selectors(path)
    parts = base.strip("/").split("/") if base.strip("/") else []
    if any(part in ("", ".", "..") for part in parts):
        raise BadPath(f"bad path {path!r}", "an empty, '.' or '..' part", "write the path in full")
    if path.endswith("]") and not selectors:
        _explain_selectors(path)
    service, rest = _split_service(parts, path)
    if service[:1] in _PLAIN_SERVICES:
        return Address(head=tuple(rest), service=service, selectors=selectors)
    return _parse_dataset(service, rest, selectors, path)


def _explain_selectors(path: str) -> None:
    """Say what is wrong with brackets that are no selectors."""
    start = path.find("[")
    if start < 0:
        return
    if not EXTENSION_AT_END.search(path[:start]):
        raise BadPath(f"bad path {path!r}", "a selector without an extension before it", "...fits[1]")
    parse_selectors(path[start:])


def _split_service(parts: list[str], path: str) -> tuple[tuple[str, ...], list[str]]:
    if not parts or not parts[0].startswith("."):
        return (), parts
    if parts[0] not in SERVICES:
        raise BadPath(f"bad path {path!r}", f"no service directory {parts[0]!r}", f"there are {', '.join(SERVICES)}")
    if parts[0] == ".where" and len(parts) > 1:
        return (".where", decode_expression(parts[1], path)), parts[2:]
    return (parts[0],), parts[1:]


def decode_expression(text: str, path: str) -> str:
    """Decode a query expression in a path, in which ``= [ ] * ?`` may stand bare."""
    guarded = re.sub(r"[=\[\]*?]", lambda match: f"%{ord(match.group()):02X}", text)
    return decode(guarded, path)


def _parse_dataset(
    service: tuple[str, ...], parts: list[str], selectors: tuple[Selector, ...], path: str
) -> Address:
    first = next((index for index, part in enumerate(parts) if "=" in part), len(parts))
    head = tuple(decode(part, path) for part in parts[:first])
    keys: list[tuple[str, str]] = []
    for index, part in enumerate(parts[first:], start=first):
        if "=" not in part:
            return _hive_leaf(service, head, keys, parts[index:], selectors, path)
        key, value, extension = _parse_key(part, path)
        keys.append((key, value))
        if extension:
            inner = tuple(parts[index + 1 :])
            return Address(head, tuple(keys), extension, selectors, service, inner)
    return Address(head, tuple(keys), "", selectors, service)


def _hive_leaf(
    service: tuple[str, ...],
    head: tuple[str, ...],
    keys: list[tuple[str, str]],
    rest: list[str],
    selectors: tuple[Selector, ...],
    path: str,
) -> Address:
    found = EXTENSION_AT_END.search(rest[0])
    extension = found.group() if found else ""
    if service != (".hive",) or not head or rest[0] != head[-1].partition(".")[0] + extension or not extension:
        raise BadPath(f"bad path {path!r}", f"{rest[0]!r} after the keys is no key=value", "put it before the keys")
    return Address(head, tuple(keys), extension, selectors, service, tuple(rest[1:]))


def _parse_key(part: str, path: str) -> tuple[str, str, str]:
    key, _, text = part.partition("=")
    found = EXTENSION_AT_END.search(text)
    extension = found.group() if found else ""
    value = decode(text.removesuffix(extension), path)
    if not _NAME.fullmatch(key):
        raise BadPath(f"bad path {path!r}", f"{key!r} in {part!r} is no dimension name", "dimension=value")
    if not value:
        raise BadPath(f"bad path {path!r}", f"{part!r} has no value", "dimension=value")
    return key, value, extension


def _validate(address: Address) -> None:
    if address.keys:
        _validate_keyed(address)
    whole = str(address)
    check_utf8(whole)
    if any(not part or "=" in part or "/" in part or part[0] == "." for part in address.head):
        raise BadPath(f"bad path {whole!r}", "a name that is empty, begins with '.' or holds '=' or '/'")
    if not _EXTENSION.fullmatch(address.extension):
        raise BadPath(f"bad path {whole!r}", f"{address.extension!r} is no extension", "lower case, as .fits.gz")
    last = address.inner or address.extension or (address.head and EXTENSION_AT_END.search(address.head[-1]))
    if address.selectors and not last:
        raise BadPath(f"bad path {whole!r}", "a selector without an extension before it", "...fits[1]")
    for part in whole.removesuffix("".join(map(str, address.selectors))).split("/"):
        check_length(part, whole)


def _validate_keyed(address: Address) -> None:
    text = "/" + "/".join((*address.service, *address.head, *(f"{key}={value}" for key, value in address.keys)))
    if len(address.head) < 2:
        raise BadPath(f"bad path {text!r}", "no collection and type before the keys", "/collection/type/key=value")
    if not _TYPE.fullmatch(address.head[-1]):
        raise BadPath(f"bad path {text!r}", f"{address.head[-1]!r} is no dataset type", "letters, digits and _")
    names = [key for key, _ in address.keys]
    if len(set(names)) < len(names):
        raise BadPath(f"bad path {text!r}", "a key stands twice", "give each key once")
    wrong = [key for key, value in address.keys if not value or not _NAME.fullmatch(key)]
    if wrong:
        raise BadPath(f"bad path {text!r}", f"{wrong[0]!r} is no key with a value", "dimension=value")


def split_leaf(name: str) -> tuple[str, str | None, str] | None:
    """Read a file name without keys as (type, component, extension); None when it can be no type.

    A type without dimensions is just a file name, so it may begin with a digit.
    """
    found = EXTENSION_AT_END.search(name)
    extension = found.group() if found else ""
    match = _FILE_TYPE.fullmatch(name.removesuffix(extension))
    return (match[1], match[2], extension) if match else None


def split_type(name: str) -> tuple[str, str | None] | None:
    """Read the name of a type's directory as (type, component); None when it can be no type."""
    match = _TYPE.fullmatch(name)
    return (match[1], match[2]) if match else None
