"""The header of a table of which some columns are left: keywords of columns get their new numbers.

References: FITS standard 4.0, sections 7.2, 7.3 and table 22 (world coordinates in tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_CARD = 80
# With one column's number at their end; an alternate description of coordinates adds a letter.
_OF_COLUMN = (
    "TTYPE TFORM TUNIT TNULL TSCAL TZERO TDISP TBCOL TDIM TDMIN TDMAX TLMIN TLMAX TCOMM TUCD TUTYP TXTYP "
    "TDESC TCTYP TCTY TCUNI TCUN TCRPX TCRP TCRVL TCRV TCDLT TCDE TCROT TCNA TCRD TCSY TPOS TCOL "
    "WCST WCSN WCAX RADE EQUI LONP LATP OBSG VSYS ZSOU SPEC SSYS SSRC DOBS MJDOB OBSGX OBSGY OBSGZ"
)
_IN_VECTOR = "CTYP CTY CUNI CUN CRPX CRP CRVL CRV CDLT CDE CROT CNA CRD CSY V PV S PS"
_ONE = re.compile(rf"((?:{'|'.join(_OF_COLUMN.split())}))(\d{{1,3}})([A-Z]?)")
# 1CRVL5, 2V5_1: axis 1 of the vectors of column 5.
_VECTOR = re.compile(rf"(\d(?:{'|'.join(_IN_VECTOR.split())}))(\d{{1,3}})((?:_\d+)?[A-Z]?)")
_MATRIX = re.compile(r"(\d\d(?:PC|CD|P|C))(\d{1,3})([A-Z]?)")
_PARAMETER = re.compile(r"(T(?:PV|PS|V|S))(\d{1,3})(_\d+[A-Z]?)")
_PAIR = re.compile(r"(T(?:PC|CD|P|C))(\d{1,3})_(\d{1,3})([A-Z]?)")
_SUMS = (b"CHECKSUM", b"DATASUM ", b"THEAP   ")


def renumbered(cards: bytes, count: int, kept: Sequence[int], values: Mapping[str, int]) -> bytes:
    """Give the cards of the header when of ``count`` columns only ``kept`` (from 1, ascending) are left.

    ``values`` are set where their keywords stand. Checksums, which are another's now, and THEAP are left out.
    """
    numbers: dict[int, int | None] = dict.fromkeys(range(1, count + 1))
    numbers |= {number: new for new, number in enumerate(kept, 1)}
    return b"".join(_cards(cards, numbers, values))


def _cards(cards: bytes, numbers: Mapping[int, int | None], values: Mapping[str, int]) -> Iterator[bytes]:
    gone = False
    for start in range(0, len(cards), _CARD):
        card = cards[start : start + _CARD]
        key = card[:8].decode("ascii", "replace").rstrip()
        if key == "CONTINUE" and gone:
            continue
        renamed = None if card[:8] in _SUMS else _renamed(key, numbers)
        gone = renamed is None
        if renamed is None:
            continue
        if renamed in values:
            card = f"{renamed:<8}= {values[renamed]:>20}".encode("ascii") + card[30:]
        elif renamed != key:
            card = renamed.encode("ascii").ljust(8) + card[8:]
        yield card.ljust(_CARD)[:_CARD]


def _renamed(key: str, numbers: Mapping[int, int | None]) -> str | None:
    """Give a keyword with the new number of its column; None when that is gone."""
    pair = _PAIR.fullmatch(key)
    if pair and int(pair[2]) in numbers and int(pair[3]) in numbers:
        new = numbers[int(pair[2])], numbers[int(pair[3])]
        return None if None in new else f"{pair[1]}{new[0]}_{new[1]}{pair[4]}"
    for pattern in (_ONE, _PARAMETER, _VECTOR, _MATRIX):
        match = pattern.fullmatch(key)
        if match and int(match[2]) in numbers:
            number = numbers[int(match[2])]
            return None if number is None else f"{match[1]}{number}{match[3]}"
    return key
