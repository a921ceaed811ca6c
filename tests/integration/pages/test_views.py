"""Saved views by page: saved from the log, chosen there, renamed, shared, taken away by whom they belong to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from echoadmin.alerts.models import Rule, SavedView
from tests import make
from tests.integration.pages import told

Visitor = Callable[[str | None], Client]
LOG, VIEWS = "/admin/log/entry/", "/admin/alerts/savedview/"

pytestmark = pytest.mark.django_db


def test_the_filters_of_the_logs_address_are_saved_under_a_name_and_offered_there(visitor: Visitor) -> None:
    client = visitor("auditor")
    page = client.get(f"{LOG}?kind=upstream&is_error=true").content.decode()
    form = page[page.index('id="save-view"') :]
    assert '<input type="hidden" name="kind" value="upstream">' in form
    assert '<input type="hidden" name="is_error" value="true">' in form
    answer = client.post(f"{VIEWS}add/", {"name": "No <b>", "shared": "on", "kind": "upstream", "is_error": "true"})
    assert answer["Location"] == f"{LOG}?kind=upstream&is_error=true"
    saved = SavedView.objects.get()
    assert (saved.name, saved.filters, saved.shared) == ("No <b>", {"kind": "upstream", "is_error": "true"}, True)
    assert saved.owner_id == told.user_of(client).pk
    assert len(told.recorded("view.saved")) == 1
    other = visitor("auditor").get(f"{LOG}?is_error=true&kind=upstream")
    [offered] = other.context["views"]
    assert (offered["name"], offered["owner"], offered["now"]) == ("No <b>", saved.owner, True)
    assert offered["address"] == answer["Location"]
    assert "View: No &lt;b&gt;" in other.content.decode()


def test_only_shared_views_are_offered_to_others(visitor: Visitor) -> None:
    secret = told.view(shared=False, name="Ana's own")
    client = visitor("admin")
    for path in (LOG, VIEWS):
        assert "Ana&#x27;s own" not in client.get(path).content.decode(), path
    for page in ("", "edit/", "delete/"):
        answer = client.post(f"{VIEWS}{secret.public_id}/change/{page}", {"name": "Mine"})
        assert answer.status_code == 404, page
    secret.refresh_from_db()
    assert secret.name == "Ana's own"


def test_what_a_view_cannot_be_is_told_beside_its_field_and_nothing_is_lost(visitor: Visitor) -> None:
    client = visitor("auditor")
    told.view(told.actor_of(client), name="Taken")
    page = client.post(f"{VIEWS}add/", {"name": "Taken", "shared": "on", "kind": "webhook"})
    assert page.status_code == 400
    assert page.context["form"].errors == {"name": ["You have a view called 'Taken'. Choose another name."]}
    body = page.content.decode()
    assert 'value="Taken"' in body and '<input type="hidden" name="kind" value="webhook">' in body
    assert page.context["form"]["shared"].value() is True
    page = client.post(f"{VIEWS}add/", {"name": "x" * 101, "kind": "webhook"})
    assert page.context["form"].errors == {"name": ["Is a text of 1 to 100 characters."]}
    page = client.post(f"{VIEWS}add/", {"name": "Odd", "kind": "nonsense"})
    assert "filters.kind: " in page.context["form"].non_field_errors()[0]
    assert SavedView.objects.count() == 1


def test_a_log_whose_filters_cannot_be_offers_no_saving(visitor: Visitor) -> None:
    page = visitor("auditor").get(f"{LOG}?kind=nonsense")
    assert 'id="views-menu"' in page.content.decode()
    assert 'id="save-view"' not in page.content.decode()


def test_filters_are_shown_as_words_with_the_names_of_conversations(visitor: Visitor) -> None:
    conversation = make.conversation(name="Morning <news>")
    row = told.view(filters={"conversation": conversation.public_id, "kind": "app_message", "is_error": "false"})
    client = visitor("auditor")
    for path in (VIEWS, f"{VIEWS}{row.public_id}/change/"):
        page = client.get(path).content.decode()
        assert "Morning &lt;news&gt;" in page and "App message" in page, path


def test_the_log_asks_as_much_with_many_views_as_with_few(visitor: Visitor) -> None:
    client = visitor("auditor")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"{LOG}?kind=upstream").status_code == 200
        return len(seen)

    told.view()
    few = queries()
    for _ in range(20):
        told.view()
    assert queries() == few


def test_an_owner_renames_shares_and_deletes_and_its_rules_go_with_it(visitor: Visitor) -> None:
    client = visitor("auditor")
    row = told.view(told.actor_of(client), name="Old", shared=False, filters={"kind": "webhook"})
    told.rule(row)
    path = f"{VIEWS}{row.public_id}/change/"
    assert client.post(path + "edit/", {"name": "New", "shared": "on"})["Location"] == path
    row.refresh_from_db()
    assert (row.name, row.shared, row.filters) == ("New", True, {"kind": "webhook"})
    assert client.get(path + "delete/").status_code == 405
    assert client.post(path + "delete/")["Location"] == VIEWS
    assert not SavedView.objects.exists() and not Rule.objects.exists()
    assert len(told.recorded("view.deleted")) == 1


@pytest.mark.parametrize(("role", "status"), [("auditor", 403), ("manager", 403), ("admin", 302)])
def test_anothers_shared_view_is_changed_by_admins_alone(role: str, status: int, visitor: Visitor) -> None:
    row, client = told.view(name="Ana's"), visitor(role)
    path = f"{VIEWS}{row.public_id}/change/"
    page = client.get(path).content.decode()
    assert ("Rename, share" in page) is (role == "admin") is ("Delete it" in page)
    assert client.get(path + "edit/").status_code == (200 if role == "admin" else 403)
    assert client.post(path + "edit/", {"name": "Mine now", "shared": "on"}).status_code == status
    assert client.post(path + "delete/").status_code == status
    assert SavedView.objects.exists() is (role != "admin")


def test_an_admin_who_hides_anothers_view_is_led_to_the_list(visitor: Visitor) -> None:
    row = told.view()
    answer = visitor("admin").post(f"{VIEWS}{row.public_id}/change/edit/", {"name": "Hidden"})
    assert answer["Location"] == VIEWS
    row.refresh_from_db()
    assert (row.name, row.shared, row.owner) == ("Hidden", False, "ana")
