"""The log app."""

from __future__ import annotations

from django.apps import AppConfig


class LogConfig(AppConfig):
    """Entries, streams and clips."""

    name = "echoadmin.log"
    label = "log"
