"""Finds in the source what can make a phone ring, sound or show something, and whether the policy is asked before it.

An `Act` is a call of a primitive: a request to a message centre, an action of Asterisk's manager interface that can
ring or open a way for sound, a command on a caller's channel, a text for a USSD dialogue. Harmless actions and requests
are listed by name; whatever is not listed counts, so that a new one is found.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
ASKS = frozenset({"may_reach", "_may_reach"})
"""The policy itself (`telephony.domain.silence`) and its guard by number (`telephony.services.silence`)."""

HARMLESS_ACTIONS = frozenset({"Getvar", "Hangup", "Ping", "Challenge", "Login"})
AMI_METHODS = frozenset(
    {"Originate", "Redirect", "Bridge", "Atxfer", "PlayDTMF", "Park", "Setvar", "QueueAdd"}
)
"""Those of py-Asterisk's manager that can reach a phone."""
HARMLESS_REQUESTS = ("bind_", "outbind", "unbind", "enquire_link")
MODEMS = frozenset({"serial", "gsmmodem", "gammu", "smspdudecoder"})
ON_CALLS = frozenset({"_calls", "calls", "_spoken", "spoken"})
"""Names under which the rooms hold what places calls."""
RINGERS = frozenset({"_call_back", "call_back"})
"""Names under which they hold what rings the caller's phone."""


class Act(NamedTuple):
    """A primitive, and the function that does it."""

    file: str
    function: str
    primitive: str


def sources() -> dict[str, str]:
    """Return the text of every module of the service by its path; the lab plays the far ends and is not one."""
    return dict(_sources())


@cache
def _sources() -> Mapping[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for path in sorted((ROOT / "telephony").rglob("*.py"))
        if path.relative_to(ROOT).parts[1] != "lab"
    }


def acts(texts: Mapping[str, str]) -> set[Act]:
    """Return every act of these modules."""
    return {act for file, text in texts.items() for act in _acts_of(file, text)}


@cache
def _acts_of(file: str, text: str) -> frozenset[Act]:
    return frozenset(
        Act(file, function, primitive)
        for function, node in _inner_nodes(ast.parse(text))
        for primitive in _primitives(node)
    )


