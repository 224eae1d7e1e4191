"""Hostile paths, patterns and expressions by every door: refused, and nothing is written or left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from click.testing import CliRunner

from skyfs.cli import main
from skyfs.mount.failures import Refusal
from skyfs.mount.operations import Operations
from skyfs.tree import Tree

from .conftest import Target
from .hostile import Attack, all_refused, harmless
from .paths import EXPRESSIONS, MISSING, NEVER, ONE
from .texts import NAMES, mangled

# A collection may have nearly any name.
UNWRITABLE = [path for path in NEVER if not path.endswith("/x/y")]


def _each(call: Callable[[str], object], paths: list[str]) -> Iterator[Attack]:
    return ((path, partial(call, path)) for path in paths)


@pytest.mark.parametrize("verb", ["cat_file", "info", "ls", "open"])
def test_no_path_that_is_none_is_read(target: Target, verb: str) -> None:
    assert all_refused(_each(getattr(target.filesystem, verb), MISSING)) > 500


def test_no_path_that_is_none_is_removed(target: Target) -> None:
    plain = [path for path in MISSING if not set("*?[") & set(path)]
    assert all_refused(_each(target.filesystem.rm_file, plain)) > 400
    assert harmless(_each(target.filesystem.rmdir, plain)) > 400


def test_searching_answers_nothing_or_refuses(target: Target) -> None:
    for verb in ("exists", "glob", "find", "isdir"):
        harmless(
            _each(getattr(target.filesystem, verb), [*MISSING, *mangled("/Cam/*/calexp/**/x*.json", 100, 5)])
        )


def test_nothing_is_written_to_hostile_paths(target: Target) -> None:
    def write(path: str) -> None:
        with target.filesystem.open(path, "wb") as file:
            file.write(b"{}")

    assert all_refused(_each(write, UNWRITABLE)) > 250


def test_nothing_is_copied_out_of_or_into_hostile_paths(target: Target) -> None:
    for verb in (target.filesystem.cp_file, target.filesystem.mv):
        assert all_refused(_each(partial(verb, ONE), UNWRITABLE)) > 250


def test_expressions_in_paths_and_queries(target: Target) -> None:
    def query(text: str) -> object:
        return list(target.repository.query("calexp", collections="Cam/runs/a", where=text))

    assert harmless(_each(query, EXPRESSIONS)) > 250
    assert all_refused(_each(query, EXPRESSIONS[:15])) == 15
    within = [f"/.where/{text.replace('%', '%25').replace('/', '%2F')}/Cam" for text in EXPRESSIONS]
    harmless(_each(target.filesystem.ls, within))


def test_names_and_values_that_are_bound(target: Target) -> None:
    repository, searched = target.repository, "Cam/runs/a"

    def bound(name: str) -> object:
        where = "instrument = :name"
        return list(repository.query("calexp", collections=searched, where=where, bind={"name": name}))

    def ordered(name: str) -> object:
        return list(repository.query("calexp", collections=searched).order_by(name))

    def found(name: str) -> object:
        return repository.find("calexp", collections=searched, instrument=name, visit=1, detector=1)

    for call in (bound, ordered, found, repository.collections, repository.types):
        harmless(_each(call, NAMES))


def test_the_core_of_a_mount_answers_by_errno(target: Target) -> None:
    operations = Operations(Tree(target.repository))
    try:
        for path in MISSING:
            for request in (operations.getattr, operations.readdir, operations.open, operations.listxattr):
                _refused_or_answered(partial(request, path))
        for name in NAMES:
            _refused_or_answered(partial(operations.getxattr, ONE, f"user.skyfs.{name}"))
    finally:
        operations.close()


def _refused_or_answered(request: Callable[[], object]) -> None:
    try:
        request()
    except Refusal as refusal:
        number = refusal.errno
        if not number:
            pytest.fail(f"no errno: {refusal}")


def test_the_command_line_says_one_line(target: Target) -> None:
    # A program cannot be given a NUL or text that is not UTF-8 any other way than by a test.
    for path in [path for path in MISSING if not set(path) & set("*?[")][::7]:
        for command in (["ls"], ["cat"], ["info"], ["rm"]):
            done = CliRunner().invoke(main, ["-r", str(target.repository.root), *command, "--", path])
            assert done.exit_code in (1, 2), (command, path)
            assert "Traceback" not in done.output + done.stderr
            assert "a mistake in skyfs" not in done.stderr, (command, path, done.stderr)
            assert done.stderr.count("\n") == 1, (command, path)
            assert done.stderr.removesuffix("\n").isprintable(), (command, path)
