"""Measures how long a held key waits for 112: from the phone's INVITE to the centre's, to the 200 OK, to the CAP Alert.

    python bench/calls.py                   all measurements, as tables (about 12 minutes)
    python bench/calls.py --quick           a short run of each
    python bench/calls.py --json FILE       and as JSON ("-": standard output)
    python bench/calls.py --only paths      one of: paths, cpu, hanging, minute, ramp, forty, standing

A real Asterisk with our dialplans, a real daemon with everything on (SQLite, location, reports), a phone on each trunk
and a centre (`bench/call_ends.py`), all on loopback and free to use every core. The kinds of calls and the states of the
daemon are interleaved in one run, so that a noisy minute of the machine meets all of them alike. Read the ratios.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from call_ends import Call, CallEnds, Kind
from daemon_process import LBS, ROOT, SETTINGS, DaemonProcess, result_line
from surroundings import ANSWER, Surroundings, print_table, quantile, save

from telephony.asterisk.instance import Instance
from telephony.lab.phones.exchange import CARRIER_ADDRESSES, NAME, SECRET
from telephony.lab.phones.exchange import Surroundings as Exchange
from telephony.lab.ports import free_port

SKT, KT, BENCH = CARRIER_ADDRESSES["skt-voice"], CARRIER_ADDRESSES["kt-voice"], "127.0.0.3"
BARE = Kind("bare Dial", BENCH, "9001")
ANSWER_FIRST = Kind("Answer, then Dial", BENCH, "9002")
NO_RTP, NO_RTP_TALKS = (
    Kind("no-rtp", SKT, "112"),
    Kind("no-rtp, phone sends RTP", SKT, "112", phone_talks=True),
)
ZEROS, ZEROS_TALKS = Kind("zeros", KT, "112"), Kind("zeros, phone sends RTP", KT, "112", phone_talks=True)
SOS = (NO_RTP, NO_RTP_TALKS, ZEROS, ZEROS_TALKS)
QUIET = Kind("standing", SKT, "112", centre_talks=False)
HELD = (*SOS, QUIET)
ABSENT, ALIVE, STOPPED = "absent", "alive", "stopped"

RTP_PORTS = (10_000, 14_000)
READY_WITHIN_S, SETTLED_WITHIN_S = 30.0, 60.0
HOLD_S, PAUSE_S = 0.03, (0.01, 0.03)
"""A call of the path measurement, and the pause after it, so that its events do not overlap those of the next one."""

BENCH_CONTEXT = """\
[from-bench]
exten => 9001,1,Dial(PJSIP/112@centre-1,20)
exten => 9002,1,Answer()
 same => n,Dial(PJSIP/112@centre-1,20)
"""
BENCH_TRUNK = f"""\
[bench]
type = endpoint
transport = udp
context = from-bench
disallow = all
allow = ulaw
direct_media = no
rtp_symmetric = yes
trust_id_inbound = yes
aors = bench
[bench]
type = aor
max_contacts = 1
[bench]
type = identify
endpoint = bench
match = {BENCH}
"""
TRUNKS = """
[[carrier.trunk]]
name = "skt-voice"
[[carrier.trunk]]
name = "kt-voice"
"""
VOICE = """
[web]
port = {web}
[[asterisk]]
name = "{name}"
port = {ami}
secret = {{file = "{secret}"}}
"""


class VoiceDaemon(DaemonProcess):
    """``onetouch serve`` with a link to Asterisk, on whatever core is free; it can be stopped and let go on like a hanging one."""

    def __init__(self, folder: Path, *, smsc: int, psap: int, mlp: int, ami: int, web: int) -> None:
        self.folder = folder
        secret = folder / "ami-secret"
        secret.write_text(SECRET)
        self.config = folder / "onetouch.toml"
        settings = SETTINGS.format(
            folder=folder, state=folder / "state", smsc=smsc, psap=psap, level="info", interval=3600, more="",
            lbs=LBS.format(mlp=mlp) + TRUNKS,
        )  # fmt: skip
        self.config.write_text(settings + VOICE.format(web=web, name=NAME, ami=ami, secret=secret))
        command = [sys.executable, "-m", "telephony", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=(folder / "stderr").open("ab"))

    def catches_up(self) -> int:
        """Count how often it has caught up with Asterisk, in this life and those before."""
        log = self.folder / "log"
        return log.read_text().count('"caught up with Asterisk"') if log.exists() else 0

    def hang(self) -> None:
        """Stop the process with its connections open (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let the process go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)


