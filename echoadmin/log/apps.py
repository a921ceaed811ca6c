"""The log app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LogConfig(AppConfig):
    """Entries, streams and clips."""

    name = "echoadmin.log"
    label = "log"

    def ready(self) -> None:
        """Have the database's guards made with its tables; make the duties, runs and checks known."""
        from echoadmin.log import duties, finding  # noqa: F401
        from echoadmin.log.export import run as _export  # noqa: F401
        from echoadmin.log.index import duties as _index  # noqa: F401
        from echoadmin.log.proof import checks, runs  # noqa: F401
        from echoadmin.log.proof.guarding import after_migrate

        post_migrate.connect(after_migrate, sender=self)
