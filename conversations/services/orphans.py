"""Conversations that run, and cost, and that nobody here wants to be in: they are pointed out, never ended by
themselves."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from conversations.models import Conversation, Wanted
from echoadmin.actors import Actor
from echoadmin.log.writer import append
from echoadmin.mirror.kinds import noted
from echoadmin.mirror.models import MirrorState

GRACE = timedelta(minutes=3)  # somebody may be about to join, or has just left


def look_for_orphans(*, actor: Actor) -> list[Conversation]:
    """Flag (`orphan_since`) what became one since the last look, with an entry for each; returns those. Takes flags
    back, too."""
    now = timezone.now()
    running = Q(status="active", state=MirrorState.LIVE, test_mode=False)
    wanted = Q(room__wanted=Wanted.JOINED)
    flagged = Conversation.objects.filter(orphan_since__isnull=False)
    Conversation.objects.filter(pk__in=[row.pk for row in flagged.filter(~running | wanted)]).update(orphan_since=None)
    born = Q(upstream_created_at__lt=now - GRACE) | Q(upstream_created_at=None, created_at__lt=now - GRACE)
    left = Q(room=None) | Q(room__last_seen_at=None) | Q(room__last_seen_at__lt=now - GRACE)
    found = list(Conversation.objects.filter(running, born, left, orphan_since=None).exclude(wanted).order_by("id"))
    for row in found:
        row.orphan_since = now
        with transaction.atomic():
            Conversation.objects.filter(pk=row.pk).update(orphan_since=now)
            append([noted(row, "orphan", actor, {"seconds": row.seconds, "way_out": "Join it, or end it: it costs."})])
    return found
