"""The command ``skyfs``: finds its subcommands, loads the one that is called, and says how it ended."""

from __future__ import annotations

import os
import sys
import textwrap
import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import click

from .. import __version__
from ..errors import NotFound, printable
from .exits import BROKEN_PIPE, INTERRUPTED, debugging, explain
from .session import Session

_COMPLETE_VARIABLE = "_SKYFS_COMPLETE"
_MOST_NAMED = 8


class Entry(NamedTuple):
    """Where a command is, and the line about it in the help: asking for help loads no command."""

    module: str
    name: str
    help: str


GROUPS: Mapping[str, Mapping[str, Entry]] = {
    "Look": {
        "ls": Entry("listing", "ls", "List folders."),
        "find": Entry("listing", "find", "Print the paths of all datasets below folders."),
        "info": Entry("describing", "info", "Tell all about a path, or about the repository."),
        "show": Entry("showing", "show", "Show a dataset: a picture, the rows of a table, a text."),
        "cat": Entry("contents", "cat", "Write datasets to standard output."),
        "get": Entry("contents", "get", "Write a dataset, named by path or data ID, to a file."),
    },
    "Ask": {
        "query": Entry("querying", "query", "Find datasets by type, data ID and expression."),
        "sky": Entry("charting", "sky", "Draw where the datasets of a query are on the sky."),
        "data-ids": Entry("querying", "data_ids", "Tell which data IDs are possible by the records."),
        "records": Entry("querying", "records", "Show dimension records, or insert them from a file."),
        "types": Entry("defining", "types", "Show dataset types."),
        "collections": Entry(
            "defining", "collections", "Show collections, or create, chain, lock and remove them."
        ),
        "skymap": Entry("skymapping", "skymap", "Record skymaps, list them, and find tracts and patches."),
    },
    "Mount": {
        "mount": Entry("mounting", "mount", "Show a repository as a folder."),
        "umount": Entry("mounting", "umount", "Take a mount away."),
        "mounts": Entry("mounting", "mounts", "Show the mounts of repositories."),
    },
    "Put in and take out": {
        "cp": Entry("copying", "cp", "Copy files into the repository, or out of it."),
        "put": Entry("taking", "put", "Store a file as a dataset."),
        "ingest": Entry(
            "taking", "ingest", "Take files of any names in, with data IDs from headers and names."
        ),
        "rm": Entry("changing", "rm", "Remove datasets, or untag them."),
        "ln": Entry("changing", "ln", "Tag datasets: show them in a TAGGED collection."),
        "register": Entry("defining", "register", "Register a dataset type."),
        "attach": Entry("attaching", "attach", "Attach a table: columns that expressions may use."),
        "detach": Entry("attaching", "detach", "Remove an attached table."),
        "chain": Entry("chaining", "chain", "Make a chain of collections, or change one."),
        "begin-run": Entry("chaining", "begin_run", "Make a new RUN at the head of a chain."),
        "certify": Entry("certifying", "certify", "Certify calibrations for a range of time."),
        "decertify": Entry("certifying", "decertify", "Take a range of time out of what is certified."),
    },
    "Cameras": {
        "instrument": Entry("observing", "instrument", "Record instruments, or show those that are known."),
        "ingest-raws": Entry(
            "observing", "ingest_raws", "Take raw files in; their headers tell what they are."
        ),
        "define-visits": Entry(
            "observing", "define_visits", "Define visits of exposures, with their regions."
        ),
        "ingest-curated": Entry(
            "observing", "ingest_curated", "Take dated calibrations in, and certify them."
        ),
    },
    "Share": {
        "export": Entry("sharing", "export", "Write datasets with all that belongs to them to a file."),
        "import": Entry("importing", "import_", "Import an export, of skyfs or of a Rubin data butler."),
        "push": Entry("sharing", "push", "Send datasets into another repository."),
        "subset": Entry("sharing", "subset", "Make a repository of some datasets of this one."),
        "merge": Entry("sharing", "merge", "Put all that repositories hold into one."),
    },
    "Repositories": {
        "demo": Entry("touring", "demo", "Make a repository and take a tour of it."),
        "init": Entry("repositories", "init", "Create a repository in a folder."),
        "config": Entry(
            "describing", "config", "Print the active configuration and where each value is from."
        ),
        "check": Entry("checking", "check", "Check that all is there and sound, and repair what is not."),
        "cache": Entry("caching", "cache", "Show, empty, check or pin what is kept of far stores."),
        "backup": Entry("safekeeping", "backup", "Write all that a registry holds into a new folder."),
        "restore": Entry("safekeeping", "restore", "Restore a registry from a backup."),
        "rebuild": Entry("safekeeping", "rebuild", "Make a lost or damaged registry anew."),
        "migrate": Entry("safekeeping", "migrate", "Make a new repository of one with an older schema."),
        "relocate": Entry("repositories", "relocate", "Tell a repository and its views that it was moved."),
        "destroy": Entry("repositories", "destroy", "Delete a repository with all that it holds."),
        "completion": Entry("completing", "completion", "Print the completion script of a shell."),
    },
}

