"""Makes text from outside safe to show on every terminal, in every report and file. Pure, and total for any `str`.

One line in, one line out, that neither steers a terminal, nor turns the line around, nor hides anything:

- what ends a line or a column (CR LF, CR, LF, tab, VT, FF, U+0085, U+2028, U+2029) becomes one blank, and so does a
  Hangul filler that stands for a letter (U+3164, U+FFA0);
- what steers (ESC and all other C0 and C1 controls), changes the writing direction (U+061C, U+200E, U+200F, U+202A to
  U+202E, U+2066 to U+2069) or is no character (half surrogate pairs, U+FFFE …) becomes U+FFFD, so that it is seen;
- what is not seen at all (zero width blanks and joiners, soft hyphens, tags, other format characters) is left out.

Kept is what a text needs to be read: combining marks, conjoining Hangul with its fillers (U+115F, U+1160), a joiner
between two emoji or within a word of Arabic, Persian or an Indic script, and the first of several variation selectors.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_BLANKS: Final = "\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029\u3164\uffa0"
_DIRECTIONS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_NONE: Final = "\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17)
)
_SEEN_FORMATS: Final = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"
"""Signs that stand around digits in Arabic and others: they are seen, and move what follows them."""
_STEERING: Final = f"\x00-\x1f\x7f-\x9f{_DIRECTIONS}{_NONE}{_SEEN_FORMATS}"
_UNSEEN: Final = (
    "\xad\u034f\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_JOINERS: Final = "\u200c\u200d"
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_EMOJI: Final = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_JOINED_SCRIPTS: Final = (
    "\u0620-\u06d3\u06ee-\u070e\u0710-\u088f\u08a0-\u08e1\u08e3-\u0ddf\u0e00-\u17b3\u17b6-\u180a"
)
"""Arabic to Mongolian: scripts in which a joiner makes another letter."""

_ANY: Final = re.compile(f"[{_BLANKS}{_STEERING}{_UNSEEN}{_JOINERS}{_SELECTORS}]")
_BREAK: Final = re.compile(f"\r\n|[{_BLANKS}]")
_STEERS: Final = re.compile(f"[{_STEERING}]")
_NOT_SEEN: Final = re.compile(f"[{_UNSEEN}]+")
_LOOSE_JOINER: Final = re.compile(
    f"(?<![{_EMOJI}{_SELECTORS}])(?<![{_JOINED_SCRIPTS}])[{_JOINERS}]"
    f"|[{_JOINERS}](?![{_EMOJI}])(?![{_JOINED_SCRIPTS}])"
)
_FURTHER_SELECTORS: Final = re.compile(f"(?<=[{_SELECTORS}])[{_SELECTORS}]+|\\A[{_SELECTORS}]+")
_IN_JSON: Final = re.compile(f"(?!\n){_ANY.pattern}")
_LAST_OF_BASIC_PLANE: Final = 0xFFFF

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """Return a text on one line and safe to show, as the module says. A second pass changes nothing."""
    if text.isascii() and text.isprintable():
        return text
    if _ANY.search(text) is None:
        return text
    text = _STEERS.sub(REPLACEMENT, _BREAK.sub(" ", text))
    text = _LOOSE_JOINER.sub("", _NOT_SEEN.sub("", text))
    return _FURTHER_SELECTORS.sub("", text)


def lines(text: str) -> str:
    """Return a text of ours that may have several lines, each of them safe: only LF parts them."""
    return text if text.isascii() and text.isprintable() else "\n".join(map(one_line, text.split("\n")))


def in_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that is safe to show and means the same: what `one_line` would change is escaped."""
    return escaped(json.dumps(value, ensure_ascii=False, indent=indent))


def escaped(written: str) -> str:
    """Return JSON with all that is unsafe in its strings escaped. LF is left, which stands between its values only."""
    return written if written.isascii() and "\x7f" not in written else _IN_JSON.sub(_escape, written)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= _LAST_OF_BASIC_PLANE:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
