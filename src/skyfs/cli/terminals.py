"""Pictures in a terminal, by the protocols that terminals have for it.

The environment tells which. The terminal itself is not asked: an answer that never comes would be waited for,
and one that comes late would be typed into the shell. ``SKYFS_PICTURES`` names the protocol where the
environment says too little (xterm and others that know sixel, or behind ssh).
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import termios
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING

import click
import numpy as np

from ..errors import BadConfig, Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image, Resampling

VARIABLE = "SKYFS_PICTURES"
_KITTY_CHUNK = 4096
_SIXEL_COLOURS = 255
_SMALL = 240
"""Pictures with fewer pixels on a side are enlarged by whole numbers: ten pixels would be a speck."""


class Protocol(StrEnum):
    """How a terminal takes a picture."""

    KITTY = "kitty"
    ITERM = "iterm"
    SIXEL = "sixel"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a terminal a picture may take: characters, and the pixels of one."""

    columns: int
    rows: int
    cell_width: int = 10
    cell_height: int = 20

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """Give the columns and rows of a picture of so many pixels, made smaller where it must."""
        scale = min(1.0, self.columns * self.cell_width / width, self.rows * self.cell_height / height)
        return (
            max(1, round(width * scale / self.cell_width)),
            max(1, round(height * scale / self.cell_height)),
        )


def protocol(environment: Mapping[str, str]) -> Protocol:
    """Tell how the terminal takes pictures.

    Raises
    ------
    BadConfig
        When ``SKYFS_PICTURES`` names no protocol.
    """
    wanted = environment.get(VARIABLE, "")
    if wanted:
        if wanted not in list(Protocol):
            raise BadConfig(f"{VARIABLE}={wanted!r}", "no such protocol", f"one of {', '.join(Protocol)}")
        return Protocol(wanted)
    terminal, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if terminal.startswith(("screen", "tmux")):
        # They pass no pictures on unless they are told to.
        return Protocol.BLOCKS
    if "KITTY_WINDOW_ID" in environment or "kitty" in terminal or "ghostty" in (program, terminal[6:]):
        return Protocol.KITTY
    if environment.get("LC_TERMINAL") == "iTerm2" or program in ("iTerm.app", "WezTerm", "mintty"):
        return Protocol.ITERM
    if terminal.startswith(("foot", "mlterm", "contour", "yaft")) or "sixel" in terminal:
        return Protocol.SIXEL
    return Protocol.BLOCKS


