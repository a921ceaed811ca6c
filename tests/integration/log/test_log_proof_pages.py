"""The pages of proof and keeping: for every role to read, the same number of queries for one row or many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.log.keeping.holds import place_hold
from echoadmin.log.models import Checkpoint, Hold, Pruned, SigningKey, Stream
from echoadmin.log.proof import checkpoints, pruned
from echoadmin.log.writer import append
from tests import make
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db
LISTS = ("checkpoint", "signingkey", "pruned", "hold")


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make.user("auditor"))
    return client


def fill(times: int) -> None:
    for _ in range(times):
        name = f"cv_{Hold.objects.count()}"
        append([draft(name)])
        checkpoints.make_checkpoints()
        place_hold(conversation=name, actor=Actor("ana"), reason=f"case of {name}")
        stream = Stream.objects.get(public_id=name)
        leaves = [(n, bytes(32)) for n in (1, 2, 5)]
        pruned.signed_row(stream.pk, name, leaves, timezone.now() - timedelta(days=1), "presence, 7 days").save()


def test_lists_and_details_show_what_there_is(browser: Client) -> None:
    fill(1)
    for model, row, words in (
        ("checkpoint", Checkpoint.objects.get(), "What was signed"),
        ("signingkey", SigningKey.objects.get(), "Public key"),
        ("pruned", Pruned.objects.get(), "1-2,5"),
        ("hold", Hold.objects.get(), "case of cv_0"),
    ):
        listed = browser.get(f"/admin/log/{model}/")
        assert listed.status_code == 200, model
        shown = browser.get(f"/admin/log/{model}/{row.pk}/change/")
        assert shown.status_code == 200 and words in shown.content.decode(), model
    assert "cv_0" in browser.get("/admin/log/pruned/").content.decode()


@pytest.mark.parametrize("model", LISTS)
def test_lists_ask_the_same_for_one_row_or_many(browser: Client, model: str) -> None:
    fill(1)
    browser.get(f"/admin/log/{model}/")
    with CaptureQueriesContext(connection) as one:
        browser.get(f"/admin/log/{model}/")
    fill(5)
    with CaptureQueriesContext(connection) as many:
        browser.get(f"/admin/log/{model}/")
    assert len(many) == len(one)


@pytest.mark.parametrize("model", LISTS)
def test_nobody_changes_them_by_page(browser: Client, model: str) -> None:
    browser.force_login(make.user("admin"))
    assert browser.get(f"/admin/log/{model}/add/").status_code == 403
