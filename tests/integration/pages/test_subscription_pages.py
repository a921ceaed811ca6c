"""Subscriptions and deliveries by page: the secret is shown once, and each attempt can be seen."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.deliveries.sending import secrets_of
from tests.integration.pages import told

Visitor = Callable[[str | None], Client]
SUBSCRIPTIONS, DELIVERIES = "/admin/deliveries/subscription/", "/admin/deliveries/delivery/"
HERE = "http://127.0.0.1:9/hook"  # no name that would have to be looked up

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _may_go_here(settings: LazySettings) -> None:
    settings.DELIVER_TO_PRIVATE_ADDRESSES = True


def secret_on(page: Any, row: Subscription) -> str:
    """The secret that a page shows; it is the newest one of the row."""
    secret: str = page.context["secret"]
    assert secret == secrets_of(row)[0]
    assert secret in html.unescape(page.content.decode())
    assert "no-store" in page["Cache-Control"]
    return secret


def assert_nowhere(client: Client, *secrets: str) -> None:
    """No page, and no entry, holds one of these."""
    addresses = [SUBSCRIPTIONS, DELIVERIES, "/admin/log/entry/"]
    for row in Subscription.objects.all():
        addresses += [f"{SUBSCRIPTIONS}{row.public_id}/change/{page}" for page in ("", "edit/")]
    addresses += [f"{DELIVERIES}{row.public_id}/change/" for row in Delivery.objects.all()]
    bodies = [entry.body for entry in told.Entry.objects.all()]
    for body in bodies + [html.unescape(client.get(address).content.decode()) for address in addresses]:
        assert not any(secret in body for secret in secrets)
        assert not any(row.sealed_secret in body for row in Subscription.objects.all())


def test_a_manager_makes_one_and_sees_its_secret_this_once(visitor: Visitor) -> None:
    client = visitor("manager")
    form = {"url": HERE, "event_types": ["alert.raised"], "description": "The pager"}
    page = client.post(f"{SUBSCRIPTIONS}add/", form)
    assert page.status_code == 201
    row = Subscription.objects.get()
    assert (row.url, row.event_types, row.description, row.enabled) == (HERE, ["alert.raised"], "The pager", True)
    secret = secret_on(page, row)
    rotated = client.post(f"{SUBSCRIPTIONS}{row.public_id}/change/rotate/")
    row.refresh_from_db()
    newer = secret_on(rotated, row)
    assert newer != secret and secrets_of(row) == [newer, secret]
    client.post(f"{SUBSCRIPTIONS}{row.public_id}/change/ping/")
    assert_nowhere(client, secret, newer)
    assert [len(told.recorded(f"subscription.{what}")) for what in ("created", "rotated")] == [1, 1]


def test_what_cannot_be_subscribed_is_told_beside_its_field_and_nothing_is_lost(
    visitor: Visitor, settings: LazySettings
) -> None:
    settings.DELIVER_TO_PRIVATE_ADDRESSES = False
    client, row = visitor("manager"), told.subscription()
    for path in (f"{SUBSCRIPTIONS}add/", f"{SUBSCRIPTIONS}{row.public_id}/change/edit/"):
        form = {"url": HERE, "event_types": ["ping"], "description": "The pager"}
        page = client.post(path, form)
        assert page.status_code == 400
        [words] = page.context["form"].errors["url"]
        assert "DELIVER_TO_PRIVATE_ADDRESSES=1" in words
        assert {name: page.context["form"][name].value() for name in form} == form
        page = client.post(path, form | {"url": row.url, "description": "x" * 201} if "edit" in path else {"url": "x"})
        assert set(page.context["form"].errors) == {"description" if "edit" in path else "url"}
        assert set(client.post(path, form | {"event_types": ["nonsense"]}).context["form"].errors) == {"event_types"}
    changed = Subscription.objects.get()
    assert (changed.url, changed.description) == (row.url, "")


def test_it_is_edited_switched_off_and_on_and_deleted(visitor: Visitor) -> None:
    client, row = visitor("manager"), told.subscription(event_types=["ping"])
    path = f"{SUBSCRIPTIONS}{row.public_id}/change/"
    assert client.get(path + "edit/").context["form"]["event_types"].value() == ["ping"]
    assert client.post(path + "edit/", {"url": HERE, "description": "Other"})["Location"] == path
    row.refresh_from_db()
    assert (row.url, row.event_types, row.description) == (HERE, [], "Other")
    client.post(path + "disable/")
    assert not Subscription.objects.get().enabled
    assert "It is off: nothing is sent there." in client.get(path).content.decode()
    refused = client.post(path + "ping/", follow=True).content.decode()
    assert "It is switched off. Switch it on first." in refused
    assert not Delivery.objects.exists()
    client.post(path + "enable/")
    assert Subscription.objects.get().enabled
    assert len(told.recorded("subscription.changed")) == 3
    told.delivery(row)
    assert client.post(path + "delete/")["Location"] == SUBSCRIPTIONS
    assert not Subscription.objects.exists() and not Delivery.objects.exists()
    assert len(told.recorded("subscription.deleted")) == 1


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_only_managers_change_subscriptions_and_send_again(role: str, visitor: Visitor) -> None:
    client, row = visitor(role), told.subscription()
    failed = told.delivery(row, state="failed", ended_at=timezone.now())
    path = f"{SUBSCRIPTIONS}{row.public_id}/change/"
    page = client.get(path).content.decode()
    assert row.url in page
    assert not any(words in page for words in ("Send a ping", "New secret", "Delete it"))
    assert "New subscription" not in client.get(SUBSCRIPTIONS).content.decode()
    buttons = [path + name for name in ("enable/", "disable/", "ping/", "rotate/", "delete/", "edit/")]
    for address in [*buttons, f"{SUBSCRIPTIONS}add/", f"{DELIVERIES}{failed.public_id}/change/again/"]:
        assert client.post(address, {"url": HERE}).status_code == 403, address
    assert client.get(f"{SUBSCRIPTIONS}add/").status_code == 403
    assert "Send again" not in client.get(f"{DELIVERIES}{failed.public_id}/change/").content.decode()
    row.refresh_from_db()
    failed.refresh_from_db()
    assert row.enabled and secrets_of(row) == [told.SECRET] and failed.state == "failed"
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize("name", ["enable", "disable", "ping", "rotate", "delete"])
def test_a_buttons_address_does_nothing_when_it_is_only_looked_at(name: str, visitor: Visitor) -> None:
    row = told.subscription()
    assert visitor("manager").get(f"{SUBSCRIPTIONS}{row.public_id}/change/{name}/").status_code == 405
    assert secrets_of(Subscription.objects.get()) == [told.SECRET] and not Delivery.objects.exists()


def test_a_ping_leads_to_its_delivery_which_is_watched_until_it_arrives(visitor: Visitor) -> None:
    client, row = visitor("manager"), told.subscription()
    answer = client.post(f"{SUBSCRIPTIONS}{row.public_id}/change/ping/")
    delivery = Delivery.objects.get()
    path = f"{DELIVERIES}{delivery.public_id}/change/"
    assert answer["Location"] == path
    assert "deliveries/delivery.js" in client.get(path).content.decode()
    assert client.get(path + "state/").json() == {"state": "waiting", "tried": 0}
    tries = [{"at": timezone.now().isoformat(), "status": 200, "seconds": 0.01, "error": "", "answer": "<i>thanks"}]
    Delivery.objects.update(state="delivered", attempts=1, tries=tries, ended_at=timezone.now(), next_try_at=None)
    assert client.get(path + "state/").json() == {"state": "delivered", "tried": 1}
    page = client.get(path).content.decode()
    assert "&lt;i&gt;thanks" in page and "deliveries/delivery.js" not in page
    assert path in client.get(f"{SUBSCRIPTIONS}{row.public_id}/change/").content.decode()


def test_a_deliverys_page_has_its_body_and_every_attempt_and_sends_again(visitor: Visitor) -> None:
    at = timezone.now().isoformat()
    tries = [
        {"at": at, "status": 503, "seconds": 0.2, "error": "", "answer": "busy"},
        {"at": at, "status": None, "seconds": 5.0, "error": "ConnectTimeout: timed out", "answer": ""},
    ]
    row = told.delivery(state="failed", attempts=10, tries=tries, ended_at=timezone.now(), next_try_at=None)
    client, path = visitor("manager"), f"{DELIVERIES}{row.public_id}/change/"
    page = html.unescape(client.get(path).content.decode())
    assert all(words in page for words in ("503", "busy", "ConnectTimeout: timed out", '"type": "alert.raised"'))
    assert client.post(path + "again/")["Location"] == path
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)
    assert len(told.recorded("delivery.again")) == 1
    Delivery.objects.update(state="delivered")
    assert "nothing is sent twice" in client.post(path + "again/", follow=True).content.decode()
    assert Delivery.objects.get().state == "delivered"


def test_deliveries_are_found_by_state_type_subscription_and_what_they_are_about(visitor: Visitor) -> None:
    one, other = told.subscription(), told.subscription()
    first, second = told.delivery(one), told.delivery(other, state="failed", ref="al_2")
    third = told.delivery(other, event_type="ping")
    client = visitor("auditor")

    def found(query: str) -> list[str]:
        return [row.public_id for row in client.get(DELIVERIES + query).context["cl"].result_list]

    assert found("") == [third.public_id, second.public_id, first.public_id]
    assert found("?state__exact=failed") == [second.public_id]
    assert found("?event_type=ping") == [third.public_id]
    assert found(f"?subscription={other.public_id}") == [third.public_id, second.public_id]
    assert found("?subscription=sb_nowhere%00") == []
    assert found("?q=al_2") == [second.public_id]
    assert found(f"?q={first.public_id}") == [first.public_id]