def room() -> Room:
    """Measure the terminal that is standard output."""
    try:
        answer = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("HHHH", answer)
    except OSError:
        rows = columns = width = height = 0
    rows, columns = rows or 24, columns or 80
    # Below it the prompt must have room.
    cells = (width // columns, height // rows) if width and height else (10, 20)
    return Room(columns, max(rows - 2, 4), max(cells[0], 1), max(cells[1], 1))


def show(png: bytes, how: Protocol, space: Room) -> None:
    """Show a picture on standard output."""
    image = _enlarged(_decoded(png))
    if how is Protocol.BLOCKS:
        _print_blocks(image, space)
        return
    makers: Mapping[Protocol, Callable[[Image, Room], str]] = {
        Protocol.KITTY: kitty,
        Protocol.ITERM: iterm,
        Protocol.SIXEL: sixel,
    }
    click.echo(makers[how](image, space))


def _decoded(png: bytes) -> Image:
    from PIL import Image as Pillow

    try:
        with Pillow.open(BytesIO(png)) as picture:
            return picture.convert("RGB")
    except (OSError, Pillow.DecompressionBombError) as error:
        raise Unsupported("show the picture", str(error), "write it to a file: --out FILE.png") from None


def kitty(image: Image, space: Room) -> str:
    """Give the commands of the kitty graphics protocol: PNG, in pieces that terminals take."""
    columns, rows = space.fit(*image.size)
    data = b64encode(_png(_shrunk(image, space))).decode()
    pieces = [data[start : start + _KITTY_CHUNK] for start in range(0, len(data), _KITTY_CHUNK)]
    # q=2: the terminal does not answer, for nobody would read that.
    heads = [f"a=T,f=100,q=2,c={columns},r={rows},"] + [""] * (len(pieces) - 1)
    more = [1] * (len(pieces) - 1) + [0]
    return "".join(
        f"\x1b_G{head}m={last};{piece}\x1b\\" for head, last, piece in zip(heads, more, pieces, strict=True)
    )


def iterm(image: Image, space: Room) -> str:
    """Give the command of iTerm2's inline images."""
    columns, _ = space.fit(*image.size)
    data = _png(_shrunk(image, space))
    head = f"inline=1;size={len(data)};width={columns};preserveAspectRatio=1"
    return f"\x1b]1337;File={head}:{b64encode(data).decode()}\x07"


def sixel(image: Image, space: Room) -> str:
    """Give the picture as sixels: bands of six rows, drawn once for each of their colours (DEC STD 070)."""
    small = _shrunk(image, space).quantize(_SIXEL_COLOURS)
    pixels = np.asarray(small)
    palette = np.array(small.getpalette(), int).reshape(-1, 3) * 100 // 255
    colours = "".join(f"#{n};2;{r};{g};{b}" for n, (r, g, b) in enumerate(palette.tolist()))
    bands = (pixels[start : start + 6] for start in range(0, len(pixels), 6))
    size = f'"1;1;{small.width};{small.height}'
    return f"\x1bPq{size}{colours}{'-'.join(map(_band, bands))}\x1b\\"


def _band(rows: NDArray[np.uint8]) -> str:
    weights = (1 << np.arange(len(rows)))[:, None]
    drawn = []
    for colour in np.unique(rows).tolist():
        codes = ((rows == colour) * weights).sum(axis=0) + 63
        drawn.append(f"#{colour}" + "".join(_runs(codes.tolist())))
    return "$".join(drawn)


def _runs(codes: list[int]) -> Iterator[str]:
    start = 0
    for index in range(1, len(codes) + 1):
        if index == len(codes) or codes[index] != codes[start]:
            count, sign = index - start, chr(codes[start])
            yield f"!{count}{sign}" if count > 3 else sign * count
            start = index


def _print_blocks(image: Image, space: Room) -> None:
    """Print half blocks: two pixels a character, the upper one in its colour, the lower one behind it."""
    from rich.color import Color
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    console = Console()
    if console.color_system is None:
        click.echo("this terminal has no colours: write the picture to a file with --out", err=True)
        return
    scale = min(space.columns / image.width, 2 * space.rows / image.height)
    size = (max(1, round(image.width * scale)), max(2, 2 * round(image.height * scale / 2)))
    pixels = np.asarray(image.resize(size, _smooth(image, size))).tolist()
    segments: list[Segment] = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            style = Style.from_color(Color.from_rgb(*above), Color.from_rgb(*below))
            segments.append(Segment("\u2580", style))
        segments.append(Segment.line())
    console.print(Segments(segments), end="")


def _smooth(image: Image, size: tuple[int, int]) -> Resampling:
    from PIL import Image as Pillow

    shrinks = size[0] < image.width
    return Pillow.Resampling.BOX if shrinks else Pillow.Resampling.NEAREST


def _enlarged(image: Image) -> Image:
    from PIL import Image as Pillow

    factor = max(1, _SMALL // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Pillow.Resampling.NEAREST)


def _shrunk(image: Image, space: Room) -> Image:
    """Make a picture no larger than its room: what goes through ssh is small, and sixels have no scale."""
    from PIL import Image as Pillow

    scale = min(
        1.0, space.columns * space.cell_width / image.width, space.rows * space.cell_height / image.height
    )
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return image if size == image.size else image.resize(size, Pillow.Resampling.LANCZOS)


def _png(image: Image) -> bytes:
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def current() -> Protocol:
    """Tell how the terminal of this process takes pictures."""
    return protocol(os.environ)
