"""The deliveries app: subscriptions and deliveries."""

from __future__ import annotations

from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    """Webhooks out."""

    name = "echoadmin.deliveries"
    label = "deliveries"
    verbose_name = "Webhooks out"

    def ready(self) -> None:
        """Make the duty known."""
        from echoadmin.deliveries import duties, finding  # noqa: F401
