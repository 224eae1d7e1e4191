"""Reading values from the bytes of a dataset as they go by."""

from __future__ import annotations

from collections.abc import Sequence

from ..abc.source import ByteSource
from ..errors import Unsupported
from ..formats.catalog import Formats
from ..model.capture import Source
from ..registry.captured import Values


def capture(
    formats: Formats, wanted: Sequence[tuple[str, str]], source: ByteSource, extension: str
) -> Values:
    """Give the values that ``wanted`` (name, place) names; those that are not there are left out.

    Raises
    ------
    BadContent
        When the bytes are damaged.
    """
    places = [(name, Source.parse(text)) for name, text in wanted]
    contents = {kind: _content(formats, kind, source, extension) for kind in {one.kind for _, one in places}}
    found = [(name, place.find(contents[place.kind])) for name, place in places]
    return [(name, value) for name, value in found if value is not None]


def _content(formats: Formats, kind: str, source: ByteSource, extension: str) -> object:
    try:
        if kind == "header":
            return formats.header(source, extension)
        return formats.document(source, extension)
    except Unsupported:
        # The type may be stored in several formats, and not each of them has keywords.
        return None
