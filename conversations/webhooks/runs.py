"""Many webhooks processed anew: a run, which shows how far it is and can be left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from conversations.models import WebhookReceived, WebhookState
from conversations.webhooks.processing import again, process
from echoadmin.runs import Asked, Held, run_kind
from echoadmin.runs.acting import actor_of_run

KIND = "process_webhooks"
MOST = 1_000  # ids


def check(params: Mapping[str, Any]) -> Asked:
    """`{"ids": ["wh_…", …]}`, or `{"state": "failed"}` (also `ignored` or `processed`). Raises ValidationError."""
    if strangers := sorted(set(params) - {"ids", "state"}):
        raise ValidationError({strangers[0]: ["Choose by ids or by state."]})
    ids = params.get("ids")
    if ids is not None:
        if not isinstance(ids, list) or not 1 <= len(ids) <= MOST or not all(_is_id(one) for one in ids):
            raise ValidationError({"ids": [f"Is a list of 1 to {MOST:,} ids of webhooks, wh_…"]})
        return Asked({"ids": ids}, f"{len(ids):,} webhook{'' if len(ids) == 1 else 's'}")
    state = params.get("state", "failed")
    if state not in (WebhookState.FAILED, WebhookState.IGNORED, WebhookState.PROCESSED):
        raise ValidationError({"state": ["Is failed, ignored or processed."]})
    newest = WebhookReceived.objects.order_by("-id").values_list("pk", flat=True).first() or 0
    return Asked({"state": str(state), "up_to": newest}, f"webhooks that are {state}")


@run_kind(KIND, role="manager", check=check)
def process_many(held: Held) -> dict[str, Any]:
    """One look after another, in the order in which they came."""
    counts = {"processed": 0, "failed": 0, "ignored": 0, "waiting": 0, **(held.cursor or {}).get("counts", {})}
    reached, done = (held.cursor or {}).get("reached", 0), held.run.done
    chosen = _chosen(held.params)
    if held.run.total is None:
        held.progress(0, total=chosen.count())
    while (row := chosen.filter(pk__gt=reached).order_by("pk").first()) is not None:
        actor = actor_of_run(held.run, "page")
        again(actor=actor, rows=WebhookReceived.objects.filter(pk=row.pk))
        row.refresh_from_db()
        process(row, actor=actor)
        row.refresh_from_db()
        counts["waiting" if row.state == WebhookState.RECEIVED else str(row.state)] += 1
        reached, done = row.pk, done + 1
        held.progress(done, cursor={"reached": reached, "counts": counts})
    return counts


def _chosen(params: Mapping[str, Any]) -> QuerySet[WebhookReceived]:
    rows = WebhookReceived.objects.filter(duplicate_of=None)
    if "ids" in params:
        return rows.filter(public_id__in=params["ids"])
    return rows.filter(state=params["state"], pk__lte=params["up_to"])


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("wh_") and len(value) <= 32 and "\0" not in value
