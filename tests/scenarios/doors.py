"""A machine that comes in over HTTP: a real connection a request, as curl makes it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
PRESSER_TOKEN, CENTRE_TOKEN = "presser-0123456789abcdef0123456789", "centre-0123456789abcdef0123456789"
SETTINGS = """
[web]
port = {port}
[[web.presser]]
name = "app"
token = {{file = "{folder}/presser.token"}}
sources = ["app", "terminal", "system"]
carriers = ["skt", "kt"]
"""
STATUS_TOKEN = 'status_token = {{file = "{folder}/centre.token"}}'
WITHIN_S = 60.0


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def known(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Example:
    """A curl command of the page, taken apart."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


def examples() -> list[Example]:
    """The commands of the page, in their order."""
    return [_example(each) for each in re.findall(r"```sh\n(curl .*?)```", API, re.DOTALL)]


def _example(command: str) -> Example:
    words = shlex.split(command.replace("\\\n", " "))[1:]
    method, path, headers, body = "GET", "", {}, ""
    while words:
        match words.pop(0):
            case "--silent" | "--show-error" | "--include":
                continue
            case "--request":
                method = words.pop(0)
            case "--header":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "--json":
                body = words.pop(0)
                method = "POST" if method == "GET" else method
                headers["Content-Type"] = "application/json"
            case url if url.startswith("https://"):
                path = "/" + url.split("/", 3)[3]
            case other:
                raise AssertionError(f"curl with {other} is not understood here")
    return Example(method, path, headers, body)


class Machine:
    """Sends requests to the daemon of a house."""

    def __init__(self, port: int, token: str = PRESSER_TOKEN) -> None:
        self.port = port
        self.token = token

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        """Send a request, and give the answer. Header names are written with underscores."""
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await deferToThread(_exchange, self.port, method, path, octets, sent)

    async def press(self, body: Any, key: str = "key-1") -> Said:
        return await self.send("POST", "/v1/presses", body, Idempotency_Key=key)

    async def run(self, example: Example, **replaced: str) -> Said:
        """Run an example of the page, with other words in it."""
        texts = [example.path, example.body, *example.headers.values()]
        for old, new in {"PRESSER_TOKEN": PRESSER_TOKEN, "CENTRE_TOKEN": CENTRE_TOKEN}.items():
            texts = [text.replace(f"${old}", new) for text in texts]
        for old, new in replaced.items():
            texts = [text.replace(old.replace("_", "-"), new) for text in texts]
        path, body, *values = texts
        headers = dict(zip(example.headers, values, strict=True))
        return await deferToThread(_exchange, self.port, example.method, path, body.encode(), headers)


def _exchange(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> Said:
    connection = HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return Said(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        )
    finally:
        connection.close()
