"""What needs somebody now, each with the button that helps where one exists."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils import timezone

from conversations.models import Budget, Conversation, Echo, Room
from conversations.models.price import shown_rates
from conversations.money.budgets import standings
from echoadmin.accounts.roles import may
from echoadmin.alerts.models import Alert
from echoadmin.alerts.words import found_words
from echoadmin.deliveries.models import Subscription
from echoadmin.duties import Duty
from echoadmin.installation import is_at_rest
from echoadmin.read_only import address
from echoadmin.shown import lasting, money
from personas.models import Persona, Replica

SHOWN = 10
BUDGETS = 50  # that are looked at
ORPHAN_WORDS = {
    "overdue": "This is past its longest time",
    "stranger": "This was made elsewhere, and nobody here has adopted it",
    "nobody": "Nobody has wanted this",
}
Need = dict[str, Any]


def what_needs_somebody(user: Any, workers: dict[str, Any]) -> list[Need]:
    """The most urgent first; a button that the user may not press is left out."""
    found = [
        *_at_rest(),
        *_rooms(workers),
        *_unknown(),
        *_held(),
        *_unconfirmed(),
        *_gone(),
        *_differing(),
        *_orphans(),
        *_budgets(),
        *_alerts(),
        *_switched_off(),
        *_failed_duties(),
    ]
    for need in found:
        need["buttons"] = [one for one in need["buttons"] if may(user, one["role"])]
    return found


def _need(key: str, what: str, words: str, url: str, state: str, *buttons: dict[str, str]) -> Need:
    named = [{**one, "label": f"{one['words']}: {words}"} for one in buttons]
    return {"key": key, "what": what, "words": words, "address": url, "state": state, "buttons": named}


def _button(words: str, role: str, action: str, tone: str = "") -> dict[str, str]:
    return {"words": words, "role": role, "action": action, "tone": tone}


def _of(row: Conversation, name: str) -> str:
    return reverse(f"admin:conversations_conversation_{name}", args=[row.public_id])


def _at_rest() -> list[Need]:
    """A restored copy: it would be odd in silence."""
    if not is_at_rest():
        return []
    what = "Restored from a backup, and at rest: no syncs, no webhooks out. If the original is gone: manage.py wake"
    return [_need("at-rest", what, "Duties", reverse("admin:echoadmin_duty_changelist"), "paused")]


def _rooms(workers: dict[str, Any]) -> list[Need]:
    """Rooms that are lost or could not be joined; all of them at once where no worker is alive."""
    rows = Room.objects.filter(
        wanted="joined", state__in=("lost", "failed"), conversation__status="active", conversation__state="live"
    )
    found = []
    for room in rows.select_related("conversation").order_by("-conversation_id")[:SHOWN]:
        row = room.conversation
        tried = f" (try {room.tries})" if room.tries and room.state == "lost" else ""
        what = (room.error or f"Room {room.state}") + tried
        again = _button("Join again", "operator", _of(row, "join"))
        found.append(_need(f"room-{row.public_id}", what, str(row), address(row), room.state, again))
    if not workers["names"] and Room.objects.filter(wanted="joined", conversation__status="active").exists():
        url = reverse("admin:conversations_worker_changelist")
        what = "No worker is alive: nobody is in the rooms. Start one with manage.py runrooms"
        found.insert(0, _need("workers", what, "Workers", url, "failed"))
    return found


def _unknown() -> list[Need]:
    rows = Conversation.objects.filter(state="unknown").order_by("-id")[:SHOWN]
    what = "It is not known whether Tavus made this conversation"
    return [_need(f"unknown-{row.public_id}", what, str(row), address(row), "unknown") for row in rows]


def _gone() -> list[Need]:
    """Personas and replicas that Tavus doesn't have any more, and that conversations still run on."""
    running = Conversation.objects.filter(status="active", state="live").filter(
        Q(persona__state="gone") | Q(replica__state="gone")
    )
    found = []
    for row in running.select_related("persona", "replica").order_by("-id")[:SHOWN]:
        lost = [one for one in (row.persona, row.replica) if one is not None and one.state == "gone"]
        what = " and ".join(f"{one._meta.verbose_name} {one}" for one in lost)
        words = f"Deleted at Tavus, and running: {what}"
        found.append(_need(f"gone-{row.public_id}", words, str(row), address(row), "gone"))
    defaults = Persona.objects.filter(state="live").exclude(default_replica_id="").values("default_replica_id")
    for replica in Replica.objects.filter(state="gone", upstream_id__in=defaults).order_by("-id")[:SHOWN]:
        words = "Deleted at Tavus, and still the default of personas"
        found.append(_need(f"gone-{replica.public_id}", words, str(replica), address(replica), "gone"))
    return found


