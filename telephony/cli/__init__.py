"""The ``onetouch`` command. Each subcommand is imported when it is called, and not before.

The daemon thus never loads what only people at a terminal need.
"""

from __future__ import annotations

from importlib import import_module

import click

from telephony.cli.echo import SafeErrors

COMMANDS = {
    "lab": "telephony.cli.lab",
    "config": "telephony.cli.config",
    "serve": "telephony.cli.serve",
    "check": "telephony.cli.check",
    "status": "telephony.cli.status",
    "links": "telephony.cli.links",
    "cap": "telephony.cli.cap",
    "incidents": "telephony.cli.incidents",
    "calls": "telephony.cli.calls",
    "recordings": "telephony.cli.recordings",
    "people": "telephony.cli.people",
    "keys": "telephony.cli.keys",
    "audit": "telephony.cli.audit",
    "tail": "telephony.cli.tail",
    "db": "telephony.cli.db",
    "dialplan": "telephony.cli.dialplan",
    "doctor": "telephony.cli.doctor",
    "manual": "telephony.cli.manual",
}
"""Name of the subcommand, which its module gives the same name, and that module."""


class LazyGroup(SafeErrors):
    """A group that knows its subcommands by name and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table: in which a newcomer meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand, or give ``None`` for a name that is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="onetouch", prog_name="onetouch")
def onetouch() -> None:
    """Relay one-touch SOS presses from basic phones to the 112 centre.

    \b
    A first look at a new machine:
      onetouch lab --press sms
      onetouch check --config config/onetouch.toml
      onetouch serve --config config/onetouch.toml
      onetouch incidents list --open
    """


def main() -> None:
    """Run the command: the entry point of the package."""
    onetouch(prog_name="onetouch")
