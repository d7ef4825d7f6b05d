"""What Asterisk shows to those who look after it: never who calls, nor what opens where she is."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from telephony.asterisk.sos.sealed_caller import KEY_FILE
from tests.scenarios.daemon_process import ROOT
from tests.scenarios.voice import KT, SKT, national

pytestmark = pytest.mark.xdist_group("consoles")

NOBODY = 65534
NO_PERMISSION = "You don't have permissions to run"
SHOWN_TO_ENGINEERS = ("dialplan show globals", "dialplan show", "dialplan show sos", "module show", "features show",
                      "core show settings", "pjsip list endpoints", "pjsip list contacts")  # fmt: skip


def secrets_of(voice, *callers: str) -> set[str]:
    """The numbers as any network writes them, down to the subscriber's own digits, and every token that 112 was given."""
    return {form for caller in callers for form in (caller, national(caller), caller[-8:])} | voice.tokens()


def console(voice, line: str, **who) -> str:
    done = subprocess.run(
        voice.exchange.instance.cli(line),
        capture_output=True, text=True, errors="replace", check=False, timeout=30, **who,
    )  # fmt: skip
    return done.stdout + done.stderr


def let_engineers_in(voice) -> None:
    """The shipped cli_permissions.conf, whose group of engineers is that of the account nobody."""
    shipped = (ROOT / "dialplans" / "cli_permissions.conf").read_text()
    assert "[@engineers]" in shipped
    instance = voice.exchange.instance
    file = instance.etc / "cli_permissions.conf"
    file.write_text(shipped.replace("[@engineers]", "[@nogroup]").replace("[@asterisk]", "[@daemon]"))
    for folder in (instance.root, instance.etc, instance.root / "run"):
        folder.chmod(0o755)
    (instance.root / "run" / "asterisk.ctl").chmod(0o666)
    (instance.etc / KEY_FILE).chmod(0o640)
    console(voice, "cli reload permissions")


def as_engineer(voice, line: str) -> str:
    return console(voice, line, user=NOBODY, group=NOBODY, extra_groups=[])


def every_command(voice, *given: str) -> list[str]:
    """Every command that this Asterisk has, alone and with each of what may be given to it."""
    said = console(voice, "core show help")
    names = {
        re.split(r"[\[<{|]", line.partition(" -- ")[0])[0].strip()
        for line in said.splitlines()
        if " -- " in line
    } - {"", "!"}
    return sorted(name + more for name in names for more in ("", *(f" {each}" for each in given)))


@pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])
@pytest_twisted.ensureDeferred
async def test_neither_globals_nor_the_database_show_who_calls_or_who_called_and_112_is_told_all_the_same(
    voice, trunk
):
    """One call stands, one was given up while the daemon was away, two are legs of one press."""
    await voice.start()
    standing, gave_up = voice.caller(), voice.caller()
    await voice.kill9()
    over, centre = await voice.connected_call(gave_up, trunk)
    await over.hang_up()
    await voice.until(lambda: centre.is_over)
    phone, _ = await voice.connected_call(standing, trunk)
    second = voice.call(standing, SKT)

    lines = (
        "dialplan show globals",
        "database show",
        "dialplan show",
        "group show channels",
        "core show hints",
    )
    shown = {line: await deferToThread(console, voice, line) for line in lines}
    await voice.start()
    told = await voice.until_told(standing, call_state="connected")
    late = await voice.until_told(gave_up, call_state="ended")

    assert "SOS_JOURNAL_" in shown["dialplan show globals"]
    assert "SOS_PAIR_" in shown["dialplan show globals"]
    assert len(voice.tokens()) >= 2, "a second leg that waits for too long is a call of its own"
    wanted = secrets_of(voice, standing, gave_up)
    assert [line for line, text in shown.items() if any(each in text for each in wanted)] == []
    assert (told.msg_type, late.msg_type) == ("Alert", "Alert")
    await second.hang_up()
    await phone.hang_up()


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be another user")
@pytest_twisted.ensureDeferred
async def test_no_command_of_an_engineers_console_shows_a_caller_or_a_token(voice):
    """Every command that Asterisk has, alone and with her channel."""
    await voice.start()
    gave_up, caller = voice.caller(), voice.caller()
    over, centre = await voice.connected_call(gave_up)
    await over.hang_up()
    await voice.until(lambda: centre.is_over)
    phone, _ = await voice.connected_call(caller)
    await voice.until_told(caller, call_state="connected")
    wanted = secrets_of(voice, gave_up, caller)
    let_engineers_in(voice)
    [phone_channel] = [name for name in voice.exchange.channels() if name.startswith(f"PJSIP/{SKT}")]

    def tried() -> dict[str, str]:
        return {
            line: as_engineer(voice, line)
            for line in (*every_command(voice, phone_channel), *SHOWN_TO_ENGINEERS)
        }

    as_root = await deferToThread(console, voice, f"core show channel {phone_channel}")
    shown = await deferToThread(tried)

    assert any(each in as_root for each in wanted), "what is looked for can be found"
    assert [line for line, text in shown.items() if any(each in text for each in wanted)] == []
    assert [line for line in SHOWN_TO_ENGINEERS if NO_PERMISSION in shown[line]] == []
    assert NO_PERMISSION in shown["core show channels"]
    assert NO_PERMISSION in shown["core stop now"]
    assert phone.is_up
    await phone.hang_up()
