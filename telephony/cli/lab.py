"""``onetouch lab``: the whole way of a press, simulated."""

from __future__ import annotations

from typing import Any

import click


@click.command(short_help="Try everything against simulators; no set-up.")
@click.option(
    "--press", type=click.Choice(["sms", "ussd", "call"]), help="Make one press, print its timeline and end."
)
@click.option("--json", "as_json", is_flag=True, help="With --press: print JSON.")
def lab(press: str | None, *, as_json: bool) -> None:
    """Run the daemon between a simulated SMSC, location server and 112 centre.

    Each speaks its real wire on loopback (SMPP, MLP, CAP by HTTP). Without options the lab stays open: Enter holds
    the key, `help` lists the troubles that can be made.

    With --press ussd the phone dials *112# and shows one neutral text, which tells nobody what was dialled.

    With --press call a real Asterisk runs the dialplans between a simulated phone and 112's telephones; on Debian, as
    root, it is installed when it is missing.

    \b
    Exit codes of --press: 0 when 112 acknowledged the alert and an update with the position (and, for a call, the
    phone was silent and the centre heard it; for USSD, the phone showed the neutral text), 1 when not, 3 when there
    is no Asterisk.
    \b
    Example:
      onetouch lab
      onetouch lab --press sms
      onetouch lab --press ussd
      onetouch lab --press call
      onetouch lab --press sms --json | python3 -m json.tool
    """
    if as_json and press is None:
        raise click.UsageError("--json goes with --press")
    # This is the door through which the real reactor comes in; it is handed on as a parameter.
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

    from telephony.lab.stage import press_once, stay_open  # noqa: PLC0415

    reactor: Any = installed
    raise SystemExit(stay_open(reactor) if press is None else press_once(reactor, press, as_json=as_json))
