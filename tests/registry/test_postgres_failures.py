"""Servers that stop, connections that break, rights that lack: a clear error, and the state as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

import skyfs
from skyfs.errors import (
    BadArgument,
    BadConfig,
    BadDefinition,
    Exists,
    InDoubt,
    NotAllowed,
    NotFound,
    ReadOnly,
    StoreError,
    VersionError,
)
from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.element import ColumnType
from skyfs.registry.datasets import NewDataset
from skyfs.registry.postgres import session
from skyfs.registry.postgres.address import Address
from skyfs.registry.postgres.place import PostgresSchema
from skyfs.registry.registry import Registry
from skyfs.testing.postgres_server import (
    GUARDED,
    PASSWORD,
    READER,
    PostgresServer,
    postgres_server,
    read_tables,
)
from skyfs.testing.registry_rows import violations
from skyfs.testing.registry_sky import RUNS, Sky, default_universe, location

from ..stores.crash import killed, run_child
from .conftest import create


@pytest.fixture
def registry(place: PostgresSchema) -> Iterator[Registry]:
    registry = create(place)
    yield registry
    registry.close()


@pytest.fixture
def sky(registry: Registry) -> Sky:
    return Sky.fill(registry)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test stops."""
    with postgres_server() as server:
        yield server


def _break_connections(server: PostgresServer) -> None:
    """End all sessions of skyfs, and wait until they are gone."""
    with server.connect() as raw:
        ended = (
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'skyfs'"
        )
        assert all(row[0] for row in raw.execute(ended).fetchall())


def _check(place: PostgresSchema, registry: Registry) -> None:
    assert not violations(lambda table: read_tables(place.address, table)[table], registry.universe)


# -- connections ---------------------------------------------------------------------------------------


def test_a_broken_connection_is_replaced_when_nothing_is_lost(sky: Sky, postgres: PostgresServer) -> None:
    ref = sky.put("bias", detector=0)
    _break_connections(postgres)
    assert sky.ids("bias", RUNS) == [ref.id]
    _break_connections(postgres)
    more = sky.put("bias", detector=1)
    _break_connections(postgres)
    sky.registry.collections.create(Collection("u/new", CollectionKind.RUN))
    assert sky.ids("bias", RUNS) == [ref.id, more.id]


@pytest.mark.parametrize("nested", [False, True])
def test_a_connection_that_breaks_inside_of_a_transaction(
    sky: Sky, place: PostgresSchema, postgres: PostgresServer, *, nested: bool
) -> None:
    kept = sky.put("bias", detector=0)

    def act() -> None:
        with sky.registry.transaction():
            sky.put("bias", detector=1)
            _break_connections(postgres)
            if nested:
                with sky.registry.transaction():
                    sky.put("bias", detector=20)
            sky.put("bias", detector=20)

    with pytest.raises(StoreError) as caught:
        act()
    assert not isinstance(caught.value, InDoubt)
    assert sky.ids("bias", RUNS) == [kept.id]
    sky.put("bias", detector=1)
    _check(place, sky.registry)


def test_an_error_that_was_passed_by_ends_the_transaction(sky: Sky) -> None:
    def act() -> None:
        with sky.registry.transaction():
            sky.put("bias", detector=0)
            with pytest.raises(BadArgument):
                sky.found("calexp", RUNS, visit=2**70)
            sky.put("bias", detector=1)

    with pytest.raises(StoreError, match="an error in it was passed by"):
        act()
    assert not sky.ids("bias", RUNS)


def _breaking(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], *, after_commit: bool) -> None:
    """Have the connection break once at a COMMIT: before the server has it, or before it answers."""
    command = session.PostgresSession.command
    broken: list[str] = []

    def call(own: session.PostgresSession, text: str) -> None:
        if broken or not text.endswith("COMMIT"):
            command(own, text)
            return
        broken.append(text)
        if after_commit:
            command(own, text)
        own.raw.close()
        before()
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(session.PostgresSession, "command", call)


@pytest.mark.parametrize("after_commit", [False, True])
def test_what_a_commit_was_is_found_out(
    sky: Sky, place: PostgresSchema, monkeypatch: pytest.MonkeyPatch, *, after_commit: bool
) -> None:
    """The connection breaks before the server says whether it has committed."""
    ref = sky.ref("bias", detector=0)
    _breaking(monkeypatch, lambda: None, after_commit=after_commit)
    if after_commit:
        sky.registry.datasets.insert([NewDataset(ref, (location(ref),))])
        assert sky.ids("bias", RUNS) == [ref.id]
    else:
        with pytest.raises(StoreError, match=r"nothing is changed.*the connection is lost"):
            sky.registry.datasets.insert([NewDataset(ref, (location(ref),))])
        assert not sky.ids("bias", RUNS)
        sky.registry.datasets.insert([NewDataset(ref, (location(ref),))])
    _check(place, sky.registry)


