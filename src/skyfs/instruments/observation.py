"""One exposure as a header tells of it: the columns of its record, and which detector it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import BadDataId, NotFound, SkyfsError, Unsupported
from ..formats.guards import Tolerance
from ..model.timespan import Timespan, to_tai_ns
from .definition import Definition
from .keywords import Rule
from .parsing import DEGREES, INTEGERS, SECONDS, TEXTS, TRUTHS

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator, ObservationInfo

_NS_PER_S = 10**9
_OFFLINE = threading.Lock()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What is asked of a translator: airmass, weather and the like are slow and not recorded.
_NEEDED = frozenset(
    ("exposure_id", "observation_id", "physical_filter", "datetime_begin", "observing_day", "detector_num")
)
_OF_DETECTOR = frozenset(("exposure_id", "observation_id", "physical_filter", "detector_num"))
_WANTED = _NEEDED | {
    *("datetime_end", "exposure_time", "dark_time", "observation_type", "observation_reason"),
    *("exposure_group", "observation_counter", "group_counter_start", "group_counter_end", "object"),
    *("science_program", "tracking_radec", "boresight_rotation_angle", "boresight_rotation_coord"),
    *("altaz_begin", "has_simulated_content", "can_see_sky", "observing_day_offset"),
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What one header tells.

    Attributes
    ----------
    exposure
        The exposure's record, but for the instrument.
    night
        The timespan of its day_obs.
    """

    exposure: Mapping[str, object]
    night: Timespan
    detector: int

    @property
    def id(self) -> int:
        """Number of the exposure."""
        return int(str(self.exposure["id"]))


def translator_of(definition: Definition) -> type[MetadataTranslator] | None:
    """Give the translator of an instrument; None when it has none, or it is not installed."""
    from astro_metadata_translator import MetadataTranslator

    return MetadataTranslator.translators.get(definition.translator) if definition.translator else None


def observe(
    definition: Definition, header: Mapping[str, object], other: Observation | None = None
) -> Observation:
    """Read a header: with astro_metadata_translator where it knows the instrument, else by its rules.

    ``other`` is another detector of the same file: what both have in common is taken over from it.

    Raises
    ------
    BadDataId
        When a keyword that is needed is not there, or has a value of the wrong kind.
    Unsupported
        When there is neither a translator nor rules.
    """
    translator = translator_of(definition)
    if translator is None and not definition.rules:
        found = f"the translator {definition.translator!r} of astro_metadata_translator is not installed"
        raise Unsupported(f"read headers of {definition.name}", found, "install it, or define header rules")
    with Tolerance():
        if translator is None:
            return _by_rules(definition, header)
        detector = None if other is None else _detector(definition, header, translator, other)
        if other is not None and detector is not None:
            return replace(other, detector=detector)
        return _by_translator(definition, header, translator)


# -- astro_metadata_translator -------------------------------------------------------------------------


def _by_translator(
    definition: Definition, header: Mapping[str, object], translator: type[MetadataTranslator]
) -> Observation:
    info = _info(definition, header, translator, (_NEEDED, _WANTED))
    offset = info.observing_day_offset
    begins_s = definition.night_begins_s
    if begins_s is None:
        begins_s = 0.0 if offset is None else float(offset.to_value("s"))
    span = _span(info.datetime_begin, info.datetime_end, None)
    given = _translated(info)
    if definition.night_begins_s is not None:
        given["day_obs"] = _day(span.begin_ns, begins_s)
    return _observation(definition, given, span, begins_s, info.detector_num)


def _detector(
    definition: Definition,
    header: Mapping[str, object],
    translator: type[MetadataTranslator],
    other: Observation,
) -> int | None:
    """Give which detector a header is of, when it is of the same exposure as another one; None if not."""
    info = _info(definition, header, translator, (_OF_DETECTOR, _OF_DETECTOR))
    columns = ("id", "obs_id", "physical_filter")
    same = (info.exposure_id, info.observation_id, info.physical_filter)
    if same != tuple(other.exposure[name] for name in columns):
        return None
    return _number(definition, info.detector_num)


def _info(
    definition: Definition,
    header: Mapping[str, object],
    translator: type[MetadataTranslator],
    asked: tuple[frozenset[str], frozenset[str]],
) -> ObservationInfo:
    """Ask a translator for what is needed and what is wanted."""
    from astro_metadata_translator import ObservationInfo

    needed, wanted = asked
    try:
        with _offline():
            # It may mend the header, which is not to reach the caller's.
            return ObservationInfo(
                dict(header),
                translator_class=translator,
                required=set(needed),
                subset=set(wanted),
                quiet=True,
            )
    except Exception as error:
        # Translators answer odd headers with nearly any exception; the cause says which keyword it was.
        raise BadDataId(
            f"its header is not one of a raw of {definition.name}", _reasons(error), "leave the file out"
        ) from error


@contextmanager
def _offline() -> Iterator[None]:
    """Keep translators off the network: for headers without a place they look observatories up there.

    Nothing that is recorded depends on the place. The setting is that of the process, so one at a time.
    """
    from astropy.utils.data import conf

    with _OFFLINE, conf.set_temp("allow_internet", False):  # noqa: FBT003 - a setting and its value
        yield


