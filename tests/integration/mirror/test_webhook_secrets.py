"""The secret in the webhooks' address: replaced without losing what conversations under way report."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from conversations.models import Conversation, WebhookReceived
from conversations.services import bodies, mirroring
from conversations.webhooks import receiving, secrets
from echoadmin.actors import Actor
from echoadmin.installation import Installation, OldWebhookSecret, stamp
from echoadmin.log import reader
from echoadmin.log.cursors import database_key
from echoadmin.log.models import Entry
from tests.integration.mirror.conftest import ANA
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = Actor("root", user_id=1, role="admin")


@pytest.fixture(autouse=True)
def _only_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "process_soon", lambda row: None)


def make() -> Conversation:
    return mirroring.create_conversation(actor=ANA, body={"replica_id": "re8e740a42", "persona_id": "pipecat0"})


def answered(secret: str) -> int:
    body = json.dumps({"event_type": "system.shutdown"})
    return Client().post(f"/webhooks/tavus/{secret}/", body, content_type="application/json").status_code


def callback_of(twin: TwinProcess, row: Conversation) -> str:
    return str(twin.request("GET", f"/v2/conversations/{row.upstream_id}")["callback_url"])


def over(hours: float = 25) -> None:
    """The overlap is past."""
    OldWebhookSecret.objects.update(honoured_until=timezone.now() - timedelta(hours=hours - 24))


def test_new_conversations_get_the_new_one_and_the_old_one_counts_for_a_while(
    twin: TwinProcess, settings: LazySettings
) -> None:
    old = stamp(settings.MODE).webhook_secret
    stamped = timezone.now()
    until = secrets.rotate(actor=ADMIN)
    new = stamp(settings.MODE).webhook_secret
    assert new != old and abs(until - stamped - timedelta(hours=settings.WEBHOOK_SECRET_OVERLAP)) < timedelta(minutes=1)
    assert f"/{new}/" in callback_of(twin, make())
    assert (answered(new), answered(old), answered("strange")) == (200, 200, 404)
    assert [row.by_old_secret for row in WebhookReceived.objects.order_by("id")] == [False, True]
    [kept] = OldWebhookSecret.objects.all()
    assert (kept.uses, kept.last_used_at is not None) == (1, True), "each use of an old one is seen"
    over()
    Conversation.objects.update(created_at=timezone.now() + timedelta(minutes=1))  # clearly after
    assert (answered(new), answered(old)) == (200, 404)


def test_an_old_one_counts_as_long_as_a_conversation_lasts_that_was_made_with_it(
    twin: TwinProcess, settings: LazySettings
) -> None:
    old, row = stamp(settings.MODE).webhook_secret, make()
    Installation.objects.update(created_at=timezone.now() - timedelta(days=9))
    secrets.rotate(actor=ADMIN)
    over()
    assert answered(old) == 200
    now = timezone.now()
    Conversation.objects.filter(pk=row.pk).update(status="ended", ended_at=now)
    assert answered(old) == 200, "its transcript may come yet"
    Conversation.objects.filter(pk=row.pk).update(ended_at=now - secrets.LATE)
    assert answered(old) == 404


def test_one_that_leaked_counts_no_more_at_once_nor_do_those_before_it(
    twin: TwinProcess, settings: LazySettings
) -> None:
    first = stamp(settings.MODE).webhook_secret
    make()
    secrets.rotate(actor=ADMIN)
    second = stamp(settings.MODE).webhook_secret
    assert answered(first) == 200
    secrets.rotate(actor=ADMIN, at_once=True)
    assert [answered(one) for one in (first, second, stamp(settings.MODE).webhook_secret)] == [404, 404, 200]


def test_a_conversation_that_was_made_before_still_reports_here(twin: TwinProcess, settings: LazySettings) -> None:
    row = make()
    url = callback_of(twin, row)
    secrets.rotate(actor=ADMIN)
    assert bodies.is_our_webhook(url)
    assert not bodies.is_our_webhook(url.replace("/webhooks/tavus/", "/webhooks/tavus/x"))
    assert not bodies.is_our_webhook(f"https://other.example{url.removeprefix(settings.PUBLIC_URL)}")
    assert not bodies.is_our_webhook(settings.PUBLIC_URL + "/webhooks/tavus/")


def test_cursors_and_the_spools_folder_stay_as_they_are(settings: LazySettings) -> None:
    row = stamp(settings.MODE)
    key = database_key()
    secrets.rotate(actor=ADMIN)
    assert database_key() == key and stamp(settings.MODE).database_key == row.database_key
    assert row.database_key and row.database_key != row.webhook_secret


def test_who_replaced_it_and_who_saw_it_is_in_the_log_and_the_secret_is_not(
    settings: LazySettings, twin: TwinProcess
) -> None:
    old = stamp(settings.MODE).webhook_secret
    secrets.rotate(actor=ADMIN)
    new = stamp(settings.MODE).webhook_secret
    assert secrets.reveal(actor=ADMIN) == f"{settings.PUBLIC_URL}/webhooks/tavus/{new}/"
    found = Entry.objects.filter(event_type__startswith="webhook_secret.").order_by("id")
    assert [(one.event_type, one.actor) for one in found] == [
        ("webhook_secret.rotated", "root"),
        ("webhook_secret.revealed", "root"),
    ]
    kept = str(list(OldWebhookSecret.objects.values())) + str([reader.message(one) for one in Entry.objects.all()])
    assert old not in kept and new not in kept


@pytest.mark.parametrize("options", [(), ("--at-once",)])
def test_the_command_replaces_it_and_prints_no_secret(options: tuple[str, ...], settings: LazySettings) -> None:
    old, out = stamp(settings.MODE).webhook_secret, StringIO()
    call_command("rotate_webhook_secret", "--json", *options, stdout=out)
    told = json.loads(out.getvalue())
    assert told["at_once"] is bool(options) and told["old_counts_until"]
    plain = StringIO()
    call_command("rotate_webhook_secret", *options, stdout=plain)
    new = stamp(settings.MODE).webhook_secret
    assert "new secret" in plain.getvalue()
    assert not {old, new} & set((out.getvalue() + plain.getvalue()).split())
    assert answered(old) == (404 if options else 200)
