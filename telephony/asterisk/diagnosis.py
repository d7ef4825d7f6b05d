"""``onetouch doctor asterisk``: what is wrong with a running Asterisk, and what to do about it.

By py-Asterisk (see `telephony.asterisk.operator_line`), blocking, in the command's own process. It only asks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from telephony.asterisk.blocking_ami import BlockingAmi
from telephony.asterisk.dialplan_loaded import read_shown
from telephony.asterisk.dialplan_places import FORBIDDEN_MODULES, ORIGINATED
from telephony.asterisk.operator_line import ANSWERED_BADLY, OperatorLine
from telephony.asterisk.settings import AsteriskServer
from telephony.domain.errors import Malformed, Refused, Unavailable

SOS_CONTEXTS: Final = ("sos", "sos-end", "to-112", *ORIGINATED)
NEEDED_MODULES: Final = (
    "app_dial", "app_stack", "app_exec", "app_confbridge", "app_mixmonitor", "app_userevent", "app_channelredirect",
    "chan_pjsip", "func_callerid", "func_channel", "func_cut", "func_frame_drop", "func_global", "func_periodic_hook", "func_rand",
    "func_strings", "pbx_config", "res_mutestream", "res_pjsip_dlg_options", "res_pjsip_dtmf_info",
    "res_pjsip_empty_info", "res_pjsip_header_funcs", "res_rtp_asterisk",
)  # fmt: skip
"""Without one of them 20-sos.conf or 30-112.conf does not do what it says, or a request within a call gets no answer."""
CENTRE_KEYS: Final = (*(f"key-{each}" for each in "0123456789abcd"), "key-star", "key-pound")
"""Of features.conf."""
CLOCK_S: Final = 2.0
"""Seconds that the clocks may differ: incidents are named and joined by time."""

_ENDPOINT = re.compile(r"^ Endpoint:\s+([^\s/<]+)(?:/\S+)?\s{2,}(.*?)\s+\d+ of ")
_CONTACT = re.compile(r"^\s+Contact:\s+([^\s/<]+)/\S+\s+\S+\s+(\S+)\s")
_DTMF_MODE = re.compile(r"^\s*dtmf_mode\s*:\s*(\S+)")
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
_FEATURE = re.compile(r"^(key-\S+)\s")
_MODULE = re.compile(r"^(\S+)\.so\s.*\s(Running|Not Running)\s")

_NO_RIGHT: Final = "in manager.conf give this user read = system,reporting and write = reporting,command"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the diagnosis. ``do`` is empty where all is well."""

    server: str
    what: str
    found: str
    do: str = ""

    @property
    def is_fine(self) -> bool:
        """Claim that nothing has to be done."""
        return not self.do


def diagnose(
    server: AsteriskServer,
    username: str,
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
        ami = BlockingAmi(
            server.host, server.port, username, secret, timeout_s=server.connect_timeout_s, tls=server.tls
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
                f"{username}: {error}",
                "compare username and secret with manager.conf, and its permit with this host's address",
            ),
        ]
    with ami:
        told = [
            Told(server.name, "reachable", f"{where} in {_ms(began)}, {ami.banner}"),
            Told(server.name, "login", username),
        ]
        line = OperatorLine(ami, server.response_timeout_s)
        return told + _ask_everything(line, server, trunks, trunks if has_all else (), now)


