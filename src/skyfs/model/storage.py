"""Storage classes: which Python type a dataset has in memory, and what it can be made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from skyfs.errors import BadDefinition

_NAME = re.compile(r"[A-Za-z_]\w*")
_DOTTED = re.compile(
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
)


@dataclass(frozen=True, slots=True)
class StorageClass:
    """The Python type of datasets, and its parts. The mappings are never changed after construction.

    Parameters
    ----------
    name
        An identifier, such as ``Image``.
    python_type
        Dotted name of the type that reading gives: ``package.module.Type`` or ``package.module:Type``.
    components
        Name of a part → name of the storage class of the part.
    converters
        Dotted name of another type → dotted name of a function that makes ``python_type`` of such an object.
    doc
        What it is, for people.
    assembler
        Dotted name of a function that takes a mapping, component → object (those that the dataset has), and
        gives the whole; empty when datasets cannot be stored as one file for each component.
    disassembler
        Dotted name of a function that takes the whole and a component's name, and gives the component, None
        when the whole has none; empty: the attribute of that name.

    Raises
    ------
    BadDefinition
        When a name is not an identifier or not dotted.
    """

    name: str
    python_type: str
    components: Mapping[str, str] = field(default_factory=dict, hash=False)
    converters: Mapping[str, str] = field(default_factory=dict, hash=False)
    doc: str = ""
    assembler: str = ""
    disassembler: str = ""

    def __post_init__(self) -> None:
        for name in (self.name, *self.components, *self.components.values()):
            if not _NAME.fullmatch(name):
                raise BadDefinition(f"storage class {self.name!r}", f"{name!r} is not an identifier")
        functions = filter(None, (self.assembler, self.disassembler))
        for name in (self.python_type, *self.converters, *self.converters.values(), *functions):
            if not _DOTTED.fullmatch(name):
                raise BadDefinition(
                    f"storage class {self.name!r}",
                    f"{name!r} is not a dotted name",
                    "write package.module.Name; builtins are builtins.dict and so on",
                )
