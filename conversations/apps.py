"""The conversations app: conversations, their rooms, and what is said in them."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class ConversationsConfig(AppConfig):
    """Registers the duties; starts nothing."""

    name = "conversations"

    def ready(self) -> None:
        """Make this app's duties known to whoever runs them, and the words of its own to whoever erases."""
        from conversations import duties, finding, forgetting  # noqa: F401
        from conversations.changes import checks, triggers  # noqa: F401
        from conversations.replay import run  # noqa: F401
        from conversations.scripts import keeping  # noqa: F401
        from conversations.scripts import run as script_run  # noqa: F401
        from conversations.webhooks import runs  # noqa: F401

        pre_migrate.connect(triggers.before_migrate, sender=self)
        post_migrate.connect(triggers.after_migrate, sender=self)
