"""Pieces of HTML for notebooks: escaped, without scripts, style sheets or anything from elsewhere.

Colours are those of the page, fainter, so that they are readable on light and on dark.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from ..errors import printable

_MOST_CHARACTERS = 80
_LINE = "1px solid rgba(128,128,128,.35)"
_CELL = "text-align:left;padding:2px 10px 2px 0;vertical-align:top;white-space:nowrap;background:none"
_FAINT = "opacity:.7"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def words(value: object, *, most: int = _MOST_CHARACTERS) -> Html:
    """Escape a value's text, show what a reader could not see, and cut what is long."""
    if isinstance(value, Html):
        return value
    text = "" if value is None else str(value)
    # Cut first: a text may be a thousand pages.
    return Html(escape(printable(text if len(text) <= most else f"{text[: most - 1]}…")))


def card(title: object, subtitle: object, *parts: Html) -> Html:
    """Put parts below one another, with a heading."""
    heading = f'<b>{words(title)}</b> <span style="{_FAINT}">{words(subtitle)}</span>'
    head = f'<div style="margin-bottom:4px">{heading}</div>'
    return Html(
        f'<div style="font-size:13px;line-height:1.4">{head}{"".join(part for part in parts if part)}</div>'
    )


def note(text: object) -> Html:
    """Write a line in words; empty for no words."""
    return Html(f'<div style="{_FAINT};margin:2px 0">{words(text, most=400)}</div>' if text else "")


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Write names with their values, one a line."""
    rows = (
        f'<tr style="background:none"><td style="{_CELL};{_FAINT}">{words(name)}</td>'
        f'<td style="{_CELL};white-space:normal;overflow-wrap:anywhere">{words(value, most=300)}</td></tr>'
        for name, value in pairs
    )
    return Html(f'<div style="max-width:36em">{_table("".join(rows))}</div>')


def table(names: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """Write rows below a heading."""
    head = "".join(
        f'<th style="{_CELL};border-bottom:{_LINE};font-weight:600">{words(name)}</th>' for name in names
    )
    body = (
        '<tr style="background:none">'
        + "".join(f'<td style="{_CELL}">{words(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return Html(f'<div style="overflow-x:auto">{_table(f"<tr>{head}</tr>" + "".join(body))}</div>')


def picture(png: bytes, caption: object) -> Html:
    """Show a PNG."""
    data, text = b64encode(png).decode(), words(caption)
    image = f'<img alt="{text}" src="data:image/png;base64,{data}" style="display:block;border:{_LINE}"/>'
    return Html(f'<div>{image}<span style="font-size:11px;{_FAINT}">{text}</span></div>')


def beside(*parts: Html) -> Html:
    """Put parts beside one another, below where there is no room."""
    shown = "".join(f"<div>{part}</div>" for part in parts if part)
    return Html(f'<div style="display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-start">{shown}</div>')


def _table(rows: str) -> Html:
    return Html(f'<table style="border-collapse:collapse;margin:2px 0 6px;font-size:12px">{rows}</table>')
