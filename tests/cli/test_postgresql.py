"""A repository whose registry is a PostgreSQL database, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyfs.testing.postgres_server import PostgresServer

from .conftest import Command


def _schemas(postgres: PostgresServer) -> set[str]:
    with postgres.connect() as raw:
        return {name for (name,) in raw.execute("SELECT nspname FROM pg_namespace").fetchall()}


@pytest.mark.parametrize("schema", [None, "of_the_shell"])
def test_from_init_to_destroy(
    run: Command, postgres: PostgresServer, tmp_path: Path, schema: str | None
) -> None:
    root, url = tmp_path / "My Sky-2", postgres.url()
    named = [] if schema is None else ["--schema", schema]
    assert run.lines("init", root, "--registry", url, *named) == [f"{root}: repository 'My_Sky-2'"]
    wanted = schema or "my_sky_2"
    assert wanted in _schemas(postgres)
    assert not list(root.glob("*.sqlite3"))
    config = run.lines("-r", root, "config")
    assert f"registry: {url}  # file" in config
    assert f"schema: {wanted}  # file" in config
    told = run.json("-r", root, "info", "--json")
    assert isinstance(told, dict)
    assert told["registry"].startswith(url)
    note = tmp_path / "note.txt"
    note.write_text("it's here")
    run.lines("-r", root, "cp", note, "/u/me/note.txt")
    assert run.lines("-r", root, "cat", "/u/me/note.txt") == ["it's here"]
    assert run.lines("-r", root, "ls", "/u/me") == ["note.txt"]
    asked = run("destroy", root)
    assert f"Delete {root} and the schema {wanted!r} of {url} with all that it holds?" in asked.stderr
    assert wanted in _schemas(postgres)
    run.lines("destroy", "--yes", root)
    assert wanted not in _schemas(postgres)
    assert not root.exists()


def test_a_wrong_server_is_one_line(run: Command, tmp_path: Path) -> None:
    root = tmp_path / "sky"
    line = run.fails("init", root, "--registry", "postgresql://me@/x?host=/tmp/nobody-listens")
    assert "check server, network and user" in line
    line = run.fails("init", root, "--registry", "postgresql://me:secret@localhost/x")
    assert "put it into ~/.pgpass" in line
    assert "secret" not in line
    assert not root.exists()
