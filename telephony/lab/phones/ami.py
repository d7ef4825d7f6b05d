"""Simulates an Asterisk's manager interface on the real wire, with verbs for the trouble that real ones make.

It takes MD5 logins of one account, as Asterisk 16 to 22 do, and answers actions as it is told.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from telephony.asterisk.ami.packets import AmiStream, Packet, encode_packet
from telephony.service import Service

Fields = Sequence[tuple[str, str]]

BANNER: Final = "Asterisk Call Manager/5.0.4"
REMEMBERED: Final = 10_000
"""Actions that can be looked at afterwards."""


class LabAmi(Service):
    """The simulated server. Port 0 lets the system choose; `port` then says which it was."""

    def __init__(
        self,
        *,
        reactor: Any,
        rng: random.Random,
        username: str = "onetouch",
        secret: str,
        port: int = 0,
        interface: str = "127.0.0.1",
    ) -> None:
        self.port = port
        self.banner = BANNER
        self.heard: deque[Packet] = deque(maxlen=REMEMBERED)
        """The actions of all connections, in order."""
        self.connections: list[LabConnection] = []
        """Those that are open."""
        self.accepted = 0
        """How many connections were made."""
        self.is_hung = False
        self.is_booted = True
        self.refusal: str | None = None
        self.scripts: dict[str, list[Fields] | None] = {}
        """By action: the packets of its answer without ActionID; ``None``: no answer."""
        self._reactor = reactor
        self._rng = rng
        self._username = username
        self._secret = secret
        self._interface = interface
        self._listening: Any = None

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen."""
        super().startService()
        self._listening = self._reactor.listenTCP(self.port, self.factory(), interface=self._interface)
        self.port = self._listening.getHost().port

    def stopService(self) -> Deferred[Any]:  # noqa: N802 - Twisted's name
        """Break every connection and listen no more."""
        super().stopService()
        self.drop()
        return maybeDeferred(self._listening.stopListening)

    def factory(self) -> Any:
        """Return a factory (``IProtocolFactory``) of connections to this server, for other kinds of listeners."""
        factory = Factory.forProtocol(self._new_connection)
        factory.noisy = False
        return factory

    def _new_connection(self) -> LabConnection:
        self.accepted += 1
        return LabConnection(self, challenge=str(self._rng.randrange(100_000_000, 1_000_000_000)))

    # Verbs: trouble.

    def refuse_login(self, message: str = "Authentication failed") -> None:
        """Refuse logins with these words and close, until `accept_logins`."""
        self.refusal = message

    def accept_logins(self) -> None:
        """Let the account in again."""
        self.refusal = None

    def boot_slowly(self) -> None:
        """Let people log in, but say FullyBooted only at `finish_boot`."""
        self.is_booted = False

    def finish_boot(self) -> None:
        """Say FullyBooted."""
        self.is_booted = True
        self.say("FullyBooted", ("Privilege", "system,all"), ("Status", "Fully Booted"))

    def hang(self) -> None:
        """Keep connections open, but neither read nor write, until `wake`."""
        self.is_hung = True

    def wake(self) -> None:
        """Go on; what came meanwhile is lost."""
        self.is_hung = False

    def drop(self) -> None:
        """Break every connection without a Shutdown event."""
        for connection in list(self.connections):
            connection.wire.abortConnection()

    def shut_down(self) -> None:
        """Stop in good order, as ``core stop now`` does: say Shutdown, then close."""
        self.say("Shutdown", ("Privilege", "system,all"), ("Shutdown", "Cleanly"), ("Restart", "False"))
        for connection in list(self.connections):
            connection.wire.loseConnection()

    def cut(self, event: str, *fields: tuple[str, str]) -> None:
        """Write half of an event, then close."""
        octets = encode_packet([("Event", event), *fields])
        self.write(octets[: len(octets) // 2])
        for connection in list(self.connections):
            connection.wire.loseConnection()

    def write(self, octets: bytes) -> None:
        """Write octets as they are to every connection."""
        for connection in self.connections:
            connection.write(octets)

    # Verbs: ordinary life.

    def say(self, event: str, *fields: tuple[str, str]) -> None:
        """Send an event to every connection that is logged in."""
        octets = encode_packet([("Event", event), *fields])
        for connection in self.connections:
            if connection.is_logged_in:
                connection.write(octets)

    def answer(self, action: str, fields: Fields = (), *, response: str = "Success") -> None:
        """Answer this action so from now on."""
        self.scripts[action] = [[("Response", response), *fields]]

    def answer_list(
        self, action: str, events: Iterable[tuple[str, Fields]], *, ending: str | None = "Complete"
    ) -> None:
        """Answer this action with a list of (event, fields) from now on; ``ending`` may be Cancelled, or never come."""
        packets: list[Fields] = [[("Response", "Success"), ("EventList", "start")]]
        packets += [[("Event", event), *fields] for event, fields in events]
        if ending is not None:
            packets.append([("Event", f"{action}Complete"), ("EventList", ending)])
        self.scripts[action] = packets

    def refuse(self, action: str, message: str) -> None:
        """Answer this action with Error from now on."""
        self.answer(action, [("Message", message)], response="Error")

    def ignore(self, action: str) -> None:
        """Answer this action no more."""
        self.scripts[action] = None

    def names_heard(self) -> list[str]:
        """Return the names of the actions that came, in order."""
        return [packet.get("Action") for packet in self.heard]

    # What a connection asks.

    def key_of(self, challenge: str) -> str:
        """Return the only right answer to a challenge."""
        return hashlib.md5((challenge + self._secret).encode(), usedforsecurity=False).hexdigest()

    def knows(self, login: Packet, challenge: str) -> bool:
        """Whether this login is the account's."""
        return login.get("Username") == self._username and login.get("Key") == self.key_of(challenge)


class LabConnection(Protocol):
    """One connection to the simulated server."""

    def __init__(self, server: LabAmi, *, challenge: str) -> None:
        self.is_logged_in = False
        self.wire: Any = None
        self._server = server
        self._challenge = challenge
        self._stream = AmiStream(expects_banner=False)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Say the banner."""
        self.wire = self.transport
        self._server.connections.append(self)
        self.write(f"{self._server.banner}\r\n".encode())

    def connectionLost(self, _reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """End."""
        self._server.connections.remove(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Answer what one read brought."""
        if self._server.is_hung:
            return
        for action in self._stream.feed(data):
            self._server.heard.append(action)
            self._take(action)

    def write(self, octets: bytes) -> None:
        """Write, unless the server hangs."""
        if not self._server.is_hung:
            self.wire.write(octets)

    def _take(self, action: Packet) -> None:
        name = action.get("Action")
        if name in self._server.scripts:
            self._answer(action, *(self._server.scripts[name] or ()))
        elif name == "Challenge":
            self._answer(action, [("Response", "Success"), ("Challenge", self._challenge)])
        elif name == "Login":
            self._log_in(action)
        elif not self.is_logged_in:
            self._answer(action, [("Response", "Error"), ("Message", "Permission denied")])
        elif name == "Ping":
            self._answer(action, [("Response", "Success"), ("Ping", "Pong")])
        else:
            self._answer(action, [("Response", "Success")])

    def _log_in(self, login: Packet) -> None:
        refusal = self._server.refusal
        if refusal is None and not self._server.knows(login, self._challenge):
            refusal = "Authentication failed"
        if refusal is not None:
            self._answer(login, [("Response", "Error"), ("Message", refusal)])
            self.wire.loseConnection()
            return
        self.is_logged_in = True
        self._answer(login, [("Response", "Success"), ("Message", "Authentication accepted")])
        if self._server.is_booted:
            self.write(encode_packet([("Event", "FullyBooted"), ("Status", "Fully Booted")]))

    def _answer(self, action: Packet, *packets: Fields) -> None:
        """Write packets, each with the action's id after its first field, as Asterisk does."""
        for first, *rest in packets:
            self.write(encode_packet([first, ("ActionID", action.action_id), *rest]))
