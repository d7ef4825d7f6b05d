"""Recordings on a disk, and as the register is told of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from telephony.domain.recording import Recording
from telephony.store.crypto import KeyRing
from telephony.store.recordings.sealed import CHUNK, Chunks, Header, new_head, new_key
from tests.doubles import NOON

HOST = "voice-host"


def name_of(n: int = 1) -> str:
    """The n-th call of the server ``voice-1`` at noon, as its recording is called."""
    return f"sos-{NOON + timedelta(hours=9):%Y%m%d-voice-1-%H%M%S}-{n}.wav"


def reference_of(n: int = 1) -> str:
    """And as the store knows it."""
    return f"voice-1/voice-1-{int(NOON.timestamp())}.{n}"


def sealed_file(path: Path, ring: KeyRing, plain: bytes, name: str = "") -> Path:
    """Write a sealed recording."""
    header = Header(name or name_of(), "voice-1", reference_of(), NOON, NOON, len(plain), new_key())
    head = new_head(ring, header)
    chunks = Chunks(head, header)
    pieces = [plain[at : at + CHUNK] for at in range(0, max(1, len(plain)), CHUNK)]
    path.write_bytes(head + b"".join(chunks.seal(number, piece) for number, piece in enumerate(pieces)))
    return path


def recording(n: int = 1, *, ended_at: datetime = NOON, path: str = "/srv/x", key_id: int = 1) -> Recording:
    """The recording of the n-th call, a minute long."""
    begun_at = ended_at - timedelta(seconds=60)
    return Recording(name_of(n), "voice-1", reference_of(n), begun_at, ended_at, 960_044, HOST, path, key_id)
