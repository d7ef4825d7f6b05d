"""``onetouch doctor asterisk``: what is wrong with a running Asterisk, and what to do about it.

By py-Asterisk (see `telephony.asterisk.operator.connection`), blocking, in the command's own process, by the daemon's own account:
the rights of an account for people would show who calls (docs/voice.md, Who may see whom). It only reads, and of calls
only their number.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telephony.asterisk.dialplan.keys import FEATURES
from telephony.asterisk.dialplan.loaded import CREATED_BY
from telephony.asterisk.dialplan.places import FORBIDDEN_MODULES, ORIGINATED, ROUTES
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.asterisk.operator.connection import ANSWERED_BADLY, OperatorAmi
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.recordings import can_see
from telephony.asterisk.sos.sealed_caller import KEY_FILE, KEY_VARIABLE, is_key
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.recording import Record
from telephony.store.recordings.files import exposure, look

SOS_CONTEXTS: Final = ("sos", "sos-end", "to-112", *ORIGINATED)
NEEDED_MODULES: Final = (
    "app_dial", "app_stack", "app_exec", "app_confbridge", "app_mixmonitor", "app_userevent", "app_channelredirect",
    "chan_pjsip", "func_aes", "func_callerid", "func_channel", "func_config", "func_cut", "func_frame_drop", "func_global", "func_module", "func_periodic_hook", "func_pjsip_aor",
    "func_pjsip_contact", "func_pjsip_endpoint", "func_rand", "func_sha1",
    "func_strings", "pbx_config", "res_mutestream", "res_pjsip_dlg_options", "res_pjsip_dtmf_info",
    "res_pjsip_empty_info", "res_pjsip_header_funcs", "res_rtp_asterisk",
)  # fmt: skip
"""Modules without which 20-sos.conf or 30-112.conf does not work as written, or a request within a call gets no
answer."""
CENTRE_KEYS: Final = (*(f"key-{each}" for each in "0123456789abcd"), "key-star", "key-pound")
"""Of features.conf."""
CLOCK_S: Final = 2.0
"""Seconds that the clocks may differ: incidents are named and joined by time."""

_HEARD: Final = {
    "rfc4733": (
        "telephone-event/8000 or INFO",
        "tones, or as telephone-event/16000 alone (dtmf_mode = auto hears tones)",
    ),
    "auto": (
        "telephone-event/8000, INFO, or tones where no telephone-event is offered",
        "telephone-event/16000 alone",
    ),
    "auto_info": ("telephone-event/8000 or INFO", "tones, or as telephone-event/16000 alone"),
    "inband": ("tones or INFO", "telephone-events"),
}
"""By dtmf_mode of an endpoint: what Asterisk hears as a key, and what it does not (tried on 16.28.0)."""
_ROUTE_ENDPOINT = re.compile(r"PJSIP/(?:[^@&,/]*@)?([A-Za-z0-9][\w-]*)")
"""The endpoint of a dial string: ``PJSIP/112@centre-1``, ``PJSIP/centre-1/sip:…``."""

HOW_TO_MAKE_A_KEY: Final = (
    f"(echo '[journal]'; echo \"key = $(head -c 12 /dev/urandom | base64)\") > /etc/asterisk/{KEY_FILE}, mode 0640, "
    "owner root:asterisk; the next call is noted under it"
)

_NO_RIGHT: Final = "in manager.conf give this account write = call,originate,reporting"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the diagnosis. ``do`` is empty where all is well."""

    server: str
    what: str
    found: str
    do: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether all is well, and nothing has to be done."""
        return not self.do


def diagnose(
    server: AsteriskServer,
    secret: str,
    trunks: Sequence[str] = (),
    *,
    has_all: bool = True,
    now: Callable[[], float] = time.time,
) -> list[Told]:
    """Ask one server everything; never raises for what it does, and ends after bounded time.

    ``trunks`` are those of the daemon's settings (``[[carrier.trunk]]``): its contexts and endpoints have their names.
    ``has_all``: they must all be here; otherwise other servers may have some of them.
    """
    where = f"{server.host}:{server.port}"
    began = time.monotonic()
    try:
        connection = BlockingAmi(
            server.host,
            server.port,
            server.username,
            secret,
            timeout_s=server.connect_timeout_s,
            tls=server.tls,
        )
    except Unavailable as error:
        do = "start Asterisk there; compare host and port with bindaddr and port in manager.conf; look at the firewall"
        return [Told(server.name, "reachable", f"{where}: {error}", do)]
    except Malformed as error:
        return [
            Told(server.name, "reachable", f"{where}: {error}", "give host and port of its manager interface")
        ]
    except Refused as error:
        return [
            Told(server.name, "reachable", f"{where} in {_ms(began)}"),
            Told(
                server.name,
                "login",
                f"{server.username}: {error}",
                "compare username and secret with manager.conf, and its permit with this host's address",
            ),
        ]
    with connection:
        told = [
            Told(server.name, "reachable", f"{where} in {_ms(began)}, {connection.banner}"),
            Told(server.name, "login", server.username),
        ]
        ami = OperatorAmi(connection, server.response_timeout_s)
        return told + _ask_everything(ami, server, trunks, trunks if has_all else (), now)


def _ask_everything(
    ami: OperatorAmi,
    server: AsteriskServer,
    trunks: Sequence[str],
    needed: Sequence[str],
    now: Callable[[], float],
) -> list[Told]:
    told: list[Told] = []
    questions: Sequence[tuple[str, Callable[[], Iterator[tuple[str, str, str]]]]] = (
        ("version", lambda: _core(ami, server)),
        ("clock", lambda: _clock(ami, now)),
        ("calls", lambda: _calls(ami)),
        ("endpoints", lambda: _endpoints(ami, trunks, needed)),
        ("knocks", lambda: _knocks(ami, trunks)),
        ("contexts", lambda: _contexts(ami, trunks, needed)),
        ("modules", lambda: _modules(ami)),
        ("keys", lambda: _keys(ami)),
        ("journal", lambda: _journal(ami)),
        ("recordings", lambda: _recordings(ami, server)),
    )
    for what, question in questions:
        try:
            told += [Told(server.name, *answer) for answer in question()]
        except ANSWERED_BADLY as error:
            told.append(Told(server.name, what, f"no answer to this: {error}", _NO_RIGHT))
        except Unavailable as error:
            do = "look at Asterisk's log and load: it takes connections and does not answer"
            told.append(Told(server.name, what, str(error), do))
            return told  # half an answer may still be on its way
    return told


def _core(ami: OperatorAmi, server: AsteriskServer) -> Iterator[tuple[str, str, str]]:
    core = ami.ask("CoreSettings")
    yield "version", core.get("AsteriskVersion", "?"), ""
    name = core.get("SystemName", "")
    if name == server.name:
        yield "systemname", name, ""
    else:
        yield (
            "systemname",
            name or "none",
            f"systemname = {server.name} in [options] of asterisk.conf, then restart: calls are named by it",
        )
    status = ami.ask("CoreStatus")
    yield "up since", f"{status.get('CoreStartupDate', '?')} {status.get('CoreStartupTime', '?')}", ""


def _clock(ami: OperatorAmi, now: Callable[[], float]) -> Iterator[tuple[str, str, str]]:
    before = now()
    stamp = ami.Ping().get("Timestamp", "")
    after = now()
    try:
        ahead_s = float(stamp) - (before + after) / 2
    except ValueError:
        yield "clock", f"unreadable: {stamp!r}", "an Asterisk of version 16 or later"
        return
    do = "" if abs(ahead_s) <= CLOCK_S else "let both hosts keep time by NTP (chrony)"
    yield "clock", f"{ahead_s:+.3f} s from ours", do


def _calls(ami: OperatorAmi) -> Iterator[tuple[str, str, str]]:
    yield "calls", f"{ami.ask('CoreStatus').get('CoreCurrentCalls', '?')} up", ""


def _endpoints(
    ami: OperatorAmi, trunks: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Ask for the endpoints of the settings' trunks and of the routes to 112."""
    for name in trunks:
        if ami.value(f"PJSIP_ENDPOINT({name},context)"):
            yield "endpoint", f"{name}: there", ""
        elif name in needed:
            do = f"[{name}] in pjsip.conf (docs/voice.md, Connecting a trunk), then `module reload res_pjsip.so`"
            yield "endpoint", f"{name}: none, though the settings have a [[carrier.trunk]] of this name", do
    routes = [ami.value(f"SOS_ROUTE_{number}") for number in ROUTES]
    names = dict.fromkeys(match[1] for route in routes for match in _ROUTE_ENDPOINT.finditer(route))
    if not names:
        yield (
            "endpoints",
            "no route to 112",
            "SOS_ROUTE_1 in globals.local.conf, then `onetouch dialplan reload`",
        )
    for name in names:
        aor = ami.value(f"PJSIP_ENDPOINT({name},aors)").partition(",")[0]
        contacts = ami.value(f"PJSIP_AOR({aor},contact)").split(",") if aor else []
        states = [ami.value(f"PJSIP_CONTACT({each},status)") for each in contacts if each]
        yield "endpoint", *judged(name, states)


