"""Judges the promises once everything has settled: what must hold in the end, whatever faults there were."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from telephony.domain.delivery import PERSON, TRACK
from telephony.domain.report import report_id
from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.simulation.ledger import Owed, StoredIncident
from telephony.lab.simulation.people import Press
from telephony.lab.simulation.repeats import least_count
from telephony.lab.simulation.world import World

PASSING_ALARMS: Final = frozenset({"link-down", "store-unavailable", "report-overdue"})
"""Alarms that end with their cause; others end at the next success, which may be far off."""

ON_THE_WAY_S: Final = 15.0
"""Longest time from the record of a question to the server's having it: it may dial, and ask a second time with an
older request."""
HELD_UP_S: Final = 170.0
"""The same where the way to the server hung: octets that were sent arrive when it goes on."""
WRITTEN_DOWN_S: Final = 10.0
"""Longest time until a question is in the store, or in the file beside it."""
LAST_OCTETS_S: Final = 5.0
"""Longest time for which the octets of a dead daemon are on a long way."""

LASTING: Final = frozenset({TRACK, PERSON})
"""Errands that are done again and again until the incident is closed."""


def judge(world: World) -> None:
    """Compare the presses, the store and the reports that 112 has; breaches go to the world's witness."""
    incidents = world.ledger.incidents()
    of_number: dict[str, list[StoredIncident]] = {}
    for incident in incidents:
        of_number.setdefault(incident.number, []).append(incident)
    for press in world.presses:
        _press_is_told(world, press, of_number.get(press.caller.number, []))
    for caller in world.callers:
        _one_at_a_time(world, str(caller), of_number.get(caller.number, []))
    for incident in incidents:
        _report_is_whole(world, incident)
        _repeats_are_told(world, incident)
    _no_stray_alert(world)
    _locatings_are_recorded(world)
    _nothing_is_owed(world)
    _surroundings_are_well(world)


def _first(world: World, key: str) -> ReceivedReport | None:
    """Return a report as 112 has it, by whichever URL."""
    arrivals = world.witness.reports.get(key)
    return arrivals[0][1] if arrivals else None


def _press_is_told(world: World, press: Press, incidents: Iterable[StoredIncident]) -> None:
    """112 has an Alert, with the caller's number, of an incident that was open when or after she pressed."""
    about = (str(press), f"{press.caller} ", *(incident.id for incident in incidents))
    mine = [
        one for one in incidents if one.closed_at is None or world.machine.last(one.closed_at) >= press.at
    ]
    if not mine:
        world.witness.breach("acknowledged means durable", f"{press} is in no incident", *about)
        return
    alerts = [_first(world, report_id(incident.id, 1)) for incident in mine]
    callback = (f"tel:+{press.caller.number}",)
    told = [one for one in alerts if one is not None and one.msg_type == "Alert"]
    if not any(one.parameters.get("callback") == callback for one in told):
        world.witness.breach("every press reaches 112", f"112 has no alert for {press}", *about)


def _one_at_a_time(world: World, caller: str, incidents: Iterable[StoredIncident]) -> None:
    """112 never has two incidents of a caller open at once, save where the store could not tell what is open."""
    spans = []
    for incident in incidents:
        arrivals = world.witness.reports.get(report_id(incident.id, 1))
        closed_at = math.inf if incident.closed_at is None else world.machine.first(incident.closed_at)
        # An alert that came after the end, because 112 was away, opened nothing.
        if arrivals and incident.id not in world.witness.relayed_directly and arrivals[0][0] < closed_at:
            spans.append((arrivals[0][0], closed_at, incident.id))
    spans.sort()
    for (_, closed_at, earlier), (at, _, later) in pairwise(spans):
        if at < closed_at:
            world.witness.breach("one emergency, one incident", f"{caller} has two", earlier, later)


def _report_is_whole(world: World, incident: StoredIncident) -> None:
    """Every report came, and the last one says all there is to say: presses, position, end."""
    newest: ReceivedReport | None = None
    for sequence in range(1, incident.last_sequence + 1):
        newest = _first(world, report_id(incident.id, sequence))
        if newest is None:
            world.witness.breach("every report reaches 112", f"report {sequence} never came", incident.id)
            return
    assert newest is not None
    told = newest.parameters
    if told.get("press-count") != (str(incident.press_count),):
        world.witness.breach("112 knows every press", f"{incident.press_count} in the store", incident.id)
    if incident.best_position is not None and newest.circle is None:
        world.witness.breach("112 knows the position", "the newest report has none", incident.id)
    state = "open" if incident.closed_at is None else "closed"
    if told.get("incident-state") != (state,):
        world.witness.breach("112 knows the end", f"it is {state} in the store", incident.id)


