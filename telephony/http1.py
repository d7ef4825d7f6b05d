"""A lean HTTP/1.1 client: kept-alive connections, one time budget for each request.

Only what a report to 112 and a question to a location service need: POST, no redirects, no cookies, no proxies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from telephony.client_tls import ClientTls
from telephony.fields import Tls
from telephony.http1_connection import CLIENT_CLOSED, Call, HttpFailed, Pool
from telephony.http1_wire import HttpResponse, Target, encode_post

__all__ = ["HttpClient", "HttpFailed", "HttpResponse"]

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


class HttpClient:
    """Posts over at most ``connections`` kept-alive connections to each far end, in order of asking.

    ``tls`` gives trust and client certificate for https URLs; verification is always on. Its files are read
    here: raises `OSError` or `ValueError` when they cannot be used. ``max_body`` bounds an answer's octets.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        tls: Tls | None = None,
        connections: int = 8,
        connect_timeout_s: float = 5.0,
        max_body: int = 1_048_576,
    ) -> None:
        self._reactor = reactor
        self._tls = ClientTls(tls or Tls())
        self._connections = connections
        self._connect_timeout_s = connect_timeout_s
        self._max_body = max_body
        # Both grow with the URLs of the configuration, not with traffic.
        self._targets: dict[str, Target] = {}
        self._pools: dict[tuple[bool, str, int], Pool] = {}
        self._is_closed = False

    def post(
        self, url: str, body: bytes, headers: Sequence[tuple[str, str]], timeout_s: float
    ) -> Deferred[HttpResponse]:
        """Send one request and give its whole answer, whatever its status.

        ``timeout_s`` is the budget for everything: a free connection, connecting, TLS, the last octet. Fails with
        `HttpFailed` only. A kept-alive connection that turns out dead before any octet of the answer is replaced
        once by a fresh one, so the far end may see a request twice. Cancelling gives the request up.
        """
        if self._is_closed:
            return fail(HttpFailed(CLIENT_CLOSED, sent=False))
        try:
            target = self._target(url)
            octets = encode_post(target, headers, body)
        except ValueError as error:
            return fail(HttpFailed(str(error), sent=False))
        call = Call(self._reactor, octets, timeout_s)
        self._pool(target).submit(call)
        return call.answer

    def close(self) -> Deferred[None]:
        """Give up every request and close every connection; fires when the last one is gone."""
        self._is_closed = True
        return gatherResults([pool.close() for pool in self._pools.values()]).addCallback(lambda _: None)

    def _target(self, url: str) -> Target:
        target = self._targets.get(url)
        if target is None:
            target = self._targets[url] = Target.of(url)
        return target

    def _pool(self, target: Target) -> Pool:
        origin = (target.is_tls, target.host, target.port)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(
                self._reactor,
                self._endpoint(target),
                is_tls=target.is_tls,
                limit=self._connections,
                max_body=self._max_body,
            )
        return pool

    def _endpoint(self, target: Target) -> IStreamClientEndpoint:
        kind: Any = TCP4ClientEndpoint if _IPV4.fullmatch(target.host) else HostnameEndpoint
        endpoint = kind(self._reactor, target.host, target.port, timeout=self._connect_timeout_s)
        return wrapClientTLS(self._tls.options(target.host), endpoint) if target.is_tls else endpoint
