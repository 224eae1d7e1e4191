"""``put`` and ``ingest``: files that become datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import Conflict, printable
from ..model.batches import batches
from .arguments import pairs, taking
from .printing import busy, progress
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.dataset import DatasetRef
    from ..model.dimensions import DimensionGroup
    from ..repository import Repository
    from .identifying import Identified, Identifier

# Files are synced once for each batch, and the progress bar moves once.
_BATCH = 200


@click.command()
@click.argument("file", metavar="FILE")
@click.argument("type_name", metavar="TYPE")
@click.argument("data_id", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-r", "--run", required=True, help="The RUN; made when it is new.")
@click.option("--replace", "replacing", is_flag=True, help="Put it in the place of one that is there.")
@click.pass_obj
def put(
    session: Session, *, file: str, type_name: str, data_id: Sequence[str], run: str, replacing: bool
) -> None:
    """Store FILE as a dataset of TYPE; the file stays. Prints its path."""
    from ..writing.ingester import IngestFile

    repository = session.repository(writable=True)
    wanted = IngestFile(file, pairs(data_id))
    with busy("put"):
        (ref,) = repository.ingest([wanted], type_name, run=run, mode="copy", replace=replacing)
    click.echo(repository.path(ref))


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("-t", "--type", "type_name", required=True, metavar="TYPE", help="Registered when it is new.")
@click.option("-r", "--run", required=True, help="The RUN; made when it is new.")
@click.option(
    "--id", "rules", multiple=True, metavar="KEY=RULE", help="Value of a dimension; see above. Repeat."
)
@click.option("--define", is_flag=True, help="Insert the dimension records that are missing.")
@taking
@click.option("--storage-class", metavar="NAME", help="Of a new type. Default: by the files' extension.")
@click.option(
    "--replace", "replacing", is_flag=True, help="Put them in the place of datasets that are there."
)
@click.pass_obj
def ingest(session: Session, /, *, files: Sequence[str], type_name: str, run: str, **options: object) -> None:
    """Take FILES of any names in as datasets of TYPE: all of them, or none.

    \b
    --id KEY=VALUE             the same for all files
    --id KEY=header:KEYWORD    from the header of each file
    --id KEY=name:REGEX        from each file's name: group 1, or the group named KEY

    KEY is a dimension, or ELEMENT.COLUMN for more of a record that --define inserts, such as
    exposure.exposure_time=header:EXPTIME. Modes: copy (auto does it too), move, link (hard link), symlink,
    direct (the files stay where they are).
    """  # noqa: D301 - a control character, by which click leaves the lines below it as they are
    from .identifying import Identifier, require_told_apart

    repository = session.repository(writable=True)
    identifier = Identifier(repository.registry.universe, options["rules"])  # type: ignore[arg-type]
    with progress("ingest", len(files)) as advance:
        identified = [identifier.identify(repository.formats, path) for path in files]
        require_told_apart(identified)
        taken = _take(repository, identifier, identified, (type_name, run), options, advance)
    click.echo(printable(f"{len(taken)} {type_name} in {run}"))
    if len(taken) == 1:
        click.echo(repository.path(taken[0]))


def _take(
    repository: Repository,
    identifier: Identifier,
    files: Sequence[Identified],
    target: tuple[str, str],
    options: dict[str, object],
    advance: Callable[[int], None],
) -> list[DatasetRef]:
    """Insert records, register the type and ingest the files, in one transaction."""
    from .identifying import missing_records, require_recorded, to_ingest

    type_name, run = target
    refs: list[DatasetRef] = []
    with repository.transaction():
        group = _group(repository, identifier, type_name, files, options["storage_class"])
        if options["define"]:
            for element, records in missing_records(repository, group, files):
                repository.insert(element, records)
        else:
            require_recorded(repository, group, files)
        for some in batches(map(to_ingest, files), _BATCH):
            mode, replacing = str(options["mode"]), bool(options["replacing"])
            refs += repository.ingest(some, type_name, run=run, mode=mode, replace=replacing)
            advance(len(some))
    return refs


def _group(
    repository: Repository,
    identifier: Identifier,
    type_name: str,
    files: Sequence[Identified],
    storage_class: object,
) -> DimensionGroup:
    """Give the dimensions of a type, registering it when it is new."""
    known = [one for one in repository.types() if one.name == type_name]
    if known:
        if storage_class is not None and storage_class != known[0].storage_class:
            raise Conflict(f"dataset type {type_name!r}", f"its storage class is {known[0].storage_class}")
        return known[0].group
    wanted = str(storage_class or repository.formats.storage_class_for(files[0].extension))
    return repository.register(type_name, identifier.dimensions(), wanted).group
