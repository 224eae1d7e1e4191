"""Checking a repository, and repairing it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import BadArgument, ReadOnly
from .base import Base

if TYPE_CHECKING:
    from ..checking import Options, Report, Sample
    from ..checking.checker import Watch


class Checking(Base):
    """Tells whether all that is known and all that is stored go together."""

    def check(  # noqa: PLR0913 - the design names them; all have a default
        self,
        *,
        digests: bool = False,
        sample: Sample | str | None = None,
        seed: int | None = None,
        repair: bool = False,
        source: Checking | None = None,
        workers: int = 2,
        resume: bool = False,
        watch: Watch | None = None,
    ) -> Report:
        """Look for rows that contradict each other, and files that are missing, damaged or nobody's.

        Others may read and write meanwhile. Without ``repair`` nothing is changed. Memory does not grow with
        the repository.

        Parameters
        ----------
        digests
            Whether all files are read, and held against their digests; else only against their sizes. With
            ``repair``, files that were taken in unread get a digest.
        sample
            How many datasets' files are looked at: ``1000``, or ``5%``; drawn by ``seed``, or by chance.
            Extra files are looked for only without it. The registry is checked whole.
        repair
            Whether what can be repaired is: rows are derived anew or dropped, files restored from a place
            with the same bytes; what was wrong goes into the quarantine of its store.
        source
            Another repository, from which files with the same id and digest may be restored.
        workers
            How many local files are read at once; of far ones four times as many.
        resume
            Keep a state in the repository's folder, and go on with that of a check that was interrupted.
        watch
            Is told how far it has come.

        Returns
        -------
        Report
            What was found. See docs/checking.md for the codes.

        Raises
        ------
        ReadOnly
            When it shall be repaired, and was opened for reading.
        BadArgument
            When the sample or a number makes no sense.
        StoreError
            When another check has the state, or the state cannot be written.
        """
        from ..checking import Options, Sample

        if repair and not self.writable:
            raise ReadOnly(f"repair {self.name!r}", "it is open for reading", "open it writable")
        if self.registry.in_transaction:
            raise BadArgument(f"check {self.name!r}", "a transaction is open", "end it first")
        drawn = Sample.parse(sample) if isinstance(sample, str) else sample
        options = Options(digests, drawn, seed, repair, workers)
        return self._checked(options, source, watch or _unwatched, resume=resume)

    def _checked(self, options: Options, source: Checking | None, watch: Watch, *, resume: bool) -> Report:
        from ..checking import Checker, Subject
        from ..checking.checker import FOLDER
        from ..checking.restoring import Origin
        from ..checking.state import State

        origin = None if source is None else Origin(source.name, source.registry, source.stores)
        subject = Subject(self.root, self.config, self.registry, self.stores, self.recover, self.recovered)
        path = self.root / FOLDER / "state.sqlite3" if resume else None
        try:
            with State(path) as state:
                return Checker(subject, options, state, origin, watch).run(resume=resume)
        finally:
            with suppress(OSError):  # they are not there, or hold more
                (self.root / FOLDER).rmdir()
                (self.root / FOLDER).parent.rmdir()


def _unwatched(stage: str, done: int, total: int) -> None:
    """Nobody looks."""
