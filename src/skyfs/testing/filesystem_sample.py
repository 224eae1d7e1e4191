"""A small repository with every kind of collection, dimension and odd name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from skyfs.model.dataset import DatasetRef
from skyfs.repository import Repository

SAMPLE_GROUPS = 7
"""Dimension groups of the sample, those of calibrations counted twice."""

_FILTERS = {"r": "r", "i.MP9702": "i"}
_VISITS = {101: "r", 102: "i.MP9702", 103: "r", 111: "i.MP9702"}
_NIGHTS = {101: 20260101, 102: 20260101, 103: 20260102, 111: 20260102}


@dataclass
class Sample:
    """The repository and what it holds.

    Attributes
    ----------
    files
        The bytes of all files, by path.
    one
        The path of a dataset in a RUN.
    aliases
        Other spellings of it.
    folder_alias
        Another spelling of a folder.
    """

    repository: Repository
    files: dict[str, bytes] = field(default_factory=dict)
    one: str = "/Cam/runs/a/calexp/instrument=Cam/day_obs=20260101/visit=101/detector=1.json"
    aliases: tuple[str, ...] = (
        "/Cam/runs/a/calexp/instrument=Cam/visit=101/detector=1.json",
        "/Cam/runs/a/calexp/detector=1/visit=101/instrument=Cam.json",
        "/Cam/runs/a/calexp/instrument=Cam/visit=101/physical_filter=r/detector=1.json",
        "/Cam/runs/a/calexp/instrument=Cam/visit=101/band=r/detector=1.json",
        "/Cam/runs/a/calexp/instrument=Cam/visit=101/full_name=S1.json",
    )
    folder_alias: str = "/Cam/runs/a/calexp/instrument=Cam/visit=102"

    def put(self, run: str, name: str, levels: dict[str, Any], **values: Any) -> DatasetRef:  # noqa: ANN401 - parts of a data ID
        """Put a dataset and note where it must show up."""
        content = {"run": run, **levels, "text": "x" * (len(self.files) * 13 % 400)}
        extension = ".json"
        ref = self.repository.put(content, name, run=run, **{**levels, **values})
        with self.repository.open_bytes(self.repository.resolve(name, collections=run, **levels))[
            1
        ] as source:
            self.files[f"/{run}{_below(name, levels, extension)}"] = source.read_all()
        return ref


def fill(repository: Repository) -> Sample:
    """Fill an empty repository."""
    sample = Sample(repository)
    with repository.transaction():
        _define(repository)
        _fill_runs(sample)
    _fill_others(sample)
    return sample


def _define(repository: Repository) -> None:
    repository.insert("instrument", [{"name": "Cam"}])
    filters = [{"instrument": "Cam", "name": name, "band": band} for name, band in _FILTERS.items()]
    repository.insert("physical_filter", filters)
    detectors = [{"instrument": "Cam", "id": number, "full_name": f"S{number}"} for number in (1, 2, 21)]
    repository.insert("detector", detectors)
    for number, night in _NIGHTS.items():
        common = {"instrument": "Cam", "id": number, "physical_filter": _VISITS[number], "day_obs": night}
        repository.insert("visit", [{**common, "name": f"v{number}"}])
        repository.insert("exposure", [{**common, "obs_id": f"e{number}", "group": f"g{number}"}])
    repository.insert("skymap", [{"name": "sky/map v1", "hash": b"0" * 40}])
    repository.insert("tract", [{"skymap": "sky/map v1", "id": 7}])
    types = {
        "raw": ("exposure", "detector"),
        "calexp": ("visit", "detector"),
        "metrics": ("visit", "detector"),
        "coadd": ("tract", "band"),
        "visit_summary": ("visit",),
        "summary": (),
        "notes": (),
    }
    for name, dimensions in types.items():
        repository.register(name, dimensions, "Dict")
    repository.register("flat", ["detector", "physical_filter"], "Dict", calibration=True)


def _fill_runs(sample: Sample) -> None:
    for visit, night in _NIGHTS.items():
        levels: dict[str, object] = {"instrument": "Cam", "day_obs": night, "visit": visit}
        for detector in (1, 2, 21):
            taken = {"instrument": "Cam", "day_obs": night, "exposure": visit, "detector": detector}
            sample.put("Cam/raw", "raw", taken)
            sample.put("Cam/runs/a", "calexp", {**levels, "detector": detector})
        sample.put("Cam/runs/b", "calexp", {**levels, "detector": 1})
        sample.put("Cam/runs/b", "metrics", {**levels, "detector": 1})
        sample.put("Cam/runs/a", "visit_summary", levels)
    for name in ("summary", "notes"):
        sample.put("Cam/runs/a", name, {})
    for band in ("r", "i"):
        sample.put("coadds/2026", "coadd", {"skymap": "sky/map v1", "tract": 7, "band": band})


def _fill_others(sample: Sample) -> None:
    """Tag, certify and chain, and note which files show up by that."""
    repository = sample.repository
    levels = {"instrument": "Cam", "day_obs": 20260101, "visit": 101, "detector": 1}
    repository.tag([repository.find("calexp", collections="Cam/runs/a", **levels)], "best")
    sample.files[f"/best{_below('calexp', levels, '.json')}"] = sample.files[sample.one]
    for begin, end in (("2026-01-01", "2026-01-02"), ("2026-01-02", None)):
        for detector in (1, 2):
            values: dict[str, object] = {
                "instrument": "Cam",
                "detector": detector,
                "physical_filter": "i.MP9702",
            }
            run = f"Cam/calib/made {begin}"
            ref = sample.put(run, "flat", values)
            repository.certify([ref], "Cam/calib", begin, end)
            valid = f"{begin.replace('-', '')}T000000--{end.replace('-', '') + 'T000000' if end else 'max'}"
            data = sample.files[f"/{run}{_below('flat', values, '.json')}"]
            sample.files[f"/Cam/calib{_below('flat', {**values, 'valid': valid}, '.json')}"] = data
    chain = ["Cam/runs/b", "Cam/runs/a", "Cam/raw", "Cam/calib"]
    repository.chain("Cam/all", chain)
    for name in reversed(chain):
        for path, data in list(sample.files.items()):
            if path.startswith(f"/{name}/") and not path.startswith("/Cam/calib/made"):
                sample.files[f"/Cam/all{path.removeprefix(f'/{name}')}"] = data


def _below(name: str, levels: dict[str, object], extension: str) -> str:
    """Give what stands after the collection; written out here, so that the sample does not trust the code."""
    encoded = {"i.MP9702": "i%2EMP9702", "sky/map v1": "sky%2Fmap v1"}
    keys = "".join(f"/{level}={encoded.get(str(value), value)}" for level, value in levels.items())
    return f"/{name}{keys}{extension}"


def as_json(data: bytes) -> object:
    """Read a dataset of the sample."""
    return json.loads(data)
