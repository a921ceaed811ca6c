"""The project as a Django app: its models are what both apps share (duties, consoles, the installation)."""

from __future__ import annotations

from django.apps import AppConfig


class EchoadminConfig(AppConfig):
    """Registers the system checks; starts nothing (the lifespan and the commands do)."""

    name = "echoadmin"
    label = "echoadmin"

    def ready(self) -> None:
        """Make the checks and the duties known."""
        from echoadmin import checks  # noqa: F401
        from echoadmin.runs import duties  # noqa: F401