def judged(name: str, contacts: Sequence[str]) -> tuple[str, str]:
    """Return what the states of an endpoint's contacts mean together, and what to do."""
    if not contacts:
        return (
            f"{name}: none, or without a contact, though a route to 112 leads there",
            f"[{name}] in pjsip.conf, endpoint and aor with its contact, then `module reload res_pjsip.so`",
        )
    if any(each == "Unreachable" for each in contacts):
        return (
            f"{name}: unreachable",
            f"call the people behind {name}, and look at the way there: it does not answer OPTIONS",
        )
    if all(each == "NonQualified" for each in contacts):
        return f"{name}: there, nobody asks whether it answers (qualify_frequency = 0)", ""
    return f"{name}: reachable", ""


def _knocks(ami: OperatorAmi, trunks: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for name in trunks:
        mode = ami.value(f"PJSIP_ENDPOINT({name},dtmf_mode)")
        if mode:
            yield "knocks", *knocks_heard(name, mode)


def knocks_heard(name: str, mode: str) -> tuple[str, str]:
    """Return in which forms a trunk's keys are heard, by the ``dtmf_mode`` of its endpoint, and what to do."""
    heard, unheard = _HEARD.get(mode, ("INFO", "telephone-event or tones"))
    do = "" if "telephone-event/" in heard else f"dtmf_mode = rfc4733, or auto, for [{name}] in pjsip.conf"
    return f"{name}: heard are keys sent as {heard}; not those sent as {unheard}", do


def _contexts(
    ami: OperatorAmi, trunks: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    steps = ami.listing("ShowDialPlan")
    yield from contexts_loaded(
        {each.get("Context") for each in steps if each.get("Registrar") == CREATED_BY}, trunks, needed
    )


def contexts_loaded(
    loaded: Collection[str], trunks: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Judge by the contexts that came from the files."""
    missing = [name for name in (*SOS_CONTEXTS, *(f"from-{name}" for name in needed)) if name not in loaded]
    entries = [name for name in loaded if name.startswith("from-") and name != "from-112"]
    if missing or not entries:
        found = f"not loaded: {', '.join(missing) or 'no from-<trunk>'}"
        yield "contexts", found, "`onetouch dialplan check`, then `onetouch dialplan reload`"
    else:
        yield "contexts", f"{len(loaded)} loaded; trunks: {', '.join(sorted(entries))}", ""
    for name in sorted(set(entries) - {f"from-{trunk}" for trunk in trunks}):
        trunk = name.removeprefix("from-")
        do = f'[[carrier.trunk]] with name = "{trunk}" at its carrier in the daemon\'s settings, then restart it'
        yield "trunk", f"{name} takes calls, and the settings have no trunk {trunk}", do


def _modules(ami: OperatorAmi) -> Iterator[tuple[str, str, str]]:
    if ami.value("IFMODULE(func_module.so)") != "1":
        yield (
            "modules",
            "missing: func_module, so that no other can be asked for",
            "in modules.conf: load = func_module.so",
        )
        return
    for name in FORBIDDEN_MODULES:
        if ami.value(f"IFMODULE({name}.so)") == "1":
            do = f"take {name} out of modules.conf, then `module unload {name}.so`"
            yield "modules", f"{name} is loaded: a way to files or commands", do
    missing = [name for name in NEEDED_MODULES if ami.value(f"IFMODULE({name}.so)") != "1"]
    if missing:
        do = "; ".join(f"load = {name}.so" for name in missing)
        yield "modules", f"missing: {', '.join(missing)}", f"in modules.conf: {do}"
    else:
        yield "modules", f"all {len(NEEDED_MODULES)} that are needed run", ""


def _keys(ami: OperatorAmi) -> Iterator[tuple[str, str, str]]:
    """Look for the features that take the centre's keys out of a call: in the file, which Asterisk reads at its start."""
    missing = [name for name in CENTRE_KEYS if not ami.value(f"AST_CONFIG({FEATURES},applicationmap,{name})")]
    if missing:
        found = f"a key that the centre presses sounds at the phone: no feature {', '.join(missing)}"
        yield "keys", found, "features.conf of our dialplans, then `module reload features`"
    else:
        yield "keys", "those pressed at the centre end here", ""


def _journal(ami: OperatorAmi) -> Iterator[tuple[str, str, str]]:
    """Look for the journal of SOS calls, which a daemon that was away reads, and for the key that its numbers are under."""
    steps = ami.listing("ShowDialPlan", {"Context": "sos"})
    if not any("SOS_JOURNAL_" in each.get("AppData") for each in steps):
        do = "`onetouch dialplan check`, then `onetouch dialplan reload`"
        yield "journal", "the context sos writes none", do
        return
    key = ami.value(KEY_VARIABLE)
    if is_key(key):
        yield "journal", "written, callers under its key", ""
        return
    found = "its key is no 16 signs of base64" if key else "no key: the numbers of callers stand in the clear"
    yield "journal", found, HOW_TO_MAKE_A_KEY


def _recordings(ami: OperatorAmi, server: AsteriskServer) -> Iterator[tuple[str, str, str]]:
    """Say which calls are recorded, and whether others may read the recordings."""
    value = ami.value("SOS_RECORD").strip()
    known = value in tuple(Record)
    yield (
        "recordings",
        f"SOS_RECORD = {value}"
        if value
        else "the dialplan has no SOS_RECORD: every call, from its first second",
        ""
        if known
        else f"SOS_RECORD of globals.conf: one of {', '.join(Record)}; then `onetouch dialplan reload`",
    )
    if not can_see(server):
        yield "recordings", "not seen from here: outside encryption, retention and audit", ""
        return
    spool = ami.value("ASTSPOOLDIR").strip()
    folder = server.recordings or Path(spool, "monitor")
    try:
        exposed = exposure(folder, look(folder).plain, group_may=True)
    except FileNotFoundError:
        yield "recordings", f"{folder} is not there yet: nothing was recorded", ""
    except OSError as error:
        do = "run this as the daemon's account, which must be able to read, write and enter it"
        yield "recordings", f"{folder}: {error.strerror}", do
    else:
        do = (
            "chmod the folder, and start Asterisk with UMask=0077 (docs/voice.md, Recordings)"
            if exposed
            else ""
        )
        yield (
            "recordings",
            f"others may read {exposed}" if exposed else f"{folder}: nobody else may read it",
            do,
        )


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
