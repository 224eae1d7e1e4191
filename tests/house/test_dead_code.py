"""Nothing lies in the source that nobody uses: the package itself, its tests, benchmarks or tools."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from vulture import Vulture

import skyfs

CHECKOUT = Path(__file__).parents[2]
PACKAGE = Path(skyfs.__file__).parent
USERS = [CHECKOUT / name for name in ("tests", "benchmarks", "tools")]

# Decorators that hand what they decorate to who calls it.
REGISTERING = [
    "@click.command*",
    "@compiles",  # SQLAlchemy's compiler
    "@converter",
    "@invariant",
    "@rule",
]
# Who calls these, or reads them, is not Python code of ours.
CALLED_BY_OTHERS = {
    "Python": ["__getattr__", "__dir__", "showwarning", "trace", "handle_starttag", "maxother", "maxstring"],
    "zipfile": ["external_attr"],
    "expat": ["EntityDeclHandler", "StartElementHandler"],
    "Click": ["list_commands", "get_command", "format_commands", "shell_complete", "obj"],
    "skyfs.cli.app, by name": ["add_", "completion", "cp", "demo", "import_", "ln", "umount"],
    "diskcache": ["file_path"],
    "fsspec": [
        *("_fs_token", "_get_kwargs_from_urls", "blocksize", "root_marker", "transaction_type"),
        *("block_size", "cache_options", "create_parents"),
    ],
    "libfuse": [
        *("rename_fuse_3", "truncate_fuse_3", "utimens_fuse_2", "init_with_config", "use_ns"),
        *("flag_nullpath_ok", "flag_utime_omit_ok", "datasync", "dev"),
    ],
    "mypy, in a cast": ["_Listable"],
    "the kernel's protocol": ["READLINK"],
    "skyfs.formats.fits_read, by name": ["read_mask"],
    "Lark": ["between", "unary"],
    "SQLAlchemy": ["bind_expression", "bind_processor", "cache_ok", "coltype", "get_col_spec"],
    "SQLAlchemy's cache and types": ["inherit_cache", "result_processor"],
    "psycopg": ["prepared_max"],
    "Alembic": ["down_revision"],
    "wcslib": ["crval", "cunit", "radesys"],
    "zarr": ["_encode_single", "get_partial_values", "list_dir"],
    "zarr, what a store can": ["supports_deletes", "supports_listing", "supports_writes"],
}


def dead(users: Iterable[Path], names: Iterable[str] = ()) -> list[str]:
    """Give what lies in the first of some folders and is used in none of them."""
    first, *_ = users = list(users)
    finder = Vulture(ignore_names=list(names), ignore_decorators=REGISTERING)
    finder.scavenge(map(str, users))
    return [
        f"{item.filename.relative_to(first.parent)}:{item.first_lineno} {item.typ} {item.name}"
        for item in finder.get_unused_code()
        if item.filename.is_relative_to(first)
    ]


def named_in_yaml() -> set[str]:
    """Give what configuration names in full: formats and converters are loaded by name."""
    texts = [path.read_text() for path in PACKAGE.rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"\bskyfs(?:\.\w+)*\.(\w+)", text)}


def test_everything_is_used() -> None:
    known = [name for names in CALLED_BY_OTHERS.values() for name in names]
    assert dead([PACKAGE, *USERS], [*known, *named_in_yaml()]) == []


def test_dead_code_is_seen(tmp_path: Path) -> None:
    package, user = tmp_path / "package", tmp_path / "user"
    package.mkdir()
    user.mkdir()
    (package / "a.py").write_text("def used(): pass\nclass C:\n    x = 1\n    def method(self): pass\n")
    (user / "b.py").write_text("from package.a import used, C\nused(), C().x\ndef mine(): pass\n")
    assert dead([package, user]) == ["package/a.py:4 method method"]
    assert dead([package, user], ["method"]) == []
