"""Fields of an entry, each of the shape that it must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid3

from ..errors import BadContent
from ..model.quoting import shown

# Where the butler puts ids that were integers; changing it would give imported datasets other ids.
_INTEGER_IDS = UUID("4d4851f4-2890-4d41-8779-5f38a3f5062b")

Fields = Mapping[str, object]


def bad(where: str, found: str, todo: str = "") -> BadContent:
    """Make the error for an entry."""
    return BadContent(where, found, todo)


def value(fields: Fields, name: str, where: str) -> object:
    """Give a field that must be there."""
    if name not in fields:
        raise bad(where, f"no {name!r}", "the export is damaged or truncated")
    return fields[name]


def text(fields: Fields, name: str, where: str) -> str:
    """Give a text."""
    found = value(fields, name, where)
    if not isinstance(found, str) or not found:
        raise bad(where, f"{name}: {shown(found)}", "a text is wanted")
    return found


def sequence(fields: Fields, name: str, where: str) -> Sequence[object]:
    """Give a list; a field without a value is an empty one."""
    found = value(fields, name, where)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise bad(where, f"{name}: {shown(found)}", "a list is wanted")
    return found


def mapping(found: object, where: str, what: str) -> Fields:
    """Give a mapping."""
    if not isinstance(found, dict):
        raise bad(where, f"{what}: {shown(found)}", "key: value lines are wanted")
    return found


def mappings(fields: Fields, name: str, where: str) -> Sequence[Fields]:
    """Give a list of mappings."""
    return [mapping(one, where, f"one of its {name}") for one in sequence(fields, name, where)]


def texts(fields: Fields, name: str, where: str) -> tuple[str, ...]:
    """Give a list of texts."""
    found = sequence(fields, name, where)
    for one in found:
        if not isinstance(one, str):
            raise bad(where, f"{name}: {shown(one)}", "texts are wanted")
    return tuple(str(one) for one in found)


def flag(fields: Fields, name: str, where: str) -> bool:
    """Give a truth value; false when it is not there."""
    found = fields.get(name, False)
    if not isinstance(found, bool):
        raise bad(where, f"{name}: {shown(found)}", "true or false is wanted")
    return found


def one_or_more(fields: Fields, name: str, where: str) -> Sequence[object]:
    """Give a list, or one value as a list of one."""
    found = value(fields, name, where)
    return found if isinstance(found, list) else [found]


def dataset_id(found: object, where: str) -> UUID:
    """Give a dataset's id; integers of old exports become the UUIDs that the butler gives them."""
    if isinstance(found, UUID):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return uuid3(_INTEGER_IDS, str(found))
    try:
        return UUID(str(found) if isinstance(found, str) else "")
    except ValueError:
        raise bad(where, f"the dataset id {shown(found)}", "a UUID is wanted") from None


def dataset_ids(fields: Fields, name: str, where: str) -> list[UUID]:
    """Give a list of ids."""
    return [dataset_id(one, where) for one in sequence(fields, name, where)]
