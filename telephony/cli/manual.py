"""``onetouch manual``: writes the help of every command as man pages (man(7)), for `man onetouch-incidents-list`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from inspect import cleandoc
from pathlib import Path

import click

from telephony.cli.echo import echo

SECTION = 1
WHOLE = 200
"""Characters: a short help is not cut."""
AS_IT_IS = "\b"
"""Stands before a paragraph whose lines click keeps."""


@click.command(short_help="Write the man pages of all commands.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def manual(folder: Path) -> None:
    """Write a man page for each command into FOLDER, e.g. onetouch-incidents-list.1. Pages that are there are replaced.

    \b
    Examples:
      onetouch manual /usr/local/share/man/man1 && man onetouch-incidents
      onetouch manual /tmp/pages && man /tmp/pages/onetouch.1

    Exit codes: 0 written, 1 FOLDER cannot be written.
    """
    root = click.get_current_context().find_root()
    pages = list(_pages(root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages:
            (folder / f"{name}.{SECTION}").write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename or folder}: {error.strerror}") from error
    echo(f"written into {folder}: {len(pages)} man pages")


def _pages(context: click.Context) -> Iterator[tuple[str, str]]:
    """Return the name and the text of a command's page and of those below it."""
    below = list(_below(context))
    yield _name(context), page(context, below)
    for each in below:
        yield from _pages(each)


def _below(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            each = group.get_command(context, name)
            if each is not None and not each.hidden:
                yield click.Context(each, info_name=name, parent=context, **each.context_settings)


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def page(context: click.Context, below: list[click.Context]) -> str:
    """Return one page in the language of man(7)."""
    command, name = context.command, _name(context)
    lines = [
        f'.TH {_escaped(name.upper())} {SECTION} "" "onetouch {version("onetouch")}" "One-touch SOS relay"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escaped(name)} \\- {_short(command)}",
        ".SH SYNOPSIS",
        f".B {_escaped(context.command_path)}",
        _escaped(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_described(command.help or ""),
    ]
    options = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    commands = [(str(each.info_name), each.command.get_short_help_str(WHOLE)) for each in below]
    for heading, entries in (("OPTIONS", options), ("COMMANDS", commands)):
        if entries:
            lines.append(f".SH {heading}")
        for entry, told in entries:
            lines += [".TP", f".B {_escaped(entry)}", _escaped(told)]
    related = [_name(each) for each in (*filter(None, (context.parent,)), *below)]
    if related:
        *others, last = [f".BR {_escaped(each)} ({SECTION})" for each in related]
        lines += [".SH SEE ALSO", *(f"{each}," for each in others), last]
    return "\n".join(lines) + "\n"


def _short(command: click.Command) -> str:
    return _escaped(command.get_short_help_str(WHOLE))


def _described(text: str) -> Iterator[str]:
    """Return the paragraphs of a help text; those whose lines are kept stay as they are."""
    for paragraph in cleandoc(text).split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line.strip() != AS_IT_IS]
        if AS_IT_IS in paragraph:
            yield from (".PP", ".nf", *map(_escaped, lines), ".fi")
        else:
            yield from (".PP", *(_escaped(line.strip()) for line in lines))


def _escaped(text: str) -> str:
    """Return a line that roff shows as it is."""
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