COMMANDS: Mapping[str, Entry] = {name: entry for group in GROUPS.values() for name, entry in group.items()}

# What commands are called elsewhere.
_ALSO: Mapping[str, Sequence[str]] = {
    "mv": ("cp", "ln"),
    "copy": ("cp",),
    "list": ("ls",),
    "dir": ("ls",),
    "delete": ("rm",),
    "remove": ("rm",),
    "create": ("init",),
    "add": ("put", "ingest"),
    "view": ("show",),
    "display": ("show",),
    "open": ("show", "get"),
    "plot": ("sky", "show"),
    "search": ("query", "find"),
    "unmount": ("umount",),
    "help": ("--help",),
}

_FIRST_STEPS = """\
skyfs: repositories of astronomy datasets, seen as files.

First steps:
  skyfs demo                a tour of a simulated survey, or of your FITS files
  skyfs init DIR            a repository of your own
  export SKYFS_REPO=REPO    which one commands mean; or: skyfs -r REPO COMMAND
  skyfs ls /                look around
  skyfs mount REPO DIR      see it as a folder
"""


class Application(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Give the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        entry = COMMANDS[cmd_name]
        command = getattr(import_module(f"{__package__}.{entry.module}"), entry.name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands into the help."""
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in group.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; of one that there is not, name the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = _ALSO.get(args[0]) or get_close_matches(args[0], COMMANDS, 3)
            todo = f"did you mean {', '.join(near)}?" if near else "all are listed there"
            raise click.UsageError(f"no command {args[0]!r}: {todo}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command; what click would report in its own way is turned into an exit status."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except NotFound as error:
            raise _advised(error, ctx) from None
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The interpreter flushes once more when it ends; that must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(BROKEN_PIPE)
        return result

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> Any:  # noqa: ANN401 - click's signature
        """Run the command line; ends the process with an exit status."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        if _COMPLETE_VARIABLE in os.environ:
            import_module(f"{__package__}.completing")
        warnings.showwarning = _show_warning
        try:
            status = super().main(
                args, prog_name or "skyfs", _COMPLETE_VARIABLE, standalone_mode=False, **extra
            )
        except click.Abort:
            status = INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last door: whatever it is, users get one line
            status = _fail(error)
        sys.exit(status if isinstance(status, int) else 0)


def _advised(error: NotFound, ctx: click.Context) -> NotFound:
    """Say what there is instead of a path that leads nowhere."""
    from .advising import advised

    session = ctx.find_object(Session)
    return error if session is None or debugging() else advised(error, session)


def _fail(error: Exception) -> int:
    if debugging():
        traceback.print_exception(error)
    message, status = explain(error)
    click.echo(f"skyfs: {message}", err=True)
    return status


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    """Show a warning as one line, without the place in the source."""
    click.echo(f"skyfs: warning: {printable(' '.join(str(message).split()))}", err=True)


@click.command(
    "skyfs",
    cls=Application,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("-r", "--repository", metavar="REPO", help="Name, folder or URL. Default: $SKYFS_REPO.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress bars.")
@click.version_option(__version__, "--version", message="skyfs %(version)s")
@click.pass_context
def main(ctx: click.Context, *, repository: str | None, quiet: bool) -> None:
    """Browse, read and fill repositories of astronomy datasets.

    Paths name data: /COLLECTION/TYPE/DIMENSION=VALUE/.../DIMENSION=VALUE.EXTENSION. A path may be written
    skyfs://NAME/PATH, which names the repository too.
    """
    ctx.obj = ctx.with_resource(Session(repository, quiet=quiet))
    if ctx.invoked_subcommand is None:
        click.echo(_welcome(ctx.obj))


def _welcome(session: Session) -> str:
    """Give the first steps, the repositories that are known, and the commands in groups."""
    from ..config.index import all_names

    width = max(map(len, GROUPS)) + 2
    commands = "\n".join(f"  {title:{width}}{_listed(group, width + 2)}" for title, group in GROUPS.items())
    known = sorted(all_names(session.environment))
    shown = ", ".join(map(printable, known[:_MOST_NAMED])) + (", ..." if len(known) > _MOST_NAMED else "")
    yours = f"\nYour repositories: {shown}\n" if known else ""
    more = "skyfs --help says what each does, skyfs COMMAND --help all about one."
    return f"{_FIRST_STEPS}{yours}\nCommands:\n{commands}\n\n{more}"


def _listed(names: Iterable[str], indent: int) -> str:
    return textwrap.fill(" ".join(names), 78 - indent, break_on_hyphens=False).replace(
        "\n", "\n" + " " * indent
    )
