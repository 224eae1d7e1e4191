"""A FITS file with tables of all kinds of columns, and ways to cut it."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from skyfs.abc.source import ByteSource
from skyfs.formats.buffer import Buffer
from skyfs.formats.fits import Fits
from skyfs.model.selectors import parse_selectors

ROWS = 200


def make_events() -> bytes:
    """Give the file: EVENTS is a binary table, ASC an ASCII one; SCI an image."""
    rng = np.random.default_rng(20260101)
    column = fits.Column
    values = np.empty(ROWS, object)
    values[:] = [np.arange(rng.integers(0, 6), dtype="f4") + row for row in range(ROWS)]
    counts = np.where(rng.random(ROWS) < 0.1, -999, rng.integers(-50, 50, ROWS)).astype("i2")
    names = np.array([f"M{row % 20}" for row in range(ROWS)])
    binary = [
        column("ID", "J", array=np.arange(ROWS)),
        column("ra", "D", unit="deg", disp="F10.5", array=rng.uniform(0, 360, ROWS)),
        column("dec", "D", unit="deg", array=rng.uniform(-90, 90, ROWS)),
        column("flux", "E", array=np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(100, 50, ROWS))),
        column("mag_g", "E", array=rng.normal(20, 2, ROWS)),
        column("mag_r", "E", array=rng.normal(20, 2, ROWS)),
        column("flag", "L", array=rng.random(ROWS) < 0.5),
        column("name", "8A", array=names),
        column("cnt", "I", null=-999, array=counts),
        column("u16", "I", bzero=2**15, array=rng.integers(0, 65000, ROWS).astype("u2")),
        column("scaled", "I", array=rng.integers(-100, 100, ROWS).astype("i2")),
        column("big", "K", array=rng.integers(-(2**40), 2**40, ROWS)),
        column("vec", "4E", dim="(2,2)", array=rng.normal(0, 1, (ROWS, 4))),
        column("bits", "12X", array=rng.random((ROWS, 12)) < 0.5),
        column("var", "PE()", array=values),
        column("mag1", "E", array=rng.normal(20, 2, ROWS)),
        column("mag22", "E", array=rng.normal(20, 2, ROWS)),
        column("b8", "B", array=rng.integers(0, 255, ROWS).astype("u1")),
        column("u32", "J", bzero=2**31, array=rng.integers(0, 2**32 - 1, ROWS).astype("u4")),
        column("one", "1E", array=rng.normal(0, 1, ROWS)),
        column("list", "5J", array=rng.integers(-9, 9, (ROWS, 5))),
    ]
    events = fits.BinTableHDU.from_columns(binary, name="EVENTS")
    more = {"EXPTIME": 30.5, "LIMIT": 10, "TSCAL11": 0.1, "TZERO11": 5.0, "TLMIN5": 10.0, "TLMAX5": 30.0}
    world = {"TCTYP2": "RA---TAN", "TCTYP3": "DEC--TAN", "TCRPX2": 1.5, "TCRPX3": 2.5, "OBJECT": "M31"}
    events.header.update(more | world)
    text = [
        column("id", "I6", array=np.arange(50)),
        column("x", "F10.3", array=rng.normal(0, 10, 50)),
        column("word", "A5", array=np.array([f"a{row % 7}" for row in range(50)])),
        column("e", "E15.7", array=rng.normal(0, 1e5, 50)),
        column("d", "D25.16", array=rng.normal(0, 1e5, 50)),
    ]
    asc = fits.TableHDU.from_columns(text, name="ASC")
    sci = fits.ImageHDU(np.arange(100, dtype="i2").reshape(10, 10), name="SCI")
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), sci, events, asc]).writeto(file)
    return file.getvalue()


def cut(source: bytes | ByteSource, selectors: str) -> bytes:
    """Cut a FITS file as a store's file would be cut."""
    file = io.BytesIO()
    source = Buffer(source) if isinstance(source, bytes) else source
    Fits().cut(source, parse_selectors(selectors), file)
    return file.getvalue()


def fitscopy(path: Path, selectors: str) -> bytes:
    """Give what Debian's CFITSIO makes of the same selectors."""
    program = shutil.which("fitscopy")
    if program is None:
        pytest.skip("no fitscopy: apt-get install libcfitsio-bin")
    target = path.with_suffix(".out")
    target.unlink(missing_ok=True)
    done = subprocess.run(
        [program, f"{path}{selectors}", target], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return target.read_bytes()