def _differing() -> list[Need]:
    """Personas that are other at Tavus than was asked for here, as the last sync found them."""
    rows = Persona.objects.filter(drift__isnull=False, state="live").order_by("-id")[:SHOWN]
    return [
        _need(
            f"differs-{row.public_id}", f"Changed at Tavus: {', '.join(row.differs)[:160]}", str(row),
            address(row, "drift"), "differs",
        )
        for row in rows
    ]  # fmt: skip


def _counted(state: str, **more: Any) -> Any:
    """Echoes of live conversations in this state, by conversation."""
    rows = Echo.objects.filter(state=state, conversation__status="active", conversation__state="live", **more)
    named = rows.values("conversation", "conversation__name", "conversation__public_id")
    return named.annotate(count=Count("id"), first=Min("inference_id")).order_by("-count")[:SHOWN]


def _held() -> list[Need]:
    found = []
    for row in _counted("held"):
        where = reverse("admin:conversations_conversation_change", args=[row["conversation__public_id"]])
        count = row["count"]
        what = f"{count} line{'s wait' if count > 1 else ' waits'} for a second person"
        found.append(_need(f"held-{row['conversation']}", what, _name(row), where, "held"))
    return found


def _unconfirmed() -> list[Need]:
    found = []
    for row in _counted("unconfirmed", said_again=None):
        ref = row["conversation__public_id"]
        where = reverse("admin:conversations_conversation_change", args=[ref])
        what = f"{row['count']} echo{'es' if row['count'] > 1 else ''} unconfirmed after a worker was lost"
        again = reverse("admin:conversations_conversation_again", args=[ref, row["first"]])
        buttons = [_button("Say again", "operator", again)] if row["count"] == 1 else []
        found.append(_need(f"unconfirmed-{ref}", what, _name(row), where, "unconfirmed", *buttons))
    return found


def _name(row: dict[str, Any]) -> str:
    return str(row["conversation__name"] or row["conversation__public_id"])


def _orphans() -> list[Need]:
    rows = Conversation.objects.filter(orphan_since__isnull=False, status="active", state="live")
    now = timezone.now()
    found = []
    for row in rows.order_by("orphan_since")[:SHOWN]:
        assert row.orphan_since is not None
        cost = money(row.cost, row.currency)
        since = lasting((now - row.orphan_since).total_seconds() // 1)
        words = f"{ORPHAN_WORDS.get(row.orphan_kind, ORPHAN_WORDS['nobody'])} for {since}"
        what = f"{words} · {cost} so far" if cost else f"{words}; it costs by the minute"
        join, end = (
            _button("Join", "operator", _of(row, "join")),
            _button("End: stops its cost", "manager", _of(row, "end"), "bad"),
        )
        found.append(_need(f"orphan-{row.public_id}", what, str(row), address(row), "due", join, end))
    return found


def _budgets() -> list[Need]:
    """Those that are nearly spent, or have no room for one more; two queries where there is a budget, else one."""
    rows = Budget.objects.select_related("persona", "user", "key").order_by("name")[:BUDGETS]
    found = []
    for one in standings(rows, shown_rates()):
        if one.state != "ok":
            budget = one.budget
            still = f", and what runs may take {one.still:,.2f} yet" if one.still else ""
            stops = ": no further conversation is created" if one.is_full and budget.stops else ""
            spent = f"{one.spent:,.2f} of {budget.amount:,.2f} {budget.currency} this {budget.period}"
            what = f"Budget {one.state}{stops}. {spent}{still}"
            tone = "failed" if one.state == "reached" else "due"
            found.append(_need(f"budget-{budget.public_id}", what, budget.name, address(budget), tone))
    return found


def _alerts() -> list[Need]:
    rows = Alert.objects.filter(acknowledged_at__isnull=True).order_by("-id")[:SHOWN]
    found = []
    for row in rows:
        seen = _button("Acknowledge", "operator", reverse("admin:alerts_alert_acknowledge", args=[row.public_id]))
        what = f"Alert: {row.rule_name}"
        found.append(_need(f"alert-{row.public_id}", what, found_words(row), address(row), "open", seen))
    return found


def _switched_off() -> list[Need]:
    """Subscriptions that the console gave up on."""
    rows = Subscription.objects.filter(enabled=False).exclude(disabled_reason="").order_by("-id")[:SHOWN]
    found = []
    for row in rows:
        on = _button("Switch on", "manager", reverse("admin:deliveries_subscription_enable", args=[row.public_id]))
        what = f"Webhooks out were switched off. {row.disabled_reason}"
        found.append(_need(f"subscription-{row.public_id}", what, row.url[:60], address(row), "failed", on))
    return found


def _failed_duties() -> list[Need]:
    failed = Duty.objects.exclude(last_error="").order_by("name")[:SHOWN]
    return [
        _need(f"duty-{duty.pk}", f"Duty {duty.name} failed: {duty.last_error[:160]}", "Duties", address(duty), "failed")
        for duty in failed
    ]