@cache
def functions(text: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions of a module by their qualified names."""
    found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}

    def collect(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[prefix + child.name] = child
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                collect(child, f"{prefix}{child.name}.")
            else:
                collect(child, prefix)

    collect(ast.parse(text), "")
    return found


def _inner_nodes(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    def walk(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            yield name, child
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from walk(child, f"{name}.{child.name}" if name else child.name)
            else:
                yield from walk(child, name)

    yield from walk(tree, "")


def _primitives(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        )
        yield from (f"import {name}" for name in names if name.partition(".")[0] in MODEMS)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if "channel originate" in node.value:
            yield "channel originate"
    elif isinstance(node, ast.Attribute) and node.attr == "ring" and _last(node.value) in RINGERS:
        yield "ring"
    elif isinstance(node, ast.Call):
        yield from _called(node)


def _called(call: ast.Call) -> Iterator[str]:
    name, receiver = name_of(call), _receiver(call)
    first = call.args[0] if call.args else None
    match name:
        case "submit" | "reply_pdu" | "UssdReply" | "encode_action" | "encode_command" | "stream_file":
            yield name
        case "build" if receiver == "" and _request(first) is not None:
            yield f"build {_request(first)}"
        case "action" if _words(first) not in HARMLESS_ACTIONS:
            yield f"action {_words(first) or '*'}"
        case "send" | "send_for_list" | "send_unawaited" if receiver == "actions":
            if _words(first) not in HARMLESS_ACTIONS:
                yield f"action {_words(first) or '*'}"
        case "send" if receiver in ("window", "_window"):
            yield "window.send"
        case "call" if receiver in ON_CALLS:
            yield "call"
        case _ if name in RINGERS:
            yield "ring"
        case _ if name in AMI_METHODS and receiver:
            yield f"action {name}"


def name_of(call: ast.Call) -> str:
    """Return the last part of what is called."""
    return _last(call.func)


def _receiver(call: ast.Call) -> str:
    if not isinstance(call.func, ast.Attribute):
        return ""
    return _last(call.func.value)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _words(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _request(node: ast.expr | None) -> str | None:
    """Return the request that is built, ``*`` for one that the source does not tell; ``None`` for a harmless one."""
    text = _words(node) or "*"
    if isinstance(node, ast.JoinedStr):
        text = "".join(_words(each) or "*" for each in node.values)
    return None if text.startswith(HARMLESS_REQUESTS) or text.endswith("_resp") else text


# -- whether the policy is asked first ------------------------------------------------------------------------

Claim = Callable[[ast.Call], bool]


def is_asked_before(
    function: ast.FunctionDef | ast.AsyncFunctionDef, asks: Iterable[str], is_act: Claim
) -> bool:
    """Whether on every way to an act of this function the policy is asked, and its answer looked at."""
    reading = _Reading(frozenset(asks), is_act)
    reading.block(function.body, is_asked=False)
    return reading.acts > 0 and not reading.is_bypassed


def always_asks(function: ast.FunctionDef | ast.AsyncFunctionDef, asks: Iterable[str]) -> bool:
    """Whether no way through this function avoids the question, other than one that raises or says no.

    To say no is to return something other than ``None`` where the question has failed.
    """
    reading = _Reading(frozenset(asks), lambda _: False)
    is_asked = reading.block(function.body, is_asked=False)
    return is_asked is not False and not reading.leaves_unasked


class _Reading:
    """Goes through statements in order. ``None`` for a way that does not come out at the end of a block."""

    def __init__(self, asks: frozenset[str], is_act: Claim) -> None:
        self.asks = asks
        self.is_act = is_act
        self.acts = 0
        self.is_bypassed = False
        self.leaves_unasked = False
        self.handlers = 0

    def block(self, body: list[ast.stmt], *, is_asked: bool) -> bool | None:
        now: bool | None = is_asked
        for statement in body:
            if now is None:
                break
            now = self.statement(statement, now)
        return now

    def statement(self, node: ast.stmt, is_asked: bool) -> bool | None:  # noqa: FBT001 - the state on the way
        match node:
            case ast.Return() | ast.Raise():
                return self._leave(node, is_asked)
            case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.Match():
                return self._branch(node, is_asked)
            case ast.With() | ast.AsyncWith():
                asked = self.expressions([each.context_expr for each in node.items], is_asked)
                return self.block(node.body, is_asked=asked)
            case ast.Try():
                return self._try(node, is_asked)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                # Run at another time: what it does must be asked for within itself.
                self.block(node.body, is_asked=False)
                return is_asked
        # An answer that is not looked at is no question, unless the asker raises what it is told.
        is_used = not isinstance(node, ast.Expr)
        inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
        return self.expressions(inner, is_asked, is_used=is_used)

    def _leave(self, node: ast.Return | ast.Raise, is_asked: bool) -> None:  # noqa: FBT001 - likewise
        if isinstance(node, ast.Raise):
            self.expressions([node.exc], is_asked)
            return
        after = self.expressions([node.value], is_asked)
        says_no = self.handlers > 0 and node.value is not None and ast.unparse(node.value) != "None"
        self.leaves_unasked |= not after and not says_no

    def _branch(
        self, node: ast.If | ast.For | ast.AsyncFor | ast.While | ast.Match, is_asked: bool  # noqa: FBT001 - likewise
    ) -> bool | None:  # fmt: skip
        if isinstance(node, (ast.If, ast.While)):
            asked = self.expressions([node.test], is_asked)
        else:
            asked = self.expressions([node.subject if isinstance(node, ast.Match) else node.iter], is_asked)
        if isinstance(node, ast.Match):
            return _joined([asked, *(self.block(each.body, is_asked=asked) for each in node.cases)])
        ways = [self.block(node.body, is_asked=asked), self.block(node.orelse, is_asked=asked)]
        # A loop may not run at all.
        return _joined(ways) if isinstance(node, ast.If) else asked

    def _try(self, node: ast.Try, is_asked: bool) -> bool | None:  # noqa: FBT001 - likewise
        tried = self.block([*node.body, *node.orelse], is_asked=is_asked)
        self.handlers += 1
        handled = [self.block(each.body, is_asked=is_asked) for each in node.handlers]
        self.handlers -= 1
        self.block(node.finalbody, is_asked=is_asked)
        return _joined([tried, *handled])

    def expressions(
        self,
        nodes: Iterable[ast.expr | None],
        is_asked: bool,  # noqa: FBT001 - the state on the way
        *,
        is_used: bool = True,
    ) -> bool:
        for node in nodes:
            if node is not None:
                is_asked = self.expression(node, is_asked, is_used=is_used)
        return is_asked

    def expression(self, node: ast.expr, is_asked: bool, *, is_used: bool) -> bool:  # noqa: FBT001 - likewise
        match node:
            case ast.BoolOp():
                first, *others = node.values
                asked = self.expression(first, is_asked, is_used=True)
                self.expressions(others, asked)
                return asked
            case ast.IfExp():
                asked = self.expression(node.test, is_asked, is_used=True)
                self.expressions([node.body, node.orelse], asked)
                return asked
            case ast.Lambda():
                self.expression(node.body, False, is_used=True)  # run at another time
                return is_asked
            case ast.Call():
                asked = self.expressions(
                    [node.func, *node.args, *(each.value for each in node.keywords)], is_asked
                )
                if self.is_act(node):
                    self.acts += 1
                    self.is_bypassed |= not asked
                return asked or (name_of(node) in self.asks and (is_used or name_of(node) not in ASKS))
            case ast.Await():
                return self.expression(node.value, is_asked, is_used=is_used)
            case _:
                return self.expressions(
                    [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)], is_asked
                )


def _joined(ways: Iterable[bool | None]) -> bool | None:
    """Return what is sure where several ways come together."""
    out = [each for each in ways if each is not None]
    return all(out) if out else None
