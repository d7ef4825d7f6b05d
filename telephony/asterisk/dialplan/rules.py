"""Rules that our dialplans must keep, beyond what Asterisk requires: pure functions from files to findings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding
from telephony.asterisk.dialplan.files import Dialplan, Step
from telephony.asterisk.dialplan.targets import (
    argument,
    dial_options,
    steps_within,
)

_SHELL: Final = {
    "System": "it runs a command",
    "TrySystem": "it runs a command",
    "Macro": "it is gone in Asterisk 21",
}
_FORBIDDEN_FUNCTIONS: Final = {
    "SHELL": "it runs a command",
    "ENV": "it reads and writes the environment of Asterisk",
    "FILE": "it reads and writes files",
    "EVAL": "it runs what a caller may have written a second time",
}
_SOUNDS: Final = frozenset({
    "AlarmReceiver", "BackGround", "Background", "BackgroundDetect", "Busy", "Congestion", "ControlPlayback", "Dictate",
    "Directory", "DISA", "Echo", "Festival", "MP3Player", "Milliwatt", "Morsecode", "MusicOnHold", "Page", "Park",
    "Playback", "PlayTones", "Playtones", "Progress", "Queue", "ReadExten", "Record", "Ringing", "SayAlpha",
    "SayAlphaCase", "SayDigits", "SayMoney", "SayNumber", "SayOrdinal", "SayPhonetic", "SayUnixTime", "SendDTMF",
    "SpeechBackground", "StartMusicOnHold", "TestClient", "TestServer", "VoiceMail", "VoiceMailMain", "Zapateller",
})  # fmt: skip
_LOUD_DIAL_OPTIONS: Final = {
    "r": "the phone hears ringback",
    "R": "the phone hears ringback",
    "m": "the phone hears music",
    "A": "a file is played",
    "D": "digits are sent, and heard",
}
_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "BackGround": "pbx_builtins (always there)",
        "ConfBridge": "app_confbridge.so",
        "ExecIf": "app_exec.so",
        "TryExec": "app_exec.so",
        "Gosub": "app_stack.so",
        "GosubIf": "app_stack.so",
        "Return": "app_stack.so",
        "StopMixMonitor": "app_mixmonitor.so",
        "MUTEAUDIO": "res_mutestream.so",
        "PJSIP_HEADER": "res_pjsip_header_funcs.so",
        "PJSIP_DIAL_CONTACTS": "chan_pjsip.so",
        "PJSIP_ENDPOINT": "func_pjsip_endpoint.so",
        "CALLERID": "func_callerid.so",
        "FILTER": "func_strings.so",
        "LEN": "func_strings.so",
        "STRFTIME": "func_strings.so",
        "REGEX": "func_strings.so",
        "CUT": "func_cut.so",
        "IF": "func_logic.so",
        "GLOBAL": "func_global.so",
        "CHANNEL": "func_channel.so",
        "CHANNEL_EXISTS": "func_channel.so",
        "DIALPLAN_EXISTS": "func_dialplan.so",
        "RAND": "func_rand.so",
        "TIMEOUT": "func_timeout.so",
        "HANGUPCAUSE": "func_hangupcause.so",
        "DEVICE_STATE": "func_devstate.so",
        "MD5": "func_md5.so",
        "SHA1": "func_sha1.so",
        "CURL": "func_curl.so",
        "DB": "func_db.so",
        "AGI": "res_agi.so",
    }
)
"""The modules of names that do not tell them; app_<name>.so and func_<name>.so go without saying."""

_FUNCTION = re.compile(r"\$\{\s*([A-Za-z_]\w*)\(")
_WRITTEN_FUNCTION = re.compile(r"^\s*([A-Za-z_]\w*)\(")
NEAR: Final = 0.75
"""How much two names must be alike (difflib's ratio) for one to be taken for the other misspelt."""
LISTED_FUNCTION: Final = 20
"""``core show functions`` cuts names to so many characters."""

_HARMLESS: Final = ("FILTER", "LEN", "ISNULL", "EXISTS")
"""Functions whose result holds nothing that a caller chose freely."""
_SUPPLIED = re.compile(
    r"CALLERID\(\s*(?!pres|num-pres|num-valid|num-plan|name-pres|name-valid|name-charset|ton)"
    r"|CONNECTEDLINE\(|REDIRECTING\(|PJSIP_HEADERS?\(|MESSAGE(?:_DATA)?\("
    r"|CHANNEL\(\s*pjsip\s*,\s*(?:call-id|remote_uri|local_uri|target_uri|request_uri|remote_tag)"
)
"""Values that the far end wrote: they may hold commas, brackets and anything else that a dialplan takes apart."""
_DIALLED = re.compile(r"EXTEN(?![A-Za-z0-9_])")


def is_silent(context: str) -> bool:
    """Whether calls in this context must not make a sound: it may be her phone."""
    return context == "to-112" or context.startswith(("sos", "from-"))


def forbidden_words(dialplan: Dialplan) -> list[Finding]:
    """Return every finding about the steps themselves, not about where they lead."""
    findings: list[Finding] = []
    for step in dialplan.steps:
        for each in steps_within(step):
            findings += _forbidden(each)
            findings += _loud(each)
            findings += _dials(each)
        findings += _supplied(step)
    findings += _patterns(dialplan)
    return findings


def functions(text: str, *, is_set: bool) -> set[str]:
    """Return the functions that an argument uses; ``is_set``: it is the argument of Set(), and may write one."""
    found = set(_FUNCTION.findall(text))
    if is_set and (match := _WRITTEN_FUNCTION.match(text.partition("=")[0])) is not None:
        found.add(match[1])
    return found


def unknown(dialplan: Dialplan, applications: set[str], known: set[str]) -> Iterator[Finding]:
    """Find applications and functions that no loaded module has; ``known`` functions are cut as Asterisk lists them."""
    lowered = {name.lower() for name in applications}
    for step in dialplan.steps:
        for each in steps_within(step):
            if each.application and each.application.lower() not in lowered:
                yield each.finding(
                    f"no loaded module knows the application {each.application}: the call would end here",
                    _right_name(each.application, "app", applications),
                )
        used = [functions(each.argument, is_set=each.application == "Set") for each in steps_within(step)]
        for name in sorted(set().union(*used)):
            if name[:LISTED_FUNCTION] not in known:
                yield step.finding(
                    f"no loaded module knows the function {name}: its value would be empty",
                    _right_name(name, "func", known),
                )


def _right_name(name: str, kind: str, loaded: Collection[str]) -> str:
    """Suggest the nearest known name for one that no module has, unless we know the name ourselves."""
    load = f"in modules.conf: load = {module_of(name, kind)}"
    spelt = {each.lower(): each for each in (*loaded, *_MODULES)}
    near = [] if name in _MODULES else get_close_matches(name.lower(), spelt, 1, NEAR)
    return (
        f"{spelt[near[0]]}, or if {name} is what you mean, {load}" if near else f"its right name, or {load}"
    )


def module_of(name: str, kind: str) -> str:
    """Name the module that brings an application (``app``) or function (``func``)."""
    return _MODULES.get(name, f"{kind}_{name.lower()}.so")


def _forbidden(step: Step) -> Iterator[Finding]:
    if step.application in _SHELL:
        yield step.finding(
            f"{step.application} is forbidden: {_SHELL[step.application]}", "nothing; use Gosub or the daemon"
        )
    if step.application in ("Exec", "TryExec") and "$" in step.argument.partition("(")[0]:
        yield step.finding(
            f"{step.application} of a name that only the call knows", "the application by its name"
        )
    if step.application == "MixMonitor" and argument(step, 2):
        yield step.finding(
            "MixMonitor runs a command when the recording ends", "MixMonitor(file,options) alone"
        )
    for name in sorted(
        functions(step.argument, is_set=step.application == "Set") & set(_FORBIDDEN_FUNCTIONS)
    ):
        yield step.finding(
            f"{name}() is forbidden: {_FORBIDDEN_FUNCTIONS[name]}", "nothing; it needs no such function"
        )


def _loud(step: Step) -> Iterator[Finding]:
    if not is_silent(step.context):
        return
    if step.application in _SOUNDS:
        yield step.finding(
            f"{step.application} makes a sound (or a ringing phone) in the silent context {step.context}",
            "nothing: the caller's phone must stay silent",
        )
    if step.application == "Read" and argument(step, 1):
        yield step.finding("Read plays a prompt in a silent context", "Read(VARIABLE,,1,,1,6): no prompt")
    if step.application == "ConfBridge" and not argument(step, 2):
        yield step.finding(
            "ConfBridge without a user profile announces and plays music", "ConfBridge(name,bridge,user)"
        )
    if step.application == "MixMonitor" and "B" in dial_options(argument(step, 1)):
        yield step.finding("MixMonitor with B beeps", "MixMonitor without B")
    if step.application in ("Dial", "RetryDial"):
        options = dial_options(argument(step, 2 if step.application == "Dial" else 4))
        for letter in sorted(options.keys() & _LOUD_DIAL_OPTIONS.keys()):
            yield step.finding(f"Dial with {letter}: {_LOUD_DIAL_OPTIONS[letter]}", f"Dial without {letter}")


def _dials(step: Step) -> Iterator[Finding]:
    if step.application != "Dial":
        return
    seconds = argument(step, 1)
    if not seconds or not ("$" in seconds or seconds.replace(".", "", 1).isdigit()):
        yield step.finding(
            "Dial without a number of seconds: a far end that never answers holds the call for ever",
            "Dial(where,seconds,…)",
        )


def unfiltered(text: str, *, is_pattern: bool) -> list[str]:
    """Return the values supplied by the caller that no FILTER() surrounds."""
    found: list[str] = []
    heads: list[str] = []
    position = 0
    while position < len(text):
        if text.startswith("${", position):
            rest = text[position + 2 :].lstrip()
            match = _SUPPLIED.match(rest) or (_DIALLED.match(rest) if is_pattern else None)
            if match is not None and not any(head.startswith(_HARMLESS) for head in heads):
                found.append(rest.partition("}")[0].strip())
            heads.append(rest[:12])
            position += 2
        else:
            if text[position] == "}" and heads:
                heads.pop()
            position += 1
    return found


def _supplied(step: Step) -> Iterator[Finding]:
    for name in unfiltered(step.argument, is_pattern=step.is_pattern):
        yield step.finding(
            f"${{{name}}} is what the caller chose, and goes unfiltered into {step.application}",
            f"${{FILTER(0-9+*#,${{{name}}})}}",
        )


def _patterns(dialplan: Dialplan) -> Iterator[Finding]:
    for context in dialplan.contexts.values():
        for exten, steps in context.extensions.items():
            if exten in ("_.", "_!"):
                yield steps[0].finding(
                    f"the pattern {exten} also takes h, i, t and s, and letters",
                    "_[+*#0-9]! or the exact number",
                )
