"""The command ``skyfs``: finds its subcommands, loads the one that is called, and says how it ended."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from .. import __version__
from ..errors import printable
from .exits import BROKEN_PIPE, INTERRUPTED, MISUSED, debugging, explain
from .session import Session

_COMPLETE_VARIABLE = "_SKYFS_COMPLETE"


class Entry(NamedTuple):
    """Where a command is, and the line about it in the help: asking for help loads no command."""

    module: str
    name: str
    help: str


COMMANDS = {
    "init": Entry("repositories", "init", "Create a repository in a folder."),
    "info": Entry("describing", "info", "Tell all about a path, or about the repository."),
    "config": Entry("describing", "config", "Print the active configuration and where each value is from."),
    "ls": Entry("listing", "ls", "List folders."),
    "find": Entry("listing", "find", "Print the paths of all datasets below folders."),
    "cat": Entry("contents", "cat", "Write datasets to standard output."),
    "cp": Entry("copying", "cp", "Copy files into the repository, or out of it."),
    "rm": Entry("changing", "rm", "Remove datasets, or untag them."),
    "ln": Entry("changing", "ln", "Tag datasets: show them in a TAGGED collection."),
    "show": Entry("showing", "show", "Show a dataset: a picture, the rows of a table, a text."),
    "get": Entry("contents", "get", "Write a dataset, named by path or data ID, to a file."),
    "put": Entry("taking", "put", "Store a file as a dataset."),
    "ingest": Entry("taking", "ingest", "Take files of any names in, with data IDs from headers and names."),
    "export": Entry("sharing", "export", "Write datasets with all that belongs to them to a file."),
    "import": Entry("importing", "import_", "Import an export, of skyfs or of a Rubin data butler."),
    "push": Entry("sharing", "push", "Send datasets into another repository."),
    "subset": Entry("sharing", "subset", "Make a repository of some datasets of this one."),
    "merge": Entry("sharing", "merge", "Put all that repositories hold into one."),
    "instrument": Entry("observing", "instrument", "Record instruments, or show those that are known."),
    "ingest-raws": Entry("observing", "ingest_raws", "Take raw files in; their headers tell what they are."),
    "define-visits": Entry("observing", "define_visits", "Define visits of exposures, with their regions."),
    "ingest-curated": Entry("observing", "ingest_curated", "Take dated calibrations in, and certify them."),
    "query": Entry("querying", "query", "Find datasets by type, data ID and expression."),
    "sky": Entry("charting", "sky", "Draw where the datasets of a query are on the sky."),
    "data-ids": Entry("querying", "data_ids", "Tell which data IDs are possible by the records."),
    "records": Entry("querying", "records", "Show dimension records, or insert them from a file."),
    "skymap": Entry("skymapping", "skymap", "Record skymaps, list them, and find tracts and patches."),
    "collections": Entry(
        "defining", "collections", "Show collections, or create, chain, lock and remove them."
    ),
    "chain": Entry("chaining", "chain", "Make a chain of collections, or change one."),
    "begin-run": Entry("chaining", "begin_run", "Make a new RUN at the head of a chain."),
    "certify": Entry("certifying", "certify", "Certify calibrations for a range of time."),
    "decertify": Entry("certifying", "decertify", "Take a range of time out of what is certified."),
    "types": Entry("defining", "types", "Show dataset types."),
    "attach": Entry("attaching", "attach", "Attach a table: columns that expressions may use."),
    "detach": Entry("attaching", "detach", "Remove an attached table."),
    "register": Entry("defining", "register", "Register a dataset type."),
    "cache": Entry("caching", "cache", "Show, empty, check or pin what is kept of far stores."),
    "check": Entry("checking", "check", "Check that all is there and sound, and repair what is not."),
    "mount": Entry("mounting", "mount", "Show a repository as a folder."),
    "umount": Entry("mounting", "umount", "Take a mount away."),
    "mounts": Entry("mounting", "mounts", "Show the mounts of repositories."),
    "demo": Entry("touring", "demo", "Make a repository and take a tour of it."),
    "relocate": Entry("repositories", "relocate", "Tell a repository and its views that it was moved."),
    "backup": Entry("safekeeping", "backup", "Write all that a registry holds into a new folder."),
    "restore": Entry("safekeeping", "restore", "Restore a registry from a backup."),
    "migrate": Entry("safekeeping", "migrate", "Make a new repository of one with an older schema."),
    "rebuild": Entry("safekeeping", "rebuild", "Make a lost or damaged registry anew."),
    "destroy": Entry("repositories", "destroy", "Delete a repository with all that it holds."),
    "completion": Entry("completing", "completion", "Print the completion script of a shell."),
}


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
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command; what click would report in its own way is turned into an exit status."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
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


def _fail(error: Exception) -> int:
    if debugging():
        traceback.print_exception(error)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return MISUSED
    message, status = explain(error)
    click.echo(f"skyfs: {message}", err=True)
    return status


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    """Show a warning as one line, without the place in the source."""
    click.echo(f"skyfs: warning: {printable(' '.join(str(message).split()))}", err=True)


@click.command(
    "skyfs", cls=Application, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("-r", "--repository", metavar="REPO", help="Name, folder or URL. Default: $SKYFS_REPO.")
@click.version_option(__version__, "--version", message="skyfs %(version)s")
@click.pass_context
def main(ctx: click.Context, repository: str | None) -> None:
    """Browse, read and fill repositories of astronomy datasets.

    Paths name data: /COLLECTION/TYPE/DIMENSION=VALUE/.../DIMENSION=VALUE.EXTENSION. A path may be written
    skyfs://NAME/PATH, which names the repository too.
    """
    ctx.obj = ctx.with_resource(Session(repository))
