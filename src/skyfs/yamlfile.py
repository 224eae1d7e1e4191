"""YAML files: read safely, written whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml

from .errors import BadConfig, NotFound

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(text: str, origin: str) -> Mapping[str, object]:
    """Read a mapping from YAML; an empty text is an empty mapping.

    Raises
    ------
    BadConfig
        When it is not YAML, holds tags of Python, or is no mapping.
    """
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError) as error:
        raise BadConfig(f"cannot read {origin}", " ".join(str(error).split()), "mend the YAML") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadConfig(f"cannot read {origin}", f"a {type(value).__name__}", "key: value lines are wanted")
    return value


def read_yaml(path: Path) -> Mapping[str, object]:
    """Read a YAML file that holds a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"no file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"cannot read {str(path)!r}", str(error)) from None
    return load_yaml(text, str(path))


def write_yaml(path: Path, value: Mapping[str, object], *, mode: int = 0o600) -> None:
    """Write a YAML file so that a reader sees the old or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", suffix=".tmp") as file:
        yaml.safe_dump(dict(value), file, sort_keys=False, allow_unicode=True)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(mode)
    Path(file.name).replace(path)
