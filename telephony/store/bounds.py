"""Bounds for every wait on PostgreSQL, and which of its servers may be believed.

A server that vanishes says nothing: no RST, no FIN, no answer. Four safeguards, each for what the one before misses:
TCP notices a peer that acknowledges nothing, the server ends what takes too long, our side gives up a statement whose
answer does not come, and `Access.cut` ends at once all statements on a store that was put away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, make_url

AddressesOf = Callable[[str], Sequence[str]]
"""Gives the addresses of a name without waiting for a name server; none where they are not known."""

ANSWER_S = 2.0
"""How much longer than the server's own bound our side waits: for what the server says when it ends a statement."""
LONGEST_READ_S = 30.0
"""Of one statement of a reader: the longest are looks through a week of incidents in a large store."""
LONGEST_CONNECTING_S = 5
"""Of each address. Longer than any handshake between two sites; libpq and psycopg know no less than 2 s."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The longest waits of a connection, in seconds; ``None`` waits for ever."""

    connect_s: int
    unacknowledged_s: float
    """Octets sent, or a keep-alive, without an acknowledgement of the peer's kernel (``TCP_USER_TIMEOUT``)."""
    statement_s: float | None
    lock_s: float
    idle_in_transaction_s: float
    """How long others' presses may wait for locks of ours when this process is stopped in the middle of a transaction."""
    writes: bool
    """The far end must be the primary: a standby is refused, and dropped when it becomes one."""

    @property
    def patience_s(self) -> float | None:
        """How long our side waits for the answer to one statement."""
        return None if self.statement_s is None else self.statement_s + ANSWER_S


def writer(commit_budget_s: float) -> Bounds:
    """Return the bounds of the connection that presses are committed on.

    What takes longer than the budget is of no use to a press: 112 was told directly, and the sender is asked again. A
    lock is waited for half of it, so that the transaction can be tried once more within the budget.
    """
    budget_s = max(commit_budget_s, 1.0)
    return Bounds(_connecting_s(budget_s), min(budget_s, 10.0), budget_s, budget_s / 2, budget_s, writes=True)


def reader(commit_budget_s: float) -> Bounds:
    """Return the bounds of connections that the daemon reads by: no press waits for them, but threads do."""
    budget_s = max(commit_budget_s, 1.0)
    return Bounds(
        _connecting_s(budget_s),
        min(budget_s, 10.0),
        LONGEST_READ_S,
        budget_s / 2,
        LONGEST_READ_S,
        writes=True,
    )


COMMAND = Bounds(LONGEST_CONNECTING_S, 10.0, None, 10.0, 60.0, writes=False)
"""Of a command of the operator's: its statements may take hours (an upgrade), and it may read from a standby. It waits
10 s for a lock, because everybody else's statements wait behind one that is waiting for a table."""


def _connecting_s(budget_s: float) -> int:
    return max(2, min(math.ceil(budget_s), LONGEST_CONNECTING_S))


class Access:
    """How one process reaches its PostgreSQL; every connection asks whether it was cut since it was opened."""

    def __init__(
        self, writing: Bounds = COMMAND, reading: Bounds = COMMAND, addresses_of: AddressesOf | None = None
    ) -> None:
        """Without ``addresses_of`` names are looked up when they are dialled, for as long as that takes."""
        self.writing = writing
        self.reading = reading
        self.addresses_of = addresses_of
        self.cuts = 0

    @classmethod
    def of_daemon(cls, commit_budget_s: float, addresses_of: AddressesOf) -> Access:
        """Return the access of a process that commits presses."""
        return cls(writer(commit_budget_s), reader(commit_budget_s), addresses_of)

    def cut(self) -> None:
        """End the statements on every connection, within a second or two; for any thread."""
        self.cuts += 1


def parameters(bounds: Bounds, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return libpq's connection parameters for these bounds; what an operator has ``given`` in the URL stands.

    ``options`` are joined, theirs last: the server takes the last word on a setting.
    """
    settings = {
        "statement_timeout": bounds.statement_s or 0.0,
        "lock_timeout": bounds.lock_s,
        "idle_in_transaction_session_timeout": bounds.idle_in_transaction_s,
    }
    options = " ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in settings.items())
    ours: dict[str, Any] = {
        "connect_timeout": bounds.connect_s,
        "tcp_user_timeout": round(bounds.unacknowledged_s * 1000),
        # An idle connection whose peer is gone is noticed after 2 s and two unanswered questions.
        "keepalives": 1,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "target_session_attrs": "read-write" if bounds.writes else "any",
        # Kerberos would ask servers of its own, for as long as they like.
        "gssencmode": "disable",
        "application_name": "onetouch",
    }
    ours = {name: value for name, value in ours.items() if name not in given}
    return ours | {"options": " ".join((options, *_words(given.get("options"))))}


def hosts_of(url: str | URL) -> tuple[str, ...]:
    """Return the hosts that a URL of a store names: several where it has several, none for SQLite or a Unix socket."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" or "hostaddr" in parsed.query:
        return ()
    named = [parsed.host or ""]
    for each in _words(parsed.query.get("host")):
        named += [part.rpartition(":")[0] if part.count(":") == 1 else part for part in each.split(",")]
    return tuple(
        dict.fromkeys(host.strip("[]") for host in named if host and not host.startswith(("/", "@")))
    )


def with_addresses(dialled: Mapping[str, Any], addresses_of: AddressesOf) -> dict[str, Any]:
    """Return connection parameters in which every host stands beside an address, once for each.

    The name stays, for TLS to be verified against it. Raises `LookupError` when no address is known of any host.
    """
    if not dialled.get("host") or dialled.get("hostaddr"):
        return dict(dialled)
    hosts = str(dialled["host"]).split(",")
    ports = str(dialled.get("port") or "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    found: list[tuple[str, str, str]] = []
    for host, port in zip(hosts, ports, strict=True):
        is_local = not host or host.startswith(("/", "@"))
        found += [(host, address, port) for address in ([""] if is_local else addresses_of(host))]
    if not found:
        raise LookupError(f"no address is known of {' or '.join(hosts)}")
    host, address, port = (",".join(column) for column in zip(*found, strict=True))
    return {**dialled, "host": host, "hostaddr": address, "port": port}


def _words(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def prove_commit(connection: Connection, items: Sequence[Any]) -> Sequence[Any]:
    """Write what a commit has to wait for (a few octets of WAL, no row): a batch function for `Database.batch`."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_logical_emit_message(true, 'onetouch', '')")
    return items