def _ask_everything(
    line: OperatorLine,
    server: AsteriskServer,
    trunks: Sequence[str],
    needed: Sequence[str],
    now: Callable[[], float],
) -> list[Told]:
    told: list[Told] = []
    questions: Sequence[tuple[str, Callable[[], Iterator[tuple[str, str, str]]]]] = (
        ("version", lambda: _core(line, server)),
        ("clock", lambda: _clock(line, now)),
        ("channels", lambda: _channels(line)),
        ("endpoints", lambda: _endpoints(line.Command("pjsip show endpoints"), needed)),
        ("knocks", lambda: _knocks(line, trunks)),
        ("contexts", lambda: _contexts(line.Command("dialplan show"), trunks, needed)),
        ("modules", lambda: _modules(line.Command("module show"))),
        ("keys", lambda: _keys(line.Command("features show"))),
        ("journal", lambda: _journal(line)),
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


def _core(line: OperatorLine, server: AsteriskServer) -> Iterator[tuple[str, str, str]]:
    core = line.ask("CoreSettings")
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
    status = line.ask("CoreStatus")
    yield "up since", f"{status.get('CoreStartupDate', '?')} {status.get('CoreStartupTime', '?')}", ""


def _clock(line: OperatorLine, now: Callable[[], float]) -> Iterator[tuple[str, str, str]]:
    before = now()
    stamp = line.Ping().get("Timestamp", "")
    after = now()
    try:
        ahead_s = float(stamp) - (before + after) / 2
    except ValueError:
        yield "clock", f"unreadable: {stamp!r}", "an Asterisk of version 16 or later"
        return
    do = "" if abs(ahead_s) <= CLOCK_S else "let both hosts keep time by NTP (chrony)"
    yield "clock", f"{ahead_s:+.3f} s from ours", do


def _channels(line: OperatorLine) -> Iterator[tuple[str, str, str]]:
    yield "channels", f"{len(line.CoreShowChannels())} up", ""


def _endpoints(lines: Sequence[str], needed: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Judge by contacts: an endpoint that only calls us (a carrier) has none, and that is no fault."""
    endpoint, states, contacts = "", {}, {}  # type: str, dict[str, str], dict[str, list[str]]
    for line in lines:
        if (match := _ENDPOINT.match(line)) is not None and not match[1].startswith("<"):
            endpoint = match[1]
            states[endpoint] = match[2]
        elif endpoint and (match := _CONTACT.match(line)) is not None:
            contacts.setdefault(endpoint, []).append(match[2])
    if not states:
        yield (
            "endpoints",
            "none",
            "endpoints in pjsip.conf, then `module reload res_pjsip.so`: no call comes or goes",
        )
    for name in sorted({*needed} - states.keys()):
        do = f"[{name}] in pjsip.conf (docs/voice.md, Connecting a trunk), then `module reload res_pjsip.so`"
        yield "endpoint", f"{name}: none, though the settings have a [[carrier.trunk]] of this name", do
    for name in sorted(states):
        reached = contacts.get(name, [])
        if any(each.startswith("Unavail") for each in reached):
            do = f"call the people behind {name}, and look at the way there: it does not answer OPTIONS"
            yield "endpoint", f"{name}: unreachable", do
        elif reached and all(each == "NonQual" for each in reached):
            yield "endpoint", f"{name}: there, nobody asks whether it answers (qualify_frequency = 0)", ""
        else:
            yield "endpoint", f"{name}: {'reachable' if reached else 'calls us only'}", ""


def _knocks(line: OperatorLine, trunks: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for name in trunks:
        yield from knocks_heard(name, line.Command(f"pjsip show endpoint {name}"))


def knocks_heard(name: str, lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Judge in which forms a trunk's keys are heard, from ``pjsip show endpoint``; nothing where it is not there."""
    mode = next((match[1] for line in lines if (match := _DTMF_MODE.match(line)) is not None), None)
    if mode is None:
        return
    heard, unheard = _HEARD.get(mode, ("INFO", "telephone-event or tones"))
    do = "" if "telephone-event/" in heard else f"dtmf_mode = rfc4733, or auto, for [{name}] in pjsip.conf"
    yield "knocks", f"{name}: heard are keys sent as {heard}; not those sent as {unheard}", do


def _contexts(
    lines: Sequence[str], trunks: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    loaded = read_shown(lines).contexts
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


def _modules(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    running = {match[1] for line in lines if (match := _MODULE.match(line)) and match[2] == "Running"}
    for name in FORBIDDEN_MODULES:
        if name in running:
            do = f"take {name} out of modules.conf, then `module unload {name}.so`"
            yield "modules", f"{name} is loaded: a way to files or commands", do
    missing = [name for name in NEEDED_MODULES if name not in running]
    if missing:
        do = "; ".join(f"load = {name}.so" for name in missing)
        yield "modules", f"missing: {', '.join(missing)}", f"in modules.conf: {do}"
    else:
        yield "modules", f"{len(running)} running, all that are needed", ""


def _keys(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Look for the features that take the centre's keys out of a call."""
    names = {match[1] for line in lines if (match := _FEATURE.match(line)) is not None}
    missing = [name for name in CENTRE_KEYS if name not in names]
    if missing:
        found = f"a key that the centre presses sounds at the phone: no feature {', '.join(missing)}"
        yield "keys", found, "features.conf of our dialplans, then `module reload features`"
    else:
        yield "keys", "those pressed at the centre end here", ""


def _journal(line: OperatorLine) -> Iterator[tuple[str, str, str]]:
    """Look for the journal of SOS calls: a daemon that was away reads it."""
    writes = any("SOS_JOURNAL_" in each for each in line.Command("dialplan show sos"))
    if not writes:
        yield (
            "journal",
            "the context sos writes none",
            "`onetouch dialplan check`, then `onetouch dialplan reload`",
        )
        return
    slots = [
        each for each in line.Command("dialplan show globals") if each.strip().startswith("SOS_JOURNAL_")
    ]
    yield "journal", f"{sum(each.count('~') for each in slots)} calls noted", ""


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
