"""Looking for entries that rules are about: each rule goes through the log once, behind the writer."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import timedelta
from time import monotonic

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from echoadmin.alerts.models import Alert, Rule
from echoadmin.deliveries.publishing import event_type, publish
from echoadmin.log import reader
from echoadmin.log.chain import instant
from echoadmin.log.heads import safe_head
from echoadmin.log.models import Entry, EntryQuerySet
from echoadmin.log.search import indexed_up_to

logger = logging.getLogger(__name__)

BATCH = 500  # entries in a step
RAISED = event_type("alert.raised", "A rule found entries that its view shows.")


def evaluate_all(seconds: float) -> int:
    """Lets every rule look at what is new, for about `seconds`; returns how many alerts were raised."""
    until = monotonic() + seconds
    raised = 0
    for rule in Rule.objects.filter(enabled=True).select_related("view").order_by(F("looked_at").asc(nulls_first=True)):
        try:
            raised += evaluate(rule)
            Rule.objects.filter(pk=rule.pk).update(looked_at=timezone.now(), error="")
        except ValueError as error:  # its filter may ask for what can't be any more; the other rules go on
            if str(error) != rule.error:
                logger.warning("rule %s can't look: %s", rule, error)
            Rule.objects.filter(pk=rule.pk).update(looked_at=timezone.now(), error=str(error)[:1000])
        if monotonic() > until:
            break
    return raised


def evaluate(rule: Rule) -> int:
    """Looks at the entries that are new since the last time; returns how many alerts were raised."""
    entries = reader.filtered(rule.view.filters)
    head = _head(entries)
    if rule.reached is None or rule.reached_of != entries.fingerprint:  # new, or of another filter now
        Rule.objects.filter(pk=rule.pk).update(reached=head, reached_of=entries.fingerprint)
        return 0
    raised = 0
    while rule.reached < head:
        rows = reader.read(entries, rule.reached + 1, head + 1, BATCH, newest_first=False)
        reached = getattr(rows[-1], entries.key) if len(rows) == BATCH else head
        with transaction.atomic():
            if not Rule.objects.filter(pk=rule.pk, reached=rule.reached).update(reached=reached):
                return raised  # somebody else is at it
            raised += _take(rule, rows)
        rule.reached = reached
    return raised


def _head(entries: EntryQuerySet) -> int:
    """The key up to which no entry can come any more, and all are in the index if that is asked."""
    if entries.key == "n":
        return entries.order_by("-n").values_list("n", flat=True).first() or 0
    safe = safe_head()
    asked = entries.search is not None and entries.search.asked
    return min(safe, indexed_up_to()) if asked else safe


def _take(rule: Rule, rows: list[Entry]) -> int:
    """Alerts for these entries: one for each conversation, or one for all where it takes several."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        groups[(row.conversation_ref or "") if rule.threshold == 1 else ""].append(row)
    return sum(_alert(rule, conversation, group) for conversation, group in groups.items())


def _alert(rule: Rule, conversation: str, rows: list[Entry]) -> bool:
    """Counts them in the alert that is open, or raises one; False where nothing was raised."""
    last_at = max(row.at for row in rows)
    open_ = Alert.objects.filter(rule=rule, conversation_ref=conversation, acknowledged_at__isnull=True)
    since = min(row.at for row in rows) - timedelta(seconds=rule.window)
    recent = open_.filter(last_at__gte=since).order_by("-id").first()
    if recent is not None:
        span = {"first_at": min(recent.first_at, *(row.at for row in rows)), "last_at": max(recent.last_at, last_at)}
        Alert.objects.filter(pk=recent.pk).update(count=F("count") + len(rows), last_entry=rows[-1].pk, **span)
        return False
    counted = rows if rule.threshold == 1 else _within_window(rule, rows)
    if len(counted) < rule.threshold:
        return False
    alert = Alert.objects.create(
        rule=rule,
        rule_name=rule.name,
        view_name=rule.view.name,
        filters=rule.view.filters,
        conversation_ref=conversation,
        count=len(counted),
        first_entry=counted[0].pk,
        last_entry=counted[-1].pk,
        first_at=min(row.at for row in counted),  # an entry may be stored after one that happened later
        last_at=max(row.at for row in counted),
        event_type=counted[0].event_type,
    )
    publish(RAISED, told(alert), ref=alert.public_id, conversation=alert.conversation_ref)
    return True


def _within_window(rule: Rule, rows: list[Entry]) -> list[Entry]:
    """These entries and the ones before them that the rule counts, oldest first."""
    newest = rows[-1]
    span = {"at_after": instant(newest.at - timedelta(seconds=rule.window))}
    entries = reader.filtered({**rule.view.filters, **span})
    found = reader.read(entries, 0, getattr(newest, entries.key) + 1, max(rule.threshold, len(rows)))
    return found[::-1]


def told(alert: Alert) -> dict[str, object]:
    """An alert as webhooks have it: what and where, and no words that were said."""
    return {
        "id": alert.public_id,
        "rule": alert.rule_name,
        "view": alert.view_name,
        "conversation": alert.conversation_ref or None,
        "event_type": alert.event_type,
        "count": alert.count,
        "first_entry": alert.first_entry,
        "last_entry": alert.last_entry,
        "first_at": instant(alert.first_at),
        "last_at": instant(alert.last_at),
    }