def _translated(info: ObservationInfo) -> dict[str, object]:
    """Give the columns that astro_metadata_translator has values for."""
    sky = info.tracking_radec.icrs if info.tracking_radec is not None else None
    on_sky = info.boresight_rotation_coord == "sky" and info.boresight_rotation_angle is not None
    horizon = info.altaz_begin
    return {
        "id": info.exposure_id,
        "obs_id": info.observation_id,
        "physical_filter": info.physical_filter,
        "group": info.exposure_group,
        "day_obs": info.observing_day,
        "exposure_time": None if info.exposure_time is None else float(info.exposure_time.to_value("s")),
        "dark_time": None if info.dark_time is None else float(info.dark_time.to_value("s")),
        "observation_type": info.observation_type,
        "observation_reason": info.observation_reason,
        "seq_num": info.observation_counter,
        "seq_start": info.group_counter_start,
        "seq_end": info.group_counter_end,
        "target_name": info.object,
        "science_program": info.science_program,
        "tracking_ra": None if sky is None else float(sky.ra.deg),
        "tracking_dec": None if sky is None else float(sky.dec.deg),
        "sky_angle": float(info.boresight_rotation_angle.deg) if on_sky else None,  # type: ignore[union-attr]  # on_sky
        "azimuth": None if horizon is None else float(horizon.az.deg),
        "zenith_angle": None if horizon is None else float(horizon.zen.deg),
        "has_simulated": info.has_simulated_content,
        "can_see_sky": info.can_see_sky,
    }


def _reasons(error: BaseException) -> str:
    """Give the messages of an exception and its causes."""
    found: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(found) < 3:
        found.append(f"{type(cause).__name__}: {' '.join(str(cause).split())}")
        cause = cause.__cause__
    return "; ".join(found)


# -- rules ---------------------------------------------------------------------------------------------


def _by_rules(definition: Definition, header: Mapping[str, object]) -> Observation:
    rules = definition.rules
    given: dict[str, object] = {}
    try:
        given |= {name: rules[name].text(header) for name in TEXTS if name in rules}
        given |= {name: rules[name].integer(header) for name in INTEGERS if name in rules}
        given |= {name: rules[name].number(header, "s") for name in SECONDS if name in rules}
        given |= {name: rules[name].number(header, "deg") for name in DEGREES if name in rules}
        given |= {name: rules[name].boolean(header) for name in TRUTHS if name in rules}
        begin = rules["begin"].time(header)
        end = rules["end"].time(header) if "end" in rules else None
        detector = rules["detector"].find(header) if "detector" in rules else next(iter(definition.detectors))
    except SkyfsError as error:
        raise BadDataId(f"its header is not one of a raw of {definition.name}", str(error)) from None
    needed: dict[str, object] = {
        "exposure": given.get("exposure"),
        "physical_filter": given.get("physical_filter"),
        "begin": begin,
        "detector": detector,
    }
    for name, value in needed.items():
        if value is None:
            raise _lacking(definition, name, rules[name])
    given["id"] = given.pop("exposure")
    begins_s = definition.night_begins_s or 0.0
    span = _span(begin, end, given.get("exposure_time"))
    if given.get("day_obs") is None:
        given["day_obs"] = _day(span.begin_ns, begins_s)
    given.setdefault("has_simulated", False)
    return _observation(definition, given, span, begins_s, detector)


def _lacking(definition: Definition, name: str, rule: Rule) -> BadDataId:
    return BadDataId(
        f"its header is not one of a raw of {definition.name}",
        f"no {name}: it should have {rule.wanted or 'a value'}",
        "leave the file out, or mend the rules of the instrument",
    )


# -- both ----------------------------------------------------------------------------------------------


def _observation(
    definition: Definition, given: dict[str, object], span: Timespan, begins_s: float, detector: object
) -> Observation:
    for name in ("obs_id", "group"):
        given[name] = given.get(name) or str(given["id"])
    number = int(str(given["id"]))
    if not 0 <= number < definition.numbering.exposure_max:
        found = f"exposures of {definition.name} are numbered below {definition.numbering.exposure_max}"
        raise BadDataId(f"exposure {number}", found, "mend numbering of the instrument")
    definition.band(str(given["physical_filter"]))
    night = _night(int(str(given["day_obs"])), begins_s)
    return Observation({**given, "timespan": span}, night, _number(definition, detector))


def _number(definition: Definition, detector: object) -> int:
    """Give the number of a detector that the instrument has."""
    try:
        return definition.detector(detector).id
    except NotFound as error:
        raise BadDataId(error.asked, error.found, "mend detectors of the instrument") from None


def _span(begin: object, end: object, exposure_time_s: object) -> Timespan:
    """Give the timespan of an exposure; one without length, such as a bias, lasts a nanosecond."""
    begin_ns = to_tai_ns(begin)
    end_ns = to_tai_ns(end)
    if begin_ns is None:
        raise BadDataId("an exposure", "no time of its beginning")
    if end_ns is None:
        end_ns = begin_ns + round((exposure_time_s if isinstance(exposure_time_s, float) else 0) * _NS_PER_S)
    return Timespan(begin_ns, max(end_ns, begin_ns + 1))


def _day(begin_ns: int | None, begins_s: float) -> int:
    """Give the night of a moment as the number YYYYMMDD."""
    moment = _EPOCH + timedelta(microseconds=((begin_ns or 0) - round(begins_s * _NS_PER_S)) // 1000)
    return int(f"{moment.year:04d}{moment:%m%d}")


def _night(day_obs: int, begins_s: float) -> Timespan:
    """Give the timespan of a night."""
    try:
        midnight = datetime.strptime(f"{day_obs:08d}", "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise BadDataId(f"day_obs={day_obs}", "no date", "YYYYMMDD is wanted") from None
    begin_ns = (midnight - _EPOCH) // timedelta(microseconds=1) * 1000 + round(begins_s * _NS_PER_S)
    return Timespan(begin_ns, begin_ns + 86_400 * _NS_PER_S)
