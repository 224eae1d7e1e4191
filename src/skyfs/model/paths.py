"""The path grammar: text ↔ `Address`, without asking any repository.

A path says what a dataset is: ``/<collection>/<type>/<dim>=<value>/.../<dim>=<value><ext>[<selector>]``.
Parsing is pure, and ``parse(str(address)) == address`` for every address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import BadPath
from .quoting import (
    CONTROL,
    MAX_PART_BYTES,
    check_length,
    check_utf8,
    decode,
    encode_name,
    encode_value,
    extension_at_end,
    shown,
)
from .selectors import Selector, explain_selectors, parse_selectors, split_selectors

SERVICES = (".repo", ".by-id", ".records", ".where", ".hive")
_PLAIN_SERVICES = ((".repo",), (".by-id",), (".records",))

# However a part is spelled, each byte of its canonical form is written as at most three (%41).
_MAX_RAW_BYTES = 3 * MAX_PART_BYTES

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TYPE = re.compile(r"([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?", re.ASCII)
_FILE_TYPE = re.compile(r"(\w+)(?:\.([A-Za-z_]\w*))?", re.ASCII)
_EXTENSION = re.compile(r"(?:\.[a-z][a-z0-9]*)*")
_FORBIDDEN_INNER = re.compile(rf"[{CONTROL}/=\[\]]")


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
        Names inside of a dataset that is itself a tree, as they are: ``detector=20.zarr/0/c/1``. Those of a
        dataset without keys are in ``head``.

    Raises
    ------
    BadPath
        When it has no spelling, or one that would be read as something else.
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
        if keys:
            return cls((*collection.split("/"), named), keys, extension, selectors)
        if not _FILE_TYPE.fullmatch(named) or not _EXTENSION.fullmatch(extension):
            raise _bad(
                named + extension, f"{named + extension!r} is no type with an extension", "calexp.fits"
            )
        leaf = type_name + extension
        return cls(
            (*collection.split("/"), *((leaf,) if component is None else (named, leaf))), selectors=selectors
        )

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
        return "/" + "/".join(_spelled(self)) + "".join(map(str, self.selectors))


def _spelled(address: Address) -> list[str]:
    """Give the encoded parts of an address, without its selectors."""
    parts = [*address.service[:1], *map(encode_name, address.service[1:])]
    # A leading dot stays: inside of a dataset that is a tree, `.zattrs` is asked for by that name.
    parts += [f".{encode_name(part[1:])}" if part[:1] == "." else encode_name(part) for part in address.head]
    parts += [f"{key}={encode_value(value)}" for key, value in address.keys]
    if address.keys and address.extension and address.service == (".hive",):
        parts.append(address.type_name + address.extension)
    elif address.keys:
        parts[-1] += address.extension
    parts += address.inner
    return parts


def parse(path: str) -> Address:
    """Parse a path; a leading and a trailing ``/`` may be there or not.

    Raises
    ------
    BadPath
        When the text is not of the grammar; the message tells where and how to mend it.
    """
    check_utf8(path)
    base, selectors = split_selectors(path)
    if path.endswith("]") and not selectors:
        explain_selectors(path)
    parts = _split_parts(base, path)
    service, rest = _split_service(parts, path)
    if service[:1] in _PLAIN_SERVICES:
        return Address(head=tuple(decode(part, path) for part in rest), service=service, selectors=selectors)
    return _parse_dataset(service, rest, selectors, path)


def _bad(path: str, found: str, todo: str) -> BadPath:
    return BadPath(f"bad path {shown(path)}", found, todo)


def _split_parts(base: str, path: str) -> list[str]:
    text = base.removeprefix("/")
    parts = text.removesuffix("/").split("/") if text else []
    for part in parts:
        if part in ("", ".", ".."):
            raise _bad(path, f"the part {part!r}", "write the path in full, with single slashes")
        check_length(part, path, _MAX_RAW_BYTES)
    return parts


def _split_service(parts: list[str], path: str) -> tuple[tuple[str, ...], list[str]]:
    if not parts or not parts[0].startswith("."):
        return (), parts
    if parts[0] not in SERVICES:
        raise _bad(path, f"no service directory {shown(parts[0])}", f"there are {', '.join(SERVICES)}")
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
    keyed = [index for index, part in enumerate(parts) if "=" in part]
    first = keyed[0] if keyed else len(parts)
    head = tuple(decode(part, path) for part in parts[:first])
    if not keyed:
        return Address(head, service=service, selectors=selectors)
    last = keyed[-1]
    if len(keyed) <= last - first:
        stray = next(part for part in parts[first:last] if "=" not in part)
        raise _bad(path, f"{shown(stray)} between the keys is no key=value", "put it before the keys")
    # An extension stands at the end; before other keys, `.b` in `filter=a.b` is of the value.
    keys = [_parse_key(part, path) for part in parts[first:last]]
    leaf, inner = parts[last], tuple(parts[last + 1 :])
    extension = _hive_extension(service, head, inner)
    if extension:
        inner = inner[1:]
    else:
        extension = extension_at_end(leaf.partition("=")[2])
        leaf = leaf.removesuffix(extension)
    if inner and not extension:
        raise _bad(path, f"{shown(inner[0])} after the keys is no key=value", "put it before the keys")
    return Address(head, (*keys, _parse_key(leaf, path)), extension, selectors, service, inner)


def _hive_extension(service: tuple[str, ...], head: tuple[str, ...], rest: tuple[str, ...]) -> str:
    """Give the extension of the hive's leaf ``<type><ext>``; empty when ``rest`` begins with no such leaf."""
    if service != (".hive",) or not head or not rest:
        return ""
    extension = extension_at_end(rest[0])
    return extension if rest[0] == head[-1].partition(".")[0] + extension else ""


