"""Completion in shells: the scripts, and the paths of the repository.

bash takes words apart at the characters of ``COMP_WORDBREAKS``, among them ``=`` and ``:``, which paths here
are full of; so the line is taken apart anew, and of each answer only what follows the last such character is
given.
"""

from __future__ import annotations

import os

import click
from click.shell_completion import (
    BashComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

_BASH = """\
_skyfs_completion() {
    local line IFS=$'\\n'
    COMPREPLY=()
    while read -r line; do
        case "$line" in
            plain,*) COMPREPLY+=("$(printf %q "${line#plain,}")")
                if [[ "$line" == *[/=] ]]; then compopt -o nospace; fi ;;
            file,*) compopt -o default ;;
            dir,*) compopt -o dirnames ;;
        esac
    done < <(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        _SKYFS_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -F _skyfs_completion skyfs
"""


class WholeWords(BashComplete):
    """Completion for bash of words that hold ``=`` and ``:``."""

    source_template = _BASH

    def source(self) -> str:
        """Give the script; click would ask for the version of bash first."""
        return self.source_template

    def get_completion_args(self) -> tuple[list[str], str]:
        """Give the finished words, and the one that is being typed."""
        line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
        words = split_arg_string(line)
        incomplete = words.pop() if line[-1:].strip() and words else ""
        return words[1:], incomplete

    def complete(self) -> str:
        """Give the answers, each without what bash holds for earlier words."""
        arguments, incomplete = self.get_completion_args()
        breaks = os.environ.get("COMP_WORDBREAKS", "")
        cut = max((incomplete.rfind(mark) for mark in ":=" if mark in breaks), default=-1) + 1
        found = self.get_completions(arguments, incomplete)
        return "\n".join(f"{item.type},{item.value[cut:]}" for item in found)


add_completion_class(WholeWords)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the completion script of a SHELL.

    For bash: add  eval "$(skyfs completion bash)"  to ~/.bashrc; likewise for zsh; for fish, write it to
    ~/.config/fish/completions/skyfs.fish.
    """
    from .app import main

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(main, {}, "skyfs", "_SKYFS_COMPLETE").source())
