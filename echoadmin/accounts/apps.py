"""The accounts app: API keys and roles."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Keys, roles, and what they may do."""

    name = "echoadmin.accounts"
    label = "accounts"
    verbose_name = "Access"

    def ready(self) -> None:
        """Sign-ins are recorded from now on, and this app's duty is known."""
        from echoadmin.accounts import duties, finding, signals  # noqa: F401
