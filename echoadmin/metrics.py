"""`/metrics`, in Prometheus' text format: for programs on this machine, and for API keys that may read."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from echoadmin import __version__
from echoadmin.accounts.permissions import Auditor

logger = logging.getLogger(__name__)

Read = Callable[[], Mapping[Any, float]]
"""The value of the label, or a tuple of values of several, → the number."""

FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


class _Gauges(Collector):
    """Looks at the database, or wherever a gauge looks, when it is asked and not before."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], read: Read, counts: bool) -> None:
        self.name, self.documentation, self.labels, self.read, self.counts = name, documentation, labels, read, counts

    def collect(self) -> Iterable[Metric]:
        """One sample for each value of the label, or of the labels together."""
        family = self._family()
        try:
            for value, number in self.read().items():
                family.add_metric([value] if isinstance(value, str) else list(value), number)
        except DatabaseError as error:  # the others are looked at just then
            logger.warning("%s can't be counted: %s", self.name, error)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Its name, without a look: registering reads nothing."""
        yield self._family()

    def _family(self) -> GaugeMetricFamily | CounterMetricFamily:
        kind = CounterMetricFamily if self.counts else GaugeMetricFamily
        return kind(self.name, self.documentation, labels=self.labels)


def register(
    name: str, documentation: str, *, label: str | Sequence[str], read: Read, counts: bool = False
) -> Collector:
    """Show a gauge, or a counter (`counts`: it only ever grows): `read` gives its number for each value of `label`, or
    for each tuple of values of several, and is called at each look at /metrics.

    What it returns can be handed to REGISTRY.unregister.
    """
    gauges = _Gauges(name, documentation, [label] if isinstance(label, str) else label, read, counts)
    REGISTRY.register(gauges)
    return gauges


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
    """What there is to count."""

    permission_classes = [LoopbackOrReader]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Every registered gauge, and the process's own figures."""
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


register("echoadmin_info", "The version that runs.", label="version", read=lambda: {__version__: 1})
