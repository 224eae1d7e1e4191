"""``mount.skyfs``: what ``mount -t skyfs`` and lines of ``/etc/fstab`` call.

``mount.skyfs SOURCE DIR [-fnrsvw] [-t TYPE] [-o OPTION[,OPTION]...]``, as mount(8) says. SOURCE is a name,
folder or URL of a repository, or the file of a recipe; it may begin with ``skyfs:``, as the kernel's table of
mounts has it.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import BadArgument, nearest
from ..mount.serving import ENGINES
from .exits import explain

if TYPE_CHECKING:
    from ..mount.options import MountOptions

# The exit statuses of mount(8).
MISUSED, NOT_MOUNTED = 1, 32

_FLAGS: Mapping[str, Mapping[str, bool]] = {
    "ro": {"writable": False},
    "rw": {"writable": True},
    "replace": {"replace": True},
    "allow_other": {"allow_other": True},
}
_WITH_VALUE = ("collections", "engine", "cache_directory", "cache_quota", "umask", "setuid")
# For mount(8), init systems, or all filesystems alike: devices and set-user-ID never work in a mount of
# skyfs, nothing in it can be executed, and access times are not kept.
_IGNORED = frozenset(
    word
    for line in (
        "defaults auto noauto nofail user nouser users owner group _netdev _rnetdev silent loud",
        "dev nodev suid nosuid exec noexec sync async dirsync mand nomand iversion noiversion",
        "atime noatime diratime nodiratime relatime norelatime strictatime lazytime nolazytime",
        "default_permissions",
    )
    for word in line.split()
)
_IGNORED_BEGINNINGS = ("x-", "X-", "comment=", "helper=", "uhelper=")


@click.command("mount.skyfs", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source")
@click.argument("folder", metavar="DIR")
@click.option("-o", "options", multiple=True, metavar="OPTION[,OPTION]...", help="Options, as in fstab.")
@click.option("-r", "read_only", is_flag=True, help="As -o ro.")
@click.option("-w", "writable", is_flag=True, help="As -o rw.")
@click.option("-s", "sloppy", is_flag=True, help="Pass over unknown options.")
@click.option("-f", "fake", is_flag=True, help="Look at the options, but mount nothing.")
@click.option("-n", "_table", is_flag=True, hidden=True)
@click.option("-v", "_verbose", is_flag=True, hidden=True)
@click.option("-t", "_type", hidden=True)
@click.option("-N", "_namespace", hidden=True)
def command(*, source: str, folder: str, options: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's
    """Mount the repository SOURCE at DIR: the helper that mount -t skyfs calls."""
    given = [one for text in options for one in text.split(",") if one]
    given += ["ro"] * flags["read_only"] + ["rw"] * flags["writable"]
    chosen = parse_options(given, sloppy=flags["sloppy"])
    location, mounted = _what(source, chosen)
    if flags["fake"]:
        return
    if "umask" in chosen:
        os.umask(cast("int", chosen["umask"]))
    if "setuid" in chosen:
        become(str(chosen["setuid"]))
    from ..mount.session import start

    start(location, folder, mounted)


def parse_options(given: list[str], *, sloppy: bool = False) -> dict[str, object]:
    """Give what options mean: fields of `MountOptions`, ``cache``, ``umask`` and ``setuid``.

    The later one counts. What is meant for mount(8) and init systems is passed over.

    Raises
    ------
    BadArgument
        When an option is unknown, or its value is none.
    """
    found: dict[str, object] = {}
    for option in given:
        name, _, value = option.partition("=")
        if name in _WITH_VALUE and value:
            found |= _valued(name, value)
        elif option in _FLAGS:
            found |= _FLAGS[option]
        elif not (sloppy or option in _IGNORED or option.startswith(_IGNORED_BEGINNINGS)):
            todo = nearest(name, (*_FLAGS, *_WITH_VALUE))
            raise BadArgument(f"mount option {option!r}", "it is unknown, or has no value", todo)
    return found


def _valued(name: str, value: str) -> dict[str, object]:
    if name == "collections":
        return {name: tuple(value.split(":"))}
    if name == "engine" and value not in ENGINES:
        raise BadArgument(
            f"mount option engine={value}", "there is no such engine", f"one of {', '.join(ENGINES)}"
        )
    if name == "umask":
        try:
            return {name: int(value, 8) & 0o777}
        except ValueError:
            raise BadArgument(f"mount option umask={value}", "it is not octal", "umask=002") from None
    return {name: value}


def _what(source: str, chosen: Mapping[str, object]) -> tuple[str, MountOptions]:
    """Give the repository, and how to mount it: options stand above a recipe."""
    from ..mount.options import DEFAULT
    from ..mount.recipe import read_recipe

    location, options = source.removeprefix("skyfs:").removeprefix("skyfs#"), DEFAULT
    if location.endswith(".yaml"):
        recipe = read_recipe(location)
        location, options = recipe.repository, recipe.options
        if chosen.get("writable"):
            # mount(8) says rw wherever nobody says ro: of a recipe that would make all writable.
            chosen = {name: value for name, value in chosen.items() if name != "writable"}
    if os.path.isdir(location):
        location = os.path.abspath(location)  # a daemon works in /
    names = ("collections", "writable", "replace", "allow_other", "engine")
    fields: dict[str, Any] = {name: chosen[name] for name in names if name in chosen}
    cache = {key: chosen[f"cache_{name}"] for name, key in _CACHE.items() if f"cache_{name}" in chosen}
    if cache:
        fields["overrides"] = {**options.overrides, "cache": {**_section(options), **cache}}
    return location, replace(options, **fields)


_CACHE = {"directory": "folder", "quota": "quota"}


def _section(options: MountOptions) -> Mapping[str, object]:
    return cast("Mapping[str, object]", options.overrides.get("cache", {}))


def become(name: str) -> None:
    """Become another user, whose files and mounts these are then; only root can.

    Raises
    ------
    BadArgument
        When there is no such user, or this is not root.
    """
    try:
        user = pwd.getpwnam(name)
        os.initgroups(name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    except (KeyError, PermissionError) as error:
        found = "there is no such user" if isinstance(error, KeyError) else "only root can"
        raise BadArgument(f"mount option setuid={name}", found, "leave it out, or name a user") from None
    os.environ |= {"HOME": user.pw_dir, "USER": name, "LOGNAME": name}


def main() -> None:
    """Run the command line of the helper; ends the process with a status of mount(8)."""
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except Exception as error:  # noqa: BLE001 - the last door: whatever it is, users get one line
        message, _ = explain(error)
        click.echo(f"mount.skyfs: {message}", err=True)
        sys.exit(MISUSED if isinstance(error, click.ClickException | BadArgument) else NOT_MOUNTED)
