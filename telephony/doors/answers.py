"""What a door answers: a result as JSON, or a problem in words (RFC 9457). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Code(StrEnum):
    """What is wrong, for a program; the member ``code`` of a problem."""

    UNAUTHENTICATED = "unauthenticated"
    NO_SUCH_PATH = "no-such-path"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    KEY_UNREADABLE = "idempotency-key-unreadable"
    BODY_UNREADABLE = "body-unreadable"
    FIELDS_UNREADABLE = "fields-unreadable"
    NOT_DURABLE = "not-durable"
    """A press could not be made durable: 112 was told of it directly."""
    UNAVAILABLE = "unavailable"
    NO_POSITION = "no-position"
    UNKNOWN_INCIDENT = "unknown-incident"
    INCIDENT_CLOSED = "incident-closed"
    REFUSED = "order-refused"
    ID_REUSED = "id-reused"
    OTHER_CENTRE = "other-centre"


@dataclass(frozen=True, slots=True)
class Remark:
    """What is wrong with one member of a body: where, as a JSON Pointer in a fragment (``#/caller``), and what to write."""

    pointer: str
    detail: str

    def as_json(self) -> Mapping[str, str]:
        """Return the remark as the answer has it."""
        return {"pointer": self.pointer, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Done:
    """It was done; ``body`` is ``None`` for an answer without one."""

    status: HTTPStatus
    body: Mapping[str, Any] | None = None

    @property
    def content_type(self) -> str | None:
        """The media type of the body."""
        return None if self.body is None else JSON_TYPE

    @property
    def octets(self) -> bytes:
        """The body."""
        return b"" if self.body is None else _octets(self.body)


@dataclass(frozen=True, slots=True)
class Problem:
    """It was not done. ``detail`` says what to do, ``errors`` what is wrong with which member."""

    status: HTTPStatus
    code: Code
    detail: str
    errors: Sequence[Remark] = ()
    retry_after_s: int | None = None
    allow: str | None = None
    """For 405: the methods that there are."""
    challenge: str | None = None
    """For 401: how to authenticate (RFC 6750 clause 3)."""

    content_type = PROBLEM_TYPE

    @property
    def octets(self) -> bytes:
        """The problem document. Its type is ``about:blank``: the status says the kind, and ``code`` says it finer."""
        known: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "code": self.code.value,
            "detail": self.detail,
        }
        if self.errors:
            known["errors"] = [each.as_json() for each in self.errors]
        return _octets(known)


Answer = Done | Problem


def _octets(known: Mapping[str, Any]) -> bytes:
    # Half a surrogate pair, which an escape of the asker's may have brought, is no UTF-8.
    return _encode(known).encode("utf-8", "replace") + b"\n"
