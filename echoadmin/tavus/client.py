"""The one HTTP client for the Tavus API.

Sync, pooled, safe to share between threads, one per process. Reads are tried up to three times; writes are sent once
and never repeated: creating costs money, and upstream knows no idempotency key. No redirect is followed.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from echoadmin.tavus.endpoints import Endpoints
from echoadmin.tavus.errors import AnswerLost, BadReply, InvalidRequest, NotFound, RateLimited, TavusError, Unavailable
from echoadmin.tavus.exchange import Exchange
from echoadmin.tavus.redaction import redact
from echoadmin.tavus.replies import Call, NotJson, Reply, parse, read
from echoadmin.tavus.wire import Vocabulary, path_of

logger = logging.getLogger(__name__)

Observer = Callable[[Exchange], None]

REPLY_LIMIT = 16 * 1024 * 1024  # bytes; a verbose conversation with a long transcript stays far below
READ_ATTEMPTS = 3
LONGEST_WAIT = 10.0  # seconds between two attempts; upstream asking for more is told to the caller instead
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_ID = re.compile(r"(?!\.+$)[A-Za-z0-9_.~\-]{1,200}")
_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class TavusClient(Endpoints):
    """base_url: scheme and host, with or without `/v2`. vocabulary: the words that requests are written in. observer:
    told of every HTTP attempt, in the calling thread, before the call returns or raises. Times in seconds;
    `total_timeout` bounds an answer that only drips. waiting: a context manager around each wait for the network.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        vocabulary: Vocabulary = "persona",
        observer: Observer | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        pool_timeout: float = 10.0,
        total_timeout: float = 60.0,
        reply_limit: int = REPLY_LIMIT,
        sleep: Callable[[float], None] = time.sleep,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._base_url = _checked_base_url(base_url)
        if not api_key.isascii() or not api_key.isprintable():
            raise ValueError("TAVUS_API_KEY must be printable ASCII on one line.")
        self._secrets = (api_key,) if api_key else ()
        self.vocabulary = vocabulary
        self._observer = observer
        self._total_timeout = total_timeout
        self._reply_limit = reply_limit
        self._sleep, self._waiting = sleep, waiting
        self._http = httpx.Client(
            headers={"x-api-key": api_key, "accept": "application/json", "accept-encoding": "identity"},
            timeout=httpx.Timeout(connect=connect_timeout, read=read_timeout, write=read_timeout, pool=pool_timeout),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=5.0),
            follow_redirects=False,
            transport=transport,
            mounts=None if transport else {"all://127.0.0.1": None, "all://localhost": None},  # past any proxy
        )

    def __repr__(self) -> str:
        return f"<TavusClient {self._base_url}>"

    def close(self) -> None:
        self._http.close()

    def _told(self, answer: Any) -> str:
        return str(redact(answer, self._secrets))

    def call(
        self,
        method: str,
        kind: str,
        object_id: str | None = None,
        suffix: str = "",
        *,
        query: dict[str, str | None] | None = None,
        body: Any = None,
    ) -> Any:
        path = path_of(kind, self.vocabulary)
        if object_id is not None:
            if not _ID.fullmatch(object_id):
                raise NotFound(f"{object_id[:80]!r} can't be the id of a {kind}.")
            path += f"/{quote(object_id, safe='')}{suffix}"
        call = Call(method, path, kind if object_id is not None else None)
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        attempts = READ_ATTEMPTS if call.is_read else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._attempt(call, asked, body, attempt)
            except (Unavailable, RateLimited) as error:
                wait = _wait(error, attempt)
                if attempt == attempts or wait is None:
                    raise
            with self._waiting():
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _attempt(self, call: Call, query: dict[str, str], body: Any, attempt: int) -> Any:
        request = self._request(call, query, body)
        started_at, started = dt.datetime.now(dt.UTC), time.monotonic()
        reply, failure = None, None
        try:
            with self._waiting():
                reply = self._send(request)
        except httpx.HTTPError as error:
            failure = self._transport_failure(call, error)
            raise failure from error
        finally:
            took = time.monotonic() - started
            words = failure.message if failure else None if reply else "the call was broken off"
            self._observe(call, query, body, reply, words, started_at, took, attempt)
        return read(call, reply)

    def _request(self, call: Call, query: dict[str, str], body: Any) -> httpx.Request:
        try:
            return self._http.build_request(call.method, self._base_url + call.path, params=query or None, json=body)
        except (TypeError, ValueError) as error:  # NaN, a lone surrogate, something that is no JSON
            message = f"The body can't be written as JSON: {error}"
            raise InvalidRequest(message, fields={"body": [str(error)]}) from error

    def _send(self, request: httpx.Request) -> Reply:
        deadline = time.monotonic() + self._total_timeout
        response = self._http.send(request, stream=True)
        try:
            body, too_large = bytearray(), False
            for piece in response.iter_bytes():
                body += piece
                if len(body) > self._reply_limit:
                    too_large = True
                    break
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer did not end in time", request=request)
            return Reply(response.status_code, response.headers, bytes(body), too_large, self._secrets)
        finally:
            response.close()

    def _transport_failure(self, call: Call, error: httpx.HTTPError) -> TavusError:
        words = str(redact(str(error) or type(error).__name__, self._secrets))
        if isinstance(error, _NOTHING_SENT):
            return Unavailable(f"No connection to Tavus for {call}: {words}", may_have_happened=False)
        if not call.is_read:
            return AnswerLost(f"The answer to {call} was lost: {words}")
        if isinstance(error, httpx.DecodingError):
            return BadReply(f"The answer to {call} can't be unpacked: {words}")
        return Unavailable(f"No whole answer to {call}: {words}")

    def _observe(
        self, call: Call, query: dict[str, str], body: Any, reply: Reply | None, words: str | None,
        started_at: dt.datetime, seconds: float, attempt: int,
    ) -> None:  # fmt: skip
        if self._observer is None:
            return
        exchange = Exchange(
            method=call.method,
            path=call.path,
            query=redact(query, self._secrets),
            request_body=redact(body, self._secrets),
            status=reply.status if reply else None,
            response_body=_shown(reply) if reply else None,
            error=words,
            started_at=started_at,
            seconds=seconds,
            attempt=attempt,
        )
        try:
            self._observer(exchange)
        except Exception:  # the answer of a call that may have cost money reaches its caller all the same
            logger.exception("The observer of upstream calls failed at %s", call)


def _shown(reply: Reply) -> Any:
    try:
        if not reply.too_large:
            return redact(parse(reply.body), reply.secrets)
    except NotJson:
        pass  # shown as text below
    return reply.words[:2048]


def _wait(error: Unavailable | RateLimited, attempt: int) -> float | None:
    """Seconds until the next attempt; None when there is no use in one."""
    if error.status is not None and error.status not in _TRY_AGAIN:
        return None
    asked = error.retry_after if isinstance(error, RateLimited) else None
    if asked is not None:
        return asked if asked <= LONGEST_WAIT else None
    return 0.25 * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)


def _checked_base_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"TAVUS_API_URL must be an http(s) address like https://tavusapi.com, not {redact(base_url)!r}."
        )
    return base_url.rstrip("/").removesuffix("/v2")
