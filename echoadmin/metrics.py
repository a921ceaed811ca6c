"""`/metrics`, in Prometheus' text format: for programs on this machine, and for API keys that may read."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from echoadmin import __version__
from echoadmin.accounts.permissions import Auditor
from echoadmin.api import limits

logger = logging.getLogger(__name__)

Read = Callable[[], Mapping[Any, Any]]
"""The value of the label, or a tuple of values of several, → a number, or a row that numbers are taken from."""

SHARED = CollectorRegistry()
"""What is read from the database: every console tells the same of it. The rest (`REGISTRY`) is each process's own."""

FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@dataclass(frozen=True, slots=True)
class Shown:
    """One gauge, or counter (`counts`: it only ever grows); `value` takes its number from a row, None for no sample."""

    name: str
    documentation: str
    value: Callable[[Any], float | None] = float
    counts: bool = False

    def family(self, labels: Sequence[str]) -> GaugeMetricFamily | CounterMetricFamily:
        """Without a sample yet."""
        kind = CounterMetricFamily if self.counts else GaugeMetricFamily
        return kind(self.name, self.documentation, labels=labels)


class _Rows(Collector):
    """Looks at the database, or wherever its `read` looks, when it is asked and not before: once for all it shows."""

    def __init__(self, shown: Sequence[Shown], labels: Sequence[str], read: Read) -> None:
        self.shown, self.labels, self.read = shown, labels, read

    def collect(self) -> Iterable[Metric]:
        """One sample for each value of the label, or of the labels together."""
        try:
            rows = self.read()
        except DatabaseError as error:  # the others are looked at just then
            logger.warning("%s can't be counted: %s", self.shown[0].name, error)
            rows = {}
        for one in self.shown:
            family = one.family(self.labels)
            for labels, row in rows.items():
                if (number := one.value(row)) is not None:
                    family.add_metric([labels] if isinstance(labels, str) else list(labels), number)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Their names, without a look: registering reads nothing."""
        return [one.family(self.labels) for one in self.shown]


def register(
    name: str, documentation: str, *, label: str | Sequence[str] = (), read: Read, shared: bool = False
) -> Collector:
    """Show a gauge: `read` gives its number for each value of `label`, or for each tuple of values of several (`()`
    where there is no label), and is called at each look at /metrics. shared: it is read from the database.

    What it returns can be handed to the registry's `unregister`.
    """
    return register_rows(Shown(name, documentation), label=label, read=read, shared=shared)


def register_rows(*shown: Shown, label: str | Sequence[str] = (), read: Read, shared: bool = False) -> Collector:
    """The same of several gauges that are taken from one look."""
    rows = _Rows(shown, [label] if isinstance(label, str) else label, read)
    (SHARED if shared else REGISTRY).register(rows)
    return rows


def exposition(registries: Iterable[CollectorRegistry]) -> bytes:
    """Prometheus' text format. Without a database only what needs none: each gauge would wait for it in vain."""
    up = database_answers()
    asked = [registry for registry in registries if up or registry is not SHARED]
    return b"".join(map(generate_latest, asked)) + _DATABASE_UP % up


_DATABASE_UP = b"""# HELP echoadmin_database_up Whether the database answers this process.
# TYPE echoadmin_database_up gauge
echoadmin_database_up %d
"""


def database_answers() -> bool:
    """Whether it answers a question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        logger.warning("the metrics lack what the database tells: %s", error)
        return False
    return True


class LoopbackOrReader(Auditor):
    """Programs on this machine need nothing, unless a proxy here speaks for another; all others read with a key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether it may look."""
        return from_this_machine(request) or super().has_permission(request, view)


def from_this_machine(request: HttpRequest | Request) -> bool:
    """Whether the request came over loopback, and nobody says that it was passed on."""
    if any(header in request.META for header in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Metrics(APIView):
    """What there is to count: of a console, its own and what the database tells."""

    permission_classes = [LoopbackOrReader]
    registries: Sequence[CollectorRegistry] = (REGISTRY, SHARED)

    def perform_authentication(self, request: Request) -> None:
        """A key's requests are counted here as everywhere; who asks on this machine needs none."""
        super().perform_authentication(request)
        limits.check(request)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Every registered gauge, and the process's own figures."""
        return HttpResponse(exposition(self.registries), content_type=CONTENT_TYPE_LATEST)


register("echoadmin_info", "The version that runs.", label="version", read=lambda: {__version__: 1})
