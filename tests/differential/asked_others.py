"""Questions by hand about the samples of real cameras, and all records of all."""

from __future__ import annotations

from .question import Question, data_ids, records

_OBSERVED = "instrument day_obs detector group physical_filter visit_system exposure visit visit_definition"
_ELEMENTS = {
    "rc2": f"{_OBSERVED} visit_detector_region visit_system_membership skymap tract patch",
    "lsstcam": f"{_OBSERVED} visit_detector_region visit_system_membership",
    "ci_hsc": "instrument day_obs detector physical_filter visit visit_detector_region skymap tract",
    "cam": f"{_OBSERVED} visit_detector_region visit_system_membership skymap tract patch",
}
OTHERS = [
    *records(
        "visit",
        "visit.exposure_time > 30",
        "band = 'r'",
        "visit.region OVERLAPS POINT(320.9, -0.2)",
        world="ci_hsc",
        camera="instrument = 'HSC'",
    ),
    *records(
        "visit",
        "visit.timespan OVERLAPS (T'2013-06-18', NULL)",
        "visit.target_name = 'STRIPE82L'",
        world="ci_hsc",
        camera="instrument = 'HSC'",
    ),
    *data_ids(
        "visit detector",
        "",
        "visit = 903334",
        "detector IN (0..10)",
        "band = 'i' AND detector > 90",
        world="ci_hsc",
        camera="instrument = 'HSC'",
    ),
    *data_ids(
        "visit detector",
        "visit_detector_region.region OVERLAPS REGION('CIRCLE 320.8 -0.3 0.05')",
        world="ci_hsc",
        camera="instrument = 'HSC'",
    ),
    *data_ids(
        "visit detector tract",
        "tract = 0",
        "tract = 0 AND visit = 903334",
        world="ci_hsc",
        camera="instrument = 'HSC' AND skymap = 'discrete/ci_hsc'",
    ),
    *(
        Question("ci_hsc", "datasets", ("calexp",), where, collections=("HSC/runs/ci_hsc/20240806T180642Z",))
        for where in (
            "",
            "instrument = 'HSC' AND band = 'r'",
            "instrument = 'HSC' AND visit.day_obs = 20131102",
            "instrument = 'HSC' AND visit_detector_region.region OVERLAPS REGION('CIRCLE 320.8 -0.3 0.05')",
            "instrument = 'HSC' AND skymap = 'discrete/ci_hsc' AND tract = 0",
        )
    ),
    *(
        Question(
            "ci_hsc", "datasets", ("*",), "", collections=("skymaps", "HSC/runs/ci_hsc/20240806T180642Z")
        )
        for _ in range(1)
    ),
    *(
        Question(world, "records", (element,))
        for world, elements in _ELEMENTS.items()
        for element in elements.split()
    ),
    *data_ids(
        "visit detector patch",
        "",
        "tract = 9615",
        world="rc2",
        camera="instrument = 'HSC' AND skymap = 'hsc_rings_v1'",
    ),
    *data_ids("exposure visit", "", "visit.exposure_time > 100", world="rc2", camera="instrument = 'HSC'"),
    *data_ids(
        "visit detector",
        "",
        "detector = 10",
        "exposure.target_name = 'lowdust'",
        world="lsstcam",
        camera="instrument = 'LSSTCam'",
    ),
    *data_ids(
        "exposure",
        "exposure.day_obs = 20251202 AND exposure.tracking_dec < -40",
        "exposure = 2025120200439",
        world="lsstcam",
        camera="instrument = 'LSSTCam'",
    ),
]