@pytest.mark.parametrize("after_commit", [False, True])
def test_bytes_stay_until_it_is_known_what_a_commit_was(
    own_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after_commit: bool
) -> None:
    root, url = tmp_path / "sky", own_server.url()
    with skyfs.create(root, registry=url) as repo:
        repo.register("note", [], "Text")
        repo.put("one", "note", run="u/one")
        with monkeypatch.context() as patch:
            _breaking(patch, own_server.stop, after_commit=after_commit)
            with pytest.raises(InDoubt, match="look whether it is there"):
                repo.put("two", "note", run="u/two")
        with pytest.raises(StoreError, match="check server"):
            repo.get("note", collections="u/one")
        own_server.start()
        assert repo.get("note", collections="u/one") == "one"
    with skyfs.open(root, writable=True) as repo:
        files = sorted(str(path.relative_to(root / "data")) for path in (root / "data").rglob("*.txt"))
        if after_commit:
            assert repo.get("note", collections="u/two") == "two"
            assert files == ["u/one/note.txt", "u/two/note.txt"]
        else:
            assert "u/two" not in {one.name for one in repo.collections()}
            assert files == ["u/one/note.txt"]


def _wait_until(server: PostgresServer, event: str, over: Callable[[], bool] = lambda: False) -> None:
    """Ask the server again and again until a session waits for something, or all is over."""
    with server.connect() as raw:
        while not over():
            if raw.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = %s", [event]).fetchall():
                return


