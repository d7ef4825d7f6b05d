"""Finds missing targets, contexts, endpoints and routes of a dialplan, and modules that must not be loaded. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Setting
from telephony.asterisk.dialplan.files import Dialplan
from telephony.asterisk.dialplan.rules import forbidden_words
from telephony.asterisk.dialplan.targets import (
    argument,
    endpoints,
    reached,
    steps_within,
    targets,
    whats_missing,
)
from telephony.domain.recording import Record

ORIGINATED: Final = ("spoken-report", "guardian", "sos-callback")
"""Contexts into which the daemon originates calls (AMI Originate): no step of the files need lead there."""
GLOBALS_FILE: Final = "globals.conf"
ROUTES: Final = (1, 2, 3)
"""The SOS_ROUTE_<n> that 20-sos.conf goes through."""

_FORBIDDEN_MODULES: Final = {
    "func_env": "anyone who may originate a call could write files with it (CVE-2024-42365)",
    "func_shell": "anyone who may originate a call could run commands with it",
    "app_system": "anyone who may originate a call could run commands with it",
}
FORBIDDEN_MODULES: Final = tuple(_FORBIDDEN_MODULES)


def check_files(
    dialplan: Dialplan, modules: list[Setting], pjsip: list[Setting], rooms: list[Setting]
) -> list[Finding]:
    """Return every finding that needs no Asterisk.

    ``modules``, ``pjsip`` and ``rooms`` are the settings of modules.conf, pjsip.conf and confbridge.conf.
    """
    findings = [*dialplan.findings, *forbidden_words(dialplan)]
    findings += _missing(dialplan)
    findings += _profiles(dialplan, rooms)
    findings += _unreached(dialplan, pjsip)
    findings += _endpoints(dialplan, pjsip)
    findings += _routes(dialplan)
    findings += _record(dialplan)
    findings += forbidden_modules(modules)
    return findings


def _missing(dialplan: Dialplan) -> Iterator[Finding]:
    for step in dialplan.steps:
        for target in targets(step):
            missing = whats_missing(dialplan, target)
            if missing is not None:
                yield step.finding(
                    f"{target.step.application}({target.shown}) leads nowhere: {missing}",
                    "a place that exists",
                )
    for context in dialplan.contexts.values():
        for inclusion in context.includes:
            if inclusion.context not in dialplan.contexts:
                what = f"{context.name} includes {inclusion.context}, which does not exist"
                yield Finding(inclusion.file, inclusion.line, what, "a context that exists")


def _profiles(dialplan: Dialplan, rooms: list[Setting]) -> Iterator[Finding]:
    profiles = {setting.section for setting in rooms}
    conferences = [
        each for step in dialplan.steps for each in steps_within(step) if each.application == "ConfBridge"
    ]
    for step in conferences:
        for number in (1, 2, 3):
            name = argument(step, number)
            if name and "$" not in name and name not in profiles and not name.startswith("default_"):
                yield step.finding(f"confbridge.conf has no profile {name}", f"[{name}] in confbridge.conf")


def _unreached(dialplan: Dialplan, pjsip: list[Setting]) -> Iterator[Finding]:
    entries = {setting.value: setting for setting in pjsip if setting.name == "context"}
    roots = {*entries, *ORIGINATED}
    if not pjsip:
        roots |= {name for name in dialplan.contexts if name.startswith("from-")}
    for name, setting in sorted(entries.items()):
        if name not in dialplan.contexts:
            what = f"endpoint {setting.section} sends its calls to the context {name}, which does not exist"
            yield Finding(
                setting.file, setting.line, what, f"[{name}] in the dialplan, or another context here"
            )
    for name in sorted(dialplan.contexts.keys() - reached(dialplan, roots)):
        context = dialplan.contexts[name]
        what = f"nothing leads to the context {name}"
        write = "a Gosub or Goto to it, an endpoint with this context, or nothing: take it out"
        yield Finding(context.file, context.line, what, write)


def _endpoints(dialplan: Dialplan, pjsip: list[Setting]) -> Iterator[Finding]:
    known = {setting.section for setting in pjsip}
    if not known:
        return
    for step in dialplan.steps:
        for name in sorted(endpoints(step.argument) - known):
            yield step.finding(
                f"pjsip.conf has no endpoint {name}", f"[{name}] in pjsip.conf, or another endpoint here"
            )
    for setting in dialplan.globals.values():
        for name in sorted(endpoints(setting.value) - known):
            what = f"{setting.name}: pjsip.conf has no endpoint {name}"
            yield Finding(
                setting.file, setting.line, what, f"[{name}] in pjsip.conf, or another endpoint here"
            )


def _routes(dialplan: Dialplan) -> Iterator[Finding]:
    """Find missing routes of 112, where this dialplan numbers them."""
    settings = dialplan.globals
    if not any("SOS_ROUTE_" in step.argument for step in dialplan.steps):
        return
    near = next(
        (settings[f"SOS_ROUTE_{number}"] for number in ROUTES if f"SOS_ROUTE_{number}" in settings), None
    )
    for number in ROUTES[:2]:
        setting = settings.get(f"SOS_ROUTE_{number}")
        if setting is None or not setting.value:
            told = setting or near
            file, line = (GLOBALS_FILE, 0) if told is None else (told.file, told.line)
            what = f"SOS_ROUTE_{number} is {'missing' if setting is None else 'empty'}: 112 has no route {number}"
            yield Finding(
                file,
                line,
                what,
                f"SOS_ROUTE_{number} = PJSIP/112@endpoint; routes are numbered without a gap",
            )
    for number in ROUTES:
        route, seconds = settings.get(f"SOS_ROUTE_{number}"), settings.get(f"SOS_ROUTE_{number}_SECONDS")
        if route is None or not route.value:
            continue
        if seconds is None or not seconds.value.isdigit() or int(seconds.value[:9]) == 0:
            told = route if seconds is None else seconds
            what = f"SOS_ROUTE_{number}_SECONDS is no number of seconds: Dial would wait for ever"
            yield Finding(told.file, told.line, what, f"SOS_ROUTE_{number}_SECONDS = 10")


def _record(dialplan: Dialplan) -> Iterator[Finding]:
    """Find a value of SOS_RECORD that is none of ours, and steps that record whatever it says."""
    setting = dialplan.globals.get("SOS_RECORD")
    if setting is None:
        return
    known = ", ".join(Record)
    if setting.value not in tuple(Record):
        what = (
            f"SOS_RECORD = {setting.value}: none of {known}, so every call is recorded from its first second"
        )
        yield Finding(setting.file, setting.line, what, "SOS_RECORD = on, from-answer or off")
    for step in dialplan.steps:
        for each in steps_within(step):
            if each.application == "MixMonitor" and "SOS_RECORD" not in step.argument:
                yield step.finding(
                    f"this records whatever SOS_RECORD says ({setting.value})",
                    'ExecIf($["${SOS_RECORD}" = "…"]?MixMonitor(…)), as in 20-sos.conf',
                )


def forbidden_modules(modules: list[Setting]) -> Iterator[Finding]:
    """Find modules that must not be loaded."""
    for setting in modules:
        name = setting.value.removesuffix(".so")
        if setting.name == "autoload" and setting.value.lower() not in ("no", "0", "false", "off", "n", "f"):
            what = "autoload loads every module there is, the forbidden ones too"
            yield Finding(
                setting.file, setting.line, what, "autoload = no, and a load = line for each module"
            )
        elif setting.name in ("load", "preload", "require", "preload-require") and name in _FORBIDDEN_MODULES:
            what = f"{name} is loaded: {_FORBIDDEN_MODULES[name]}"
            yield Finding(setting.file, setting.line, what, "nothing: take the line out")
