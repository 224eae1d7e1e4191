"""Where a picture goes: to a file, to a terminal that shows it, or as PNG to what reads standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from ..errors import BadArgument
from .contents import require_free
from .printing import to_person

out_option = click.option(
    "-o", "--out", metavar="FILE", help="Write it to FILE instead of showing it; - is standard output."
)
replace_option = click.option("--replace", "replacing", is_flag=True, help="Overwrite FILE.")


def local_file(out: str, extensions: tuple[str, ...], *, replacing: bool) -> str:
    """Give the file that a picture goes to, when it may be written.

    Raises
    ------
    BadArgument
        When it has another extension than is written.
    Exists, NotFound
        When something is there and is not to be replaced, or its folder is not there.
    """
    path = os.path.expanduser(out)
    if not path.lower().endswith(extensions):
        raise BadArgument(
            f"write a picture to {out!r}", "its name has another ending", f"end it in {extensions[0]}"
        )
    require_free(path, replacing=replacing, taken=set())
    return path


def deliver(png: Callable[[bool], bytes], *, to_file: bool) -> None:
    """Show a picture when standard output is a terminal, else write its bytes there.

    ``png`` is told whether words in it can be read: half blocks are too coarse for that.
    """
    if to_person() and not to_file:
        from .terminals import Protocol, current, room, show

        how, space = current(), room()
        show(png(how is not Protocol.BLOCKS), how, space)
        return
    sys.stdout.buffer.write(png(True))  # noqa: FBT003 - there is one argument
    sys.stdout.buffer.flush()
