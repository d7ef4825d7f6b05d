"""Tries whether the ports that the daemon listens on are free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import replace

from telephony.cli.far_ends import FarEnd, Reached
from telephony.settings import Settings
from telephony.settings.keys import Path

TAKEN = "taken: by the daemon, if it runs; else `ss -ltunp` shows by what"
OWN_UDP_PORT = "own UDP port"


def own_ports(settings: Settings) -> Iterator[FarEnd]:
    """Return every port that the daemon listens on; the host is the interface, empty for all of them."""
    if settings.smpp_server is not None:
        yield _own("smpp-server", settings.smpp_server.interface, settings.smpp_server.port, ("smpp_server",))
    for index, carrier in enumerate(settings.carrier):
        for place, link in enumerate(carrier.smpp):
            if link.outbind_port is not None:
                at: Path = ("carrier", index, "smpp", place, "outbind_port")
                yield _own(link.name, "", link.outbind_port, at)
    for index, server in enumerate(settings.asterisk):
        if server.mirror is not None:
            about, at = f"sip-mirror {server.name}", ("asterisk", index, "mirror")
            yield replace(_own(about, server.mirror.interface, server.mirror.port, at), kind=OWN_UDP_PORT)
    if settings.web is not None:
        yield _own("web", settings.web.interface, settings.web.port, ("web",))
    if settings.service_menu is not None:
        menu = settings.service_menu
        yield _own("service-menu", menu.interface, menu.port, ("service_menu",))


def try_own_ports(settings: Settings) -> list[Reached]:
    """Take each port for a moment. One that is taken is no fault: `check` may run beside the daemon."""
    return [_try(port) for port in own_ports(settings)]


def _own(name: str, interface: str, port: int, at: Path) -> FarEnd:
    return FarEnd("own port", name, interface, port, None, 0.0, at=at)


def _try(port: FarEnd) -> Reached:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    try:
        kind = socket.SOCK_DGRAM if port.kind == OWN_UDP_PORT else socket.SOCK_STREAM
        with socket.socket(family, kind) as listener:
            if kind == socket.SOCK_STREAM:
                # As the daemon does: connections that linger of its last run are not in the way.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((port.host, port.port))
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        detail = TAKEN if is_taken else error.strerror or "cannot be had"
        return Reached(port, is_taken, detail, 0.0, "" if is_taken else "write an address of this machine")
    return Reached(port, True, "free", 0.0)
