"""What people do with views, rules and alerts. What changes for others leaves an entry."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import ADMIN, includes
from echoadmin.actors import Actor
from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.log.asked import clean_filters
from echoadmin.log.reader import FilterError

MOST_VIEWS = 200  # of one user
LONGEST_WINDOW = 86_400  # seconds


def visible_views(user_id: int | None) -> QuerySet[SavedView]:
    """One's own views, and those that others share."""
    return SavedView.objects.filter(Q(owner_id=user_id) | Q(shared=True)).order_by("name", "id")


def save_view(
    *, actor: Actor, name: Any, filters: Any, shared: Any = False, public_id: str = "", view: SavedView | None = None
) -> SavedView:
    """A new view, or `view` changed. Raises ValidationError."""
    row = view or SavedView(public_id=public_id, owner_id=actor.user_id or 0, owner=actor.name)
    row.name, row.filters, row.shared = _name(name), _filters(filters), _flag("shared", shared)
    if view is None and SavedView.objects.filter(owner_id=row.owner_id).count() >= MOST_VIEWS:
        raise ValidationError({"name": [f"You have {MOST_VIEWS} views. Take some away first."]})
    try:
        with transaction.atomic():
            row.save()
            if row.shared or view is not None:
                record("view.saved", actor, {"id": row.public_id, "name": row.name, "shared": row.shared})
    except IntegrityError:
        raise ValidationError({"name": [f"You have a view called {row.name!r}. Choose another name."]}) from None
    return row


def check_owner(actor: Actor, view: SavedView) -> None:
    """Raises PermissionDenied unless the view is the actor's own, or they are an admin."""
    if view.owner_id != actor.user_id and not includes(actor.role, ADMIN):
        raise PermissionDenied(f"This view is {view.owner}'s. Save it under a name of your own to change it.")


def delete_view(*, actor: Actor, view: SavedView) -> None:
    """Takes it away, with its rules; alerts stay."""
    facts = {"id": view.public_id, "name": view.name}
    with transaction.atomic():
        view.delete()
        record("view.deleted", actor, facts)


def save_rule(
    *, actor: Actor, view: SavedView, name: Any, rule: Rule | None = None, public_id: str = "", **given: Any
) -> Rule:
    """A new rule, or `rule` changed: threshold, window (seconds), enabled. It begins with the entries that come next.
    Raises ValidationError."""
    row = rule or Rule(public_id=public_id, created_by=actor.name)
    row.view, row.name = view, _name(name)
    row.enabled = _flag("enabled", given.get("enabled", row.enabled))
    row.threshold = _number("threshold", given.get("threshold", row.threshold), 10_000)
    row.window = _number("window", given.get("window", row.window), LONGEST_WINDOW)
    if row.enabled and rule is not None and not Rule.objects.filter(pk=rule.pk, enabled=True).exists():
        row.reached = None  # what came while it was off is past
    with transaction.atomic():
        row.save()
        record("rule.saved", actor, {"id": row.public_id, "name": row.name, "view": view.name, "enabled": row.enabled})
    return row


def delete_rule(*, actor: Actor, rule: Rule) -> None:
    """Takes it away; its alerts stay."""
    facts = {"id": rule.public_id, "name": rule.name}
    with transaction.atomic():
        rule.delete()
        record("rule.deleted", actor, facts)


def acknowledge(*, actor: Actor, alerts: QuerySet[Alert]) -> int:
    """Somebody has seen them; returns how many were open."""
    with transaction.atomic():
        open_ = list(alerts.filter(acknowledged_at__isnull=True).values_list("public_id", flat=True)[:10_000])
        mine = Alert.objects.filter(public_id__in=open_, acknowledged_at__isnull=True)
        count = mine.update(acknowledged_at=timezone.now(), acknowledged_by=actor.name)
        if count:
            record("alert.acknowledged", actor, {"alerts": open_[:100], "count": count})
    return count


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 100:
        raise ValidationError({"name": ["Is a text of 1 to 100 characters."]})
    return name.strip()


def _filters(filters: Any) -> dict[str, str]:
    if not isinstance(filters, dict):
        raise ValidationError({"filters": ['Is an object, such as {"kind": "webhook"}.']})
    try:
        return clean_filters(filters)
    except FilterError as error:
        raise ValidationError({f"filters.{name}": words for name, words in error.fields.items()}) from None


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError({name: ["Is true or false."]})
    return value


def _number(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValidationError({name: [f"Is a whole number from 1 to {most:,}."]})
    return value
