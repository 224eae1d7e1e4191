"""The configuration of formats: strict reading of its YAML, and laying one over another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from skyfs.config.yamlfile import load_yaml
from skyfs.errors import BadConfig, nearest
from skyfs.model.storage import StorageClass

_EXTENSION = re.compile(r"(\.[a-z][a-z0-9]*)*")
_WRITING = ("extension", "options", "disassemble")


@dataclass(frozen=True, slots=True)
class FormatRule:
    """The class of an extension's format, its writer options, and whether paths show its files as folders."""

    class_name: str
    options: Mapping[str, object] = field(default_factory=dict)
    folder: bool = False


@dataclass(frozen=True, slots=True)
class WriteRule:
    """The extension in which datasets of a storage class or type are written, and the options there.

    ``disassemble``: whether their components are stored as files of their own; None: nothing is said.
    """

    extension: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    disassemble: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a configuration says about formats.

    ``converters`` maps target type → source type → function, all dotted.
    """

    storage_classes: Mapping[str, StorageClass] = field(default_factory=dict)
    class_rules: Mapping[str, WriteRule] = field(default_factory=dict)
    formats: Mapping[str, FormatRule] = field(default_factory=dict)
    types: Mapping[str, WriteRule] = field(default_factory=dict)
    converters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def over(self, base: Settings) -> Settings:
        """Lay these settings over others: what both name, these decide."""
        targets = {**base.converters, **self.converters}
        return Settings(
            {**base.storage_classes, **self.storage_classes},
            {**base.class_rules, **self.class_rules},
            {**base.formats, **self.formats},
            {**base.types, **self.types},
            {
                t: {
                    **self.converters.get(t, {}),
                    **_without(base.converters.get(t, {}), self.converters.get(t, {})),
                }
                for t in targets
            },
        )


def _without(base: Mapping[str, str], taken: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in base.items() if key not in taken}


@cache
def default_settings() -> Settings:
    """Read the settings that skyfs is born with."""
    text = files("skyfs.formats").joinpath("defaults.yaml").read_text("utf-8")
    return parse_settings(load_yaml(text, "the default formats"))


def parse_settings(config: object) -> Settings:
    """Read a ``formats:`` section.

    Raises
    ------
    BadConfig
        When a key is unknown or a value is of the wrong kind; the message names where.
    """
    section = _mapping(config, "formats", ("storage_classes", "formats", "types", "converters"))
    classes = _mapping(section.get("storage_classes"), "formats.storage_classes")
    parsed = {name: _storage_class(name, value) for name, value in classes.items()}
    return Settings(
        {name: storage_class for name, (storage_class, _) in parsed.items()},
        {name: rule for name, (_, rule) in parsed.items()},
        {
            _extension(ext, "formats.formats"): _format_rule(ext, value)
            for ext, value in _mapping(section.get("formats"), "formats.formats").items()
        },
        {
            name: _write_rule(value, f"formats.types.{name}")
            for name, value in _mapping(section.get("types"), "formats.types").items()
        },
        {
            target: _texts(value, f"formats.converters.{target}")
            for target, value in _mapping(section.get("converters"), "formats.converters").items()
        },
    )


def _storage_class(name: str, value: object) -> tuple[StorageClass, WriteRule]:
    where = f"formats.storage_classes.{name}"
    own = ("python_type", "components", "converters", "doc", "assembler", "disassembler")
    given = _mapping(value, where, (*own, *_WRITING))
    if "python_type" not in given:
        raise BadConfig(
            where, "no python_type", "name the Python type of its datasets: python_type: package.Type"
        )
    storage_class = StorageClass(
        name,
        _text(given["python_type"], f"{where}.python_type"),
        _texts(given.get("components"), f"{where}.components"),
        _texts(given.get("converters"), f"{where}.converters"),
        *(_text(given.get(key, ""), f"{where}.{key}") for key in ("doc", "assembler", "disassembler")),
    )
    return storage_class, _write_rule({k: given[k] for k in _WRITING if k in given}, where)


def _format_rule(extension: str, value: object) -> FormatRule:
    where = f"formats.formats.{extension}"
    if isinstance(value, str):
        return FormatRule(value)
    given = _mapping(value, where, ("class", "options", "folder"))
    if "class" not in given:
        raise BadConfig(where, "no class", "name the format's class: class: package.module.Class")
    folder = given.get("folder", False)
    if not isinstance(folder, bool):
        raise BadConfig(f"{where}.folder", f"{folder!r} is not true or false")
    options = _mapping(given.get("options"), f"{where}.options")
    return FormatRule(_text(given["class"], f"{where}.class"), options, folder)


def _write_rule(value: object, where: str) -> WriteRule:
    given = _mapping(value, where, _WRITING)
    extension = _extension(given["extension"], where) if "extension" in given else None
    apart = given.get("disassemble")
    if apart is not None and not isinstance(apart, bool):
        raise BadConfig(f"{where}.disassemble", f"{apart!r}", "true or false")
    return WriteRule(extension, _mapping(given.get("options"), f"{where}.options"), apart)


def _extension(value: object, where: str) -> str:
    if not isinstance(value, str) or not _EXTENSION.fullmatch(value):
        raise BadConfig(where, f"{value!r} is not an extension", 'write ".fits", ".fits.gz" or "" for none')
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise BadConfig(where, f"{value!r} is not text")
    return value


def _texts(value: object, where: str) -> dict[str, str]:
    return {key: _text(item, f"{where}.{key}") for key, item in _mapping(value, where).items()}


def _mapping(value: object, where: str, keys: tuple[str, ...] | None = None) -> Mapping[str, object]:
    """Give a mapping with text keys, all of them among ``keys``; nothing counts as empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadConfig(where, f"{value!r} is not a mapping", "write key: value lines")
    for key in value:
        if not isinstance(key, str):
            raise BadConfig(where, f"the key {key!r} is not text", "put it in quotes")
        if keys is not None and key not in keys:
            raise BadConfig(where, f"unknown key {key!r}", nearest(key, keys))
    return value
