"""The run's page of a replay: what became of each line, and where a replayed echo comes from, wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conversations.models import Conversation, Echo
from echoadmin.log.models import Entry, Kind
from echoadmin.log.writer import Draft, append
from echoadmin.runs import Run, claim_run, perform, stop_run
from tests import make
from tests.integration.pages import replays
from tests.integration.pages.replays import form, page_of, said

Visitor = Callable[[str | None], Client]

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Conversation:
    return replays.source()


@pytest.fixture
def target() -> Conversation:
    return replays.target()


def started(client: Client, source: Conversation, sent: dict[str, Any]) -> tuple[Run, str]:
    path = client.post(page_of(source), sent)["Location"]
    return Run.objects.order_by("-id")[0], path


def test_a_look_is_a_table_of_what_would_be_sent_and_what_would_fail(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    one, two = said(source, "One.", "Two.")
    Echo.objects.filter(pk=two.pk).update(text="")
    client = visitor("operator")
    _, path = started(client, source, form(target, one, two, dry="1") | {f"text-{two.pk}": ""})
    claimed = claim_run("here")
    assert claimed is not None
    perform(claimed)
    page = client.get(path).content.decode()
    assert "1 of 2 lines would be said" in page and "1 line would fail" in page
    assert f'href="/admin/conversations/echo/{one.pk}/change/"' in page
    assert "Nothing was sent" in page


def test_a_replays_lines_link_to_their_echo_and_its_origin(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    origins = said(source, "One.", "Two.", "Three.", "Four.")
    client = visitor("operator")
    run, path = started(client, source, form(target, *origins) | {f"text-{origins[0].pk}": "Eins."})
    new = [
        make.echo(conversation=target, inference_id=f"{run.public_id}-{k + 1}", replay_of=origins[k].pk, state=state)
        for k, state in enumerate(("spoken", "speaking"))
    ]
    Run.objects.filter(pk=run.pk).update(
        state="running", cursor={"next": 3, "failed": [{"echo": origins[2].pk, "fails": "Its samples were erased."}]}
    )
    state = client.get(path + "state/").json()
    assert re.findall(r'data-state="([\w ]+)"', state["own"]) == ["spoken", "speaking", "failed", "to come"]
    for echo in (*new, *origins):
        assert f'href="/admin/conversations/echo/{echo.pk}/change/"' in state["own"]
    assert "Eins." in state["own"] and "of Morning news" in state["own"]
    assert "Its samples were erased." in state["own"]
    assert 'data-under-way="yes"' in state["own"]
    assert "own" not in client.get(f"{path}state/?mark={state['mark']}").json(), "nothing is sent twice"
    run.refresh_from_db()
    stop_run(run)
    Run.objects.filter(pk=run.pk).update(state="stopped")
    page = client.get(path).content.decode()
    assert "not said" in page and state["mark"] not in page


def test_a_line_that_was_taken_back_and_came_again_shows_its_newest_echo(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    [one] = said(source, "One.")
    client = visitor("operator")
    run, path = started(client, source, form(target, one))
    for suffix, state, reason in (("", "cancelled", "replay_stopped"), ("-1", "spoken", "")):
        name = f"{run.public_id}-1{suffix}"
        make.echo(conversation=target, inference_id=name, replay_of=one.pk, state=state, reason=reason)
        own = client.get(path).context["own"].html
        assert re.findall(r'data-state="([\w ]+)"', own) == ["to come" if reason else "spoken"]
        assert ("1 to come" if reason else "1 spoken") in own and "cancelled" not in own


def test_the_runs_page_asks_the_database_as_much_for_many_lines_as_for_few_and_pages_them(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    client = visitor("operator")

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    few = said(source, "One.", "Two.")
    _, path = started(client, source, form(target, *few))
    many = said(source, *[f"{k}." for k in range(120)])
    run, longer = started(client, source, form(target, *many))
    make.echo(conversation=target, inference_id=f"{run.public_id}-101", replay_of=many[100].pk)
    assert queries(longer) == queries(path)
    own = client.get(longer + "?page=2").context["own"].html
    assert re.findall(r'data-line="(\d+)"', own) == [str(k) for k in range(101, 121)]
    assert "101 to 120" in own
    assert client.get(longer + "?page=99").status_code == 200


def test_a_replayed_echo_tells_its_origin_wherever_it_is_shown(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    [one] = said(source, "One.")
    new = make.echo(conversation=target, replay_of=one.pk, source="replay")
    client = visitor("auditor")
    origin = f'href="/admin/conversations/echo/{one.pk}/change/"'
    for path in (
        f"/admin/conversations/echo/{new.pk}/change/",
        "/admin/conversations/echo/",
        f"/admin/conversations/conversation/{target.public_id}/change/",
    ):
        page = client.get(path).content.decode()
        assert re.search(rf"<a[^>]*{re.escape(origin)}[^>]*>(says again )?echo {one.pk}<", page), path


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_one_echo_is_replayed_from_its_page_its_entry_and_the_timeline(
    role: str, visitor: Visitor, source: Conversation
) -> None:
    [one] = said(source, "One.")
    message = {"event_type": "conversation.echo", "properties": {"text": "One."}}
    told = {"echo_id": one.pk, "conversation_ref": source.public_id, "direction": "out", "message": message}
    append([Draft(stream=source.public_id, kind=Kind.APP_MESSAGE, event_type="conversation.echo", **told)])
    entry = Entry.objects.order_by("-id")[0]
    client = visitor(role)
    for path in (
        f"/admin/conversations/echo/{one.pk}/change/",
        f"/admin/log/entry/{entry.pk}/opened/",
        f"/admin/log/entry/{entry.pk}/change/",
        f"/admin/log/entry/timeline/{source.public_id}/",
    ):
        page = client.get(path).content.decode()
        assert (f'href="{page_of(source, f"?echo={one.pk}")}"' in page) == (role == "operator"), path
