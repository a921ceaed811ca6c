"""What is done about runs again and again."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from echoadmin.duties import duty
from echoadmin.runs.asking import forget_files


@duty("forget_run_files", every=timedelta(hours=1))
def forget_run_files() -> str | None:
    """The files of runs that ended RUN_FILE_DAYS ago; the runs stay."""
    forgotten = forget_files(timedelta(days=settings.RUN_FILE_DAYS))
    return f"{forgotten} forgotten" if forgotten else None
