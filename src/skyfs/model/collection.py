"""Collections of datasets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import BadDefinition, BadPath
from .quoting import MAX_PART_BYTES, check_utf8, encode_name, shown


class CollectionKind(StrEnum):
    """What a collection is."""

    RUN = "RUN"
    TAGGED = "TAGGED"
    CALIBRATION = "CALIBRATION"
    CHAINED = "CHAINED"


@dataclass(frozen=True, slots=True)
class Collection:
    """A named collection.

    Attributes
    ----------
    name
        A ``/``-path: ``HSC/runs/RC2``.
    children
        Of a CHAINED one: names, in the order of search.
    owner
        Of a RUN: who may remove from it.
    locked
        Of a RUN: nobody may write or remove.
    """

    name: str
    kind: CollectionKind
    children: tuple[str, ...] = ()
    owner: str = ""
    locked: bool = False
    doc: str = ""


def check_collection_name(name: str) -> str:
    """Give the name back when paths can spell it.

    Raises
    ------
    BadDefinition
        When a part is empty, begins with a dot, holds ``=`` or is over 255 bytes.
    """
    if not isinstance(name, str):
        raise BadDefinition(f"bad collection name {shown(name)}", "it is no text", "a/b/c")
    try:
        check_utf8(name)
    except BadPath as error:
        raise BadDefinition(f"bad collection name {shown(name)}", error.found) from None
    for part in name.split("/"):
        if not part or part[0] == "." or "=" in part or "\0" in part:
            raise BadDefinition(
                f"bad collection name {name!r}", f"the part {part!r}", "no '=', no leading '.', not empty"
            )
        if len(encode_name(part).encode()) > MAX_PART_BYTES:
            raise BadDefinition(
                f"bad collection name {name[:60]!r}...", "a part over 255 bytes", "shorten it"
            )
    return name
