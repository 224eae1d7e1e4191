"""Instruments in a repository: recorded with their filters and detectors, shown."""

from __future__ import annotations

from ..config.yamlfile import read_yaml, write_yaml
from ..repository import Repository
from .cameras import SHIPPED, Described, load, place, shipped
from .definition import Definition


def add(repository: Repository, what: Described, *, replace: bool = False) -> Definition:
    """Record an instrument with its detectors, filters and visit systems; the same again is no change.

    One that does not ship with skyfs is kept in the repository, so that its raws are recognised from now on.

    Parameters
    ----------
    what
        The name of one that ships with skyfs, a YAML file, or what such a file holds.
    replace
        Change records that are there and differ.

    Raises
    ------
    BadDefinition
        When the definition is not well formed; nothing is changed then.
    Conflict
        When another instrument of that name, or a detector that differs, is recorded.
    """
    definition = load(what, repository)
    with repository.transaction():
        insert_definition(repository, definition, replace=replace)
        _keep(repository, definition)
    return definition


def insert_definition(repository: Repository, definition: Definition, *, replace: bool = False) -> None:
    """Insert the records of an instrument."""
    name = definition.name
    repository.insert("instrument", [instrument_record(definition)], replace=replace)
    systems = [
        {"instrument": name, "id": number, "name": system}
        for system, number in definition.visit_systems.items()
    ]
    repository.insert("visit_system", systems, replace=replace)
    bands = [{"instrument": name, "name": glass, "band": band} for glass, band in definition.bands.items()]
    repository.insert("physical_filter", bands, replace=replace)
    repository.insert("detector", detector_records(definition), replace=replace)


def instrument_record(definition: Definition) -> dict[str, object]:
    """Give the record of the instrument itself."""
    return {
        "name": definition.name,
        "visit_max": definition.numbering.visit_max,
        "visit_system": definition.visit_systems[definition.visit_system],
        "exposure_max": definition.numbering.exposure_max,
        "detector_max": definition.numbering.detector_max,
        "class_name": definition.class_name,
    }


def detector_records(definition: Definition) -> list[dict[str, object]]:
    """Give the records of the detectors."""
    return [
        {
            "instrument": definition.name,
            "id": one.id,
            "full_name": one.full_name,
            "name_in_raft": one.name_in_raft,
            "raft": one.raft,
            "purpose": one.purpose,
        }
        for one in definition.detectors.values()
    ]


def _keep(repository: Repository, definition: Definition) -> None:
    """Write the definition into the repository, unless it ships with skyfs or is there already."""
    path = place(repository, definition.name)
    source = dict(definition.source)
    if definition.name in SHIPPED and source == shipped(definition.name).source and not path.exists():
        return
    if not path.exists() or read_yaml(path) != source:
        write_yaml(path, source, mode=0o644)
