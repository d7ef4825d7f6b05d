"""Prints the output of commands, every line made safe wherever its words come from. Only `onetouch tail` colours lines itself."""

from __future__ import annotations

import click

from telephony.safe_text import in_json, one_line


def echo(*said: str, err: bool = False, mark: str = "") -> None:
    """Write each text on a line of its own, to standard output or to standard error; behind the last a word in colour."""
    click.echo("\n".join(map(one_line, said)) + mark, err=err)


def echo_json(value: object, *, indent: int | None = None) -> None:
    """Write a value as JSON that means the same and is safe to show."""
    click.echo(in_json(value, indent=indent))


class SafeErrors(click.Group):
    """A group whose commands fail in one safe line each: they quote files, options and far ends."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = one_line(error.message)  # click calls it final
            raise
