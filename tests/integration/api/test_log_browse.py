"""Browsing the log over REST: search, one entry with its neighbours, the bars, and clear answers to bad questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from echoadmin.log.index.duties import FOLLOWERS
from echoadmin.log.index.following import catch_up
from echoadmin.log.models import Entry
from echoadmin.log.writer import Draft, append

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]


@pytest.fixture
def client(client_of: ClientOf) -> APIClient:
    return client_of("auditor")


@pytest.fixture
def ids(db: None) -> list[int]:
    before = set(Entry.objects.values_list("id", flat=True))
    append(
        [
            Draft("cv_1", "app_message", "conversation.utterance", said=f"line {i}", message={"number": i % 3})
            for i in range(12)
        ]
    )
    newest = Entry.objects.order_by("-id").values_list("id", flat=True)[0]
    for follower in FOLLOWERS:
        catch_up(follower, newest)
    return sorted(set(Entry.objects.values_list("id", flat=True)) - before)


def test_words_and_values_are_searched_for_page_by_page(client: APIClient, ids: list[int]) -> None:
    first = client.get("/api/v1/entries/", {"text": "line number:1", "limit": 3}).json()
    assert [entry["id"] for entry in first["results"]] == [ids[10], ids[7], ids[4]]
    second = client.get(first["next"]).json()
    assert [entry["id"] for entry in second["results"]] == [ids[1]]
    assert second["next"] is None
    assert client.get(second["previous"]).json()["results"] == first["results"]
    of_one = client.get("/api/v1/entries/", {"text": '"line 7"', "conversation": "cv_1"}).json()
    assert [entry["id"] for entry in of_one["results"]] == [ids[7]]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"text": '"open'}, "text"),
        ({"text": "x" * 10_240}, "text"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"at_after": "2024-01-02T00:00Z", "at_before": "2024-01-01T00:00Z"}, "at_before"),
        ({"kind": "sound"}, "kind"),
    ],
)
def test_a_question_that_can_not_be_is_answered_with_400_and_its_name(
    client: APIClient, params: dict[str, str], field: str
) -> None:
    paths = {"entries/", "messages/", "entries/histogram/"}
    paths -= {"cursor": {"entries/histogram/"}, "kind": {"messages/"}}.get(field, set())
    for path in paths:
        answer = client.get(f"/api/v1/{path}", params)
        assert answer.status_code == 400, path
        assert field in answer.json()["error"]["fields"]


def test_a_cursor_of_another_filter_is_refused(client: APIClient, ids: list[int]) -> None:
    cursor = (
        client.get("/api/v1/entries/", {"text": "line", "limit": 2}).json()["next"].split("cursor=")[1].split("&")[0]
    )
    answer = client.get("/api/v1/entries/", {"text": "lines", "cursor": cursor})
    assert answer.status_code == 400
    assert "another filter" in answer.json()["error"]["fields"]["cursor"][0]


def test_an_entry_has_its_neighbours_in_its_stream_beside_it(client: APIClient, ids: list[int]) -> None:
    answer = client.get(f"/api/v1/entries/{ids[5]}/", {"around": 2}).json()
    shown: dict[str, Any] = {name: [entry["n"] for entry in answer[name]] for name in ("before", "after")}
    assert (shown["before"], answer["entry"]["n"], shown["after"]) == ([4, 5], 6, [7, 8])
    first = client.get(f"/api/v1/entries/{ids[0]}/").json()
    assert (first["before"], len(first["after"])) == ([], 10)
    assert client.get(f"/api/v1/entries/{ids[0]}/", {"around": 101}).status_code == 400


@pytest.mark.parametrize("entry_id", [0, 2**62, 2**70])
def test_an_entry_that_is_not_there_is_404_with_a_reason(client: APIClient, entry_id: int) -> None:
    answer = client.get(f"/api/v1/entries/{entry_id}/")
    assert answer.status_code == 404
    assert "pruned" in answer.json()["error"]["message"]


def test_the_bars_count_what_the_filter_finds(client: APIClient, ids: list[int]) -> None:
    bars = client.get("/api/v1/entries/histogram/", {"conversation": "cv_1", "bars": 30}).json()
    assert (sum(bars["bars"]), bars["filtered"], bars["step"]) == (12, True, 60)
    assert client.get("/api/v1/entries/histogram/", {"text": "line"}).json()["filtered"] is False
    assert client.get("/api/v1/entries/histogram/", {"bars": 0}).status_code == 400
