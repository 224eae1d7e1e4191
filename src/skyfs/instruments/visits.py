"""Visits: exposures of the sky that belong together, and the regions that they saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from typing import Any

from ..errors import BadArgument, BadDataId, NotFound
from ..model.timespan import Timespan
from ..repository import Collections, Repository
from .corners import Padding
from .definition import BY_GROUP, ONE_TO_ONE
from .footprints import Footprint, Footprints
from .rows import Record, first, instrument_of, matching

DEFAULT_PADDING_PIX = 250.0
"""Pointings in raw headers are off by an arcminute at times: this is as much at 0.2 arcseconds per pixel."""


@dataclass(frozen=True, slots=True)
class VisitCounts:
    """What define_visits did.

    Attributes
    ----------
    new, changed
        Visits made, and visits that got another region, or more exposures.
    off_sky
        Exposures that saw no sky, and get no visit.
    regions
        Regions of detectors that were computed.
    unplaced
        Raws without a celestial WCS: their detectors got no region.
    """

    new: int = 0
    changed: int = 0
    off_sky: int = 0
    regions: int = 0
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class _Visit:
    """A visit to be: its number and name, and the records of its exposures in order of time."""

    id: int
    name: str
    exposures: tuple[Record, ...]

    @property
    def numbers(self) -> set[object]:
        """The numbers of its exposures."""
        return {one["id"] for one in self.exposures}


def define_visits(  # noqa: PLR0913 - all but the first two have a default
    repository: Repository,
    instrument: str,
    *,
    exposures: Iterable[int] | None = None,
    where: str | None = None,
    system: str = ONE_TO_ONE,
    padding_pix: float | None = None,
    padding_deg: float | None = None,
    replace: bool = False,
    collections: Collections = None,
    **conditions: object,
) -> VisitCounts:
    """Define the visits of exposures of the sky, in one transaction; run again it adds what is new.

    A visit's detectors get the region between the corners of their raws, by the WCS of these, and some
    padding; the visit gets the convex hull of them.

    Parameters
    ----------
    exposures
        Numbers. Default: all of the instrument.
    where
        An expression that exposures have to fulfil: ``exposure.exposure_time > 30``.
    system
        ``one-to-one``: each exposure is a visit, of the same number. ``by-group``: the exposures of a
        group are one visit, numbered after all exposures.
    padding_pix, padding_deg
        What is added on every side of a detector; one of them. Default: 250 pixels.
    replace
        Compute regions anew, also where there are some.
    collections
        Where the raws lie. Default: ``<instrument>/raw/all``.
    **conditions
        Columns of the exposure, and the values that they have to have: ``day_obs=20131102``.

    Raises
    ------
    NotFound
        When the instrument, the visit system or an exposure is not recorded.
    BadDataId
        When exposures of one group have several filters.
    Conflict
        When a visit is there that differs.
    """
    padding = _padding(padding_pix, padding_deg)
    found = _exposures(repository, instrument, exposures, where, conditions)
    on_sky = [one for one in found if _sees_sky(one)]
    number, camera = _system(repository, instrument, system)
    if system == BY_GROUP:
        wanted = list(_by_group(repository, camera, on_sky, number))
    else:
        wanted = [_Visit(int(str(one["id"])), str(one["obs_id"]), (one,)) for one in on_sky]
    footprints = Footprints(repository, instrument, collections or f"{instrument}/raw/all", padding)
    changes = [_change(repository, instrument, visit, footprints, replace=replace) for visit in wanted]
    with repository.transaction():
        counts = _write(repository, instrument, number, changes, replace=replace)
    return dataclass_replace(counts, off_sky=len(found) - len(on_sky))


def _padding(pixels: float | None, degrees: float | None) -> Padding:
    if pixels is not None and degrees is not None:
        raise BadArgument("padding of regions", "in pixels and in degrees", "give one of them")
    if min(pixels or 0, degrees or 0) < 0:
        raise BadArgument("padding of regions", "less than nothing", "give 0 or more")
    if degrees is not None:
        return Padding(degrees=degrees)
    return Padding(pixels=DEFAULT_PADDING_PIX if pixels is None else pixels)


# -- exposures -----------------------------------------------------------------------------------------


def _exposures(
    repository: Repository,
    instrument: str,
    numbers: Iterable[int] | None,
    where: str | None,
    conditions: Mapping[str, Any],
) -> list[Record]:
    if numbers is None:
        return list(repository.records("exposure", where=where, instrument=instrument, **conditions))
    if where or conditions:
        raise BadArgument("which exposures?", "by number and by conditions", "give one of them")
    found = []
    for number in dict.fromkeys(numbers):
        record = first(repository, "exposure", instrument=instrument, id=number)
        if record is None:
            raise NotFound(f"no exposure {number!r} of {instrument}", todo="ingest its raws first")
        found.append(record)
    return found


def _sees_sky(exposure: Mapping[str, object]) -> bool:
    """Tell whether an exposure can be a visit: of type science, tracking a position, the sky not hidden."""
    tracks = exposure["tracking_ra"] is not None and exposure["tracking_dec"] is not None
    return exposure["observation_type"] == "science" and tracks and exposure["can_see_sky"] is not False


def _system(repository: Repository, instrument: str, system: str) -> tuple[int, Record]:
    """Give the number of a visit system, and the record of the instrument."""
    if system not in (ONE_TO_ONE, BY_GROUP):
        raise BadArgument(f"visit system {system!r}", "unknown", f"{ONE_TO_ONE} or {BY_GROUP}")
    known = instrument_of(repository, instrument)
    record = first(repository, "visit_system", instrument=instrument, name=system)
    if record is None:
        todo = f"skyfs instrument add {instrument}"
        raise NotFound(f"no visit system {system!r} of {instrument}", "it is not recorded", todo)
    return int(str(record["id"])), known


def _by_group(
    repository: Repository, camera: Record, exposures: Sequence[Record], system: int
) -> Iterator[_Visit]:
    """Give one visit for each group, with all its exposures of the sky, whichever were asked for."""
    instrument = str(camera["name"])
    members = matching(repository, "visit_system_membership", instrument=instrument, visit_system=system)
    own = {one["visit"] for one in members}
    for group in dict.fromkeys(str(one["group"]) for one in exposures):
        records = matching(repository, "exposure", instrument=instrument, group=group)
        together = sorted(filter(_sees_sky, records), key=_begin)
        filters = sorted({str(one["physical_filter"]) for one in together})
        if len(filters) > 1:
            what = f"the visit of group {group!r} of {instrument}"
            raise BadDataId(what, f"its exposures have the filters {', '.join(filters)}", "leave them out")
        name = f"group {group}"
        known = first(repository, "visit", instrument=instrument, name=name)
        # A number once given stays, also when an earlier exposure of the group comes late.
        is_own = known is not None and known["id"] in own
        visit = int(str(known["id"])) if known is not None and is_own else _number(camera, together)
        yield _Visit(visit, name, tuple(together))


def _number(camera: Record, exposures: Sequence[Record]) -> int:
    """Give the number of a group's visit: after all exposures, so that it is none of their own visits."""
    number = int(str(camera["exposure_max"] or 0)) + min(int(str(one["id"])) for one in exposures)
    if camera["visit_max"] is not None and number >= int(str(camera["visit_max"])):
        found = f"it would be {number}, visits of {camera['name']} are numbered below {camera['visit_max']}"
        raise BadArgument("the number of a visit", found, "record the instrument with a larger visit_max")
    return number


