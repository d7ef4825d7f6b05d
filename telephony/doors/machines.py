"""Knows the machines that may come in by a token (RFC 6750), and sums up those that may not."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_network
from typing import Final

from telephony.doors.answers import Code, Problem
from telephony.fields import Secret
from telephony.net.places import plain_address
from telephony.net.refusals import Cause, Refusals

SHORTEST_TOKEN: Final = 32
LONGEST_TOKEN: Final = 256
TOKEN: Final = re.compile(rf"[A-Za-z0-9._~+/-]{{{SHORTEST_TOKEN},{LONGEST_TOKEN}}}=*")
"""RFC 6750 clause 2.1, of a length that nobody guesses."""
CHALLENGE: Final = 'Bearer realm="onetouch"'
NOT_KNOWN: Final = Problem(
    HTTPStatus.UNAUTHORIZED,
    Code.UNAUTHENTICATED,
    "no machine is known by what was sent: send the header Authorization: Bearer <token> with the token that was agreed,"
    " from an address that was agreed",
    challenge=CHALLENGE,
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the settings: its name, where its token is, and the networks it may come from; none: any."""

    name: str
    token: Secret
    addresses: Sequence[str] = ()


@dataclass(slots=True)
class _Known:
    machine: Machine
    digest: bytes = field(repr=False)

    def may_come_from(self, host: str) -> bool:
        if not self.machine.addresses:
            return True
        address = plain_address(host)
        return address is not None and any(
            address in ip_network(network, strict=False) for network in self.machine.addresses
        )


class Machines:
    """The machines of one door. Their tokens are kept as digests, and every one is compared, in constant time.

    Raises `LookupError` for a token that cannot be read, or that is none.
    """

    def __init__(self, machines: Sequence[Machine], refusals: Refusals) -> None:
        self._known = tuple(_Known(machine, _digest_of(machine)) for machine in machines)
        self._refusals = refusals

    def of(self, authorization: str | None, host: str) -> str | None:
        """Return the name of the machine that comes with this header from this address; ``None`` and a note for a stranger."""
        scheme, _, token = (authorization or "").partition(" ")
        shown = sha256(token.strip().encode("utf-8")).digest()
        found: _Known | None = None
        for known in self._known:
            if hmac.compare_digest(known.digest, shown):
                found = known
        if found is None or scheme.lower() != "bearer":
            self._refusals.count(Cause.NO_TOKEN if authorization is None else Cause.WRONG_TOKEN, host)
            return None
        if not found.may_come_from(host):
            self._refusals.count(Cause.NOT_LISTED, host, peer=found.machine.name)
            return None
        return found.machine.name

    def read_again(self) -> Mapping[str, Callable[[], bool]]:
        """Return, by the name of each machine, a function that reads its token again and says whether it is another one.

        It raises `LookupError` for a token that cannot be used; then the old one stays.
        """
        return {known.machine.name: partial(_read_again, known) for known in self._known}


def _read_again(known: _Known) -> bool:
    before, known.digest = known.digest, _digest_of(known.machine)
    return before != known.digest


def _digest_of(machine: Machine) -> bytes:
    token = machine.token.read().strip()
    why = what_is_wrong_with(token)
    if why is not None:
        raise LookupError(f"{machine.name}: {why}")
    return sha256(token.encode()).digest()


def what_is_wrong_with(token: str) -> str | None:
    """Return why a text is no token that can be used; ``None`` where it is one."""
    if TOKEN.fullmatch(token):
        return None
    return (
        f"the token is not {SHORTEST_TOKEN} to {LONGEST_TOKEN} letters, digits and any of . _ ~ + / -: make one with"
        " `openssl rand -hex 32`"
    )
