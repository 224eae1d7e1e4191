"""The observing log: which camera looked where, when and through which filter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from .cameras import SKYCAM, WIDECAM, Camera, Filter
from .skymap import TRACTS

NIGHTS = (20260214, 20260215, 20260216)
"""``day_obs`` of the nights; a day begins and ends at noon TAI."""
TAI_MINUS_UTC_S = 37
"""Since 2017-01-01 (IERS Bulletin C)."""
_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_SITE = (-30.24, -70.74)
"""Latitude and east longitude in degrees."""
_FIELDS = {f"FIELD-{tract}": center for tract, center in TRACTS.items()}
_A, _B = _FIELDS
# (field, band, exposures of the visit), night by night.
_PLAN: tuple[tuple[Camera, tuple[tuple[tuple[str, str, int], ...], ...]], ...] = (
    (
        SKYCAM,
        (
            ((_A, "r", 1), (_A, "i", 1), (_B, "i", 1)),
            ((_A, "g", 1), (_B, "i", 1), (_B, "r", 1)),
            ((_A, "i", 1), (_B, "g", 1)),
        ),
    ),
    (WIDECAM, (((_A, "r", 1), (_B, "r", 1)), ((_A, "i", 1), (_B, "r", 2)), ((_B, "i", 1), (_A, "r", 1)))),
)
_EXPOSURE_TIME_S = {"SkyCam": 30.0, "WideCam": 20.0}


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the telescope looked: ICRS degrees, rotation, and the place above the horizon."""

    target: str
    ra: float
    dec: float
    angle: float
    azimuth: float
    zenith_angle: float

    @property
    def airmass(self) -> float:
        """Plane-parallel airmass."""
        return 1 / math.cos(math.radians(self.zenith_angle))


@dataclass(frozen=True, slots=True)
class Exposure:
    """One readout of a camera. Flats look at a screen: they have no pointing, and belong to no visit.

    ``begin_ns`` is in TAI nanoseconds since 1970-01-01 TAI, ``visit`` the id of the visit's first exposure.
    """

    camera: Camera
    id: int
    obs_id: str
    group: str
    visit: int | None
    night: int
    seq_num: int
    filter: Filter
    begin_ns: int
    exposure_time_s: float
    pointing: Pointing | None
    seeing_arcsec: float
    sky_adu_per_s: float

    @property
    def kind(self) -> str:
        """Observation type: ``science`` or ``flat``."""
        return "flat" if self.pointing is None else "science"

    @property
    def end_ns(self) -> int:
        """When the shutter closed."""
        return self.begin_ns + round(self.exposure_time_s * _SECOND)

    @property
    def day_obs(self) -> int:
        """The night as YYYYMMDD."""
        return NIGHTS[self.night]


def day_begin_ns(day_obs: int) -> int:
    """Give the noon at which a ``day_obs`` begins, in TAI nanoseconds."""
    noon = datetime.strptime(f"{day_obs}12", "%Y%m%d%H").replace(tzinfo=UTC)
    return round(noon.timestamp()) * _SECOND


def day_span_ns(day_obs: int) -> tuple[int, int]:
    """Give the half-open range of a ``day_obs`` in TAI nanoseconds."""
    begin = day_begin_ns(day_obs)
    return begin, begin + _DAY


def period_span_ns(period: int) -> tuple[int, int | None]:
    """Give the half-open validity range of a calibration period; None: until further notice."""
    change = day_begin_ns(NIGHTS[2])
    return (day_begin_ns(NIGHTS[0]), change) if period == 0 else (change, None)


def period_of(night: int) -> int:
    """Tell which calibration period a night (counted from 0) belongs to."""
    return int(night >= 2)


def stamp(tai_ns: int, time_system: str) -> str:
    """Give a time as ISO text in ``TAI`` or ``UTC``, to the millisecond."""
    ns = tai_ns - (TAI_MINUS_UTC_S * _SECOND if time_system == "UTC" else 0)
    return str(np.datetime64(ns, "ns").astype("datetime64[ms]"))


def mjd(tai_ns: int, time_system: str) -> float:
    """Give a time as modified Julian date in ``TAI`` or ``UTC``."""
    ns = tai_ns - (TAI_MINUS_UTC_S * _SECOND if time_system == "UTC" else 0)
    return 40587 + ns / _DAY


