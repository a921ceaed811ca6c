"""Every row's own page, and what it must never show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from echoadmin.installation import Installation
from echoadmin.log.models import Entry, Kind
from echoadmin.log.writer import Draft, append
from tests import make
from tests.integration.pages import told

Visitor = Callable[[str | None], Client]

ROWS: dict[str, Callable[[], Any]] = {
    "persona": make.persona,
    "replica": make.replica,
    "conversation": lambda: make.room().conversation,
    "conversation without a room": make.conversation,
    "room": make.room,
    "worker": make.worker,
    "echo": make.echo,
    "interaction": make.interaction,
    "gap": make.gap,
    "script": make.script,
    "webhook": make.webhook,
    "duty": make.duty,
    "console": make.console,
    "view": told.view,
    "rule": told.rule,
    "alert": told.alert,
    "subscription": told.subscription,
    "delivery": told.delivery,
    "installation": lambda: Installation.objects.create(id=1, mode="sandbox", webhook_secret="s3cret-of-the-webhooks"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_a_row_has_a_page(kind: str, role: str, visitor: Visitor) -> None:
    row = ROWS[kind]()
    answer = visitor(role).get(f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/")
    assert answer.status_code == 200
    assert "s3cret-of-the-webhooks" not in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("make_row", [make.persona, make.replica, make.conversation])
def test_a_mirrored_row_is_found_by_either_id(make_row: Any, visitor: Visitor) -> None:
    row, client = make_row(), visitor("auditor")
    for any_id in (row.pk, row.public_id, row.upstream_id):
        path = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{any_id}/change/"
        assert client.get(path).status_code == 200, path


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("conversations/conversation/cv_nowhere", "conversation"),
        ("echoadmin/run/ru_nowhere", "run"),
        ("alerts/alert/al_nowhere", "alert"),
        ("alerts/alert/al%00", "alert"),
        ("deliveries/subscription/0", "subscription"),
    ],
)
def test_an_id_that_is_not_there_says_so(path: str, what: str, visitor: Visitor) -> None:
    answer = visitor("admin").get(f"/admin/{path}/change/")
    assert answer.status_code == 404
    assert f"There is no {what} with the id" in answer.content.decode()


@pytest.mark.django_db
def test_a_meeting_token_is_on_no_page(visitor: Visitor) -> None:
    row = make.room().conversation
    row.meeting_token = "eyJhbGciOi.the-token"
    row.save()
    client = visitor("admin")
    for path in (f"/admin/conversations/conversation/{row.public_id}/change/", "/admin/conversations/conversation/"):
        page = client.get(path).content.decode()
        assert "the-token" not in page
        assert row.sealed_meeting_token not in page


@pytest.mark.django_db
def test_what_was_refused_upstream_is_told_on_its_page(visitor: Visitor) -> None:
    error = {"code": "upstream_out_of_credits", "message": "No credits are left.", "upstream": "out of credits <b>"}
    row = make.conversation(state="rejected", status="", upstream_id=None, error=error)
    page = visitor("auditor").get(f"/admin/conversations/conversation/{row.public_id}/change/").content.decode()
    assert "nothing was made" in page
    assert "out of credits &lt;b&gt;" in page


def entry(**message: Any) -> Entry:
    draft = Draft(stream="account", kind=Kind.UPSTREAM, event_type="GET /v2/personas", actor="ana", message=message)
    append([draft])
    found = Entry.objects.order_by("-id").first()
    assert found is not None
    return found


@pytest.mark.django_db
def test_an_entry_has_a_permanent_link_and_a_body_without_base64(visitor: Visitor) -> None:
    row = entry(picture="QUJD" * 5000, words="<script>alert(1)</script>")
    client = visitor("auditor")
    for path in (f"/admin/log/entry/{row.pk}/change/", f"/admin/log/entry/{row.pk}/body/"):
        answer = client.get(path)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "QUJDQUJD" not in page
        assert "20,000 characters of base64" in page
        assert answer["Content-Type"].startswith("text/plain") or "<script>alert" not in page


@pytest.mark.django_db
def test_the_log_is_read_page_by_page_in_both_directions(visitor: Visitor) -> None:
    append(
        [
            Draft(stream="account", kind=Kind.OPERATOR, event_type=f"step.{n}", actor="ana", message={})
            for n in range(230)
        ]
    )
    client = visitor("auditor")
    first = client.get("/admin/log/entry/?actor=ana").context
    second = client.get("/admin/log/entry/" + first["older"]).context
    third = client.get("/admin/log/entry/" + second["older"]).context
    seen = [line["event_type"] for page in (first, second, third) for line in page["entries"]]
    assert seen == [f"step.{n}" for n in reversed(range(230))]
    assert third["older"] == ""
    back = client.get("/admin/log/entry/" + third["newer"]).context
    assert [line["id"] for line in back["entries"]] == [line["id"] for line in second["entries"]]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["kind=nonsense", "at_after=yesterday", "cursor=abc", "is_error=false&echo=x"])
def test_a_filter_that_cannot_be_is_named(query: str, visitor: Visitor) -> None:
    answer = visitor("auditor").get(f"/admin/log/entry/?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
