"""Checks a folder of dialplans: its files, a private Asterisk that loads them, trial calls through it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from telephony.asterisk.dialplan.configuration_files import Finding, Setting, read_settings
from telephony.asterisk.dialplan.files import EXTENSIONS, Dialplan, read_dialplan
from telephony.asterisk.dialplan.keys import FEATURES, check_keys
from telephony.asterisk.dialplan.knobs import check_knobs
from telephony.asterisk.dialplan.loaded import (
    folded,
    logged,
    read_applications,
    read_functions,
    read_shown,
    vanished,
)
from telephony.asterisk.dialplan.numbers import LOCAL, Site, check_against, check_numbers
from telephony.asterisk.dialplan.pjsip_sections import read_sections
from telephony.asterisk.dialplan.places import check_files, forbidden_modules
from telephony.asterisk.dialplan.rules import unknown
from telephony.asterisk.dialplan.targets import endpoints
from telephony.asterisk.dialplan.trunks import check_trunks
from telephony.asterisk.instance import Instance, find_asterisk
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.lab.trial.calls import make, trials, trunks, without_sos
from telephony.lab.trial.far_ends import USERNAME, FarEnds
from telephony.lab.trial.forms import dial_forms
from telephony.lab.trial.line import TrialLine

BOOT_S: Final = 20.0
STOP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check. ``proven`` are sentences, one a trial call."""

    findings: tuple[Finding, ...]
    proven: tuple[str, ...]
    contexts: int
    extensions: int
    took_s: float


def check_dialplans(folder: Path, *, with_calls: bool = True, site: Site | None = None) -> Checked:
    """Check a folder. Raises `Unavailable` where no Asterisk is installed; takes a few seconds, leaves nothing.

    ``site`` is what the daemon's settings say; without it the dialplans are compared with themselves alone.
    """
    began = time.monotonic()
    find_asterisk()
    dialplan = read_dialplan(folder)
    modules = read_settings(folder, "modules.conf")
    findings = check_files(
        dialplan, modules, read_settings(folder, "pjsip.conf"), read_settings(folder, "confbridge.conf")
    )
    findings += check_keys(dialplan, read_settings(folder, FEATURES))
    findings += check_trunks(dialplan, read_sections(folder))
    findings += check_knobs(dialplan)
    findings += check_numbers(dialplan)
    findings += () if site is None else check_against(dialplan, site)
    findings += without_sos(dialplan)
    proven: list[str] = []
    missing: list[Finding] = []
    for finding, sentence in _in_asterisk(folder, dialplan, modules, missing, with_calls=with_calls):
        findings += finding
        proven += sentence
    findings = folded(findings, missing, dialplan.broken)
    return Checked(
        tuple(sorted(set(findings))),
        tuple(proven),
        len(dialplan.contexts),
        sum(len(context.extensions) for context in dialplan.contexts.values()),
        time.monotonic() - began,
    )


def _in_asterisk(
    folder: Path, dialplan: Dialplan, modules: list[Setting], missing: list[Finding], *, with_calls: bool
) -> Iterator[tuple[list[Finding], list[str]]]:
    """Return findings and sentences as they come; steps that Asterisk did not load go to ``missing``."""
    named = endpoints(" ".join(step.argument for step in dialplan.steps))
    for setting in dialplan.globals.values():
        named |= endpoints(setting.value)
    far_ends = FarEnds(sorted(named), trunks(dialplan))
    try:
        local = (folder / LOCAL).read_text("utf-8") if (folder / LOCAL).is_file() else ""
        # Below /tmp: the path of a control socket must be short.
        with tempfile.TemporaryDirectory(prefix="onetouch-", dir="/tmp") as root:
            instance = Instance(Path(root), "check", folder, far_ends.files(dialplan.globals, local))
            try:
                with running(instance, far_ends.ami_port, far_ends.secret) as ami:
                    missing += vanished(dialplan, read_shown(ami.command("dialplan show")))
                    yield list(_unknown(ami, dialplan)), []
                    if with_calls and missing:
                        yield [], ["no trial call: Asterisk did not load what the files say"]
                    elif with_calls and any(forbidden_modules(modules)):
                        # A call would run what these dialplans may do to files.
                        yield [], ["no trial call: modules are loaded that must not be"]
                    elif with_calls:
                        line = TrialLine(far_ends, ami)
                        wrong, proven = _called(line, dialplan)
                        yield wrong, proven
                        # Where a plain 112 fails, no other form of it proves anything.
                        for finding, sentence in () if wrong else dial_forms(line, dialplan):
                            yield finding, [sentence]
            except (Unavailable, Malformed, Refused) as error:
                what = f"a private Asterisk did not work with these files: {error}"
                yield [Finding(EXTENSIONS, 0, what, "first what is said below")], []
            log = instance.log.read_text("utf-8", "backslashreplace") if instance.log.exists() else ""
            yield list(logged(log, dialplan, instance.etc, modules)), []
    finally:
        far_ends.close()


def _unknown(ami: BlockingAmi, dialplan: Dialplan) -> Iterator[Finding]:
    applications = read_applications(ami.command("core show applications"))
    return unknown(dialplan, applications, read_functions(ami.command("core show functions")))


def _called(line: TrialLine, dialplan: Dialplan) -> tuple[list[Finding], list[str]]:
    """Make the trial calls; a finding of several of them is reported once, with the names of the calls."""
    names: dict[Finding, list[str]] = {}
    proven: list[str] = []
    for trial in trials(dialplan):
        found, sentence = make(trial, line, dialplan)
        proven.append(sentence)
        for finding in found:
            names.setdefault(finding, []).append(trial.name)
    findings = [
        replace(finding, what=f"{', '.join(dict.fromkeys(calls))}: {finding.what}")
        for finding, calls in names.items()
    ]
    return findings, proven


@contextmanager
def running(instance: Instance, ami_port: int, secret: str) -> Iterator[BlockingAmi]:
    """Start it, wait for FullyBooted, give its operator's connection; stop it whatever happens."""
    process = subprocess.Popen(  # noqa: S603 - the Asterisk that was found, with arguments of our own
        instance.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with _booted(process, ami_port, secret) as ami:
            yield ami
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _booted(process: subprocess.Popen[bytes], ami_port: int, secret: str) -> BlockingAmi:
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ami = BlockingAmi("127.0.0.1", ami_port, USERNAME, secret)
        except (Unavailable, Refused):
            time.sleep(0.02)
            continue
        while ami.packet(deadline).event != "FullyBooted":
            pass
        return ami
    ended = process.poll()
    raise Unavailable("it ended at once" if ended is not None else f"it was not up after {BOOT_S:g} s")
