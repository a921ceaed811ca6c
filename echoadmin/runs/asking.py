"""Asking for runs: start one, stop it, let it go on; and forgetting the files of old ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.runs.kinds import KINDS
from echoadmin.runs.models import ENDED, Run, RunPart, RunState


def start_run(*, actor: Actor, kind: str, params: dict[str, Any], label: str = "", **columns: Any) -> Run:
    """Queue a run; raises KeyError for a kind that nobody registered."""
    KINDS[kind]
    return Run.objects.create(
        kind=kind,
        params=params,
        label=label[:200],
        actor=actor.name,
        actor_user_id=actor.user_id,
        api_key_ref=actor.api_key_ref or "",
        request_id=actor.request_id or "",
        **columns,
    )


def stop_run(run: Run) -> bool:
    """Ask a run to stop; one that waits stops at once. False when it had ended."""
    waits = Run.objects.filter(pk=run.pk, state__in=(RunState.WAITING, RunState.PAUSED))
    if waits.update(state=RunState.STOPPED, ended_at=timezone.now()):
        return True
    under_way = Run.objects.filter(pk=run.pk, state__in=(RunState.RUNNING, RunState.STOPPING))
    return bool(under_way.update(state=RunState.STOPPING))


def resume_run(run: Run) -> bool:
    """Let a run that failed or was stopped go on from where it was. False when it is not one."""
    ended = Run.objects.filter(pk=run.pk, state__in=(RunState.FAILED, RunState.STOPPED, RunState.PAUSED))
    return bool(ended.update(state=RunState.WAITING, ended_at=None, error="", result=None))


def forget_files(older_than: timedelta) -> int:
    """Take away the files of runs that ended longer ago; the runs stay. Returns how many."""
    old = Run.objects.filter(state__in=ENDED, ended_at__lt=timezone.now() - older_than, file_bytes__gt=0)
    return sum(forget_file(run) for run in old.order_by("id")[:100])


def forget_file(run: Run) -> bool:
    """Take away one run's file, a few parts at a time: a database that others write to must not wait for it."""
    while ids := list(RunPart.objects.filter(run=run).values_list("pk", flat=True)[:20]):
        RunPart.objects.filter(pk__in=ids).delete()
    return bool(Run.objects.filter(pk=run.pk, file_bytes__gt=0).update(file_bytes=0))
