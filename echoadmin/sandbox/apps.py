"""The sandbox's app, installed by the settings in that mode only."""

from __future__ import annotations

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """No models: pages that talk to the twin over HTTP."""

    name = "echoadmin.sandbox"
    label = "sandbox"
