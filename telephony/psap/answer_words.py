"""Finds errors in an answer that is not CAP: JSON, XML, a page or plain words that clearly speak of an error.

A centre's gateway often answers 200 and says only in the body that it failed. Common names and words are known here;
others say nothing, and the status alone counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from telephony.psap.answer_text import levels_of, unescaped

Field = tuple[str, str]
"""A name, without prefix and in lower case letters and digits alone, and its text without outer blanks."""

_LEAF = re.compile(r"<(?:[\w.-]{1,60}:)?([\w.-]{1,60})(?:\s[^<>]*)?>([^<]*)</")
_ATTRIBUTE = re.compile(r"\s([\w.:-]{1,60})\s{0,3}=\s{0,3}(?:\"([^\"<]*)\"|'([^'<]*)')")
_FAULT = re.compile(r"<(?:[\w.-]{1,60}:)?(?:fault|error|exception)(?:\s[^<>]*)?>\s*<(?!/)", re.IGNORECASE)
"""With elements in it: SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4, and what is named likewise."""
_ROOT = re.compile(r"<([\w.:-]{1,120})(?=[\s/>])[^<>]*>")
_PAGE = re.compile(r"<(?:!doctype\s{1,9}html|html|head|body|p|div|h1|br)(?=[\s/>])", re.IGNORECASE)
_PAGE_TITLE = re.compile(r"<(?:title|h1)(?:\s[^<>]*)?>([^<]*)<", re.IGNORECASE)
_PAGE_ERROR = re.compile(
    r"\b(?:error|fail(?:ed|ure)?|unavailable|bad gateway|forbidden|unauthori[sz]ed|denied|not found|time-?out)\b"
    r"|오류|에러|장애|실패",
    re.IGNORECASE,
)
_TELLS_ERROR = re.compile(
    r"\b(?:errors?|fail(?:ed|ure|ures)?|unavailable|bad gateway|forbidden|unauthori[sz]ed|denied|refused|rejected|not found"
    r"|timed? ?-?out|traceback|\w{0,60}exception)\b|오류|에러|장애|실패|거부|거절|못했|못하였",
    re.IGNORECASE,
)
_TELLS_NONE = re.compile(
    r"\b(?:no|not any|without|zero|0) (?:errors?|fail(?:ures?|ed)|exceptions?)\b"
    r"|\b(?:errors?|failures?|failed|exceptions?) ?[:=]? ?(?:0|none|no)\b"
    r"|(?:오류|에러|장애|실패|거부)\w{0,2} ?[:=]? ?(?:0|없)",
    re.IGNORECASE,
)
_LONGEST_WORDS = 1000
"""Of a text that is looked through for an error; a longer one is no message."""
_PROGRAM_FAILED = re.compile(r"\b(?:Fatal error|Parse error|Uncaught \w|Traceback \(most recent)")
_ERROR_CODE = re.compile(r"E[-_]?\d{2,6}", re.IGNORECASE)
_AGREES = frozenset(
    {"ok", "okay", "success", "succeeded", "successful", "accepted", "acknowledged", "ack", "received", "done",
     "normal", "true", "정상", "성공", "완료", "접수"}
)  # fmt: skip
_NOT_NAMED = re.compile(r"[^0-9a-z]+")
_FIRST_WORD = re.compile(r"[\W_]*([^\W_]+)")
_ZERO = re.compile(r"[+-]?0+(?:\.0+)?")

_VERDICTS = frozenset(
    {
        "status", "state", "result", "outcome", "response", "responsestatus", "type", "code", "ack",
        "statuscode", "resultcode", "httpstatus", "resultmsg", "resultmessage", "msg", "message", "stat",
    }
)  # fmt: skip
"""Fields whose first word, or number of an HTTP status, is the verdict."""
_CONSENTS = frozenset(
    {"success", "succeeded", "issuccess", "ok", "accepted", "acknowledged", "received", "delivered"}
)
"""Fields that say no where they are false; a nought under any other name may as well say that all is well."""
_NO = frozenset({"false", "no", "n"})
_FAULTS = frozenset(
    {
        "error", "errors", "fault", "faultcode", "faultstring", "exception", "errorcode", "errcode", "errormessage",
        "errormsg", "errmsg", "errordescription",
    }
)  # fmt: skip
"""Fields that say an error by being there, unless with one of these words:"""
_NO_FAULT = frozenset(
    {"", "none", "null", "nil", "false", "no", "n", "ok", "success", "normal", "정상", "없음"}
)
_FAILURES = frozenset(
    {
        "error", "err", "fail", "failed", "failure", "reject", "rejected", "refused", "denied", "invalid", "nack", "nak",
        "nok", "ng", "fault", "exception", "unauthorized", "forbidden", "unavailable", "unable", "cannot", "not", "bad",
        "오류", "에러", "실패", "거부",
    }
)  # fmt: skip
_MESSAGES = frozenset({"message", "msg", "resultmsg", "resultmessage", "statusmessage"})
"""Fields that may tell of an error in a sentence, where no verdict agrees."""
_REASONS = (
    "message", "msg", "errormessage", "errormsg", "errmsg", "errordescription", "faultstring", "reason", "text", "detail",
    "description", "resultmsg", "resultmessage", "note", "title",
)  # fmt: skip
_HTTP_FAILURES = range(400, 600)


def json_of(text: str) -> Any:
    """Return the JSON value that a text is. Raises `ValueError` for any other text."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def objects_of(value: Any) -> Iterator[list[Field]]:
    """Return the fields of each object in a JSON value, the outer ones first."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield [(named(name), _brief(inner)) for name, inner in each.items()]
            waiting.extend(reversed(each.values()))
        elif isinstance(each, list):
            waiting.extend(reversed(each))


def texts_of(value: Any) -> Iterator[str]:
    """Return each text in a JSON value."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict | list):
            waiting.extend(reversed(each.values() if isinstance(each, dict) else each))


