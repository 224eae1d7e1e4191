"""VOTable (IVOA): XML tables."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO
from xml.parsers import expat

from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .cuts_whole import CutsWhole
from .guards import Tolerance, reading, refuse_options, refuse_value, require_class, writing

_HEAD = 1 << 16
_TAIL = 4096
_LAYOUTS = ("tabledata", "binary", "binary2")


class VOTable(CutsWhole):
    """VOTables; the first table of the file. Option ``layout``: tabledata (default), binary or binary2.

    Documents that declare entities are refused: VOTables need none, and they are how XML bombs and readers
    of foreign files are made; so are those whose data are elsewhere, in a file or at a URL. A reference to a
    DTD is tolerated and never followed.
    """

    extensions = (".vot", ".xml")
    storage_classes = ("Table",)

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as astropy Table, columns named by their FIELD's name."""
        require_class("VOTable", storage_class, self.storage_classes)
        self.check(source)
        from astropy.io import votable

        with Tolerance(), reading("VOTable"):
            data = source.read_all()
            _refuse_references(data)
            document = votable.parse(io.BytesIO(data), verify="ignore")
            return document.get_first_table().to_table(use_names_over_ids=True)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write an astropy Table."""
        refuse_options("VOTable", options, ("layout",))
        from astropy.io import votable
        from astropy.table import Table

        layout = options.get("layout", "tabledata")
        if layout not in _LAYOUTS:
            raise BadArgument(f"option layout={layout!r}", todo=f"one of {', '.join(_LAYOUTS)}")
        if not isinstance(value, Table):
            raise refuse_value("VOTable", value, "astropy Table")
        with Tolerance(), writing("VOTable"):
            votable.from_table(value).to_xml(file, tabledata_format=layout)

    def check(self, source: ByteSource) -> None:
        """Check that the root is VOTABLE, is closed at the end, and that no entities are declared."""
        _check_head(source.read(0, _HEAD))
        tail = source.read(max(source.size - _TAIL, 0), source.size).replace(b"\0", b"").rstrip()
        if not tail.endswith(b">") or b"VOTABLE" not in tail[tail.rfind(b"</") :]:
            raise BadContent("the VOTable is truncated", f"it ends with {tail[-20:]!r}, not </VOTABLE>")


def _refuse_references(data: bytes) -> None:
    """Refuse a table whose bytes are in a file or at a URL (``STREAM href=``): astropy would open it."""

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "STREAM":
            return
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "href":
                raise BadContent(
                    "the VOTable is refused", f"its data are at {value!r}", "put them into the file"
                )

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(data, True)  # noqa: FBT003 - expat takes no keywords


class _RootFound(Exception):
    """Stops parsing: what the check wants to know is known."""


def _check_head(head: bytes) -> None:
    """Parse up to the root element."""

    def start(name: str, _: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "VOTABLE":
            raise BadContent("not a VOTable", f"the root element is {name!r}", "it should be VOTABLE")
        raise _RootFound

    def entity(name: str, *_: object) -> None:
        raise BadContent("the VOTable is refused", f"it declares the entity {name!r}", "VOTables need none")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(head, False)  # noqa: FBT003 - expat takes no keywords
    except _RootFound:
        return
    except expat.ExpatError as error:
        raise BadContent("not a VOTable", f"not XML: {error}") from error
    raise BadContent("not a VOTable", f"no element within the first {len(head)} bytes")
