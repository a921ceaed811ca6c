"""Spans of a real console, as a collector gets them by OTLP/HTTP; and none of it where none is configured."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.calling import Call
from tests.console_process import ROOT, running_console
from tests.waiting import until

pytestmark = pytest.mark.own_database


class Collector:
    """An OTLP/HTTP receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        kept = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                kept.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[Any]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        resources = [one for body in self.bodies for one in ExportTraceServiceRequest.FromString(body).resource_spans]
        return [span for one in resources for scope in one.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans() if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk")
    started = Collector()
    yield started
    started.server.shutdown()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_requests_calls_to_tavus_and_echoes_are_told(collector: Collector, tmp_path: Path) -> None:
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "TWIN_SPEED": "50"}
    with running_console(tmp_path, **more) as console:
        call = Call(console, console.api_key())
        call.open()
        said = call.say("Hello.")
        call.until_state(said, "spoken")
        [echo] = until(lambda: collector.named("echo"), "the echo is told")
        [made] = until(lambda: collector.named("POST api/v1/conversations/"), "the request is told")
        calls = until(lambda: collector.named("Tavus POST /v2/conversations"), "the call is told")
    steps = [event.name for event in echo.events]
    assert steps == ["queued", "sending", "sent", "speaking", "spoken"]
    assert [event.time_unix_nano for event in echo.events] == sorted(event.time_unix_nano for event in echo.events)
    told = attributes(echo)
    assert (told["echoadmin.inference_id"], told["echoadmin.conversation"]) == (said, call.id)
    assert told["echoadmin.state"] == "spoken"
    assert attributes(made)["http.response.status_code"] == 201
    assert calls[0].parent_span_id == made.span_id
    assert calls[0].trace_id == made.trace_id
    everything = b"".join(collector.bodies)
    assert call.key.encode() not in everything
    assert b"Hello." not in everything


def test_without_an_exporter_nothing_of_it_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; import echoadmin.asgi; from echoadmin import tracing; tracing.start('x'); "
        "assert tracing._tracer is None; "  # redis-py imports the SDK by itself where it is installed
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.exporter')]"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ECHOADMIN_"))}
    environment = {**kept, "ECHOADMIN_DATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=60)
