"""Every URL of the console, in one place."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

import conversations.metrics  # noqa: F401 - makes its gauges known
from echoadmin.metrics import Metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("metrics", Metrics.as_view(), name="metrics"),
]
