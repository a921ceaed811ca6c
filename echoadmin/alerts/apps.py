"""The alerts app: saved views, rules, alerts."""

from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """What people want to see again, and to be told of."""

    name = "echoadmin.alerts"
    label = "alerts"
    verbose_name = "Alerts"

    def ready(self) -> None:
        """Make the duty and the event known, and offer views on the log."""
        from echoadmin.alerts import duties, finding, offering  # noqa: F401
