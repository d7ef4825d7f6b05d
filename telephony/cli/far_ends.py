"""Tries whether the far ends named in the settings can be reached from here: blocking, for a person who waits."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from pydantic import HttpUrl
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.asterisk.settings import AsteriskServer
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.fields import Tls
from telephony.net.client_tls import Impostor, verified_socket
from telephony.net.names import addresses_within
from telephony.psap.settings import CapHttpChannel
from telephony.settings import Settings
from telephony.settings.keys import Path
from telephony.smpp.esme import bind_request
from telephony.smpp.observer import status_name
from telephony.smpp.settings import EsmeLink
from telephony.smpp.wire.building import build
from telephony.smpp.wire.codec import PduStream
from telephony.smpp.wire.constants import COMMAND_IDS, ESME_ROK, RESPONSE
from telephony.smpp.wire.pdus import Pdu
from telephony.store.bounds import COMMAND, Access, hosts_of

AT_ONCE = 16
"""Far ends tried side by side."""


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Something that we connect to."""

    kind: str
    name: str
    host: str
    port: int
    tls: Tls | None
    timeout_s: float
    link: EsmeLink | None = None
    """Where it is an SMSC: how to bind."""
    asterisk: AsteriskServer | None = None
    """Where it is an Asterisk: how to log in."""
    ask_store: Callable[[], str] | None = None
    """Where it is the store's server: how to connect as the daemon does."""
    at: Path = ()
    """Where it stands in the settings."""

    @property
    def address(self) -> str:
        """Its host and port; * for every interface of ours."""
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reached:
    """The outcome of one try. ``detail`` is for the operator."""

    far_end: FarEnd
    is_fine: bool
    detail: str
    took_ms: float
    instead: str = ""
    """What to do where it is not fine."""


def far_ends(settings: Settings) -> Iterator[FarEnd]:
    """Return every far end of the settings: the store's server, SMSCs, location services, Asterisk servers, 112 centres."""
    yield from _store(settings)
    for index, carrier in enumerate(settings.carrier):
        for place, link in enumerate(carrier.smpp):
            at: Path = ("carrier", index, "smpp", place)
            yield FarEnd(
                "SMSC", link.name, link.host, link.port, link.tls, link.connect_timeout_s, link, at=at
            )
        if carrier.lbs is not None:
            lbs = carrier.lbs
            at = ("carrier", index, "lbs", "url")
            yield _web("LBS", carrier.name, lbs.url, lbs.tls, lbs.fast.budget_s, at=at)
    for index, server in enumerate(settings.asterisk):
        bound_s = server.connect_timeout_s
        at = ("asterisk", index)
        yield FarEnd(
            "Asterisk", server.name, server.host, server.port, server.tls, bound_s, asterisk=server, at=at
        )
    for index, psap in enumerate(settings.psap):
        for place, channel in enumerate(psap.channel):
            if isinstance(channel, CapHttpChannel):
                at = ("psap", index, "channel", place, "url")
                yield _web("112", channel.name, channel.url, channel.tls, channel.timeout_s, at=at)


def _store(settings: Settings) -> Iterator[FarEnd]:
    url = None if settings.store.url is None else make_url(settings.store.url)
    if url is not None and url.get_backend_name() == "postgresql":
        hosts, bound_s = " ".join(hosts_of(url)), COMMAND.connect_s
        yield FarEnd(
            "store",
            str(url.database),
            hosts,
            url.port or 5432,
            None,
            bound_s,
            ask_store=partial(_ask_store, settings),
            at=("store", "url"),
        )


def _ask_store(settings: Settings) -> str:
    """Connect as the daemon does, to the primary; a command may wait a little longer for it."""
    from telephony.store.postgresql import bounded_engine  # noqa: PLC0415 - psycopg is an extra

    access = Access(addresses_of=addresses_within)
    engine = bounded_engine(make_url(settings.database_url), replace(COMMAND, writes=True), access)
    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    except DBAPIError as error:
        raise Unavailable(str(error.orig)) from error
    finally:
        engine.dispose()
    return f"connected, PostgreSQL {version}"


def _web(kind: str, name: str, url: HttpUrl, tls: Tls | None, timeout_s: float, *, at: Path) -> FarEnd:
    wanted = (tls or Tls()) if url.scheme == "https" else None
    default = 443 if url.scheme == "https" else 80
    return FarEnd(kind, name, (url.host or "").strip("[]"), url.port or default, wanted, timeout_s, at=at)


