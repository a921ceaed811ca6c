"""An HTTP server on a real socket that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """body: bytes as they are, anything else as JSON, None for nothing. cut: `before` any answer, or in the `middle`
    of the body. hold: an event to wait for before answering."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    hold: threading.Event | None = None


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: Any


class ScriptedUpstream:
    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.url = ""

    def script(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def targets(self) -> list[str]:
        return [f"{asked.method} {asked.target}" for asked in self.asked]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away before its answer is what some tests are about."""


@contextmanager
def scripted_upstream() -> Iterator[ScriptedUpstream]:
    upstream = ScriptedUpstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            upstream.asked.append(
                Asked(
                    self.command,
                    self.path,
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
            )
            _give(self, upstream.answers.pop(0) if upstream.answers else Answer(500, {"error": "nothing scripted"}))

        do_GET = do_POST = do_PATCH = do_DELETE = answer

    server = _Server(("127.0.0.1", 0), Handler)
    upstream.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _give(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if answer.hold is not None:
        answer.hold.wait(10)
    if answer.cut == "before":
        _reset(handler)
        return
    body = (
        b""
        if answer.body is None
        else answer.body
        if isinstance(answer.body, bytes)
        else json.dumps(answer.body).encode()
    )
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if answer.status not in (204, 304):
        handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    if answer.cut == "middle":
        handler.wfile.write(body[: len(body) // 2])
        handler.wfile.flush()
        _reset(handler)
        return
    if answer.status not in (204, 304):
        handler.wfile.write(body)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.wfile = handler.rfile = open("/dev/null", "wb")  # noqa: SIM115, PTH123
