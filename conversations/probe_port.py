"""A small port of a `runrooms` worker's own: /healthz, /readyz and /metrics, as a console answers them, and no more.

A console is an ASGI server; a worker's loop belongs to its rooms. So this is the standard library's server in threads
of its own: one for each caller, for 5 s at most, so that /healthz answers also while /readyz waits for the database.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from prometheus_client import REGISTRY

from echoadmin import health
from echoadmin.api.problems import Problem
from echoadmin.metrics import Metrics

CALLER_LIMIT = 5.0  # seconds that a caller may take to ask, or to listen
_metrics = Metrics.as_view(registries=(REGISTRY,))  # what the database tells, consoles tell


@contextmanager
def probes_at(listening: socket.socket) -> Iterator[None]:
    """Answer there for the length of a `with`; the socket is closed at its end."""
    host, port = listening.getsockname()[:2]
    server = _Server((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(_application)
    thread = threading.Thread(target=server.serve_forever, args=[0.2], name="probes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(CALLER_LIMIT)
        server.server_close()


def _application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    answer = _answer(WSGIRequest(environ))
    start_response(f"{answer.status_code} {answer.reason_phrase}", list(answer.items()))
    return [answer.content]  # type: ignore[attr-defined]


def _answer(request: HttpRequest) -> HttpResponseBase:
    if request.method not in ("GET", "HEAD"):
        return _refused(405, "method_not_allowed", "This port answers GET.")
    if request.path_info == "/metrics":
        answer = _metrics(request)
        return answer.render() if hasattr(answer, "render") else answer
    probe = health.PATHS.get(request.path_info)
    return probe() if probe else _refused(404, "not_found", "A worker answers /healthz, /readyz and /metrics.")


def _refused(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse(Problem(status, code, message).body(None), status=status)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Gives back the thread's connection to the database."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()

    def server_bind(self) -> None:
        """Without a look-up of the host's name, which may take long."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news."""


class _Handler(WSGIRequestHandler):
    timeout = CALLER_LIMIT

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a probe every few seconds would be most of the worker's log."""
