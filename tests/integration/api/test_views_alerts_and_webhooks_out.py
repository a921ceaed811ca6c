"""Saved views, rules, alerts, subscriptions and deliveries over REST: who may do what, and what is wrong by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from echoadmin.alerts.models import Alert, Rule, SavedView
from echoadmin.deliveries.models import Delivery, Subscription
from tests.integration.pages import told

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
VIEW = {"name": "Errors", "filters": {"is_error": "true", "kind": "upstream"}}


def saved(client: APIClient, **more: Any) -> dict[str, Any]:
    response = client.post("/api/v1/views/", {**VIEW, **more})
    assert response.status_code == 201, response.content
    return dict(response.json())


def test_a_view_is_ones_own_until_it_is_shared(client_of: ClientOf) -> None:
    auditor, operator, admin = client_of("auditor"), client_of("operator"), client_of("admin")
    view = saved(auditor)
    assert view["filters"] == {"is_error": "true", "kind": "upstream"}
    address = f"/api/v1/views/{view['id']}/"
    assert operator.get(address).status_code == 404
    assert auditor.patch(address, {"shared": True}).json()["shared"] is True
    assert operator.get(address).json()["name"] == "Errors"
    assert [row["id"] for row in operator.get("/api/v1/views/").json()["results"]] == [view["id"]]
    assert operator.patch(address, {"name": "Mine"}).status_code == 403
    assert operator.delete(address).status_code == 403
    assert auditor.patch(address, {"filters": {"kind": "webhook"}}).json()["filters"] == {"kind": "webhook"}
    assert auditor.delete(address).status_code == 204
    assert admin.get(address).status_code == 404
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filters": {}}, "name"),
        ({"name": "", "filters": {}}, "name"),
        ({"name": "x" * 101, "filters": {}}, "name"),
        ({"name": "x"}, "filters"),
        ({"name": "x", "filters": {"knid": "webhook"}}, "filters.knid"),
        ({"name": "x", "filters": {"kind": "nope"}}, "filters.kind"),
        ({"name": "x", "filters": {"text": '"open'}}, "filters.text"),
        ({"name": "x", "filters": {}, "shared": "yes"}, "shared"),
        ({"name": "x", "filters": {}, "colour": 1}, "colour"),
    ],
)
def test_a_view_that_cannot_be_names_what_is_wrong(client_of: ClientOf, body: dict[str, Any], field: str) -> None:
    response = client_of("auditor").post("/api/v1/views/", body)
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


def test_two_views_of_one_name_are_refused(client_of: ClientOf) -> None:
    saved(client_of("auditor"))
    assert client_of("auditor").post("/api/v1/views/", VIEW).status_code == 400
    saved(client_of("operator"))


def test_an_operator_makes_rules_and_acknowledges_alerts_an_auditor_sees_them(client_of: ClientOf) -> None:
    auditor, operator = client_of("auditor"), client_of("operator")
    view = saved(operator, shared=True)
    wish = {"view": view["id"], "name": "Any error", "threshold": 3, "window": 60}
    assert auditor.post("/api/v1/rules/", wish).status_code == 403
    rule = operator.post("/api/v1/rules/", wish).json()
    assert (rule["view_name"], rule["threshold"], rule["window"], rule["enabled"]) == ("Errors", 3, 60, True)
    address = f"/api/v1/rules/{rule['id']}/"
    assert operator.patch(address, {"enabled": False, "threshold": 1}).json()["enabled"] is False
    assert auditor.get("/api/v1/rules/").json()["results"][0]["threshold"] == 1
    at = datetime.now(UTC)
    row = Alert.objects.create(
        rule=Rule.objects.get(), rule_name="Any error", view_name="Errors", count=1, first_entry=1, last_entry=1,
        first_at=at, last_at=at, event_type="x",
    )  # fmt: skip
    assert [one["id"] for one in auditor.get("/api/v1/alerts/?acknowledged=false").json()["results"]] == [row.public_id]
    acknowledge = f"/api/v1/alerts/{row.public_id}/acknowledge/"
    assert auditor.post(acknowledge).status_code == 403
    assert operator.post(acknowledge).json()["acknowledged_by"] == "operator (key test)"
    assert auditor.get("/api/v1/alerts/?acknowledged=false").json()["results"] == []
    assert operator.delete(address).status_code == 204
    assert auditor.get(f"/api/v1/alerts/{row.public_id}/").json()["rule"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"view": "vw_none"}, "view"),
        ({"view": 5}, "view"),
        ({"name": ""}, "name"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"window": 86_401}, "window"),
        ({"enabled": 1}, "enabled"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_rule_that_cannot_be_names_what_is_wrong(client_of: ClientOf, change: dict[str, Any], field: str) -> None:
    operator = client_of("operator")
    view = saved(operator)
    response = operator.post("/api/v1/rules/", {"view": view["id"], "name": "x", **change})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


def test_a_manager_keeps_subscriptions_and_their_secret_is_shown_once(client_of: ClientOf, settings: Any) -> None:
    settings.DELIVER_TO_PRIVATE_ADDRESSES = True
    manager, auditor = client_of("manager"), client_of("auditor")
    wish = {"url": "http://localhost:9/hook", "event_types": ["alert.raised"], "description": "Mine"}
    assert client_of("operator").post("/api/v1/subscriptions/", wish).status_code == 403
    made = manager.post("/api/v1/subscriptions/", wish).json()
    assert made["secret"].startswith("whsec_")
    address = f"/api/v1/subscriptions/{made['id']}/"
    assert "secret" not in auditor.get(address).json()
    assert "secret" not in auditor.get("/api/v1/subscriptions/").json()["results"][0]
    assert manager.post(f"{address}rotate/").json()["secret"] not in ("", made["secret"])
    ping = manager.post(f"{address}ping/")
    assert (ping.status_code, ping.json()["event_type"]) == (202, "ping")
    listed = auditor.get(f"/api/v1/deliveries/?subscription={made['id']}").json()["results"]
    assert [row["id"] for row in listed] == [ping.json()["id"]]
    assert auditor.get(f"/api/v1/deliveries/{ping.json()['id']}/").json()["state"] == "waiting"
    Delivery.objects.update(state="failed")
    assert manager.post(f"/api/v1/deliveries/{ping.json()['id']}/again/").json()["state"] == "waiting"
    Delivery.objects.update(state="delivered")
    assert manager.post(f"/api/v1/deliveries/{ping.json()['id']}/again/").status_code == 409
    assert manager.patch(address, {"enabled": False}).json()["enabled"] is False
    assert manager.post(f"{address}ping/").status_code == 400
    assert manager.delete(address).status_code == 204
    assert not Subscription.objects.exists()


def test_a_subscription_can_be_to_a_family_of_one_conversation_or_persona(client_of: ClientOf, settings: Any) -> None:
    settings.DELIVER_TO_PRIVATE_ADDRESSES = True
    manager = client_of("manager")
    wish = {"url": "http://localhost:9/hook", "event_types": ["echo.*", "room.lost"], "conversation": "cv_1"}
    made = manager.post("/api/v1/subscriptions/", wish).json()
    assert (made["event_types"], made["conversation"], made["persona"]) == (["echo.*", "room.lost"], "cv_1", "")
    changed = manager.patch(f"/api/v1/subscriptions/{made['id']}/", {"conversation": "", "persona": "pe_2"}).json()
    assert (changed["conversation"], changed["persona"], changed["url"]) == ("", "pe_2", wish["url"])


def test_several_deliveries_are_sent_again_at_once(client_of: ClientOf) -> None:
    manager = client_of("manager")
    one, other = told.subscription(), told.subscription()
    failed = [told.delivery(one, state="failed") for _ in range(3)]
    told.delivery(one, state="delivered")
    elsewhere = told.delivery(other, state="failed")

    def again(**body: Any) -> Any:
        return manager.post("/api/v1/deliveries/again/", body)

    assert client_of("operator").post("/api/v1/deliveries/again/", {"state": "failed"}).status_code == 403
    assert (again(ids=[failed[0].public_id, "dl_x"]).status_code, Delivery.objects.filter(state="waiting").count()) == (
        *(202, 1),
    )
    assert again(subscription=one.public_id).json() == {"count": 2}
    elsewhere.refresh_from_db()
    assert elsewhere.state == "failed"
    assert again(event_type="alert.raised").json() == {"count": 1}
    assert Delivery.objects.filter(state="delivered").count() == 1, "what has arrived is not sent twice"
    for body, field in [({}, "ids"), ({"ids": "x"}, "ids"), ({"colour": "x"}, "colour"), ({"state": 5}, "state")]:
        refused = again(**body)
        assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, [field])


def test_the_same_wish_twice_is_one_subscription(client_of: ClientOf, settings: Any) -> None:
    settings.DELIVER_TO_PRIVATE_ADDRESSES = True
    client = client_of("manager")
    wish = {"url": "http://localhost:9/hook"}
    first, second = (client.post("/api/v1/subscriptions/", wish, HTTP_IDEMPOTENCY_KEY="one").json() for _ in range(2))
    assert first["id"] == second["id"]
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "url"),
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "gopher://x.example/"}, "url"),
        ({"url": "https://user:pass@x.example/"}, "url"),
        ({"url": "http://localhost/", "event_types": []}, "url"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_an_address_that_cannot_be_is_refused_by_name(client_of: ClientOf, wish: dict[str, Any], field: str) -> None:
    response = client_of("manager").post("/api/v1/subscriptions/", wish)
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


@pytest.mark.parametrize(
    "path", ["views/vw_x/", "rules/ru_x/", "alerts/al_x/", "subscriptions/sb_x/", "deliveries/dl_x/"]
)
def test_what_is_not_there_is_404(client_of: ClientOf, path: str) -> None:
    assert client_of("admin").get(f"/api/v1/{path}/").status_code == 404
