"""The page that asks for a replay."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conversations.models import Conversation, Room
from conversations.replay import offering
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.runs import Run
from tests import make
from tests.integration.pages import replays
from tests.integration.pages.replays import RUNS, form, page_of, said

Visitor = Callable[[str | None], Client]

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Conversation:
    return replays.source()


@pytest.fixture
def target() -> Conversation:
    return replays.target()


def params(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 302, answer.context["errors"]
    run = Run.objects.order_by("-id")[0]
    assert answer["Location"] == f"{RUNS}{run.public_id}/change/"
    return dict(run.params)


def test_it_shows_each_echo_with_its_place_in_time_and_sends_those_that_are_ticked(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    one, two, three = said(source, "One.", "Two.", "Three.")
    never = make.echo(conversation=source, text="Never sent.", position=9, sending_at=None, state="cancelled")
    client = visitor("operator")
    lines = client.get(page_of(source)).context["lines"]
    assert [(line["at"], line["picked"]) for line in lines] == [
        ("+0.0 s", True),
        ("+4.0 s", True),
        ("+8.0 s", True),
        ("", False),
    ]
    answer = client.post(page_of(source), form(target, three, one, speed="4", longest_pause="2,5"))
    sent = params(answer)
    assert sent["lines"] == [[one.pk, 0.0, None], [three.pk, 8.0, None]]
    assert (sent["to"], sent["speed"], sent["longest_pause"], sent["dry"]) == (target.public_id, 4.0, 2.5, False)
    answer = client.post(page_of(source), form(target, never, two, speed="0", dry="1"))
    assert [line[0] for line in params(answer)["lines"]] == [two.pk, never.pk]
    assert params(answer)["dry"] is True


def test_only_words_that_were_changed_are_another_text(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    one, two, three = said(source, "\nOne,\nin two lines.", "Two.", "Three.")
    typed = {f"text-{one.pk}": "\r\nOne,\r\nin two lines.", f"text-{two.pk}": "Zwei,\r\nja."}
    client = visitor("operator")
    sent = params(client.post(page_of(source), form(target, one, two, three) | typed))
    assert [line[2] for line in sent["lines"]] == [None, "Zwei,\nja.", None]
    page = client.get(page_of(source)).content.decode()
    assert re.search(r"<textarea[^>]*>\n\nOne,\nin two lines\.</textarea>", page), "a browser drops the first line end"


def test_a_refusal_stands_beside_its_field_and_nothing_typed_is_lost(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    one, two = said(source, "One.", "Two.")
    typed = {f"text-{one.pk}": "", f"text-{two.pk}": "Zwei <b>.", "longest_pause": "soon", "speed": "2", "rest": "1"}
    answer = visitor("operator").post(page_of(source), form(target, one, two) | typed)
    assert answer.status_code == 400 and not Run.objects.exists()
    first, second = answer.context["lines"]
    assert first["error"] and not second["error"]
    assert (second["words"], second["changed"], answer.context["wish"].speed) == ("Zwei <b>.", True, "2")
    page = answer.content.decode()
    assert 'value="soon"' in page and "Zwei &lt;b&gt;." in page
    assert f'aria-describedby="error-{one.pk}"' in page and f'id="error-{one.pk}"' in page
    typed = {f"text-{one.pk}": "Uno.", "longest_pause": "soon"}
    answer = visitor("operator").post(page_of(source), form(target, one, two) | typed)
    assert list(answer.context["errors"]) == ["longest_pause"] and answer.context["lines"][0]["words"] == "Uno."


@pytest.mark.parametrize("why", ["none picked", "room left", "ended", "nowhere"])
def test_what_the_service_refuses_is_told_on_the_page(
    why: str, visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    [one] = said(source, "One.")
    Room.objects.filter(conversation=target).update(wanted="idle" if why == "room left" else "joined")
    asked = {
        "none picked": form(target),
        "room left": form(target, one),
        "ended": form(source, one),
        "nowhere": form(target, one) | {"to": "cv_none"},
    }[why]
    answer = visitor("operator").post(page_of(source), asked)
    assert answer.status_code == 400 and not Run.objects.exists()
    [(field, words)] = answer.context["errors"].items()
    assert field == ("echoes" if why == "none picked" else "to")
    assert words in answer.content.decode().replace("&#x27;", "'")


def test_a_form_that_is_sent_twice_starts_one_run_and_another_wish_another(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    [one] = said(source, "One.")
    client = visitor("operator")
    run = client.get(page_of(source)).context["wish"].run
    look = form(target, one, run=run, dry="1")
    assert client.post(page_of(source), look)["Location"] == f"{RUNS}{run}/change/"
    assert client.post(page_of(source), look)["Location"] == f"{RUNS}{run}/change/"
    assert Run.objects.count() == 1
    again = client.post(page_of(source), form(target, one, run=run))  # back from the look: now say it
    assert again["Location"] != f"{RUNS}{run}/change/" and Run.objects.count() == 2
    assert params(again)["dry"] is False


def test_one_echo_alone_and_none_of_another_conversation(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    one, _ = said(source, "One.", "Two.")
    other = make.echo(conversation=target)
    client = visitor("operator")
    alone = page_of(source, f"?echo={one.pk}")
    assert [line["echo"].pk for line in client.get(alone).context["lines"]] == [one.pk]
    assert params(client.post(alone, form(target, one)))["lines"] == [[one.pk, 0.0, None]]
    for query in (f"?echo={other.pk}", "?echo=x", "?echo=" + "9" * 30):
        assert client.get(page_of(source, query)).status_code == 404


def test_more_echoes_than_are_shown_are_told_and_said_or_not(
    visitor: Visitor, source: Conversation, target: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offering, "MOST", 2)
    echoes = said(source, "0.", "1.", "2.", "3.")
    make.echo(conversation=source, position=8, sending_at=None)
    client = visitor("operator")
    page = client.get(page_of(source))
    assert len(page.context["lines"]) == 2 and "2 more were sent after them" in page.content.decode()
    sent = params(client.post(page_of(source), form(target, echoes[1], rest="1")))
    assert [line[0] for line in sent["lines"]] == [one.pk for one in echoes[1:]]
    sent = params(client.post(page_of(source), form(target, echoes[1])))
    assert [line[0] for line in sent["lines"]] == [echoes[1].pk]


def test_the_form_asks_the_database_as_much_for_many_echoes_as_for_few(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    client = visitor("operator")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(page_of(source)).status_code == 200
        return len(seen)

    said(source, "One.")
    few = queries()
    said(source, *["More."] * 30)
    for _ in range(5):
        make.room()
    assert queries() == few


def test_sounds_can_be_listened_to_and_get_words_in_their_place(
    visitor: Visitor, source: Conversation, target: Conversation
) -> None:
    clip = new_clip(16000)
    append_samples(clip.pk, bytes(3200))
    sound = {"modality": "audio", "clip_id": clip.pk, "sample_rate": 16000, "seconds": 0.1}
    [one] = said(source, "", **sound)
    client = visitor("operator")
    page = client.get(page_of(source)).content.decode()
    [heard] = re.findall(r'<audio[^>]* src="([^"]+)"', page)
    assert client.get(heard).status_code == 200
    assert params(client.post(page_of(source), form(target, one)))["lines"] == [[one.pk, 0.0, None]]
    changed = form(target, one) | {f"text-{one.pk}": "Said instead."}
    assert params(client.post(page_of(source), changed))["lines"] == [[one.pk, 0.0, "Said instead."]]


def test_only_who_may_make_a_replica_speak_sees_the_form(visitor: Visitor, source: Conversation) -> None:
    assert visitor("auditor").get(page_of(source)).status_code == 403
    assert visitor("operator").get(page_of(source)).status_code == 200
