"""Webhooks in by page: what became of each, once more, and the address with its secret."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.test import Client

from conversations.models import WebhookReceived
from conversations.services import mirroring
from echoadmin.actors import Actor
from echoadmin.deliveries.models import Delivery
from echoadmin.installation import stamp
from echoadmin.log.models import Entry
from echoadmin.runs import Run
from tests import make
from tests.integration.pages import told
from tests.twin_process import TwinProcess

Visitor = Callable[[str | None], Client]
WEBHOOKS, DELIVERIES = "/admin/conversations/webhookreceived/", "/admin/deliveries/delivery/"

pytestmark = pytest.mark.django_db


def test_a_webhooks_page_says_what_became_of_it(visitor: Visitor) -> None:
    row = make.webhook(body={"properties": {"shutdown_reason": "participant_left_timeout"}})
    repeat = make.webhook(duplicate_of=row, state="ignored", error=f"It repeats {row.public_id}.")
    client = visitor("auditor")
    page = html.unescape(client.get(f"{WEBHOOKS}{row.public_id}/change/").content.decode())
    assert "participant_left_timeout" in page and "Tavus could not be asked" in page and "Process again" not in page
    page = visitor("manager").get(f"{WEBHOOKS}{repeat.public_id}/change/").content.decode()
    assert f"{WEBHOOKS}{row.public_id}/change/" in page and "Process again" not in page


@pytest.mark.django_db(transaction=True)
def test_one_is_processed_again_by_a_button(visitor: Visitor, twin: TwinProcess) -> None:
    made = mirroring.create_conversation(
        actor=Actor("ana"), body={"persona_id": "pipecat0", "replica_id": "re8e740a42"}
    )
    row, client = make.webhook(conversation=made), visitor("manager")
    path = f"{WEBHOOKS}{row.public_id}/change/"
    assert "Process again" in client.get(path).content.decode()
    assert client.post(f"{path}process/")["Location"] == path
    row.refresh_from_db()
    assert (row.state, row.error) == ("processed", "")
    assert Entry.objects.filter(event_type="webhook.processed_again").count() == 1


def test_the_ticked_and_all_that_failed_are_runs(visitor: Visitor) -> None:
    one, _other = make.webhook(), make.webhook()
    client = visitor("manager")
    assert f'value="{one.public_id}"' in client.get(WEBHOOKS).content.decode()
    answer = client.post(f"{WEBHOOKS}process/", {"webhook": [one.public_id]})
    first = Run.objects.get()
    assert answer["Location"] == f"/admin/echoadmin/run/{first.public_id}/change/"
    assert first.params == {"ids": [one.public_id]}
    client.post(f"{WEBHOOKS}process/", {"all": "failed"})
    assert Run.objects.order_by("-id")[0].params["state"] == "failed"
    assert client.post(f"{WEBHOOKS}process/").status_code == 400
    assert Run.objects.count() == 2


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_only_managers_process_again_and_only_admins_see_the_address(role: str, visitor: Visitor) -> None:
    row, client = make.webhook(), visitor(role)
    assert "ea-tick" not in client.get(WEBHOOKS).content.decode()
    for path in (f"{row.public_id}/change/process/", "process/", "address/rotate/", "address/reveal/"):
        assert client.post(WEBHOOKS + path).status_code == 403, path
    for path in ("address/rotate/", "address/reveal/"):
        assert visitor("manager").post(WEBHOOKS + path).status_code == 403, path
        assert visitor("admin").get(WEBHOOKS + path).status_code == 405, path
    assert WebhookReceived.objects.get().state == "failed"


def test_an_admin_sees_the_address_once_and_replaces_its_secret(visitor: Visitor, settings: LazySettings) -> None:
    settings.PUBLIC_URL = "https://console.example"
    old, client = stamp("sandbox").webhook_secret, visitor("admin")
    page = client.get(f"{WEBHOOKS}address/").content.decode()
    assert old not in page and "https://console.example/webhooks/tavus/…/" in page
    revealed = client.post(f"{WEBHOOKS}address/reveal/")
    assert f"https://console.example/webhooks/tavus/{old}/" in revealed.content.decode()
    assert "no-store" in revealed["Cache-Control"]
    page = client.post(f"{WEBHOOKS}address/rotate/", follow=True).content.decode()
    new = stamp("sandbox").webhook_secret
    assert new != old and not {old, new} & set(page.replace("/", " ").split())
    assert "nothing came with it since" in page
    assert len(told.recorded("webhook_secret.revealed")) == len(told.recorded("webhook_secret.rotated")) == 1


def test_deliveries_are_sent_again_by_ticks_and_all_that_failed_of_a_subscription(visitor: Visitor) -> None:
    subscription = told.subscription()
    first, second, arrived = (told.delivery(subscription, state=s) for s in ("failed", "failed", "delivered"))
    client = visitor("manager")
    page = client.get(DELIVERIES).content.decode()
    assert f'value="{first.public_id}"' in page and f'value="{arrived.public_id}"' not in page
    client.post(f"{DELIVERIES}again/", {"delivery": [first.public_id, arrived.public_id]})
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert states == {first.pk: "waiting", second.pk: "failed", arrived.pk: "delivered"}
    path = f"/admin/deliveries/subscription/{subscription.public_id}/change/"
    assert "Send what failed again" in client.get(path).content.decode()
    client.post(f"{path}again/")
    assert Delivery.objects.get(pk=second.pk).state == "waiting"
    assert visitor("operator").post(f"{DELIVERIES}again/", {"delivery": [second.public_id]}).status_code == 403


def test_a_subscription_that_was_given_up_is_on_the_home_page_with_its_button(visitor: Visitor) -> None:
    row = told.subscription(enabled=False, disabled_reason="Nothing has arrived for 3 days.")
    told.subscription(enabled=False)  # by a person
    page = html.unescape(visitor("manager").get("/admin/").content.decode())
    assert page.count("Webhooks out were switched off") == 1
    assert f"/admin/deliveries/subscription/{row.public_id}/change/enable/" in page