class AroundCalls(Surroundings):
    """SMSC, 112 and location server; the time of an Alert is noted with its call."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = CallEnds(self.selector, (SKT, KT, BENCH))
        self.alerted: Counter[str] = Counter()
        self.alerts_of: dict[str, set[bytes]] = {}
        """Identifiers of Alerts by caller; one that is sent again until it is acknowledged keeps its own."""
        self.ended: set[str] = set()
        """Callers of whose call the end was told."""

    def _report(self, body: bytes) -> tuple[bytes, float]:
        self.reports += 1
        at = body.find(b"tel:+")
        caller = body[at + 5 : body.find(b"<", at)].decode()
        if b"<valueName>call-ended-by</valueName>" in body or b"<value>ended</value>" in body:
            self.ended.add(caller)
        if b"<msgType>Alert<" in body:
            at = body.find(b"<identifier>")
            self.alerts_of.setdefault(caller, set()).add(body[at : body.find(b"</identifier>", at)])
            call = self.ends.of_caller(caller)
            if call is not None and call.alerted_at is None:
                call.alerted_at = time.time()
            self.alerted["known" if call is not None else "unknown"] += 1
        return ANSWER, 0.0

    def _locate(self, body: bytes) -> tuple[bytes, float]:
        """Answer; a request of MLP 3 names the phone in ``msids/msid``."""
        return super()._locate(body.replace(b"<msids>", b"", 1))

    def serve(self, done: Callable[[], bool], within_s: float) -> bool:
        """Serve phones and everything else until it is done; return whether it was done in time."""
        end = time.time() + within_s
        while not done():
            if time.time() > end:
                return False
            self.turn(self.ends.tick())
        return True


class TestBed:
    """Asterisk, its surroundings, and a daemon that comes and goes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="onetouch-bench-", dir=os.environ.get("BENCH_DIR")))
        self.around = AroundCalls()
        self.ends = self.around.ends
        self.rng = random.Random(112)
        port = self.ends.centre_port
        self.exchange = Exchange(
            sip=free_port(), ami=free_port(), rtp=RTP_PORTS, centres=(port, port, port), guardians=0,
            agi=free_port(), location_url="http://127.0.0.1:9/v1/location", sounds=ROOT / "dialplans/sounds",
        )  # fmt: skip
        self.ends.asterisk = ("127.0.0.1", self.exchange.sip)
        self.web_port = free_port()
        self.daemon: VoiceDaemon | None = None
        self.asterisk = self._asterisk()

    def _asterisk(self) -> subprocess.Popen[bytes]:
        files = self.exchange.files()
        files["pjsip.conf"] += BENCH_TRUNK
        self.instance = Instance(
            self.folder / "ast", NAME, ROOT / "dialplans", files | {"site.conf": BENCH_CONTEXT}
        )
        process = subprocess.Popen(self.instance.command, stdout=(self.folder / "asterisk.out").open("wb"))
        end = time.time() + READY_WITHIN_S
        while "fully booted" not in self.ask("core waitfullybooted"):
            if time.time() > end or process.poll() is not None:
                raise TimeoutError((self.folder / "asterisk.out").read_text())
            time.sleep(0.1)
        return process

    def ask(self, line: str) -> str:
        """Ask Asterisk's command line."""
        return subprocess.run(self.instance.cli(line), capture_output=True, text=True, check=False).stdout

    # -- the daemon -------------------------------------------------------------------------------------------------

    def daemon_is(self, state: str) -> None:
        """Bring the daemon into a state, and wait until 112 has all its reports."""
        if state == ABSENT:
            self.stop_daemon()
            return
        self.start_daemon()
        if state == STOPPED:
            assert self.daemon is not None
            self.daemon.hang()

    def start_daemon(self) -> None:
        """Start it, or let it go on; return when no report is left."""
        if self.daemon is not None:
            self.daemon.go_on()
        else:
            port = self.around.port
            daemon = self.daemon = VoiceDaemon(
                self.folder, smsc=port(self.around.smsc), psap=port(self.around.psap),
                mlp=port(self.around.mlp), ami=self.exchange.ami, web=self.web_port,
            )  # fmt: skip
            before = daemon.catches_up()
            if not self.around.serve(lambda: daemon.catches_up() > before, READY_WITHIN_S):
                raise TimeoutError((self.folder / "stderr").read_text())
        self.settle()

    def stop_daemon(self) -> None:
        """Stop it as an operator would."""
        daemon, self.daemon = self.daemon, None
        if daemon is not None:
            daemon.go_on()
            daemon.process.send_signal(signal.SIGTERM)
            self.around.serve(lambda: daemon.process.poll() is not None, READY_WITHIN_S)

    def kill_daemon(self) -> None:
        """SIGKILL."""
        daemon, self.daemon = self.daemon, None
        assert daemon is not None
        daemon.process.kill()
        daemon.process.wait()

    def settle(self) -> list[Call]:
        """Wait until every SOS call so far is an Alert and no position is asked for; return the calls that are not."""

        def missing() -> list[Call]:
            return [call for call in self.ends.calls if call.kind in HELD and call.alerted_at is None]

        self.around.serve(lambda: not missing(), SETTLED_WITHIN_S)
        told = 0

        def is_quiet() -> bool:
            nonlocal told
            before, told = told, self.around.reports
            return before == told and not self.around.late

        end = time.time() + SETTLED_WITHIN_S
        while not is_quiet() and time.time() < end:
            self.around.serve(lambda: False, 0.3)
        return missing()

    # -- calls ------------------------------------------------------------------------------------------------------

    def one_by_one(self, kinds: Iterable[Kind]) -> list[Call]:
        """Call, and call again when the call before is over."""
        calls = []
        for kind in kinds:
            call = self.ends.dial(kind, HOLD_S)
            self.around.serve(lambda call=call: call.is_over, 30)
            calls.append(call)
            self.around.serve(lambda: False, self.rng.uniform(*PAUSE_S))
        return calls

    def at(self, times: Sequence[float], kinds: Sequence[Kind], hold_s: float) -> tuple[list[Call], int]:
        """Call at these times, kinds in turn; give the calls and how many were open at once."""
        calls: list[Call] = []
        most = 0
        start = time.time()
        for number, due in enumerate(times):
            self.around.serve(lambda due=due: time.time() >= start + due, due + 1)
            calls.append(self.ends.dial(kinds[number % len(kinds)], hold_s))
            most = max(most, self.ends.open_calls)
        self.around.serve(lambda: not self.ends.open_calls, hold_s + 30)
        return calls, most

    @property
    def asterisk_cpu_s(self) -> float:
        """CPU seconds of Asterisk so far."""
        fields = Path(f"/proc/{self.asterisk.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def asterisk_rss_mib(self) -> float:
        """Memory of Asterisk."""
        fields = Path(f"/proc/{self.asterisk.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    @property
    def daemon_cpu_s(self) -> float:
        """CPU seconds of the daemon that runs."""
        return self.daemon.cpu_s if self.daemon is not None else 0.0

    def close(self) -> None:
        """Stop the daemon, then Asterisk; forget the files."""
        self.stop_daemon()
        self.asterisk.terminate()
        try:
            self.asterisk.wait(10)
        except subprocess.TimeoutExpired:
            self.asterisk.kill()
            self.asterisk.wait()
        self.ends.close()
        shutil.rmtree(self.folder)


# -- measurements ---------------------------------------------------------------------------------------------------


def paths(bed: TestBed, rounds: int, calls: int) -> list[dict[str, Any]]:
    """One call at a time, kinds and states interleaved: a bare Dial beside the SOS path, in three states of the daemon."""
    every = [BARE, *SOS] * calls + [ANSWER_FIRST] * max(calls // 10, 1)
    made: dict[tuple[str, str], list[Call]] = {}
    for _ in range(rounds):
        for state in (ABSENT, ALIVE, STOPPED):
            bed.daemon_is(state)
            bed.rng.shuffle(every)
            for call in bed.one_by_one(every):
                made.setdefault((state, call.kind.name), []).append(call)
    bed.daemon_is(ALIVE)
    rows = []
    for state in (ABSENT, ALIVE, STOPPED):
        for kind in (BARE, *SOS, ANSWER_FIRST):
            floor = quantile(_have(call.to_centre_s for call in made[state, BARE.name]), 0.5)
            rows.append(_path_row(state, kind, made[state, kind.name], floor))
    return rows


def _path_row(state: str, kind: Kind, calls: list[Call], floor: float) -> dict[str, Any]:
    to_centre = _have(call.to_centre_s for call in calls)
    to_answer = _have(call.to_answer_s for call in calls)
    to_alert = _have(call.to_alert_s for call in calls) if kind in SOS and state == ALIVE else []
    return result_line(
        kind.name,
        daemon=state,
        n=len(calls),
        invite_p50_ms=quantile(to_centre, 0.5),
        p95=quantile(to_centre, 0.95),
        p99=quantile(to_centre, 0.99),
        max=quantile(to_centre, 1.0),
        to_bare=round(quantile(to_centre, 0.5) / floor, 2),
        ok_p50_ms=quantile(to_answer, 0.5),
        ok_p99=quantile(to_answer, 0.99),
        alert_p50_ms=quantile(to_alert, 0.5) if to_alert else "",
        alert_p99=quantile(to_alert, 0.99) if to_alert else "",
        no_invite=len(calls) - len(to_centre),
        no_alert=sum(call.alerted_at is None for call in calls) if kind in SOS else "",
    )


def _have(values: Iterable[float | None]) -> list[float]:
    return [each for each in values if each is not None]


def cpu(bed: TestBed, calls: int) -> list[dict[str, Any]]:
    """CPU of a short call (30 ms), phone without RTP; the daemon's part has everything that follows from the press."""
    rows = []
    for state, kind in ((ABSENT, BARE), (ABSENT, NO_RTP), (ABSENT, ZEROS), (ALIVE, NO_RTP), (ALIVE, ZEROS)):
        bed.daemon_is(state)
        asterisk, daemon = bed.asterisk_cpu_s, bed.daemon_cpu_s
        bed.one_by_one([kind] * calls)
        bed.settle() if state == ALIVE else None
        rows.append(
            result_line(
                kind.name,
                daemon=state,
                n=calls,
                asterisk_ms_per_call=round((bed.asterisk_cpu_s - asterisk) / calls * 1000, 2),
                daemon_ms_per_call=round((bed.daemon_cpu_s - daemon) / calls * 1000, 2),
            )
        )
    return rows


def hanging(bed: TestBed, slices: int, calls: int) -> list[dict[str, Any]]:
    """Stop the daemon's process with its connections open, call on and on, let it go on; 112 must hear of every call."""
    rows = []
    bed.daemon_is(STOPPED)
    for _ in range(slices):
        kinds = [BARE, NO_RTP] * (calls // 2)
        made = bed.one_by_one(kinds)
        bare = _have(call.to_centre_s for call in made if call.kind is BARE)
        sos = _have(call.to_centre_s for call in made if call.kind is NO_RTP)
        rows.append(
            result_line(
                f"{len(bed.ends.calls)} calls",
                bare_p50_ms=quantile(bare, 0.5),
                sos_p50_ms=quantile(sos, 0.5),
                sos_p99=quantile(sos, 0.99),
                sos_max=quantile(sos, 1.0),
                to_bare=round(quantile(sos, 0.5) / quantile(bare, 0.5), 2),
                no_invite=len(made) - len(bare) - len(sos),
                asterisk_mib=round(bed.asterisk_rss_mib, 1),
                ami_connections=bed.ask("manager show connected").count("onetouch"),
            )
        )
    assert bed.daemon is not None
    start = time.time()
    bed.daemon.go_on()
    before = bed.daemon.catches_up()
    missing = bed.settle()
    rows.append(
        result_line(
            "after it goes on",
            all_alerts_s=round(max(call.alerted_at or 0.0 for call in bed.ends.calls) - start, 2),
            no_alert=len(missing),
            caught_up_again=bed.daemon.catches_up() - before,
        )
    )
    return rows


def minute(bed: TestBed, calls: int, seconds: float, hold_s: float) -> list[dict[str, Any]]:
    """So many calls at random times, held for so long, half the phones talking, the centre always."""
    bed.daemon_is(ALIVE)
    times = sorted(bed.rng.uniform(0, seconds) for _ in range(calls))
    return [_loaded(bed, f"{calls} calls in {seconds:g} s, held {hold_s:g} s", times, hold_s)]


def ramp(bed: TestBed, rates: Iterable[int], seconds: float) -> list[dict[str, Any]]:
    """Call at a steady rate, held 1 s, faster and faster until the median to the centre has doubled."""
    bed.daemon_is(ALIVE)
    rows: list[dict[str, Any]] = []
    for rate in rates:
        times = [number / rate for number in range(int(rate * seconds))]
        rows.append(_loaded(bed, f"{rate} calls/s", times, 1.0))
        if rows[-1]["invite_p50_ms"] > 2 * rows[0]["invite_p50_ms"] or rows[-1]["no_invite"]:
            break
    return rows


def forty(bed: TestBed, seconds: float) -> list[dict[str, Any]]:
    """40 held keys a second and 10 bare calls a second between them, 1 s each: what the SOS path costs beside them."""
    bed.daemon_is(ALIVE)
    rate, kinds = 50, (NO_RTP, ZEROS, NO_RTP, ZEROS, BARE)
    calls, most = bed.at([number / rate for number in range(int(rate * seconds))], kinds, 1.0)
    missing = bed.settle()
    bare = _have(call.to_centre_s for call in calls if call.kind is BARE)
    rows = []
    for name, of in (("bare Dial", (BARE,)), ("SOS path", SOS)):
        here = [call for call in calls if call.kind in of]
        have = _have(call.to_centre_s for call in here)
        alerts = _have(call.to_alert_s for call in here)
        rows.append(
            result_line(
                name,
                a_second=40 if BARE not in of else 10,
                n=len(here),
                open_at_once=most,
                invite_p50_ms=quantile(have, 0.5),
                p99=quantile(have, 0.99),
                max=quantile(have, 1.0),
                p99_over_bare_ms=round(quantile(have, 0.99) - quantile(bare, 0.99), 1),
                alert_p50_ms=quantile(alerts, 0.5) if alerts else "",
                alert_p99=quantile(alerts, 0.99) if alerts else "",
                no_invite=len(here) - len(have),
                no_alert=0 if BARE in of else len(missing),
            )
        )
    return rows


def standing(bed: TestBed, calls: int, rate: float) -> list[dict[str, Any]]:
    """Set up so many calls, kill the daemon, let a tenth end and a tenth come, start it, and end them all."""
    bed.daemon_is(ALIVE)
    tenth = calls // 10
    made = [_stand(bed, 1 / rate) for _ in range(calls)]
    bed.around.serve(lambda: all(call.centre_is_up for call in made), 60)
    bed.settle()
    bed.kill_daemon()
    for call in made[:tenth]:
        bed.ends.hang_up(call)
    new = [_stand(bed, 1 / rate) for _ in range(tenth)]
    bed.around.serve(lambda: all(call.is_over for call in made[:tenth]), 60)
    up = sum(call.centre_is_up and not call.is_over for call in made[tenth:])
    began = time.time()
    bed.start_daemon()
    told_s = max((call.alerted_at or 0.0) for call in new) - began
    gone = {_e164(call) for call in made[:tenth]}
    bed.around.serve(lambda: gone <= bed.around.ended, 60)
    ended_meanwhile = len(gone & bed.around.ended)
    early = len(bed.around.ended - gone)
    for call in (*made[tenth:], *new):
        bed.ends.hang_up(call)
        bed.around.serve(lambda: False, 1 / rate)
    everyone = {_e164(call) for call in (*made, *new)}
    bed.around.serve(lambda: everyone <= bed.around.ended, 120)
    alerts = bed.around.alerts_of
    return [
        result_line(
            f"{calls} standing calls over a killed daemon",
            still_up=up,
            new_told_after_s=round(told_s, 2),
            ended_meanwhile_told=f"{ended_meanwhile} of {tenth}",
            ended_wrongly=early,
            ends_told=f"{len(everyone & bed.around.ended)} of {len(everyone)}",
            no_alert=len(everyone - alerts.keys()),
            two_alerts=sum(len(alerts[caller]) > 1 for caller in everyone & alerts.keys()),
        )
    ]


def _e164(call: Call) -> str:
    return f"82{call.caller[1:]}"


def _stand(bed: TestBed, pause_s: float) -> Call:
    call = bed.ends.dial(QUIET, 3600.0)
    bed.around.serve(lambda: False, pause_s)
    return call


def _loaded(bed: TestBed, name: str, times: Sequence[float], hold_s: float) -> dict[str, Any]:
    asterisk, daemon, repeats = bed.asterisk_cpu_s, bed.daemon_cpu_s, bed.ends.repeats
    calls, most = bed.at(times, SOS, hold_s)
    row = result_line(name, n=len(calls), open_at_once=most)
    for part, values in (
        ("invite", [call.to_centre_s for call in calls]),
        ("ok", [call.to_answer_s for call in calls]),
    ):
        have = _have(values)
        row |= {f"{part}_p50_ms": quantile(have, 0.5), f"{part}_p99": quantile(have, 0.99)}
        row |= {f"{part}_max": quantile(have, 1.0), f"no_{part}": len(calls) - len(have)}
    missing = bed.settle()
    alerts = _have(call.to_alert_s for call in calls)
    row |= {
        "alert_p50_ms": quantile(alerts, 0.5),
        "alert_p99": quantile(alerts, 0.99),
        "alert_max": quantile(alerts, 1.0),
        "no_alert": len(missing),
        "repeats": bed.ends.repeats - repeats,
        "asterisk_ms_per_call": round((bed.asterisk_cpu_s - asterisk) / len(calls) * 1000, 1),
        "daemon_ms_per_call": round((bed.daemon_cpu_s - daemon) / len(calls) * 1000, 1),
    }
    return row


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--json", help="write the results here")
    arguments.add_argument("--only", action="append", help="measure only this (may be repeated)")
    arguments.add_argument("--quick", action="store_true", help="few calls of each")
    chosen = arguments.parse_args()
    quick = chosen.quick
    measurements: dict[str, Callable[[TestBed], list[dict[str, Any]]]] = {
        "paths": lambda bed: paths(bed, *((2, 10) if quick else (10, 20))),
        "cpu": lambda bed: cpu(bed, 20 if quick else 200),
        "hanging": lambda bed: hanging(bed, *((2, 50) if quick else (8, 500))),
        "minute": lambda bed: minute(bed, *((20, 6.0, 3.0) if quick else (200, 60.0, 10.0))),
        "forty": lambda bed: forty(bed, 3.0 if quick else 20.0),
        "standing": lambda bed: standing(bed, *((40, 20) if quick else (500, 20))),
        "ramp": lambda bed: ramp(bed, (5, 10, 20, 30, 40, 50, 60, 80, 100, 130, 160), 3.0 if quick else 10.0),
    }
    results: dict[str, Any] = {"cores": os.cpu_count()}
    for name, measure in measurements.items():
        if chosen.only is not None and name not in chosen.only:
            continue
        bed = TestBed()
        try:
            results["asterisk"] = bed.ask("core show version").split(" built")[0].strip()
            before = os.getloadavg()[0]
            rows = results[name] = measure(bed)
            heard = {kind.name: bed.ends.audible[kind.address] for kind in (NO_RTP, ZEROS)}
        finally:
            bed.close()
        noise = results[f"{name}, noise"] = {
            "load_before": before,
            "load_after": os.getloadavg()[0],
            "audible_packets": heard,
        }
        for _, table in groupby(rows, key=list):
            print_table(f"\n{name} ({noise})", list(table))
        sys.stdout.flush()
    save(results, chosen.json)


if __name__ == "__main__":
    main()
