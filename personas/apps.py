"""The personas app: personas and replicas, mirrored."""

from __future__ import annotations

from django.apps import AppConfig


class PersonasConfig(AppConfig):
    """Personas (how a replica behaves) and replicas (whose likeness it is)."""

    name = "personas"

    def ready(self) -> None:
        """Make this app's duties known to whoever runs them."""
        from personas import duties, finding  # noqa: F401