def fields_of(markup: str) -> list[Field]:
    """Return the elements that hold nothing but text, in order, from XML or what was meant to be XML."""
    return [(named(name), unescaped(text).strip()) for name, text in _LEAF.findall(markup)]


def without_comments(markup: str) -> str:
    """Return markup without comments, and with CDATA sections as plain text."""
    kept, at = [], 0
    while (start := markup.find("<!--", at)) >= 0 and (end := markup.find("-->", start + 4)) >= 0:
        kept.append(markup[at:start])
        at = end + 3
    return "".join((*kept, markup[at:])).replace("<![CDATA[", "").replace("]]>", "")


def named(name: str) -> str:
    """Return a field's name as it is compared: ``cap:msgType``, ``msg_type`` and ``MSGTYPE`` are one."""
    return _NOT_NAMED.sub("", name.rpartition(":")[2].casefold())


def is_page(markup: str) -> bool:
    """Whether markup is HTML, made for a person to look at."""
    return _PAGE.search(markup[:1000]) is not None


def is_whole(markup: str) -> bool:
    """Whether the first element of XML is closed."""
    root = _ROOT.search(markup)
    return root is not None and (root[0].endswith("/>") or f"</{root[1]}" in markup)


def page_error(markup: str) -> str | None:
    """Return the title or heading of a page that speaks of an error, or the words of the program that failed to make it."""
    titles = (unescaped(title).strip() for title in _PAGE_TITLE.findall(markup))
    failed = _PROGRAM_FAILED.search(markup)
    return next((title for title in titles if _PAGE_ERROR.search(title)), failed and failed[0])


def markup_error(markup: str) -> str | None:
    """Return what XML that is not CAP says of an error, ``None`` where it speaks of none."""
    for level in levels_of(markup):
        fields = [*fields_of(level), *_attributes(level)]
        if (said := fields_error(fields)) is not None:
            return said
        if _FAULT.search(level):
            return _reason(fields) or "fault"
        root = _ROOT.search(level)
        if root is not None and root[0].endswith("/>") and named(root[1]) in _FAULTS:
            return named(root[1])
    return None


def fields_error(fields: Sequence[Field]) -> str | None:
    """Return what the fields say of an error, ``None`` where they speak of none."""
    for name, text in fields:
        if _is_error(name, text):
            return _reason(fields) or text
    if any(name in _VERDICTS and _agrees(text) for name, text in fields):
        return None
    return next((text for name, text in fields if name in _MESSAGES and _tells_error(text)), None)


def words_error(text: str) -> str | None:
    """Return a plain text that is a no, begins with an error or tells of one, or is the number of one."""
    if text.casefold() in _NO:
        return text
    if _is_failure(text):
        return text if _ZERO.fullmatch(_after_first_word(text)) is None else None
    return text if not _agrees(text) and _tells_error(text) else None


def _is_error(name: str, text: str) -> bool:
    if name in _FAULTS:
        return text.casefold() not in _NO_FAULT and _ZERO.fullmatch(text) is None
    if name in _CONSENTS:
        return text.casefold() in _NO or text == "0"
    return name in _VERDICTS and (text.casefold() in _NO or _is_failure(text))


def _attributes(markup: str) -> list[Field]:
    return [(named(name), unescaped(one or other).strip()) for name, one, other in _ATTRIBUTE.findall(markup)]


def _is_failure(text: str) -> bool:
    if text.isascii() and text.isdigit():
        return len(text) == 3 and int(text) in _HTTP_FAILURES  # noqa: PLR2004 - digits of a status
    if _ERROR_CODE.fullmatch(text):
        return True
    first = _FIRST_WORD.match(text)
    return first is not None and first[1].casefold() in _FAILURES and _TELLS_NONE.match(text) is None


def _agrees(text: str) -> bool:
    """Whether a text is a yes, begins with one, or is the number of a success."""
    first = _FIRST_WORD.match(text)
    return _ZERO.fullmatch(text) is not None or (
        first is not None and (first[1].casefold() in _AGREES or first[1] in {"200", "201", "202"})
    )


def _tells_error(text: str) -> bool:
    return (
        len(text) <= _LONGEST_WORDS
        and _TELLS_ERROR.search(_TELLS_NONE.sub(" ", " ".join(text.split()))) is not None
    )


def _after_first_word(text: str) -> str:
    first = _FIRST_WORD.match(text)
    return text if first is None else text[first.end() :].strip(" :=\t\r\n")


def _reason(fields: Sequence[Field]) -> str | None:
    by_name = {name: text for name, text in reversed(fields) if text and not _is_number(text)}
    return next((by_name[name] for name in _REASONS if name in by_name), None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _brief(value: Any) -> str:
    """Return a value as a field's text: what is empty says nothing, what holds more says only that it is there."""
    if isinstance(value, str):
        return value.strip()
    if value in (None, [], {}):
        return ""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return "…" if isinstance(value, dict | list) else repr(value).lower()
