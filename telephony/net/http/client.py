"""A lean HTTP/1.1 client: kept-alive connections, one time budget for each request.

It has only what a report to 112 and a location request need: POST, no redirects, no cookies, no proxies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, gatherResults

from telephony.fields import Tls
from telephony.net.client_tls import ClientTls
from telephony.net.endpoints import client_endpoint
from telephony.net.http.connections import CLIENT_CLOSED, Call, HttpFailed, Pool
from telephony.net.http.wire import HttpResponse, Target, encode_post

__all__ = ["HttpClient", "HttpFailed", "HttpResponse"]


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
        self._tls_settings = tls or Tls()
        self._tls = ClientTls(self._tls_settings)
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

    def read_tls_again(self) -> None:
        """Use the files of TLS as they are now, for the next connections; raises like the constructor."""
        self._tls = ClientTls(self._tls_settings)
        for origin, pool in self._pools.items():
            pool.use(self._endpoint(*origin))

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
                self._endpoint(*origin),
                is_tls=target.is_tls,
                limit=self._connections,
                max_body=self._max_body,
            )
        return pool

    def _endpoint(self, is_tls: bool, host: str, port: int) -> Any:  # noqa: FBT001 - the parts of an origin
        tls = self._tls if is_tls else None
        return client_endpoint(self._reactor, host, port, timeout_s=self._connect_timeout_s, tls=tls)