def try_all(settings: Settings, *, with_bind: bool) -> list[Reached]:
    """Try every far end, some at once; results in the order of the settings. Never raises for a far end."""

    def try_it(far_end: FarEnd) -> Reached:
        return try_one(far_end, with_bind=with_bind)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(try_it, far_ends(settings)))


def try_one(far_end: FarEnd, *, with_bind: bool, now: Callable[[], float] = time.perf_counter) -> Reached:
    """Connect, do the TLS handshake where there is TLS, bind or log in where that is asked for."""
    began = now()
    instead = ""
    try:
        detail = _try(far_end, with_bind=with_bind)
        is_fine = True
    except ssl.SSLCertVerificationError as error:
        detail, is_fine, instead = f"TLS: {error.verify_message}", False, _TRUST
    except Impostor as error:
        detail, is_fine, instead = f"TLS: {error}", False, _TRUST
    except (OSError, Malformed, Refused, Unavailable, LookupError, ValueError) as error:
        detail, is_fine, instead = _words(error), False, _advice(error)
    return Reached(far_end, is_fine, detail, (now() - began) * 1000, instead)


_TRUST = "write the authority of its certificate as ca_file, or the name in it as server_name"


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _advice(error: Exception) -> str:  # noqa: PLR0911 - one return per kind of error
    """Return what to look at first."""
    match error:
        case TimeoutError():
            return "see whether a firewall or a missing route drops what is sent there"
        case ConnectionRefusedError():
            return "write the port on which it listens, or have it started"
        case socket.gaierror():
            return "write a host that the name server knows, or its address"
        case ssl.SSLError():
            return "see whether it speaks TLS on this port, and takes our certificate"
        case Malformed() | Refused():
            return "compare the account and its secret with what the far end has"
        case LookupError():
            return "provide the secret"
        case _:
            return "see whether it runs, and whether the network leads there"


def _try(far_end: FarEnd, *, with_bind: bool) -> str:
    if far_end.ask_store is not None:
        return far_end.ask_store()
    with ExitStack() as open_ones:
        stream = socket.create_connection((far_end.host, far_end.port), far_end.timeout_s)
        open_ones.enter_context(stream)
        detail = "connected"
        if far_end.tls is not None:
            stream = in_tls = verified_socket(stream, far_end.tls, far_end.host)
            open_ones.enter_context(stream)
            detail = f"connected, {in_tls.version()}"
        if with_bind and far_end.link is not None:
            detail += f", {_bind(stream, far_end.link)}"
    if with_bind and far_end.asterisk is not None:
        detail += f", {_log_in(far_end.asterisk)}"
    return detail


def _bind(stream: socket.socket, link: EsmeLink) -> str:
    """Bind and unbind; raises `Malformed` with the status where the SMSC refuses.

    Always as a transmitter, whatever the link is: an SMSC sends presses to receivers only, and a press that it sent
    to this check would wait for its redelivery.
    """
    stream.settimeout(link.bind_timeout_s)
    password = "" if link.password is None else link.password.read()
    stream.sendall(bind_request(link, password, "transmitter", 1))
    pdus = _pdus(stream)
    answer = next(pdu for pdu in pdus if pdu.command_id & RESPONSE)
    if answer.status != ESME_ROK or answer.command_id != COMMAND_IDS["bind_transmitter_resp"]:
        raise Malformed(f"bind_transmitter refused: {status_name(answer.status)}")
    stream.sendall(build("unbind", 2))
    next(pdu for pdu in pdus if pdu.command_id == COMMAND_IDS["unbind_resp"])
    return "bound and unbound"


def _log_in(server: AsteriskServer) -> str:
    """Log in as the daemon does, on a connection of its own.

    Raises `Refused` with Asterisk's words, `Unavailable`, or `Malformed` for anything but a manager interface. The daemon
    may be logged in meanwhile: Asterisk does not mind.
    """
    secret = server.secret.read()
    with BlockingAmi(
        server.host, server.port, server.username, secret, timeout_s=server.login_timeout_s, tls=server.tls
    ):
        return "logged in"


def _pdus(stream: socket.socket) -> Iterator[Pdu]:
    """Return PDUs as they come; raises `OSError` at the end of the stream, `Malformed` where it is not SMPP."""
    cutter = PduStream()
    while octets := stream.recv(65_536):
        yield from cutter.feed(octets)
        if cutter.broken is not None:
            raise Malformed(f"this does not speak SMPP: {cutter.broken}")
    raise ConnectionResetError("closed by the SMSC")