def test_recovery_waits_for_a_commit_whose_sender_is_dead(
    own_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes on with it, and shows its rows only when it is done: here when a standby has it too."""
    root = tmp_path / "sky"
    with skyfs.create(root, registry=own_server.url()) as repo:
        repo.register("note", [], "Text")

    def die(own: session.PostgresSession, text: str) -> None:
        if text.endswith("COMMIT"):
            own.raw.pgconn.send_query(text.encode())
            os.kill(os.getpid(), signal.SIGKILL)
        own.raw.execute(text)

    def put() -> None:
        with monkeypatch.context() as patch, skyfs.open(root, writable=True) as repo:
            patch.setattr(session.PostgresSession, "command", die)
            repo.put("one", "note", run="u/one")

    with own_server.connect() as raw:
        raw.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        raw.execute("SELECT pg_reload_conf()")
        assert killed(run_child(put))
        _wait_until(own_server, "SyncRep")
        with ThreadPoolExecutor(1) as pool:
            opened = pool.submit(lambda: skyfs.open(root, writable=True))
            _wait_until(own_server, "advisory", opened.done)
            raw.execute("ALTER SYSTEM RESET synchronous_standby_names")
            raw.execute("SELECT pg_reload_conf()")
            with opened.result() as repo:
                assert repo.recovered == 0
                assert repo.get("note", collections="u/one") == "one"


def test_a_server_that_stops_in_the_middle_of_a_transaction(own_server: PostgresServer) -> None:
    place = PostgresSchema(Address.parse(own_server.url(), "sky"))
    sky = Sky.fill(Registry.create(place, default_universe(), durability="power"))
    kept = sky.put("bias", detector=0)

    def act() -> None:
        with sky.registry.transaction():
            sky.put("bias", detector=1)
            own_server.stop()
            sky.put("bias", detector=20)

    with pytest.raises(StoreError):
        act()
    with pytest.raises(StoreError, match="check server"):
        sky.found("bias", RUNS)
    own_server.start()
    assert sky.ids("bias", RUNS) == [kept.id]
    sky.put("bias", detector=1)
    _check(place, sky.registry)
    sky.registry.close()


def test_a_table_that_another_process_has_made_anew(sky: Sky, place: PostgresSchema) -> None:
    """A plan that is kept for the table as it was is thrown away."""
    registry, other = sky.registry, Registry.open(place, writable=True, durability="process")
    made: list[tuple[ColumnType, object]] = [("int", 1), ("string", "one")]
    for kind, value in made:
        other.sides.attach(
            "notes", ["instrument"], {"a": kind}, [{"instrument": "Cam", "a": value}], replace=False
        )
        side = registry.current().sides["notes"]
        for _ in range(8):
            rows = registry.records._database.read(registry.records._table(side).select())  # noqa: SLF001
            assert [tuple(row) for row in rows] == [("Cam", value)]
        other.sides.detach("notes")
    other.close()


# -- writers and readers -------------------------------------------------------------------------------


def test_a_writer_that_does_not_end(sky: Sky, place: PostgresSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyfs.registry.postgres.database.LOCK_TIMEOUT_MS", 50)
    waiting = Registry.open(place, writable=True, durability="process")
    with sky.registry.transaction():
        sky.put("bias", detector=0)
        with pytest.raises(StoreError, match="another process is writing; try again"):
            waiting.collections.create(Collection("x", CollectionKind.RUN))
        # Who reads waits for nobody, and sees nothing of it.
        assert not list(Sky(waiting).everything())
    assert len(list(Sky(waiting).everything())) == 1
    waiting.collections.create(Collection("x", CollectionKind.RUN))
    waiting.close()


@contextmanager
def _rights(server: PostgresServer, *grants: str) -> Iterator[None]:
    with server.connect() as raw:
        for grant in grants:
            raw.execute(f"GRANT {grant} TO {READER}")
        yield
        for grant in reversed(grants):
            raw.execute(f"REVOKE {grant} FROM {READER}")


def test_a_user_who_may_only_read(sky: Sky, place: PostgresSchema, postgres: PostgresServer) -> None:
    sky.put("bias", detector=0)
    schema = place.address.schema
    other = PostgresSchema(Address.parse(postgres.url(READER), schema))
    with pytest.raises(NotAllowed, match=f"GRANT USAGE ON SCHEMA {schema}"):
        Registry.open(other, writable=False, durability="process")
    with _rights(postgres, f"USAGE ON SCHEMA {schema}"), pytest.raises(ReadOnly, match="permission denied"):
        Registry.open(other, writable=False, durability="process")
    with _rights(postgres, f"USAGE ON SCHEMA {schema}", f"SELECT ON ALL TABLES IN SCHEMA {schema}"):
        for writable in (False, True):
            reader = Registry.open(other, writable=writable, durability="process")
            assert len(Sky(reader).found("bias", RUNS)) == 1
            todo = "GRANT" if writable else "opened for reading"
            with pytest.raises(ReadOnly, match=todo):
                reader.collections.create(Collection("x", CollectionKind.RUN))
            reader.close()
    assert "x" not in sky.registry.current().collections


def test_a_session_that_reads_can_write_nothing(sky: Sky, place: PostgresSchema) -> None:
    """The server refuses, whatever this code does."""
    reader = Registry.open(place, writable=False, durability="process")
    database = reader._database  # noqa: SLF001 - there is no door to it
    with pytest.raises(ReadOnly, match="read-only transaction"):
        database.read(sa.text("DELETE FROM collection RETURNING id"))
    assert sky.registry.current().collections == reader.current().collections
    reader.close()


# -- what is there -------------------------------------------------------------------------------------


def test_a_registry_is_created_once(registry: Registry, place: PostgresSchema) -> None:
    before = read_tables(place.address)
    with pytest.raises(Exists, match="something is in the schema already"):
        create(place)
    assert read_tables(place.address) == before
    assert registry.current().version == 1


def test_a_schema_that_was_there_is_used_and_left_empty(
    place: PostgresSchema, postgres: PostgresServer
) -> None:
    schema = place.address.schema
    with postgres.connect() as raw:
        raw.execute(f"CREATE SCHEMA {schema}")
        create(place).close()
        assert "meta" in read_tables(place.address)
        place.drop()
        left = "SELECT count(*) FROM {} WHERE {} = %s::regnamespace"
        for catalog, column in (("pg_class", "relnamespace"), ("pg_proc", "pronamespace")):
            assert raw.execute(left.format(catalog, column), [schema]).fetchall() == [(0,)]
        raw.execute(f"DROP SCHEMA {schema}")


def test_a_schema_that_is_no_registry(place: PostgresSchema, postgres: PostgresServer) -> None:
    with pytest.raises(NotFound, match="there is no such schema"):
        Registry.open(place, writable=False, durability="process")
    create(place).close()
    with postgres.connect() as raw:
        raw.execute(f"SET search_path TO {place.address.schema}")
        raw.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        with pytest.raises(VersionError, match="schema '99', this skyfs knows"):
            Registry.open(place, writable=True, durability="process")
        raw.execute("DROP TABLE meta")
        with pytest.raises(VersionError, match="no registry of skyfs"):
            Registry.open(place, writable=True, durability="process")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_holds_not_all_texts(postgres: PostgresServer, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    with postgres.connect() as raw:
        raw.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match=f"encoding is {encoding}"):
        create(PostgresSchema(Address.parse(postgres.url(database=name), "sky")))


def test_texts_are_compared_by_bytes_in_every_database(registry: Registry, place: PostgresSchema) -> None:
    registry.sides.attach("notes", ["instrument"], {"a": "string"}, [], replace=False)
    with psycopg.connect(make_conninfo(**place.address.options)) as raw:
        others = raw.execute(
            """SELECT attrelid::regclass, attname FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r' AND relnamespace = %s::regnamespace
            WHERE attnum > 0 AND attcollation NOT IN (0, 'pg_catalog."C"'::regcollation)""",
            [place.address.schema],
        )
        assert others.fetchall() == []


@pytest.mark.parametrize(
    ("columns", "why"),
    [({"xmin": "int"}, "xmin"), ({"a" * 64: "int"}, "63"), ({"ctid": "string"}, "ctid")],
)
def test_names_that_the_server_does_not_take(sky: Sky, columns: dict[str, Any], why: str) -> None:
    with pytest.raises(BadDefinition, match=why):
        sky.registry.sides.attach("notes", ["instrument"], columns, [], replace=False)
    assert not sky.registry.current().sides


# -- the server and who may use it ---------------------------------------------------------------------


def test_a_wrong_address(postgres: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        skyfs.create(tmp_path / "sky", registry=postgres.url(database="nowhere"))
    with pytest.raises(StoreError, match="check server, network and user"):
        skyfs.create(tmp_path / "sky", registry="postgresql://x@/x?host=/tmp/nobody-listens-here")
    for url in ("mysql://x@localhost/x", "postgresql://x:abc", "://"):
        with pytest.raises(BadConfig, match="postgresql://USER@HOST"):
            skyfs.create(tmp_path / "sky", registry=url)
    for schema in ("", "pg_x", "A", 'x"; DROP', "x" * 64):
        with pytest.raises(BadConfig, match="its schema is"):
            skyfs.create(tmp_path / "sky", registry=postgres.url(), options={"schema": schema})
    assert not (tmp_path / "sky").exists()


def test_passwords_come_from_the_usual_places_and_are_never_shown(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = postgres.url(GUARDED), tmp_path / "sky"
    with postgres.connect() as raw:
        raw.execute(f"GRANT CREATE ON DATABASE postgres TO {GUARDED}")
    monkeypatch.setenv("PGPASSWORD", "wrong as can be")
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        skyfs.create(root, registry=url)
    assert "wrong as can be" not in str(caught.value)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with skyfs.create(root, registry=url, options={"schema": "guarded"}) as repo:
        assert repo.config.annotated().count(url) == 1
    assert PASSWORD not in (root / "skyfs.yaml").read_text()
    monkeypatch.delenv("PGPASSWORD")
    pgpass = tmp_path / "pgpass"
    pgpass.write_text(f"*:*:*:{GUARDED}:{PASSWORD}\n")
    pgpass.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(pgpass))
    skyfs.open(root).close()
    skyfs.destroy(root)


@pytest.mark.parametrize("place", ["user", "query"])
def test_a_password_in_the_url_is_hidden(postgres: PostgresServer, tmp_path: Path, place: str) -> None:
    root, secret = tmp_path / "sky", "hunter2"
    url = postgres.url()
    told = (
        url.replace("postgres@", f"postgres:{secret}@") if place == "user" else f"{url}&sslpassword={secret}"
    )
    with pytest.raises(BadConfig, match=r"put it into ~/\.pgpass") as refused:
        skyfs.create(root, registry=told)
    assert secret not in str(refused.value)
    skyfs.create(root, registry=url, options={"schema": f"hidden_{place}"}).close()
    config = root / "skyfs.yaml"
    config.write_text(config.read_text().replace(url, told))
    with skyfs.open(root, writable=True) as repo:
        shown = f"{repo.config.annotated()} {repo.config!r} {repo.registry._database.name}"  # noqa: SLF001
        assert secret not in shown
        assert "***" in shown
    config.write_text(config.read_text().replace("skyfs-pg-", "nobody-"))
    with pytest.raises(StoreError) as caught:
        skyfs.open(root)
    assert secret not in str(caught.value)
    config.write_text(config.read_text().replace("nobody-", "skyfs-pg-"))
    skyfs.destroy(root)


def test_what_fails_while_it_is_created_leaves_no_schema(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("skyfs.assemble.write_yaml", fail)
    with pytest.raises(OSError, match="no space"):
        skyfs.create(tmp_path / "sky", registry=postgres.url(), options={"schema": "never"})
    with postgres.connect() as raw:
        assert raw.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'never'").fetchall() == []


def test_an_address_has_a_name_without_a_password() -> None:
    address = Address.parse("postgresql://me:it%27s@db.example.org:5433/sky?sslmode=require", "dr1")
    assert address.name == "postgresql://me:***@db.example.org:5433/sky?sslmode=require (schema dr1)"
    assert "it's" not in repr(replace(address, schema="dr2"))
    assert address.options["password"] == "it's"  # noqa: S105 - a test
    assert {"host": "db.example.org", "port": "5433", "dbname": "sky", "sslmode": "require"}.items() <= dict(
        address.options
    ).items()
