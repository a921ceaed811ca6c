"""Alerts of the console's own, which no rule looks for: what costs money and nobody has asked for."""

from __future__ import annotations

from django.db import transaction

from echoadmin.alerts.evaluating import RAISED, told
from echoadmin.alerts.models import Alert
from echoadmin.deliveries.publishing import publish
from echoadmin.log.models import Entry, Stream
from echoadmin.log.writer import Draft, append, known


def raise_alert(name: str, draft: Draft) -> Alert:
    """Writes the entry, raises an alert about it, and tells those who subscribed, all or none.

    In an open transaction call it last, as `append`: the alert names the entry, so it comes after it.
    """
    with transaction.atomic():
        [written] = append([draft])
        [n] = known([written.n])
        at = {"stream__public_id": draft.stream, "n": n}
        entry_id, moment = Entry.objects.filter(**at).values_list("id", "at").get()
        conversation = draft.conversation_ref or ""
        filters = {"event_type": draft.event_type, "conversation": conversation or Stream.ACCOUNT}
        alert = Alert.objects.create(
            rule_name=name[:100],
            view_name="this console",
            filters=filters,
            conversation_ref=conversation,
            count=1,
            first_entry=entry_id,
            last_entry=entry_id,
            first_at=moment,
            last_at=moment,
            event_type=draft.event_type,
        )
        publish(RAISED, told(alert), ref=alert.public_id)
    return alert