def _parse_key(part: str, path: str) -> tuple[str, str]:
    key, _, text = part.partition("=")
    if not _NAME.fullmatch(key):
        raise _bad(path, f"{shown(key)} in {shown(part)} is no dimension name", "dimension=value")
    if not text:
        raise _bad(path, f"{shown(part)} has no value", "dimension=value")
    return key, decode(text, path)


# -- what an address may hold --------------------------------------------------------------------------


def _validate(address: Address) -> None:
    if address.keys and len(address.head) < 2:
        text = "/".join((*address.head, *(f"{key}={value}" for key, value in address.keys)))
        raise _bad(text, "no collection and type before the keys", "/collection/type/key=value")
    parts = _spelled(address)
    whole = "/" + "/".join(parts)
    check_utf8(whole)
    if address.service:
        _validate_service(address, whole)
    _validate_head(address.head, whole)
    if address.keys:
        _validate_keyed(address, whole)
    elif address.extension or address.inner:
        raise _bad(whole, "an extension or inner names without keys", "they belong to the head")
    if address.selectors:
        _validate_selectors(address, whole)
    if len(whole) * 4 > MAX_PART_BYTES:
        for part in parts:
            check_length(part, whole)


def _validate_service(address: Address, whole: str) -> None:
    service = address.service
    where = service[0] == ".where" and len(service) == 2 and service[1] != ""
    if service[0] not in SERVICES or not (where or len(service) == 1):
        raise _bad(whole, f"no service directory {shown(service)}", f"there are {', '.join(SERVICES)}")
    if service == (".where",) and (address.head or address.keys):
        raise _bad(whole, "no expression", "/.where/<expression>/...")
    if service in _PLAIN_SERVICES and address.keys:
        raise _bad(whole, f"keys in {service[0]}", "it holds no datasets by key")


def _validate_head(head: tuple[str, ...], whole: str) -> None:
    inside = False
    for part in head:
        if not part or "=" in part or "/" in part or part in (".", ".."):
            raise _bad(whole, f"the name {shown(part)}", "a name is not empty and holds no '=' or '/'")
        if part[0] == "." and not inside:
            raise _bad(whole, f"the name {shown(part)}", "a name does not begin with '.'")
        inside = inside or extension_at_end(part) != ""


def _validate_keyed(address: Address, whole: str) -> None:
    for part in address.head[:-1]:
        if part[0] == ".":
            raise _bad(whole, f"the name {shown(part)}", "a name does not begin with '.'")
    if not _TYPE.fullmatch(address.head[-1]):
        raise _bad(whole, f"{shown(address.head[-1])} is no dataset type", "letters, digits and _")
    seen: set[str] = set()
    for key, value in address.keys:
        if not value or not _NAME.fullmatch(key):
            raise _bad(whole, f"{shown(key)} is no key with a value", "dimension=value")
        if key in seen:
            raise _bad(whole, f"the key {shown(key)} stands twice", "give each key once")
        seen.add(key)
    if not _EXTENSION.fullmatch(address.extension):
        raise _bad(whole, f"{shown(address.extension)} is no extension", "lower case, as .fits.gz")
    if address.inner and not address.extension:
        raise _bad(
            whole, f"{shown(address.inner[0])} after the keys is no key=value", "put it before the keys"
        )
    for part in address.inner:
        if part in ("", ".", "..") or _FORBIDDEN_INNER.search(part):
            raise _bad(whole, f"{shown(part)} inside of a dataset", "no control characters, no / = [ ]")


def _validate_selectors(address: Address, whole: str) -> None:
    last = address.extension if address.keys else extension_at_end(address.head[-1] if address.head else "")
    if not last or address.inner:
        raise _bad(whole, "a selector without an extension before it", "...fits[1]")
    text = "".join(map(str, address.selectors))
    if parse_selectors(text) != address.selectors:
        raise _bad(whole, f"the selector {shown(text)} would be read as another", "...fits[1]")


# -- names ---------------------------------------------------------------------------------------------


def split_leaf(name: str) -> tuple[str, str | None, str] | None:
    """Read a file name without keys as (type, component, extension); None when it can be no type.

    A type without dimensions is just a file name, so it may begin with a digit.
    """
    extension = extension_at_end(name)
    match = _FILE_TYPE.fullmatch(name.removesuffix(extension))
    return (match[1], match[2], extension) if match else None


def split_type(name: str) -> tuple[str, str | None] | None:
    """Read the name of a type's directory as (type, component); None when it can be no type."""
    match = _TYPE.fullmatch(name)
    return (match[1], match[2]) if match else None
