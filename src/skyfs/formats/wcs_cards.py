"""WCS objects ↔ header cards, and which cards of a header are whose."""

from __future__ import annotations

import re

from astropy.io import fits
from astropy.wcs import WCS

from skyfs.errors import BadContent

# What a FITS library writes by itself, what a name says elsewhere, and sums of the old bytes.
_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|EXTNAME|EXTTYPE"
    r"|Z?CHECKSUM|Z?DATASUM|ZHECKSUM|END"
)
# The primary WCS (FITS WCS papers I to III) with SIP; alternates have a letter more and stay in the header.
# NAXIS and WCSAXES of the standard have three digits.
_MAX_AXES = 999
_WCS = re.compile(
    r"WCSAXES|WCSNAME|(CTYPE|CRVAL|CRPIX|CDELT|CUNIT|CROTA|CNAME|CRDER|CSYER)\d+|(CD|PC|PV|PS)\d+_\d+"
    r"|LONPOLE|LATPOLE|RADE(SYS|CSYS)|EQUINOX|SPECSYS|RESTFRQ|RESTWAV"
    r"|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)|(CP|CQ)(DIS|ERR)\d+|D[PQ]\d+(\..*)?|D2IM.*|AXISCORR"
)
# Plate constants of the Digitized Sky Survey.
_PLATE = re.compile(r"AMD[XY]\d+|PPO\d|PLTRA[HMS]|PLTDEC(SN|[DMS])|CNPIX[12]|[XY]PIXELSZ")
LOOKUP_TABLES = frozenset(("WCSDVARR", "D2IMARR"))
"""Names of extensions that belong to a WCS with tabulated distortions."""


def own_cards(header: fits.Header, *, wcs: bool = False, unit: bool = False) -> fits.Header:
    """Give a copy without structural cards; without the primary WCS and BUNIT, unless they are wanted."""

    def kept(keyword: str) -> bool:
        if keyword == "BUNIT":
            return unit
        return not _STRUCTURE.fullmatch(keyword) and (wcs or not _WCS.fullmatch(keyword))

    return fits.Header([card for card in header.cards if kept(card.keyword)])


def wcs_of(header: fits.Header, hdus: fits.HDUList | None = None) -> WCS | None:
    """Give the WCS of an image's header, None when it has none.

    Parameters
    ----------
    header
        Of the image.
    hdus
        Where tabulated distortions are, when the header points at such.

    Raises
    ------
    BadContent
        When the WCS is damaged.
    """
    if not any(_WCS.fullmatch(key) for key in header):
        return None
    refuse_axes(header)
    if "AMDX1" in header and any(key.startswith("CQDIS") for key in header):
        # wcslib overruns its buffers on both at once (astropy 8.0.2), which ends the process.
        header = header.copy()
        drop_plate_constants(header)
    if header.get("NAXIS") == 0:
        # Cards without pixels: astropy would warn of missing axes.
        header = own_cards(header, wcs=True)
    try:
        found = WCS(header, fobj=hdus)
    except Exception as error:
        # wcslib answers damaged cards with many exception types.
        raise BadContent("cannot read the WCS", f"{type(error).__name__}: {error}") from error
    return found if any(found.wcs.ctype) or found.wcs.crpix.any() else None


def refuse_axes(header: fits.Header) -> None:
    """Refuse a header that has wcslib allocate a matrix of any size."""
    axes = header.get("WCSAXES", 0)
    if isinstance(axes, int) and axes > _MAX_AXES:
        raise BadContent("the WCS of the image cannot be read", f"WCSAXES is {axes}", "FITS has at most 999")


def drop_plate_constants(header: fits.Header) -> None:
    """Drop what the Digitized Sky Survey says of a plate: the polynomials beside it say the same.

    They also stay right when the image is cut.
    """
    for key in list(header):
        if _PLATE.fullmatch(key):
            del header[key]


def wcs_cards(wcs: WCS) -> fits.Header:
    """Give the cards of a WCS, every number with all its digits.

    Times and places of observation, which astropy keeps with it, stay in the header that they came from.
    """
    # Only to_fits says where tabulated distortions are.
    made = wcs.to_fits(relax=_relax())[0].header if _has_tables(wcs) else wcs.to_header(relax=_relax())
    return fits.Header([card for card in made.cards if _WCS.fullmatch(card.keyword)])


def lookup_hdus(wcs: WCS) -> list[fits.ImageHDU]:
    """Give the extensions of a WCS with tabulated distortions; none of any other."""
    return list(wcs.to_fits(relax=_relax())[1:]) if _has_tables(wcs) else []


def _has_tables(wcs: WCS) -> bool:
    return any(table is not None for table in (wcs.cpdis1, wcs.cpdis2, wcs.det2im1, wcs.det2im2))


def _relax() -> int:
    """Ask for all keywords and 17 digits; True alone gives 14, which lose bits."""
    from astropy.wcs import WCSHDO_P17, WCSHDO_all
    from astropy.wcs.wcs import WCSHDO_SIP

    return int(WCSHDO_all | WCSHDO_P17 | WCSHDO_SIP)
