"""OpenTelemetry, where an exporter is configured: spans of requests, of calls to Tavus, and of each echo's way.

Nothing of it is imported unless OTEL_EXPORTER_OTLP_ENDPOINT is set and requirements-otel.txt is installed. Other
variables of the SDK it reads itself (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). Spans
hold routes, ids and times; no address, no body, no secret.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings

from echoadmin import __version__
from echoadmin.log_lines import subject

logger = logging.getLogger(__name__)

FLUSH = 3.0  # seconds that the last spans may take to leave at the end

_tracer: Any = None
_provider: Any = None


def start(instance: str) -> None:
    """Send spans from now on, where an exporter is configured. instance: which process this is."""
    global _tracer, _provider
    if not settings.OTEL_ENDPOINT or _tracer is not None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("OTEL_EXPORTER_OTLP_ENDPOINT is set; pip install -r requirements-otel.txt for traces to be sent")
        return
    about = {"service.name": "echoadmin", "service.version": __version__, "service.instance.id": instance}
    _provider = TracerProvider(resource=Resource.create(about))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer("echoadmin", __version__)


def stop() -> None:
    """What is still here is sent, within FLUSH seconds."""
    global _tracer, _provider
    provider, _tracer, _provider = _provider, None, None
    if provider is not None:
        provider.force_flush(int(FLUSH * 1000))
        provider.shutdown()


@contextmanager
def request_span(headers: Mapping[str, str]) -> Iterator[Any]:
    """The span of a request, to be finished with `answered`; calls to Tavus inside are its children, and it is the
    caller's own where the `traceparent` says so. None where no exporter is configured."""
    if _tracer is None:
        yield None
        return
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    outside = extract({name.lower(): value for name, value in headers.items()})
    with _tracer.start_as_current_span("request", context=outside, kind=SpanKind.SERVER) as span:
        yield span


def answered(span: Any, method: str, route: str, status: int) -> None:
    """What became of the request."""
    if span is None:
        return
    span.update_name(f"{method} {route}".rstrip())
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    span.set_attributes(_subject())
    _judge(span, status >= 500)


def call(operation: str, status: int | None, began: datetime, seconds: float) -> None:
    """One HTTP attempt at Tavus's API, that has just ended."""
    if _tracer is None:
        return
    from opentelemetry.trace import SpanKind

    start = _ns(began)
    span = _tracer.start_span(f"Tavus {operation}", kind=SpanKind.CLIENT, start_time=start, attributes=_subject())
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    _judge(span, status is None or status >= 400)
    span.end(start + int(seconds * 1e9))


def echo(times: Mapping[str, datetime], facts: Mapping[str, str], *, failed: bool) -> None:
    """The way of one echo, that is out of hand: its steps as events, from the first to the last; those of the same
    moment as `times` has them."""
    if _tracer is None:
        return
    from opentelemetry.context import Context

    steps = sorted(times.items(), key=lambda step: step[1])
    attributes = {f"echoadmin.{name}": value for name, value in facts.items() if value}
    span = _tracer.start_span("echo", context=Context(), start_time=_ns(steps[0][1]), attributes=attributes)
    span.set_attributes(_subject())
    for name, at in steps:
        span.add_event(name, timestamp=_ns(at))
    _judge(span, failed)
    span.end(_ns(steps[-1][1]))


def _subject() -> dict[str, str]:
    return {f"echoadmin.{name}": value for name, value in subject().items()}


def _judge(span: Any, failed: bool) -> None:
    from opentelemetry.trace import StatusCode

    if failed:
        span.set_status(StatusCode.ERROR)


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e9)
