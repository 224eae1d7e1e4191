"""What the source may not do at all: unpickle, evaluate text, start a shell, format text into SQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs

SOURCES = sorted(Path(skyfs.__file__).parent.rglob("*.py"))
MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "commands",
    "popen2",
    "imp",
}
CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
ATTRIBUTES = {
    *(
        "os.system",
        "os.popen",
        "os.execl",
        "os.execlp",
        "os.spawnl",
        "os.spawnlp",
        "os.tempnam",
        "tempfile.mktemp",
    ),
    *("yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "yaml.unsafe_load_all", "yaml.full_load_all"),
    *("subprocess.getoutput", "subprocess.getstatusoutput", "pandas.read_pickle", "numpy.save", "np.save"),
}
SQL = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|ATTACH|PRAGMA|WITH|GRANT|SET|LOCK|NOTIFY)\s",
    re.DOTALL,
)
# Looked at: what is written into them are names that skyfs chose itself, or has checked against a pattern.
REVIEWED = {
    "f'PRAGMA {pragma}'": "a constant",
    "f'PRAGMA {name}'": "a constant",
    "f'CREATE SCHEMA {schema}'": "Address.parse takes [a-z_][a-z0-9_]* alone",
    "f'DROP SCHEMA {schema} CASCADE'": "the same",
    "f'SELECT {calls}'": "numbers of locks",
    "f'DELETE FROM {table}'": "names of our own",
    "f'PRAGMA busy_timeout={BUSY_TIMEOUT_MS}'": "a number",
    "f'PRAGMA integrity_check({_MOST_DAMAGES})'": "a number",
    "f'ALTER SCHEMA {own} RENAME TO {aside.address.schema}'": "Address.parse, with a mark of our own",
    "f'ALTER SCHEMA {new.address.schema} RENAME TO {own}'": "the same",
    "f\"INSERT INTO spool VALUES ({', '.join('?' * width)})\"": "a number of columns",
    "f\"CREATE TABLE spool ({', '.join((f'c{n}' for n in range(width)))})\"": "a number of columns",
}
# The suites that are shipped pickle filesystems, and make users of a server of their own.
SHIPPED_TESTS = "testing/"


def faults(tree: ast.AST) -> Iterator[str]:
    """Give what a module does that none may do."""
    for node in ast.walk(tree):
        line = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            yield from (f"{line}: imports {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            yield from (f"{line}: {found}" for found in _faults_of_call(node))


def _faults_of_call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    if name in CALLS or name in ATTRIBUTES:
        yield f"calls {name}"
    for keyword in node.keywords:
        if keyword.arg == "shell" and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        ):
            yield f"{name} with a shell"
        if keyword.arg == "allow_pickle" and not (
            isinstance(keyword.value, ast.Constant) and not keyword.value.value
        ):
            yield f"{name} with pickles"
    if name == "yaml.load" and "SafeLoader" not in ast.unparse(node) and "LOADER" not in ast.unparse(node):
        yield "calls yaml.load without a safe loader"
    if (
        name.rpartition(".")[2] in ("execute", "executemany", "executescript", "exec_driver_sql", "text")
        and node.args
    ):
        yield from _faults_of_statement(node.args[0])


def _faults_of_statement(statement: ast.expr) -> Iterator[str]:
    """Give what is wrong with the text of a statement: values are bound, never written into it."""
    formatted = isinstance(statement, ast.JoinedStr) and any(
        isinstance(part, ast.FormattedValue) for part in statement.values
    )
    added = isinstance(statement, ast.BinOp) and isinstance(statement.op, ast.Add | ast.Mod)
    filled = isinstance(statement, ast.Call) and ast.unparse(statement.func).endswith(".format")
    if (formatted or added or filled) and SQL.match(_text_of(statement)):
        text = ast.unparse(statement)
        # psycopg's own templates quote what they are filled with.
        if text not in REVIEWED and not text.startswith("sql.SQL("):
            yield f"formats SQL: {text[:120]}"


def _text_of(statement: ast.expr) -> str:
    parts = (node.value for node in ast.walk(statement) if isinstance(node, ast.Constant))
    return next((part for part in parts if isinstance(part, str)), "")


def test_no_module_does_what_none_may() -> None:
    assert len(SOURCES) > 200
    root = Path(skyfs.__file__).parent
    names = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in SOURCES}
    found = [
        f"{name}: {fault}"
        for name, text in names.items()
        if not name.startswith(SHIPPED_TESTS)
        for fault in faults(ast.parse(text))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "import marshal, os",
        "import shelve as s",
        "eval('1')",
        "exec(x)",
        "os.system('x')",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "yaml.unsafe_load(x)",
        "subprocess.run('x', shell=True)",
        "subprocess.run('x', shell=flag)",
        "np.load(f, allow_pickle=True)",
        "c.execute(f'SELECT * FROM {x}')",
        "c.execute('SELECT ' + x)",
        "c.execute('DELETE FROM x WHERE y = %s' % x)",
        "sa.text('DROP TABLE {}'.format(x))",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert list(faults(ast.parse(text)))
