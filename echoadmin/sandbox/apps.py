"""The sandbox's app, installed by the settings in that mode only."""

from __future__ import annotations

from django.apps import AppConfig
from django.http import HttpRequest
from django.urls import reverse_lazy


def may_rehearse(request: HttpRequest) -> bool:
    """Whether the faults are shown: to admins."""
    from echoadmin.accounts.roles import may  # the apps are loaded first

    return may(request.user, "admin")


class SandboxConfig(AppConfig):
    """No models: pages that talk to the twin over HTTP."""

    name = "echoadmin.sandbox"
    label = "sandbox"

    def ready(self) -> None:
        """Put its page into the navigation, which knows nothing of it."""
        from echoadmin.admin_site import NAVIGATION

        item = {
            "title": "Rehearse faults",
            "icon": "crisis_alert",
            "link": reverse_lazy("sandbox:faults"),
            "permission": may_rehearse,
        }
        NAVIGATION.append({"title": "Sandbox", "separator": True, "items": [item]})
