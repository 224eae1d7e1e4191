"""The registry of one repository: its parts, made and opened together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from ..errors import BadDefinition, StoreError, VersionError
from ..model.dimensions import Universe
from .audit import Audit
from .captured import Captured
from .catalogue import Catalogue, Snapshot
from .changelog import ChangeLog, Logs
from .collections import Collections
from .database import Database, State
from .dataids import DataIds
from .datasets import Datasets
from .details import Details
from .files import Files
from .holdings import Holdings
from .leaves import Leaves
from .lookup import Lookup
from .place import Place
from .queries.queries import Queries
from .recording import Recorder
from .records import Records
from .schema import SCHEMA_VERSION, Schema, fixed_tables
from .sides import Sides
from .sqlite import SqliteFile, in_memory
from .statement import Language, Statement
from .symbols import Symbols
from .upgrading import check_version


class Registry:
    """What exists in a repository.

    Attributes
    ----------
    universe
        Its dimensions.
    collections
        Makes and changes collections and dataset types.
    records
        Dimension records.
    sides
        Attaches side tables.
    data_ids
        Completes and checks data IDs.
    datasets
        Inserts, tags, certifies and removes datasets.
    captured
        Values that were read from the bytes of datasets.
    lookup
        Finds and lists datasets.
    leaves
        Lists folders of datasets as bare rows.
    details
        Tells what else is kept of datasets: what they were made from, captured values.
    files
        Finds files by where they lie.
    queries
        Answers questions.
    holdings
        Tells which types collections hold.
    audit
        The rules that its rows keep.
    """

    def __init__(self, database: Database, universe: Universe, log: ChangeLog | None = None) -> None:
        self.universe = universe
        self._database = database
        schema = Schema(universe)
        catalogue = Catalogue(database, schema)
        symbols = Symbols(database, schema)
        recorder = Recorder(database, log if database.writable else None)
        self.collections = Collections(database, schema, catalogue, recorder)
        self.records = Records(database, schema, recorder)
        self.sides = Sides(database, schema, catalogue, self.records, recorder)
        self.data_ids = DataIds(universe, self.records)
        self.datasets = Datasets(database, schema, catalogue, symbols, recorder)
        self.captured = Captured(database, schema, symbols)
        self.lookup = Lookup(database, schema, catalogue, symbols, self.data_ids)
        self.leaves = Leaves(database, schema, symbols)
        self.details = Details(database, schema)
        self.files = Files(database, schema, symbols, recorder)
        self.holdings = Holdings(database, schema)
        self.queries = Queries(database, schema)
        self.audit = Audit(database, schema, catalogue, self.records, self.data_ids, recorder)

    @classmethod
    def create(
        cls,
        place: Path | Place,
        universe: Mapping[str, object],
        *,
        durability: str,
        logs: Logs | None = None,
    ) -> Registry:
        """Create the registry of a new repository; a path is that of a SQLite file.

        ``logs`` is where all its changes are written down, from its first day.

        Raises
        ------
        Exists
            When one is there already.
        BadDefinition
            When the universe is not well formed; nothing is written then.
        """
        parsed = Universe.from_mapping(universe)
        text = _as_json(universe)
        place = _place(place)
        database = place.create(durability=durability)
        try:
            _lay_out(database, parsed, text)
            log = None if logs is None else logs.open(universe, durability)
            if log is not None:
                log.begin()
        except BaseException:
            database.close()
            place.drop()
            raise
        return cls(database, parsed, log)

    @classmethod
    def in_memory(cls, universe: Universe) -> Registry:
        """Create an empty registry that lives in the memory of this process until it is closed."""
        database = in_memory()
        _lay_out(database, universe, "")
        return cls(database, universe)

    @classmethod
    def open(
        cls, place: Path | Place, *, writable: bool, durability: str, logs: Logs | None = None
    ) -> Registry:
        """Open a registry; a path is that of a SQLite file.

        ``logs`` is where its changes are written down.

        Raises
        ------
        NotFound
            When there is none.
        VersionError
            When it is no registry, is damaged, or has a schema that this version does not know.
        StoreError
            When it cannot be read.
        """
        database = _place(place).open(writable=writable, durability=durability)
        try:
            mapping = _universe(database)
            log = None if logs is None else logs.open(mapping, durability)
            return cls(database, _parsed(database, mapping), log)
        except BaseException:
            database.close()
            raise

    def current(self) -> Snapshot:
        """Give all collections and types as they are now."""
        return self.collections.current()

    def transaction(self) -> AbstractContextManager[None]:
        """Run the body as one transaction: all of it or nothing."""
        return self._database.transaction()

    def snapshot(self, cut: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """Have this thread read one state in the body, whatever others commit; it cannot write there.

        ``cut`` is called at that state, while nobody writes.
        """
        return self._database.snapshot(cut)

    def copy_to(self, path: Path) -> bool:
        """Copy the state that a snapshot reads into a new SQLite file; False for a registry on a server."""
        return self._database.copy_to(path)

    def universe_mapping(self) -> Mapping[str, object]:
        """Give what the YAML of the universe holds."""
        rows = self._database.read(sa.text("SELECT value FROM meta WHERE key = 'universe'"))
        found: Mapping[str, object] = json.loads(rows[0][0])
        return found

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside of a transaction."""
        return self._database.scratch is not None

    def await_dead(self) -> None:
        """Wait until what processes that are dead by now had committed can be seen.

        Raises
        ------
        StoreError
            When another process writes all the time.
        """
        self._database.await_dead()

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._database.writable

    def state(self) -> State:
        """Tell which state is committed: of two that are the same nothing was changed in between."""
        return self._database.state()

    def size_bytes(self) -> int:
        """Give the size of the database."""
        return self._database.size_bytes()

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _lay_out(database: Database, universe: Universe, text: str) -> None:
    """Make all tables that a registry has from its first day."""
    meta = {"schema": str(SCHEMA_VERSION), "catalogue": "1", "universe": text}
    with database.transaction():
        database.run_all(
            _known(text, database.language) if text else _definitions(universe, database.language)
        )
        database.write_many(Statement.insert(Schema(universe)["meta"]), list(meta.items()))


