"""Exports of Rubin data butlers, taken in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadArgument, BadContent, IsDirectory, NotFound, StoreError, look_for
from ..model.garbage import many_objects
from ..writing.ingester import MODES, Ingester
from .base import Base

if TYPE_CHECKING:
    from ..importing.result import Imported


class Importing(Base):
    """Takes exports in."""

    def import_export(
        self,
        export: str | os.PathLike[str],
        *,
        directory: str | os.PathLike[str] | None = None,
        mode: str = "auto",
        files: str = "auto",
    ) -> Imported:
        """Take an export of a Rubin data butler in, all of it or nothing.

        Records, collections and dataset types that are there already must be the same. Datasets keep their
        ids; one that is there under its id is no change. Storage classes become those that are known here;
        the result tells which. Exports of older dimension universes are brought to the present one.

        Parameters
        ----------
        export
            The YAML file.
        directory
            The folder that paths of files start from. Default: the one of the export.
        mode
            How files are taken in: as `ingest`.
        files
            ``auto``: those that exist are ingested, other datasets are declared; ``need``: all must exist
            and be readable as their types; ``ignore``: all datasets are declared.

        Raises
        ------
        NotFound
            When the export, something that it refers to, or a file that is needed does not exist.
        BadContent
            When it is damaged or no export; the message names line or entry.
        VersionError
            When its format is of a version that is not known.
        Conflict
            When it contradicts what is there.
        BadDefinition, BadDataId
            When records, types or data IDs do not fit the dimensions here.
        """
        from ..importing.files import USES, Files
        from ..importing.importer import Importer
        from ..importing.reading import read_export

        for name, given, known in (("mode", mode, MODES), ("files", files, USES)):
            if given not in known:
                raise BadArgument(f"import with {name}={given!r}", "no such", f"one of {', '.join(known)}")
        path = Path(export)
        folder = Path(os.path.abspath(path.parent if directory is None else directory))
        ingester = Ingester(self.root, self.writer, self.formats)
        importer = Importer(self.registry, self.writer, ingester, self.formats, self.user)
        with many_objects():
            found = read_export(_text(path), path.name)
            return importer.run(found, Files(folder, self.formats, files), mode)


def _text(path: Path) -> str:
    what = f"import {str(path)!r}"
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(what, "no such file", look_for(path)) from None
    except IsADirectoryError:
        raise IsDirectory(what, "it is a directory", "name the export in it") from None
    except UnicodeDecodeError as error:
        raise BadContent(what, f"not UTF-8 at byte {error.start}") from None
    except ValueError as error:  # of the name: a NUL, or what no file name can be
        raise BadArgument(what, str(error), "name a file") from None
    except OSError as error:
        raise StoreError(what, error.strerror or str(error)) from None
