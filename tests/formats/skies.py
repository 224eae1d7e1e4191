"""Headers of images on the sky: projections, frames and distortions."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

WIDTH, HEIGHT = 90, 70


def _header(projection: str, position: tuple[float, float], **more: object) -> fits.Header:
    lon, lat = str(more.pop("axes", "RA--,DEC-")).split(",")
    angle, scale = np.radians(float(str(more.pop("angle", 0)))), float(str(more.pop("scale", 0.01)))
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = f"{lon}-{projection}", f"{lat}-{projection}"
    header["CRVAL1"], header["CRVAL2"] = position
    header["CRPIX1"], header["CRPIX2"] = 41.3, 36.9
    header["CD1_1"], header["CD1_2"] = -scale * np.cos(angle), scale * np.sin(angle)
    header["CD2_1"], header["CD2_2"] = scale * np.sin(angle), scale * np.cos(angle)
    for key, value in more.items():
        header[key] = value
    return header


_SIP = {
    "A_ORDER": 3, "A_2_0": 3e-4, "A_1_1": -2e-4, "A_0_3": 1e-6, "A_3_0": 2e-6,
    "B_ORDER": 3, "B_0_2": -4e-4, "B_1_1": 1e-4, "B_2_1": 2e-6,
    "AP_ORDER": 2, "AP_2_0": -3e-4, "AP_1_1": 2e-4, "BP_ORDER": 2, "BP_0_2": 4e-4, "BP_1_1": -1e-4,
}  # fmt: skip
_TPV = {
    "PV1_0": 0.001, "PV1_1": 1.01, "PV1_2": 0.002, "PV1_4": 0.03, "PV1_7": 0.05,
    "PV2_1": 0.99, "PV2_2": -0.003, "PV2_5": 0.02, "PV2_10": 0.01,
}  # fmt: skip


def _with_pc() -> fits.Header:
    header = _header("TAN", (150, 2))
    del header["CD*"]
    header["CDELT1"], header["CDELT2"] = -0.01, 0.012
    header["PC1_1"], header["PC1_2"], header["PC2_1"], header["PC2_2"] = 0.9, 0.4, -0.3, 0.95
    return header


def _with_pc_alone() -> fits.Header:
    header = _with_pc()
    del header["CDELT*"]
    for key in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        header[key] *= 0.01
    del header["CRPIX2"]
    return header


def _with_rotation() -> fits.Header:
    header = _header("SIN", (210, -40))
    del header["CD*"]
    header["CDELT1"], header["CDELT2"], header["CROTA2"] = -0.01, 0.013, 33.0
    return header


SKIES: dict[str, fits.Header] = {
    "TAN": _header("TAN", (150.1, 2.2)),
    "TAN rotated": _header("TAN", (150.1, 62.2), angle=33),
    "across RA 0": _header("TAN", (0.01, -20.0), angle=-70),
    "north pole": _header("TAN", (80, 89.95)),
    "south pole": _header("ZEA", (20, -90), scale=0.1),
    "SIN": _header("SIN", (10, 33), scale=0.2),
    "FK5 of 1975": _header("TAN", (33, -33), RADESYS="FK5", EQUINOX=1975.0),
    "FK4": _header("STG", (33, -33), RADESYS="FK4", EQUINOX=1950.0),
    "galactic": _header("TAN", (12, 1), axes="GLON,GLAT", angle=15),
    "galactic CAR": _header("CAR", (0, 0), axes="GLON,GLAT", scale=0.5),
    "whole sky": _header("AIT", (180, 0), scale=4.5),
    "whole sky CAR": _header("CAR", (0, 0), scale=4.0),
    "latitude first": _header("TAN", (-5, 100), axes="DEC-,RA--"),
    "SIP": _header("TAN-SIP", (150.1, 2.2), angle=20, **_SIP),
    "SIP at a pole": _header("TAN-SIP", (150.1, -89.9), **_SIP),
    "TPV": _header("TPV", (359.98, 30), angle=10, **_TPV),
    "PC": _with_pc(),
    "PC alone": _with_pc_alone(),
    "CROTA": _with_rotation(),
}
