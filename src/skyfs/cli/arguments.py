"""Arguments of commands: paths in the repository, either side of a copy, ``key=value``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import click

from ..errors import SkyfsError
from ..model.paths import parse
from .session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_Command = TypeVar("_Command", bound=Callable[..., object])


def together(*decorators: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Make one decorator of several options and arguments, in the order in which help shows them."""

    def decorate(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


class PathType(click.ParamType):  # type: ignore[type-arg] # generic in new versions only
    """A path in a repository: ``/PATH``, ``:/PATH``, ``skyfs:/PATH`` or ``skyfs://NAME/PATH``."""

    name = "path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Give the path within the repository, and tell the session the repository's name."""
        session = ctx.find_object(Session) if ctx is not None else None
        return plain_path(value, session)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Give the paths that begin with what is typed."""
        return list(complete_path(ctx, incomplete))


class CopyType(click.ParamType):  # type: ignore[type-arg] # generic in new versions only
    """A path on either side of a copy."""

    name = "path"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Give the paths in the repository, and let the shell add local files."""
        from click.shell_completion import CompletionItem

        return [*complete_path(ctx, incomplete), CompletionItem(incomplete, type="file")]


COPY = CopyType()
PATH = PathType()

taking = click.option(
    "--mode",
    type=click.Choice(("auto", "copy", "move", "link", "symlink", "direct")),
    default="auto",
    show_default=True,
    help="How files are taken in.",
)


def plain_path(value: str, session: Session | None) -> str:
    """Take the scheme off a path in a repository."""
    if value.startswith("skyfs://"):
        name, slash, rest = value.removeprefix("skyfs://").partition("/")
        if session is not None and name:
            session.name(name)
        return slash + rest or "/"
    path = value.removeprefix("skyfs:").removeprefix(":")
    return path if path.startswith("/") else f"/{path}"


def listed(given: Iterable[str]) -> list[str]:
    """Give the names of an option that may be given several times, each time with several."""
    return [name for names in given for name in names.split(",")]


def pairs(arguments: Iterable[str]) -> dict[str, object]:
    """Read ``key=value`` arguments.

    Raises
    ------
    click.UsageError
        When one is not of that form, or a key stands twice.
    """
    found: dict[str, object] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not (key and equals and value):
            raise click.UsageError(f"{argument!r} is no KEY=VALUE, as visit=42")
        if key in found:
            raise click.UsageError(f"{key!r} is given twice")
        found[key] = value
    return found


def complete_path(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Give the paths in the repository that begin with what is typed; nothing when there is no repository."""
    from click.shell_completion import CompletionItem

    typed, _, begun = incomplete.rpartition("/")
    # Only the options before the command have been read yet: the group itself has not run.
    with Session(ctx.find_root().params.get("repository")) as session:
        try:
            folder = plain_path(typed or "/", session)
            for node in session.tree().children(parse(folder)):
                if node.name.startswith(begun):
                    yield CompletionItem(f"{typed}/{node.name}" + ("/" if node.is_dir else ""))
        except (SkyfsError, click.UsageError):
            return
