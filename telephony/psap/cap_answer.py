"""Reads a centre's 2xx answer to a report: an Ack, an error, something doubtful, or nothing.

Answers are scanned and not parsed: real ones break XML in ways that a parser refuses (octets behind the end, an
unknown encoding name, CAP as escaped text in an envelope). Nothing is expanded or fetched that way, and the cost
follows the length. What the scanner takes for an Ack is whole, says Ack, and speaks of this report or of none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telephony.psap.answer_text import levels_of, text_of
from telephony.psap.answer_words import (
    Field,
    fields_error,
    fields_of,
    is_page,
    is_whole,
    json_of,
    markup_error,
    objects_of,
    page_error,
    texts_of,
    without_comments,
    words_error,
)

MAX_WORDS = 200
"""Characters of a note that are kept: it ends up in an operator's line."""

_ALERT = re.compile(r"<(/?)(?:[\w.-]{1,60}:)?alert(?![\w.-])[^<>]*>", re.IGNORECASE)
_IS_CAP = re.compile(
    r"</?(?:[\w.-]{1,60}:)?alert(?![\w.-])|urn:oasis:names:tc:emergency|incident\.com/cap|\bmsg_?type\b|EDXLDistribution",
    re.IGNORECASE,
)
"""Words that occur only in an answer in CAP, or about CAP."""
_OF_EDXL = {"distributiontype": "msgtype", "distributionreference": "references"}
"""The elements that stand for CAP's fields where an EDXL-DE envelope holds no CAP (EDXL-DE 1.0 clause 3.2)."""
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
"""Zero width space, word joiner, byte order mark, soft hyphen."""
_DECLARES = re.compile(r"<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)")
_MOST_STRANGERS = 0.1
"""Share of characters that are no text, above which octets are no words."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The centre took the report."""

    identifier: str
    note: str


@dataclass(frozen=True, slots=True)
class Error:
    """The centre refuses the report; ``note`` has its reason (CAP 1.2 clause 3.2.1, msgType)."""

    identifier: str
    note: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The centre says in words of its own that it failed: no CAP, so no refusal of the report."""

    words: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It is unknown whether the centre took it. ``reason`` is ours, and holds nothing of the answer."""

    reason: str


Answer = Ack | Error | Failure | Doubtful

_UNREADABLE = Doubtful("its answer cannot be read")
_BROKEN = Doubtful("its answer in CAP cannot be read")


def read_answer(body: bytes, report_id: str) -> Answer | None:
    """Read the body of a 2xx to the report of this id. Total.

    ``None`` says that the status alone counts: the body is empty, or words that are neither CAP nor an error.
    """
    text = text_of(body)
    if text is None:
        return _UNREADABLE
    if not text:
        return None
    if _DECLARES.search(text):
        return Doubtful("its answer brings a DTD of its own")
    if text[0] in '{["':
        try:
            return _read_json(text, report_id)
        except ValueError:
            if text[0] == "{" and not _IS_CAP.search(text):
                return _UNREADABLE
    return _read_text(without_comments(text), report_id)


def _read_json(text: str, report_id: str) -> Answer | None:
    value = json_of(text)
    objects = list(objects_of(value))
    found = [
        _read_fields(fields, report_id) for fields in objects if any(name == "msgtype" for name, _ in fields)
    ]
    texts = list(texts_of(value))
    found += [answer for each in texts for answer in _read_cap(without_comments(each), report_id)]
    if found:
        return _weightiest(found)
    said = fields_error([field for fields in objects for field in fields])
    if said is None and texts and not objects:
        said = words_error(texts[0])
    if said is not None:
        return Failure(_short(said))
    return _BROKEN if _IS_CAP.search(text) else None


def _read_text(text: str, report_id: str) -> Answer | None:
    found = list(_read_cap(text, report_id))
    if found:
        return _weightiest(found)
    is_markup = text.startswith("<")
    if is_markup and is_page(text) and not _IS_CAP.search(text):
        said = page_error(text)
    else:
        said = markup_error(text) if "<" in text else words_error(text)
    if said is not None:
        return Failure(_short(said))
    levels = levels_of(text)
    if any("EDXLDistribution" in level for level in levels):
        return _read_fields([(_OF_EDXL.get(name, name), value) for name, value in fields_of(text)], report_id)
    if any(_IS_CAP.search(level) for level in levels):
        return _BROKEN
    if is_markup:
        return None if is_page(text) or is_whole(text) else _UNREADABLE
    return None if _is_legible(text) else _UNREADABLE


def _read_cap(text: str, report_id: str) -> Iterator[Answer]:
    """Return what each CAP document in a text says; the ones in an envelope may be escaped."""
    for level in levels_of(text):
        alerts = list(_alerts(level))
        if alerts:
            yield from (_read_fields(fields_of(alert), report_id, is_whole=whole) for alert, whole in alerts)
            return


def _alerts(text: str) -> Iterator[tuple[str, bool]]:
    """Return the markup of each ``alert`` in a text, and whether it is closed."""
    start: int | None = None
    for tag in _ALERT.finditer(text):
        if not tag[1]:
            start = tag.end() if start is None else start
        elif start is not None:
            yield text[start : tag.start()], True
            start = None
    if start is not None:
        yield text[start:], False


def _read_fields(fields: Sequence[Field], report_id: str, *, is_whole: bool = True) -> Answer:
    """Read one CAP document. The values of msgType are those of CAP in any spelling of their letters."""
    known = dict(reversed(fields))
    identifier, note = _short(known.get("identifier", "")), _short(known.get("note", ""))
    kinds = {_visible(text).casefold() for name, text in fields if name == "msgtype"}
    references = _visible(" ".join(text for name, text in fields if name == "references"))
    is_other = bool(references) and not _names(references, report_id)
    if "error" in kinds:
        return (
            Doubtful("it answered with a CAP Error about another report")
            if is_other
            else Error(identifier, note)
        )
    if kinds != {"ack"}:
        return Doubtful("it answered in CAP with neither Ack nor Error")
    if is_other:
        return Doubtful("it answered with a CAP Ack of another report")
    return Ack(identifier, note) if is_whole else _BROKEN


def _names(references: str, report_id: str) -> bool:
    """Whether the references (``sender,identifier,sent`` each) name a report: ``sos-1-1`` is not in ``sos-1-11``."""
    return re.search(rf"(?<![\w-]){re.escape(report_id)}(?![\w-])", references, re.IGNORECASE) is not None


def _visible(text: str) -> str:
    """Return a text without what stands in it unseen: marks that programs glue to a value that they took from a file."""
    return text.translate(_UNSEEN).strip()


def _weightiest(answers: Sequence[Answer]) -> Answer:
    """Return an Error before an Ack, and an Ack before what is doubtful."""
    for kind in (Error, Ack):
        for answer in answers:
            if isinstance(answer, kind):
                return answer
    return answers[0]


def _is_legible(text: str) -> bool:
    strange = sum(1 for each in text if each == "\ufffd" or (each < " " and each not in "\t\r\n\f"))
    return strange <= _MOST_STRANGERS * len(text)


def _short(words: str) -> str:
    return " ".join(words.split())[:MAX_WORDS]