@lru_cache(maxsize=16)
def _known(text: str, language: Language) -> tuple[str, ...]:
    """Give the statements that make the tables: most repositories of a process have the same."""
    return _definitions(Universe.from_mapping(json.loads(text)), language)


def _definitions(universe: Universe, language: Language) -> tuple[str, ...]:
    schema = Schema(universe)
    elements = [element for element in universe.elements.values() if element.has_records]
    tables = [*fixed_tables(), *(schema.records(element) for element in elements)]
    tables += [schema.overlaps(element) for element in elements if element.spatial]
    made: list[sa.schema.ExecutableDDLElement] = []
    for table in tables:
        made += [CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda one: str(one.name)))]
    return tuple(str(one.compile(dialect=language.dialect)) for one in made)


def _place(place: Path | Place) -> Place:
    return SqliteFile(place) if isinstance(place, Path) else place


def _as_json(universe: Mapping[str, object]) -> str:
    try:
        return json.dumps(universe)
    except (TypeError, ValueError) as error:
        raise BadDefinition("bad universe", str(error), "texts, numbers, lists and mappings") from None


def _universe(database: Database) -> Mapping[str, object]:
    """Read the dimensions of a registry, when its schema is the one we know."""
    where = repr(database.name)
    try:
        rows = database.read(sa.text("SELECT key, value FROM meta"))
        meta: dict[str, str] = {row[0]: row[1] for row in rows}
    except StoreError as error:
        if not database.is_none(error):
            raise
        raise VersionError(
            f"{where} is no registry of skyfs, or damaged", error.found, "name another one"
        ) from None
    check_version(database.name, meta.get("schema"))
    try:
        universe: Mapping[str, object] = json.loads(meta["universe"])
    except (KeyError, ValueError) as error:
        raise _damaged(database, error) from None
    return universe


def _parsed(database: Database, universe: Mapping[str, object]) -> Universe:
    try:
        return Universe.from_mapping(universe)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(database, error) from None


def _damaged(database: Database, error: Exception) -> VersionError:
    found = f"its universe is damaged: {error}"
    return VersionError(f"registry {database.name!r}", found, "make it anew: skyfs rebuild")