def _begin(exposure: Mapping[str, object]) -> tuple[int, int]:
    span = exposure["timespan"]
    begin = span.begin_ns if isinstance(span, Timespan) else None
    return (begin or 0, int(str(exposure["id"])))


# -- changes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """A visit with what is to be written of it; no record: it is as it should be."""

    visit: _Visit
    record: Record | None
    is_new: bool
    footprint: Footprint


def _change(
    repository: Repository, instrument: str, visit: _Visit, footprints: Footprints, *, replace: bool
) -> _Change:
    old = first(repository, "visit", instrument=instrument, id=visit.id)
    rows = matching(repository, "visit_definition", instrument=instrument, visit=visit.id)
    defined = {one["exposure"] for one in rows}
    grown = defined != visit.numbers
    footprint = footprints.of(visit.id, visit.exposures, anew=replace or (grown and old is not None))
    if old is not None and not grown and not footprint.regions:
        return _Change(visit, None, is_new=False, footprint=footprint)
    record = _record(instrument, visit, footprint.whole)
    # One that nothing defines came from elsewhere: it has to be the same, or Conflict is raised.
    return _Change(visit, record, is_new=not defined, footprint=footprint)


def _record(instrument: str, visit: _Visit, region: bytes | None) -> Record:
    begun, ended = visit.exposures[0], visit.exposures[-1]
    times = [one["exposure_time"] for one in visit.exposures]
    return {
        "instrument": instrument,
        "id": visit.id,
        "name": visit.name,
        "physical_filter": begun["physical_filter"],
        "day_obs": begun["day_obs"],
        "seq_num": begun["seq_num"],
        "exposure_time": sum(time for time in times if isinstance(time, float)),
        "target_name": _common(visit, "target_name"),
        "observation_reason": _common(visit, "observation_reason"),
        "science_program": _common(visit, "science_program"),
        "azimuth": begun["azimuth"],
        "zenith_angle": begun["zenith_angle"],
        "timespan": _joined(begun["timespan"], ended["timespan"]),
        "region": region,
    }


def _common(visit: _Visit, name: str) -> object:
    """Give the value that all exposures have; None when they differ."""
    values = {one[name] for one in visit.exposures}
    return values.pop() if len(values) == 1 else None


def _joined(first: object, last: object) -> Timespan | None:
    if isinstance(first, Timespan) and isinstance(last, Timespan):
        return Timespan(first.begin_ns, last.end_ns)
    return None


def _write(
    repository: Repository, instrument: str, system: int, changes: Sequence[_Change], *, replace: bool
) -> VisitCounts:
    for new in (True, False):
        # A visit that is there already may grow; what it implies, such as its filter, cannot change.
        records = [one.record for one in changes if one.record is not None and one.is_new is new]
        repository.insert("visit", records, replace=replace or not new)
    common = {"instrument": instrument}
    definitions = [
        {**common, "visit": one.visit.id, "exposure": number}
        for one in changes
        for number in one.visit.numbers
    ]
    repository.insert("visit_definition", definitions)
    members = [{**common, "visit": one.visit.id, "visit_system": system} for one in changes]
    repository.insert("visit_system_membership", members)
    regions = [
        {**common, "visit": one.visit.id, "detector": detector, "region": region}
        for one in changes
        for detector, region in one.footprint.regions.items()
    ]
    repository.insert("visit_detector_region", regions, replace=True)
    written = [one for one in changes if one.record is not None]
    return VisitCounts(
        new=sum(one.is_new for one in written),
        changed=sum(not one.is_new for one in written),
        regions=len(regions),
        unplaced=sum(one.footprint.unplaced for one in changes),
    )
