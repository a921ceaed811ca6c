"""What the composer asks of the server, and what is not let in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from conversations import interactions
from conversations.models import Echo
from conversations.services import lines
from echoadmin.actors import Actor
from echoadmin.log.models import Clip
from tests import make

Visitor = Callable[[str | None], Client]


@pytest.mark.django_db
def test_it_tells_where_a_text_will_be_cut_and_says_nothing(visitor: Visitor) -> None:
    row = make.room(wanted="joined").conversation
    text = "Ein Satz, der „so“ weitergeht. " * 200
    base = f"/admin/conversations/conversation/{row.public_id}/change/cuts/"
    told = visitor("operator").post(base, {"text": text}, headers={"Accept": "application/json"}).json()
    parts = interactions.split_text(text, row.upstream_id, "0" * 32)
    assert [one["characters"] for one in told["parts"]] == [len(part) for part in parts]
    assert told["seconds"] == pytest.approx(interactions.estimated_seconds(text))
    assert not Echo.objects.exists()
    assert visitor("auditor").post(base, {"text": text}).status_code == 403
    empty = visitor("operator").post(base, {"text": ""}, headers={"Accept": "application/json"})
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "empty")


@pytest.mark.django_db
def test_a_saved_line_is_said_once_by_who_may_and_its_samples_stay_while_it_waits(visitor: Visitor) -> None:
    room, ana = make.room(wanted="joined"), Actor(name="ana", user_id=1, role="operator")
    base = f"/admin/conversations/conversation/{room.conversation.public_id}/change/lines/"
    clip = lines.save_samples(actor=ana, name="Clip", pcm=[b"\1\0" * 2400], sample_rate=24_000, shared=True)
    text = make.line(text="Welcome.")
    json = {"Accept": "application/json"}
    for line in (clip, text):
        path = f"{base}{line.public_id}/say/"
        assert visitor("auditor").post(path, headers=json).status_code == 403
        answers = [visitor("operator").post(path, {"inference_id": line.public_id}, headers=json) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
    said = list(Echo.objects.order_by("position").values_list("clip_id", "text"))
    assert said == [(clip.clip_id, ""), (None, "Welcome.")]
    lines.delete_line(actor=ana, line=clip)
    assert Clip.objects.filter(pk=said[0][0]).exists()
