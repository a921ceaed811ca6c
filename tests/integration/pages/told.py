"""Views, rules, alerts, subscriptions and deliveries for the tests of their pages."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from echoadmin.actors import Actor
from echoadmin.alerts import keeping
from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.deliveries.publishing import tell
from echoadmin.log.models import Entry
from echoadmin.sealed import seal

ANA = Actor("ana", user_id=77_777, role="operator")  # nobody who signs in here
SECRET = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0"
_number = itertools.count()


def user_of(client: Client) -> User:
    """Who is signed in."""
    return User.objects.get(pk=client.session["_auth_user_id"])


def actor_of(client: Client) -> Actor:
    """The same, as the services know them."""
    user = user_of(client)
    return Actor(user.username, user_id=user.pk)


def view(actor: Actor = ANA, **given: Any) -> SavedView:
    """A shared one, of Ana's."""
    usual = {"name": f"View {next(_number)}", "filters": {"is_error": "true"}, "shared": True}
    return keeping.save_view(actor=actor, **{**usual, **given})


def rule(on: SavedView | None = None, **given: Any) -> Rule:
    """Any entry of a view."""
    return keeping.save_rule(actor=ANA, view=on or view(), **{"name": f"Rule {next(_number)}", **given})


def alert(of: Rule | None = None, **columns: Any) -> Alert:
    """An open one."""
    made = of or rule()
    last = datetime.now(UTC)
    usual = {
        "rule": made, "rule_name": made.name, "view_name": made.view.name, "filters": made.view.filters, "count": 3,
        "first_entry": 1, "last_entry": 9, "first_at": last - timedelta(seconds=9), "last_at": last,
        "event_type": "POST /v2/conversations",
    }  # fmt: skip
    return Alert.objects.create(**{**usual, **columns})


def subscription(**columns: Any) -> Subscription:
    """One that is on."""
    usual = {"url": "https://hooks.example/in", "created_by": "ana", "sealed_secret": seal(SECRET)}
    return Subscription.objects.create(**{**usual, **columns})


def delivery(to: Subscription | None = None, **columns: Any) -> Delivery:
    """One that waits."""
    made = tell(to or subscription(), "alert.raised", {"id": "al_1", "count": 3}, ref="al_1")
    for name, value in columns.items():
        setattr(made, name, value)
    made.save()
    return made


def recorded(event_type: str) -> list[Entry]:
    """The entries of that type."""
    return list(Entry.objects.filter(event_type=event_type).order_by("id"))
