"""Asking for runs: start one, pause it, skip a part, stop it, let it go on; and forgetting the files of old ones."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.public_ids import new_public_id
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


def start_once(*, public_id: str, actor: Actor, kind: str, params: dict[str, Any], **more: Any) -> tuple[Run, bool]:
    """start_run for a form that may be sent twice: the same wish under the same id is the same run, another wish one
    of its own. Also says whether it is new."""
    first = _first(public_id, actor, kind, params)
    if first is not None:
        return first, False
    if Run.objects.filter(public_id=public_id).exists():
        public_id = new_public_id("rn")
    try:
        with transaction.atomic():
            return start_run(actor=actor, kind=kind, params=params, public_id=public_id, **more), True
    except IntegrityError:  # sent twice at one time
        first = _first(public_id, actor, kind, params)
        if first is None:
            raise
        return first, False


def _first(public_id: str, actor: Actor, kind: str, params: dict[str, Any]) -> Run | None:
    """The run that this wish of this person has started already."""
    run = Run.objects.filter(public_id=public_id, kind=kind, actor_user_id=actor.user_id).first()
    same = run is not None and run.params == json.loads(json.dumps(params, cls=DjangoJSONEncoder))
    return run if same else None


def stop_run(run: Run) -> bool:
    """Ask a run to stop; one that waits stops at once. False when it had ended."""
    waits = Run.objects.filter(pk=run.pk, state__in=(RunState.WAITING, RunState.PAUSED))
    if waits.update(state=RunState.STOPPED, ended_at=timezone.now(), wish=""):
        return True
    under_way = Run.objects.filter(pk=run.pk, state__in=(RunState.RUNNING, RunState.STOPPING))
    return bool(under_way.update(state=RunState.STOPPING, wish=""))


def pause_run(run: Run) -> bool:
    """Let a run wait, where it is, until it is resumed. False when it has ended, is stopping, or waits already."""
    goes = Run.objects.filter(pk=run.pk, state__in=(RunState.WAITING, RunState.RUNNING))
    return bool(goes.update(state=RunState.PAUSED, lease_until=None, holder="", error=""))


def skip_in_run(run: Run) -> bool:
    """Have a run leave out what it is at; one that is paused does so when it goes on. False when it has ended, or its
    kind skips nothing."""
    kind = KINDS.get(run.kind)
    if kind is None or not kind.skips:
        return False
    open_states = (RunState.WAITING, RunState.RUNNING, RunState.PAUSED)
    return bool(Run.objects.filter(pk=run.pk, state__in=open_states).update(wish="skip"))


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
