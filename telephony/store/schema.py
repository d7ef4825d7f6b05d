"""The tables. Times are microseconds since 1970 UTC; see `telephony.store.times`.

Keys are natural wherever one exists: a press is its incident and the sender's reference, a delivery is its
incident, channel and sequence. That makes a redelivery and a repeated report collide by themselves, and saves
an index per table on the way of a press. Inside the store an incident is known by an integer that grows with
time, so that what belongs together is written side by side: ten presses touch 30 pages of the file, not 70.

The file by itself tells nothing about anyone. Personal data stands in columns that are sealed
(`telephony.store.sealing`), each for its own row; a caller and the sender's reference of a press are keyed hashes.

What stands plain and decides something is bound to its row by a code in the column ``bound``: see `telephony.store.bound`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from telephony.domain.delivery import FIRST_REPORT, PENDING
from telephony.domain.incident import CLOSED

metadata = MetaData()

Bound = LargeBinary(20)
"""Id of the key, and the code over what is bound."""

Key = BigInteger().with_variant(Integer, "sqlite")
"""SQLite keeps a table in the order of its INTEGER PRIMARY KEY, and of no other spelling."""

incident = Table(
    "incident",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("caller", LargeBinary(16), nullable=False),  # hash of the key by which presses are joined
    Column("sealed", LargeBinary, nullable=False),  # that key, the number, the destination
    Column("carrier", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("test", Boolean, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("press_count", Integer, nullable=False),
    Column("last_press_at", BigInteger, nullable=False),
    Column("last_sequence", Integer, nullable=False),  # of the newest report
    Column("position_count", Integer, nullable=False, server_default="0"),
    Column("best_position", Integer),  # its number in the position table
    Column("closed_at", BigInteger),
    Column("close_reason", LargeBinary),  # sealed
    Column("fact_count", Integer, nullable=False, server_default="0"),
    Column("silence_lifted_at", BigInteger),  # since when something of ours may reach the caller's phone
    Column("newest_position", Integer),  # the one measured last, better or not
    Column(
        "sharpest_position", Integer
    ),  # of those that were the best once, the one with the smallest circle
    Column(
        "unreached_since", BigInteger
    ),  # when the location service first did not reach the phone; null: it answers
    Column("bound", Bound),
)
Index(
    "one_open_incident_per_caller",
    incident.c.caller,
    unique=True,
    sqlite_where=text(f"state <> '{CLOSED}'"),
    postgresql_where=text(f"state <> '{CLOSED}'"),
)

press = Table(
    "press",
    metadata,
    Column("incident_key", BigInteger, primary_key=True, autoincrement=False),
    Column("reference", LargeBinary(16), primary_key=True),  # hash of the sender's
    Column("number", Integer, nullable=False),  # 1, 2, 3 … within the incident
    Column("sealed", LargeBinary, nullable=False),  # the reference, the destination, the text, the raw octets
    Column("source", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("encoding", Text),
    Column("part_reference", Integer),
    Column("part_total", Integer),
    Column("part_number", Integer),
    Column("labels", Text),  # remarks for 112, one a line
    Column("received_at", BigInteger, nullable=False),
    Column("joined", Text, nullable=False),  # the recorded reason
    Column("seen", Integer, nullable=False),  # how often the sender delivered it
    Column("last_seen_at", BigInteger, nullable=False),
    Column("bound", Bound),
    sqlite_with_rowid=False,
)

position = Table(
    "position",
    metadata,
    Column("incident_key", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # latitude and longitude
    Column("uncertainty_m", Float),
    Column("confidence", Float),
    Column("method", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("fixed_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("became_best", Boolean, nullable=False),
    Column("bound", Bound),
    sqlite_with_rowid=False,
)

fact = Table(
    "fact",
    metadata,
    Column("incident_key", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True),  # 1, 2, 3 … within the incident
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # JSON: an object of texts
    Column("bound", Bound),
    sqlite_with_rowid=False,
)

call = Table(
    "call",
    metadata,
    Column("reference", Text, primary_key=True),  # server/uniqueid
    Column("incident_key", BigInteger, nullable=False),
    Column("server", Text, nullable=False),
    Column(
        "sealed", LargeBinary, nullable=False
    ),  # the channel as Asterisk names it: on some lines by the number
    Column("trunk", Text, nullable=False),
    Column("token", LargeBinary(32)),  # SHA-256 of the location token: the token itself is with 112 alone
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("bound", Bound),
    sqlite_with_rowid=False,
)
Index("calls_of_an_incident", call.c.incident_key)
Index(
    "live_calls_of_a_server",
    call.c.server,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)
Index("call_by_token", call.c.token, unique=True)

last_position = Table(
    "last_position",
    metadata,
    Column("caller", LargeBinary(16), primary_key=True),  # the incident's hash
    Column("incident_key", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    sqlite_with_rowid=False,
)

delivery = Table(
    "delivery",
    metadata,
    Column("incident_key", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column(
        "payload", Text, nullable=False
    ),  # JSON: how much of the incident a report tells; nothing of anybody
    Column("sealed", LargeBinary),  # JSON: the rest of an order, which is who gave it
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("last_error", LargeBinary),  # sealed: the far end's words
    Column("lease_token", Integer, nullable=False, server_default="1"),  # one higher with each acquisition
    Column("bound", Bound),
    sqlite_with_rowid=False,
)
Index(
    "delivery_due",
    delivery.c.channel,
    delivery.c.due_at,
    sqlite_where=text(f"state = '{PENDING}'"),
    postgresql_where=text(f"state = '{PENDING}'"),
)
# The alerts among them: they are looked for first, however many updates are due.
Index(
    "delivery_alerts",
    delivery.c.channel,
    delivery.c.due_at,
    sqlite_where=text(f"state = '{PENDING}' AND sequence = {FIRST_REPORT}"),
    postgresql_where=text(f"state = '{PENDING}' AND sequence = {FIRST_REPORT}"),
)

key_proof = Table(
    "key_proof",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),  # 1: there is one row
    Column(
        "sealed", LargeBinary, nullable=False
    ),  # by which a daemon knows that its key file is this store's
)

person = Table(
    "person",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),  # grows with time; says nothing of anybody
    Column("key_id", Integer, nullable=False),  # the encryption key, by its id in the key file
    Column("sealed", LargeBinary, nullable=False),  # all that is known of the person, encrypted
    Column("changed_at", BigInteger, nullable=False),
)

person_number = Table(
    "person_number",
    metadata,
    Column("hash", LargeBinary(16), primary_key=True),  # of a number of theirs, under the look-up key
    Column("person_key", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

guardian_number = Table(
    "guardian_number",
    metadata,
    Column(
        "hash", LargeBinary(16), primary_key=True
    ),  # of a guardian's number: many may have the same guardian
    Column("person_key", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=False),  # 1, 2, 3 … without a gap
    Column("at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # who, what, of whom, why
    Column("previous", LargeBinary(32), nullable=False),  # the digest of the entry before
    Column(
        "digest", LargeBinary(32), nullable=False
    ),  # of this entry with the one before, under the audit key
)

awaited_reply = Table(
    "awaited_reply",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(16), nullable=False),  # of the phone that is to reply
    Column("kind", String(16), nullable=False),
    Column(
        "sealed", LargeBinary, nullable=False
    ),  # the step that the reply brings about, and the code that it must hold
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column(
        "failures", Integer, nullable=False, server_default="0"
    ),  # wrong codes, of the kind that counts them
    Column("sent_at", BigInteger),  # when the question left; before that nothing counts as its reply
    Column("bound", Bound),
)
Index("awaited_from_a_phone", awaited_reply.c.hash)
Index("awaited_until", awaited_reply.c.expires_at)

press_history = Table(
    "press_history",
    metadata,
    Column(
        "subject", LargeBinary(16), primary_key=True
    ),  # hash of a person, or of a number that is not registered
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("sealed", LargeBinary),  # where it was
    Column("bound", Bound),
    sqlite_with_rowid=False,
)
Index("history_until", press_history.c.at)

locating = Table(
    "locating",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),  # grows with time
    Column("incident_id", String(40), nullable=False),  # it outlives the incident
    Column("subject", LargeBinary(16), nullable=False),  # the caller's hash of the number that was asked for
    Column("at", BigInteger, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("quality", String(16), nullable=False),
    Column("answer", String(16), nullable=False),  # its kind, never the place
    Column("method", Text),
    Column("answered_at", BigInteger),
    Column("sealed", LargeBinary, nullable=False),  # JSON: the number, and who asked
)
Index("locatings_of_an_incident", locating.c.incident_id)
Index("locatings_of_a_number", locating.c.subject)
Index("locatings_until", locating.c.at)

recording = Table(
    "recording",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),  # grows with time
    Column("name", Text, nullable=False),  # of the WAV file, as 112 reads it
    Column("call_name", Text, nullable=False),  # the call's own, as 112 reads it in the INVITE
    Column("incident_id", Text, nullable=False),  # it outlives the incident
    Column("subject", LargeBinary(16), nullable=False),  # the caller's hash of her number
    Column("server", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("octets", BigInteger, nullable=False),  # of the WAV file
    Column("host", Text, nullable=False),  # the machine that sees the sealed file
    Column("path", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("key_id", Integer, nullable=False),  # of the key that the file's header is under
    Column("sealed", LargeBinary, nullable=False),  # JSON: the number, the call's reference
)
Index("recording_by_name", recording.c.name, unique=True)
Index("recordings_of_an_incident", recording.c.incident_id)
Index("recordings_of_a_call", recording.c.call_name)
Index("recordings_of_a_number", recording.c.subject)
Index("recordings_until", recording.c.ended_at)
Index(
    "recordings_over",
    recording.c.host,
    sqlite_where=text("state = 'over'"),
    postgresql_where=text("state = 'over'"),
)

journal_position = Table(
    "journal_position",
    metadata,
    Column("journal", LargeBinary(16), primary_key=True),  # of one daemon's disk
    Column("number", BigInteger, nullable=False),  # up to which its presses are here
    Column("bound", LargeBinary),
)

withdrawn = Table(
    "withdrawn",
    metadata,
    Column(
        "incident_key", Key, primary_key=True, autoincrement=False
    ),  # people are still to be taken out of it
)
