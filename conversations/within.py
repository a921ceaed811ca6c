"""Conversations within what a key is limited to."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.request import Request

from conversations.models import Conversation, Script
from echoadmin.actors import Limits
from echoadmin.api.views import find
from echoadmin.runs import Run


def readable(limits: Limits | None) -> Q:
    """The conversations that are seen under these limits; every one under none."""
    if limits is None:
        return Q()
    return Q(persona__public_id__in=limits.personas) | Q(public_id__in=limits.conversations)


def said_within(limits: Limits | None) -> QuerySet[Script]:
    """The scripts that are seen under these limits: those that were started in such a conversation, as they were then.
    One that was changed since is nobody's until it is started again."""
    if limits is None:
        return Script.objects.all()
    seen = Conversation.objects.filter(readable(limits)).order_by()
    runs = Run.objects.filter(kind="script", conversation_ref__in=seen.values("public_id")).order_by()
    told = set(runs.values_list("params__script", "params__revision").distinct())
    same = [pk for pk, *one in Script.objects.values_list("pk", "public_id", "revision") if tuple(one) in told]
    return Script.objects.filter(pk__in=same)


def its_conversation(limits: Limits, request: Request, names: dict[str, Any]) -> None:
    """The conversation in the address, with a key that it is within the limits of. Raises NotFound, as for none."""
    find(Conversation.objects.filter(readable(limits)).order_by(), names["any_id"].replace("\0", ""))