def _repeats_are_told(world: World, incident: StoredIncident) -> None:
    """112 counts every press that cannot have been a redelivery."""
    newest = world.witness.newest.get(incident.id)
    told = int(*newest.parameters.get("press-count", ("0",))) if newest is not None else 0
    opened_at = world.machine.last(incident.opened_at)
    closed_at = None if incident.closed_at is None else world.machine.first(incident.closed_at)
    certain = incident._replace(opened_at=opened_at, closed_at=closed_at)
    least = least_count(world.presses, world.link_changes, certain)
    if told < least:
        hers = next(f"{caller} " for caller in world.callers if caller.number == incident.number)
        how = f"112 knows of {told} presses and not of {least}"
        world.witness.breach("a repeat is told", how, incident.id, hers)


def strays(world: World) -> list[str]:
    """Return the incidents that 112 has and the store does not: 112 will never be told of their end."""
    known = {incident.id for incident in world.ledger.incidents()}
    told = dict.fromkeys(key.rpartition("-")[0] for key in world.witness.reports)
    return [incident for incident in told if incident not in known]


def unfinished(world: World) -> list[Owed]:
    """Return what must still leave the outbox: all but the errands that go on while an incident is open."""
    return [owed for owed in world.ledger.owed() if not (owed.kind in LASTING and owed.is_open)]


def _no_stray_alert(world: World) -> None:
    """Only what had to be relayed without the store may be a stray: the caller's open incident was out of sight."""
    for incident in strays(world):
        if incident not in world.witness.relayed_directly:
            world.witness.breach("112 has only incidents of the store", "for no known reason", incident)


def _locatings_are_recorded(world: World) -> None:
    """Every question that came to a location server is in the record, but for the last ones of a daemon that was lost."""
    recorded: dict[tuple[str, str], list[float]] = {}
    for carrier, number, at in world.ledger.locatings():
        recorded.setdefault((carrier, number), []).append(at)
    for carrier, mlp in world.mlp.items():
        for asked in mlp.requests:
            is_calm = world.troubles.is_calm({f"way to mlp {carrier}"}, asked.at - HELD_UP_S, asked.at + 1.0)
            within_s = ON_THE_WAY_S if is_calm else HELD_UP_S
            times = recorded.get((carrier, asked.msid), [])
            moments = [moment for at in times for moment in (world.machine.first(at), world.machine.last(at))]
            is_recorded = any(0.0 <= asked.at - moment <= within_s for moment in moments)
            if not is_recorded and not _may_be_unrecorded(world, asked.at):
                world.witness.breach("each locating is recorded", f"{asked.at:.1f} at {carrier}", asked.msid)


def _may_be_unrecorded(world: World, at: float) -> bool:
    """Whether a daemon was killed before it could write a request down, or ended on a disk that took nothing, or has just asked."""
    for ended_at, is_stuck in world.ends:
        since = (
            max((begun for begun in world.stuck if begun <= ended_at), default=ended_at)
            if is_stuck
            else ended_at
        )
        if since - WRITTEN_DOWN_S <= at <= ended_at + LAST_OCTETS_S:
            return True
    return at >= world.clock.seconds() - WRITTEN_DOWN_S


def _nothing_is_owed(world: World) -> None:
    for incident in sorted(world.witness.owed_directly):
        world.witness.breach("112 hears of what could not be stored", "it was never told", incident)
    for owed in unfinished(world):
        world.witness.breach(
            "the outbox is empty",
            f"{owed.kind} {owed.sequence} on {owed.channel} is pending",
            owed.incident,
        )


def _surroundings_are_well(world: World) -> None:
    for carrier, smsc in world.smsc.items():
        if smsc.queued:
            world.witness.breach(
                "every press is acknowledged", f"{smsc.queued} wait at {carrier}", f"smsc={carrier}"
            )
        if smsc.counts.submitted:
            world.witness.breach("nothing is sent to a phone", f"{smsc.counts.submitted} messages", carrier)
    for alarm in world.daemon.ground.alarms.standing() if world.daemon is not None else ():
        if alarm.name in PASSING_ALARMS:
            world.witness.breach("alarms end", f"{alarm.name} {alarm.about}", alarm.name)
    if world.daemon is None:
        world.witness.breach("the daemon comes back", "it does not run", "the daemon")
