"""Checks that each trunk is complete: endpoint, AOR, identify, context, silence, an extension for every number. Pure.

An incomplete trunk loads without an error, and its held keys reach no one or make a sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Setting
from telephony.asterisk.dialplan.files import Context, Dialplan, Step
from telephony.asterisk.dialplan.pjsip_sections import Section
from telephony.asterisk.dialplan.targets import arguments, extension, split, steps_within

ENTRY: Final = "from-"
FROM_112: Final = "from-112"
SILENCES: Final = ("no-rtp", "zeros")
UNLISTED: Final = ("7", "5550199", "+15550199", "*5550199", "#5550199", "sos.police")
"""Numbers that no dialplan lists: an extension that takes all of them takes any number that a carrier sends."""


def check_trunks(dialplan: Dialplan, pjsip: Sequence[Section]) -> list[Finding]:
    """Return what is missing or wrong in the trunks; checks that need pjsip.conf are left out where there is none."""
    trunks = [
        context for name, context in dialplan.contexts.items() if name.startswith(ENTRY) and name != FROM_112
    ]
    findings: list[Finding] = []
    for context in trunks:
        findings += _numbers(dialplan, context)
        findings += _silence(context)
    for endpoint in pjsip:
        if endpoint.type == "endpoint":
            findings += _endpoint(endpoint, pjsip)
    findings += _identifies(pjsip)
    return findings


def _numbers(dialplan: Dialplan, context: Context) -> Iterator[Finding]:
    refused = [number for number in UNLISTED if extension(dialplan, context, number) is None]
    if refused:
        trunk = context.name.removeprefix(ENTRY)
        yield Finding(
            context.file,
            context.line,
            f"{context.name} takes no number that is not listed: a held key that the carrier routes as "
            f"{refused[0]} is refused",
            f"exten => _[+*#0-9]!,1,Gosub(sos-entry,s,1({trunk},${{FILTER(0-9A-Za-z+*#\\;._\\x2D,${{EXTEN}})}},no-rtp)), and the "
            "same for _[A-Za-z].",
        )


def _silence(context: Context) -> Iterator[Finding]:
    for step in context.steps:
        for each in steps_within(step):
            mode = _mode(each)
            if mode is not None and mode not in SILENCES and "$" not in mode:
                yield each.finding(
                    f"silence {mode!r} is no mode: the call would be handled as no-rtp, which this carrier may cut",
                    " or ".join(SILENCES),
                )


def _mode(step: Step) -> str | None:
    """Return the silence that a step hands to the context sos or sos-entry, ``None`` where it goes to neither."""
    if step.application != "Gosub" or arguments(step)[:1] not in (["sos"], ["sos-entry"]):
        return None
    _, _, given = ",".join(arguments(step)[2:]).partition("(")
    parts = split(given.removesuffix(")"))
    return parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 - ARG3 of both


def _endpoint(endpoint: Section, pjsip: Sequence[Section]) -> Iterator[Finding]:
    name = endpoint.name
    media = endpoint.setting("direct_media")
    if media is None or media.value.lower() not in ("no", "false", "off", "0", "n", "f"):
        told = media or Setting(endpoint.file, endpoint.line, name, "", "")
        said = "is not set, and is yes by default" if media is None else f"= {media.value}"
        yield Finding(
            told.file,
            told.line,
            f"endpoint {name}: direct_media {said}: the phones would talk past us, aloud and without a recording",
            "direct_media = no",
        )
    yield from _aors(endpoint, pjsip)
    context = endpoint.value("context")
    if not context.startswith(ENTRY) or context == FROM_112:
        return
    if not any(each.type == "identify" and each.value("endpoint") == name for each in pjsip):
        yield Finding(
            endpoint.file,
            endpoint.line,
            f"endpoint {name} has no identify: no calls are taken for this trunk's, they are refused",
            f"[{name}] with type = identify, endpoint = {name} and match = the carrier's address",
        )
    if endpoint.value("trust_id_inbound").lower() not in ("yes", "true", "on", "1", "y", "t"):
        yield Finding(
            endpoint.file,
            endpoint.line,
            f"endpoint {name} does not trust P-Asserted-Identity: 112 would get what the phone calls itself",
            "trust_id_inbound = yes",
        )


def _aors(endpoint: Section, pjsip: Sequence[Section]) -> Iterator[Finding]:
    known = {each.name for each in pjsip if each.type == "aor"}
    named = endpoint.values("aors")
    if not named:
        yield Finding(
            endpoint.file,
            endpoint.line,
            f"endpoint {endpoint.name} names no aor: it cannot be called",
            f"aors = {endpoint.name}, and [{endpoint.name}] with type = aor",
        )
    for setting, name in named:
        if name not in known and "$" not in name:
            what = f"endpoint {endpoint.name}: there is no aor {name}, so it cannot be called"
            yield Finding(setting.file, setting.line, what, f"[{name}] with type = aor and contact = sip:…")


def _identifies(pjsip: Sequence[Section]) -> Iterator[Finding]:
    endpoints = {each.name for each in pjsip if each.type == "endpoint"}
    taken: dict[str, tuple[str, Setting]] = {}
    for section in pjsip:
        if section.type != "identify":
            continue
        endpoint = section.value("endpoint")
        if endpoint not in endpoints:
            what = f"identify {section.name} is of the endpoint {endpoint or '(none)'}, which does not exist"
            yield Finding(section.file, section.line, what, "endpoint = the trunk's name")
        matches = section.values("match")
        if not matches and not section.value("match_header"):
            what = f"identify {section.name} matches nothing: no call is taken for {endpoint}'s"
            yield Finding(section.file, section.line, what, "match = the carrier's address")
        for setting, match in matches:
            network = _network(match)
            before = taken.setdefault(network, (endpoint, setting))
            if before[1] is not setting and before[0] != endpoint:
                yield Finding(
                    setting.file,
                    setting.line,
                    f"{match} is the address of {before[0]} already ({before[1].file}:{before[1].line}): "
                    f"whose call it is would be chance",
                    "one address, one trunk",
                )


def _network(match: str) -> str:
    """Return an address or network in one form; a host's name as it is."""
    try:
        return str(ip_network(match, strict=False))
    except ValueError:
        return match.lower()
