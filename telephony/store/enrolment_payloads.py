"""Steps of enrolment to JSON and back: the payload of an awaited reply (`telephony.store.awaited`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telephony.domain.people.person import Language
from telephony.domain.people.steps import (
    AddGuardian,
    BeGuardian,
    Cancel,
    Change,
    ChangeNumber,
    Consent,
    Move,
    Register,
    RemoveGuardian,
    Step,
)
from telephony.domain.values import Msisdn
from telephony.store.crypto import Damaged


def payload_of(code: str, step: Step, language: Language) -> dict[str, Any]:
    """Return what is kept of a question: the code that its reply has to hold, the step that it brings about, its language."""
    return {"code": code, "step": _data_of(step), "language": language}


def code_of(payload: Mapping[str, Any]) -> str:
    """Return the code that the reply has to hold."""
    return str(payload["code"])


def language_of(payload: Mapping[str, Any]) -> Language:
    """Return the language of the question."""
    return "ko" if payload["language"] == "ko" else "en"


def is_about(payload: Mapping[str, Any], number: Msisdn) -> bool:
    """Whether a question to another phone is about the enrolment of this number."""
    return bool(payload["step"].get("number") == number.number)


def step_of(payload: Mapping[str, Any]) -> Step:  # noqa: C901, PLR0911 - one arm per step
    """Return what the reply brings about. Raises `Damaged` for what no release that we know of has written."""
    data = payload["step"]
    try:
        match data["do"]:
            case "register":
                return Register(data["fields"], data.get("text", ""))
            case "consent":
                number, text = Msisdn(data["number"]), data.get("text", "")
                return Consent(number, data["fields"], data["means"], data["carrier"], text)
            case "add guardian":
                return AddGuardian(Msisdn(data["phone"]), data["relation"])
            case "guardian agreed":
                return BeGuardian(Msisdn(data["number"]))
            case "remove guardian":
                return RemoveGuardian(Msisdn(data["phone"]))
            case "change":
                return Change(data["field"], data["value"])
            case "change number":
                return ChangeNumber(Msisdn(data["new"]))
            case "move":
                return Move(Msisdn(data["number"]))
            case "cancel":
                return Cancel(Msisdn(data["number"]))
    except KeyError as error:
        raise Damaged(f"a step that waits for a reply lacks its part {error}") from None
    raise Damaged("a step that waits for a reply is none that this release knows")


def _data_of(step: Step) -> dict[str, Any]:  # noqa: PLR0911 - one arm per step
    match step:
        case Register(fields, text):
            return {"do": "register", "fields": dict(fields), **({"text": text} if text else {})}
        case Consent(number, fields, means, carrier, text):
            return {
                "do": "consent",
                "number": number.number,
                "fields": dict(fields),
                "means": means,
                "carrier": carrier,
                "text": text,
            }
        case AddGuardian(phone, relation):
            return {"do": "add guardian", "phone": phone.number, "relation": relation}
        case BeGuardian(number):
            return {"do": "guardian agreed", "number": number.number}
        case RemoveGuardian(phone):
            return {"do": "remove guardian", "phone": phone.number}
        case Change(name, value):
            return {"do": "change", "field": name, "value": value}
        case ChangeNumber(new):
            return {"do": "change number", "new": new.number}
        case Move(number):
            return {"do": "move", "number": number.number}
        case Cancel(number):
            return {"do": "cancel", "number": number.number}
