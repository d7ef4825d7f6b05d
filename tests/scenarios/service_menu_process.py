"""The menu of the service number alone, behind a door that accepts every press or none; says what happens as JSON lines.

python -m tests.scenarios.service_menu_process PORT IDLE_S recorded|not-recorded
"""

from __future__ import annotations

import sys

import structlog
from twisted.internet import reactor

from telephony.alarms import Alarms
from telephony.asterisk.menu.agi_server import AgiServer
from telephony.asterisk.menu.service_menu import Menu
from telephony.asterisk.settings import ServiceMenu
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.trigger import Trigger

log = structlog.get_logger()

DIGIT_S = 1.5
"""With the first two prompts longer than the bound on the first word, so that a bound that is not lifted shows."""


def main(port: str, idle_s: str, answer: str) -> None:
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    settings = ServiceMenu(port=int(port), idle_s=float(idle_s), digit_s=DIGIT_S)

    async def accept(trigger: Trigger) -> Receipt | Unavailable:
        log.info(
            "trigger",
            test=trigger.test,
            source=trigger.source,
            connector=trigger.connector,
            carrier=trigger.carrier,
            number=trigger.msisdn.number,
            reference=trigger.reference,
            destination=trigger.destination,
        )
        if answer == "recorded":
            return Receipt("sos-20261123-0001-120000", Join.FIRST)
        return Unavailable("no store here")

    menu = Menu(settings, accept, carriers={"skt-voice": "skt"}, default_carrier="kt", clock=reactor)
    AgiServer(settings, reactor=reactor, run=menu.run, alarms=Alarms(reactor)).startService()
    reactor.callWhenRunning(lambda: log.info("ready"))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
