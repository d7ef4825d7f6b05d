"""Whether the ports that the daemon listens on can be had."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import replace

from telephony.cli.links import FarEnd, Reached
from telephony.settings import Settings

TAKEN = "taken: by the daemon, if it runs; else `ss -ltunp` shows by what"
OWN_UDP_PORT = "own UDP port"


def own_ports(settings: Settings) -> Iterator[FarEnd]:
    """Give every port that the daemon listens on; the host is the interface, empty for all of them."""
    if settings.smpp_server is not None:
        yield _own("smpp-server", settings.smpp_server.interface, settings.smpp_server.port)
    for carrier in settings.carrier:
        for link in carrier.smpp:
            if link.outbind_port is not None:
                yield _own(link.name, "", link.outbind_port)
    for server in settings.asterisk:
        if server.mirror is not None:
            about = f"sip-mirror {server.name}"
            yield replace(_own(about, server.mirror.interface, server.mirror.port), kind=OWN_UDP_PORT)
    if settings.web is not None:
        yield _own("web", settings.web.interface, settings.web.port)
    if settings.service_menu is not None:
        yield _own("service-menu", settings.service_menu.agi_interface, settings.service_menu.agi_port)


def try_own_ports(settings: Settings) -> list[Reached]:
    """Take each port for a moment. One that is taken is no fault: `check` may run beside the daemon."""
    return [_try(port) for port in own_ports(settings)]


def _own(name: str, interface: str, port: int) -> FarEnd:
    return FarEnd("own port", name, interface, port, None, 0.0)


def _try(port: FarEnd) -> Reached:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    try:
        kind = socket.SOCK_DGRAM if port.kind == OWN_UDP_PORT else socket.SOCK_STREAM
        with socket.socket(family, kind) as listener:
            if kind == socket.SOCK_STREAM:
                # As the daemon does: connections that linger of its last run are in nobody's way.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((port.host, port.port))
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        return Reached(port, is_taken, TAKEN if is_taken else error.strerror or "cannot be had", 0.0)
    return Reached(port, True, "free", 0.0)
