"""The home page: what needs somebody now, what is live, and the first three steps for an empty console."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from conversations.admin.stopping import stop_context
from conversations.models import Conversation, Echo, Room
from conversations.standing import room_of
from echoadmin.accounts.roles import may
from echoadmin.alerts.models import Alert
from echoadmin.alerts.words import found_words
from echoadmin.duties import Duty
from echoadmin.read_only import address
from echoadmin.shown import lasting, money
from personas.models import Persona

SHOWN = 10


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context; a fixed number of queries, however much there is."""
    live = _live()
    context |= {
        "title": "Home",
        "steps": _steps(),
        "needs": _lost_rooms() + _unknown() + _unconfirmed() + _orphans() + _alerts() + _failed_duties(),
        "live": live[:SHOWN],
        "more_live": max(0, len(live) - SHOWN),
        "slots": settings.CONVERSATION_SLOTS,
        "taken": len(live),
        "today": _today(),
        "may_start": may(request.user, "manager"),
    }
    context |= stop_context(request) if live else {}
    return context


def _live() -> list[dict[str, Any]]:
    rows = (
        Conversation.objects.filter(status="active", state="live")
        .select_related("room", "room__worker")
        .order_by("-id")[:500]
    )
    return [
        {
            "name": str(row),
            "address": address(row),
            "state": getattr(room_of(row), "state", "idle"),
            "seconds": lasting(row.seconds),
            "cost": money(row.cost),
        }
        for row in rows
    ]


def _steps() -> list[dict[str, Any]]:
    """Persona, conversation, line: none once something was said."""
    said = Echo.objects.exists()
    if said:
        return []
    newest = Conversation.objects.filter(status="active", state="live").order_by("-id").first()
    say = address(newest) if newest else ""
    has_persona = Persona.objects.filter(persona_type="user", pipeline_mode="echo", state="live").exists()
    return [
        {
            "words": "Make an echo persona: it says what it is sent, and nothing else.",
            "button": "New persona",
            "address": reverse("admin:personas_persona_add"),
            "done": has_persona,
        },
        {
            "words": "Start a conversation with it, and join its room.",
            "button": "New conversation",
            "address": reverse("admin:conversations_conversation_add"),
            "done": newest is not None,
        },
        {"words": "Say something.", "button": "Open the conversation", "address": say, "done": False},
    ]


def _need(what: str, words: str, url: str, state: str) -> dict[str, str]:
    return {"what": what, "words": words, "address": url, "state": state}


def _alerts() -> list[dict[str, str]]:
    rows = Alert.objects.filter(acknowledged_at__isnull=True).order_by("-id")[:SHOWN]
    return [_need(f"Alert: {row.rule_name}", found_words(row), address(row), "open") for row in rows]


def _lost_rooms() -> list[dict[str, str]]:
    rooms = Room.objects.filter(state__in=("lost", "failed"), wanted="joined").select_related("conversation")[:SHOWN]
    return [
        _need(room.error or f"Room {room.state}", str(room.conversation), address(room.conversation), room.state)
        for room in rooms
    ]


def _unknown() -> list[dict[str, str]]:
    rows = Conversation.objects.filter(state="unknown").order_by("-id")[:SHOWN]
    words = "It is not known whether Tavus made this conversation"
    return [_need(words, str(row), address(row), "unknown") for row in rows]


def _unconfirmed() -> list[dict[str, str]]:
    counted = (
        Echo.objects.filter(
            state="unconfirmed", said_again=None, conversation__status="active", conversation__state="live"
        )
        .values("conversation", "conversation__name", "conversation__public_id")
        .annotate(count=Count("id"))
        .order_by("-count")[:SHOWN]
    )
    return [
        _need(
            f"{row['count']} echo{'es' if row['count'] > 1 else ''} unconfirmed after a worker was lost",
            row["conversation__name"] or row["conversation__public_id"],
            reverse("admin:conversations_conversation_change", args=[row["conversation__public_id"]]),
            "unconfirmed",
        )
        for row in counted
    ]


def _orphans() -> list[dict[str, str]]:
    rows = Conversation.objects.filter(orphan_since__isnull=False, status="active", state="live").order_by(
        "orphan_since"
    )[:SHOWN]
    now = timezone.now()
    return [
        _need(
            f"Nobody has wanted this for {lasting((now - row.orphan_since).total_seconds())} · {money(row.cost)}",
            str(row),
            address(row),
            "due",
        )
        for row in rows
        if row.orphan_since
    ]


def _failed_duties() -> list[dict[str, str]]:
    failed = Duty.objects.exclude(last_error="").order_by("name")[:SHOWN]
    return [
        _need(f"Duty {duty.name} failed: {duty.last_error[:160]}", "Duties", address(duty), "failed") for duty in failed
    ]


def _today() -> list[dict[str, Any]]:
    since = timezone.now() - timedelta(hours=24)
    counts = dict(Echo.objects.filter(queued_at__gte=since).values_list("state").annotate(Count("id")).order_by())
    spoken = counts.pop("spoken", 0)
    return [
        {"state": "spoken", "count": spoken},
        *({"state": name, "count": count} for name, count in sorted(counts.items())),
    ]
