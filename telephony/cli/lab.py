"""``onetouch lab``: the whole way of a press, simulated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from telephony.lab.stage.house import Language


@click.command(short_help="Try everything against simulators; no set-up.")
@click.option(
    "--press", type=click.Choice(["sms", "ussd", "call"]), help="Make one press, tell how it went and end."
)
@click.option(
    "--xml", "with_xml", is_flag=True, help="With --press: print the reports too, as 112 received them."
)
@click.option("--json", "as_json", is_flag=True, help="With --press: print all of it as JSON.")
@click.option(
    "--language", type=click.Choice(["ko", "en"]), help="Default: that of your environment, else en."
)
@click.option("--free-ports", is_flag=True, help="Listen on any free ports, beside another lab.")
def lab(
    press: str | None, *, with_xml: bool, as_json: bool, language: Language | None, free_ports: bool
) -> None:
    """Run the daemon between a simulated SMSC, location server and 112 centre.

    Each speaks its real wire on loopback (SMPP, MLP, CAP by HTTP); the daemon is `onetouch serve`, a process of its own.
    Without options the lab stays open: Enter holds the key, `help` lists what can be done, and every event is told as
    it happens, in milliseconds since the press.

    With --press it ends with a card: what 112 knew and when, what her phone heard, and the folder with the reports.
    --press ussd dials *112#, and the phone shows one neutral text, which does not show what was dialled. --press call
    runs the dialplans in a real Asterisk between a simulated phone and 112's telephones; on Debian, as root, it is
    installed when it is missing.

    Exit codes of --press: 0 when 112 acknowledged the alert and an update with the position and her phone stayed silent
    (and, for a call, the centre heard it; for USSD, the phone showed the neutral text), 1 when not, 3 when there is no
    Asterisk. Of the open lab: 0, or 1 when a port is in use.

    \b
    Example:
      onetouch lab
      onetouch lab --press sms --language ko
      onetouch lab --press ussd
      onetouch lab --press call --xml
      onetouch lab --press sms --json | python3 -m json.tool
    """
    if (as_json or with_xml) and press is None:
        raise click.UsageError(f"{'--json' if as_json else '--xml'} goes with --press")
    if free_ports and press is not None:
        raise click.UsageError("--press takes free ports anyway; --free-ports is for the open lab")
    # This is the door through which the real reactor comes in; it is handed on as a parameter.
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    from telephony.lab.stage.command import press_once, stay_open  # noqa: PLC0415
    from telephony.lab.stage.house import LAB_PORTS, Ports  # noqa: PLC0415

    reactor: Any = installed
    chosen = language or of_environment()
    if press is not None:
        raise SystemExit(press_once(reactor, press, language=chosen, as_json=as_json, with_xml=with_xml))
    raise SystemExit(stay_open(reactor, language=chosen, ports=Ports() if free_ports else LAB_PORTS))


def of_environment() -> Language:
    """Return the language that the environment asks for, as far as the lab speaks it."""
    asked = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "ko" if asked.lower().startswith("ko") else "en"