def horizontal(ra: float, dec: float, tai_ns: int) -> tuple[float, float]:
    """Give azimuth (from north over east) and zenith angle in degrees, good to half a degree (no precession).

    Sidereal time: Meeus, Astronomical Algorithms (1998), eq. 12.4, first terms, with UT1 = UTC.
    """
    days = mjd(tai_ns, "UTC") - 51544.5
    hour_angle = math.radians(280.46061837 + 360.98564736629 * days + _SITE[1] - ra)
    latitude, declination = math.radians(_SITE[0]), math.radians(dec)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.sin(declination) * math.cos(latitude)
    north -= math.cos(declination) * math.sin(latitude) * math.cos(hour_angle)
    up = math.sin(latitude) * math.sin(declination)
    up += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.atan2(east, north)) % 360, math.degrees(math.acos(up))


def exposures(seed: int) -> Iterator[Exposure]:
    """Give all exposures of the survey, camera by camera, in order of time."""
    for number, (camera, nights) in enumerate(_PLAN):
        rng = np.random.default_rng([seed, 1, number])
        total = 0
        for night, visits in enumerate(nights):
            log = _Night(camera, night, rng, total)
            if night in {0, 2}:
                yield log.flat()
            for field, band, snaps in visits:
                yield from log.visit(field, band, snaps)
            total = log.total


class _Night:
    """Writes the log of one night of one camera: the clock and the counters."""

    def __init__(self, camera: Camera, night: int, rng: np.random.Generator, total: int) -> None:
        self.camera, self.night, self.rng, self.total = camera, night, rng, total
        self.seq_num = 0
        # Twilight of Chile's summer ends at about 01:00 UTC, 13 hours after the day began.
        hours = 15 if camera is SKYCAM else 14
        self.clock_ns = day_begin_ns(NIGHTS[night]) + hours * 3600 * _SECOND

    def flat(self) -> Exposure:
        """Take a flat of the dome screen in the camera's last filter."""
        self.clock_ns -= 4 * 3600 * _SECOND
        exposure = self._expose(self.camera.filters[-1], 5.0, None, None, self._group())
        self.clock_ns += 4 * 3600 * _SECOND
        return exposure

    def visit(self, field: str, band: str, snaps: int) -> Iterator[Exposure]:
        """Point at a field and take ``snaps`` exposures there; up to 10 arcseconds off the field's centre."""
        dither = self.rng.uniform(-10, 10, 2) / 3600
        angle = float(self.rng.uniform(-2, 2))
        group, first = self._group(), self._next_id()
        for _ in range(snaps):
            ra, dec = (float(value) for value in np.round(np.add(_FIELDS[field], dither), 6))
            azimuth, zenith = horizontal(ra, dec, self.clock_ns)
            pointing = Pointing(field, ra, dec, round(angle, 4), round(azimuth, 4), round(zenith, 4))
            seconds = _EXPOSURE_TIME_S[self.camera.name]
            yield self._expose(self.camera.filter(band), seconds, pointing, first, group)

    def _group(self) -> str:
        return stamp(self.clock_ns, "TAI")

    def _next_id(self) -> int:
        if self.camera is SKYCAM:
            return 901_000 + 2 * self.total
        return NIGHTS[self.night] * 100_000 + self.seq_num + 1

    def _expose(
        self, band: Filter, seconds: float, pointing: Pointing | None, visit: int | None, group: str
    ) -> Exposure:
        number = self._next_id()
        self.seq_num += 1
        self.total += 1
        begin = self.clock_ns
        self.clock_ns += round((seconds + 45) * _SECOND)
        return Exposure(
            camera=self.camera,
            id=number,
            obs_id=f"{self.camera.name[0]}C_{NIGHTS[self.night]}_{self.seq_num:06d}",
            group=group,
            visit=visit,
            night=self.night,
            seq_num=self.seq_num,
            filter=band,
            begin_ns=begin,
            exposure_time_s=seconds,
            pointing=pointing,
            seeing_arcsec=round(float(self.rng.uniform(1.0, 1.7)), 3),
            sky_adu_per_s=round(
                float({"g": 4.0, "r": 7.0, "i": 11.0}[band.band] * self.rng.uniform(0.8, 1.2)), 3
            ),
        )
