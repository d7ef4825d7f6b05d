"""Table of faults: each has a name, a target, a way to begin and a way to end.

To add one, add a line to `faults_of`. While a target suffers from one fault it gets no other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from telephony.lab.simulation.configuration import MLP, PSAP, SMSC
from telephony.lab.simulation.disk import DiskTrouble
from telephony.lab.simulation.network import Address
from telephony.lab.simulation.phones import AHEAD_M, UNDATED_M
from telephony.lab.simulation.world import World
from telephony.smpp.wire.constants import ESME_RALYBND, ESME_RBINDFAIL, ESME_RINVPASWD

End = Callable[[], object]

SHORT: Final = (0.5, 20.0)
LONG: Final = (5.0, 150.0)
AN_INSTANT: Final = (0.0, 0.0)
AHEAD_S: Final = 3 * 3600.0
"""More than our own clock is ever set forward: if both were ahead by as much, the fault could not be noticed."""
CLOCK_STEPS_S: Final = (-3600.0, -600.0, -30.0, 30.0, 600.0, 3600.0)


@dataclass(frozen=True)
class Fault:
    """One kind of trouble. ``begin`` draws its details from its argument; ``end`` is called ``lasts_s`` later."""

    name: str
    target: str
    begin: Callable[[random.Random], object]
    end: End
    lasts_s: tuple[float, float]


def faults_of(world: World) -> list[Fault]:
    """Return every fault that this world can suffer from."""
    return [
        *(fault for carrier in world.smsc for fault in _smsc(world, carrier)),
        *(fault for carrier in world.mlp for fault in _mlp(world, carrier)),
        *(fault for channel in world.psap for fault in _psap(world, channel)),
        *_psap_as_a_whole(world),
        *_house(world),
    ]


def _smsc(world: World, carrier: str) -> Iterator[Fault]:
    smsc, address = world.smsc[carrier], SMSC[carrier]
    phones = [caller for caller in world.callers if caller.carrier == carrier]

    def fault(
        name: str, begin: Callable[[random.Random], object], end: End, lasts_s: tuple[float, float]
    ) -> Fault:
        return Fault(f"smsc {carrier}: {name}", f"smsc {carrier}", begin, end, lasts_s)

    def presses_at_once(rng: random.Random, count: int) -> None:
        for caller in rng.sample(phones, min(count, len(phones))):
            world.press(caller, carrier)

    def reorder(rng: random.Random) -> None:
        count = rng.randrange(2, 5)
        smsc.reorder(count)
        presses_at_once(rng, count)

    def truncate(rng: random.Random) -> None:
        smsc.truncate_next(rng.randrange(1, 4))
        presses_at_once(rng, 2)

    def lose_acks(rng: random.Random) -> None:
        world.disk.on_commit = partial(_reset_all, world, address)
        presses_at_once(rng, 2)

    yield fault("drops its links", lambda _: smsc.drop_link(), _nothing, AN_INSTANT)
    yield fault("resets one link", partial(_reset_one, world, address), _nothing, AN_INSTANT)
    yield fault("falls silent", lambda _: smsc.stop_answering(), _nothing, AN_INSTANT)
    yield fault("unbinds", lambda _: smsc.unbind(), _nothing, AN_INSTANT)
    yield fault("delivers again", lambda rng: _redeliver(world, carrier, rng), _nothing, AN_INSTANT)
    yield fault("changes the order", reorder, lambda: smsc.reorder(0), SHORT)
    yield fault("cuts a message short", truncate, _nothing, AN_INSTANT)
    yield fault("loses acknowledgements", lose_acks, _nothing, AN_INSTANT)
    yield fault("answers no bind", _with_reset(world, address, smsc.ignore_binds), smsc.accept_binds, LONG)
    for status in (ESME_RALYBND, ESME_RBINDFAIL, ESME_RINVPASWD):
        refuse = partial(smsc.refuse_bind, status)
        yield fault(
            f"refuses binds with {status}", _with_reset(world, address, refuse), smsc.accept_binds, LONG
        )
    yield from _network(world, f"smsc {carrier}", address)


def _mlp(world: World, carrier: str) -> Iterator[Fault]:
    mlp = world.mlp[carrier]
    troubles: dict[str, Callable[[random.Random], object]] = {
        "is late": lambda rng: mlp.late(rng.uniform(1.0, 40.0)),
        "never answers": lambda _: mlp.never(),
        "hangs up": lambda _: mlp.hang_up(),
        "answers rubbish": lambda _: mlp.rubbish(),
        "speaks no HTTP": lambda _: mlp.not_http(),
        "cuts its answers": lambda rng: mlp.truncated(rng.randrange(1, 600)),
        "cuts its XML": lambda _: mlp.cut_xml(),
        "answers by an HTTP status": lambda rng: mlp.http_status(rng.choice((401, 404, 500, 503))),
        "answers by a result": lambda rng: mlp.result(
            rng.choice((1, 3, 4, 5, 6, 101, 103, 108, 201)), rng.choice(("message", "position"))
        ),
        "answers 0,0": lambda _: mlp.zero_zero(),
        "answers NaN": lambda _: mlp.nan(),
        "answers of somebody else": lambda _: mlp.other_target(),
        "answers without a position": lambda _: mlp.no_position(),
        "sends a bomb": lambda _: mlp.entity_bomb(),
        "answers without a time": lambda _: mlp.out_of_time(UNDATED_M),
        "is hours ahead": lambda _: mlp.out_of_time(AHEAD_M, ahead_s=AHEAD_S),
        "answers an arc": lambda _: mlp.arc(),
        "answers a polygon": lambda _: mlp.polygon(),
    }
    for name, begin in troubles.items():
        yield Fault(f"mlp {carrier}: {name}", f"mlp {carrier}", begin, mlp.behave, LONG)
    yield Fault(
        f"mlp {carrier}: is down",
        f"mlp {carrier}",
        lambda _: world.now(mlp.refuse_tcp()),
        lambda: world.now(mlp.accept_tcp()),
        LONG,
    )
    yield from _network(world, f"mlp {carrier}", MLP[carrier])


def _psap(world: World, channel: str) -> Iterator[Fault]:
    psap = world.psap[channel]
    troubles: dict[str, Callable[[random.Random], object]] = {
        "is down": lambda _: world.now(psap.go_down()),
        "hangs": lambda _: psap.hang(),
        "is slow": lambda rng: psap.slow(rng.uniform(0.5, 15.0)),
        "answers a status": lambda rng: psap.refuse(rng.choice((401, 404, 429, 500, 503))),
        "asks to wait": lambda rng: psap.refuse(503, retry_after=str(rng.randrange(1, 60))),
        "drops before receiving": lambda _: psap.drop_before_receiving(),
        "drops after receiving": lambda _: psap.drop_after_receiving(),
        "answers rubbish": lambda _: psap.answer_rubbish(),
        "cuts its answers": lambda rng: psap.answer(200, b"taken", truncate_at=rng.randrange(1, 40)),
    }
    for name, begin in troubles.items():
        yield Fault(
            f"112 {channel}: {name}", f"112 {channel}", begin, lambda: world.now(psap.come_back()), LONG
        )
    yield from _network(world, f"112 {channel}", PSAP[channel])


def _psap_as_a_whole(world: World) -> Iterator[Fault]:
    def each(act: Callable[[Address], object]) -> None:
        for address in PSAP.values():
            act(address)

    yield Fault(
        "112: out of reach",
        "112",
        lambda _: each(world.network.hang),
        lambda: each(world.network.heal),
        LONG,
    )


def _house(world: World) -> Iterator[Fault]:
    for trouble in DiskTrouble:
        yield Fault(
            f"store: {trouble.value}", "store", partial(_begin_trouble, world, trouble), world.store_up, LONG
        )

    def at_commit(rng: random.Random) -> None:
        world.disk.on_commit = partial(world.crash_and_restart, rng.uniform(0.1, 5.0))
        world.press(rng.choice(world.callers))

    def at_report(rng: random.Random) -> None:
        world.on_report = partial(world.crash_and_restart, rng.uniform(0.1, 5.0))
        world.press(rng.choice(world.callers))

    yield Fault(
        "clock: is set",
        "clock",
        lambda rng: world.set_clock(rng.choice(CLOCK_STEPS_S)),
        lambda: world.set_clock(0.0),
        LONG,
    )
    yield Fault(
        "daemon: is killed",
        "daemon",
        lambda rng: world.crash_and_restart(rng.uniform(0.1, 20.0)),
        _nothing,
        AN_INSTANT,
    )
    yield Fault("daemon: is killed after a commit", "daemon", at_commit, _nothing, AN_INSTANT)
    yield Fault("daemon: is killed after a report", "daemon", at_report, _nothing, AN_INSTANT)
    yield Fault("daemon: is stopped", "daemon", lambda _: world.stop_and_restart(), _nothing, AN_INSTANT)


def _network(world: World, target: str, address: Address) -> Iterator[Fault]:
    def slow(rng: random.Random) -> None:
        least_s = rng.uniform(0.05, 1.0)
        world.network.slow(address, least_s, least_s * rng.uniform(1.0, 4.0))

    heal = partial(world.network.heal, address)
    yield Fault(
        f"{target}: the way hangs", f"way to {target}", lambda _: world.network.hang(address), heal, LONG
    )
    yield Fault(f"{target}: the way is long", f"way to {target}", slow, heal, LONG)
    yield Fault(
        f"{target}: all connections break",
        f"way to {target}",
        lambda _: _reset_all(world, address),
        _nothing,
        AN_INSTANT,
    )


def _begin_trouble(world: World, trouble: DiskTrouble, _: random.Random) -> None:
    world.store_down(trouble)


def _redeliver(world: World, carrier: str, rng: random.Random) -> None:
    """Repeat messages that were acknowledged just now: an SMSC does not repeat old ones."""
    recent = [press for press in world.presses[-5:] if press.smsc == carrier and press.first_answer == 0]
    if recent and world.clock.seconds() - recent[0].at < 60.0:  # noqa: PLR2004 - a minute
        world.smsc[carrier].redeliver(rng.randrange(1, len(recent) + 1))


def _with_reset(
    world: World, address: Address, act: Callable[[], object]
) -> Callable[[random.Random], object]:
    """Act, and wait for the links to come up again."""

    def begin(_: random.Random) -> None:
        act()
        _reset_all(world, address)

    return begin


def _reset_all(world: World, address: Address) -> None:
    for number in world.network.connections(address):
        world.network.reset(number)


def _reset_one(world: World, address: Address, rng: random.Random) -> None:
    numbers = world.network.connections(address)
    if numbers:
        world.network.reset(rng.choice(numbers))


def _nothing(*_: Any) -> None:
    """Do nothing: the fault ends by itself."""
