"""What the client asks for, how it pages, when it tries again, and what an observer sees."""

from __future__ import annotations

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from echoadmin.tavus import errors
from echoadmin.tavus.client import TavusClient
from echoadmin.tavus.exchange import Exchange
from tests.unit.tavus.conftest import KEY
from tests.unit.tavus.upstream_server import Answer, ScriptedUpstream


def page(ids: list[int], total: int | None = None, key: str = "persona_id") -> Answer:
    return Answer(200, {"data": [{key: f"p{i}"} for i in ids]} | ({} if total is None else {"total_count": total}))


def ids(rows: Any) -> list[str]:
    return [row["persona_id"] for row in rows]


def test_every_endpoint_is_asked_as_documented(client: TavusClient, upstream: ScriptedUpstream) -> None:
    upstream.script(
        Answer(200, {"persona_id": "p1"}), Answer(204), Answer(200, {"replica_id": "r1", "status": "started"}),
        Answer(200), Answer(200), Answer(200, {"conversation_id": "c1"}), Answer(200, {"conversation_id": "c1"}),
        Answer(200), Answer(204),
        Answer(200, {"data": [], "total_count": 0}), Answer(200, {"data": []}), Answer(200, {"data": []}),
    )  # fmt: skip
    client.create_persona({"pal_name": "Echo"})
    client.delete_persona("p1")
    client.create_replica({"face_name": "F", "train_video_url": "https://x"})
    client.rename_replica("r1", "New")
    client.delete_replica("r1", hard=True)
    client.create_conversation({"persona_id": "p1"})
    client.get_conversation("c1")
    client.end_conversation("c1")
    client.delete_conversation("c1")
    client.list_conversations(status="active", limit=5, page=2)
    client.list_replicas(replica_type="system")
    client.list_personas(persona_type="user")
    assert upstream.targets() == [
        "POST /v2/personas",
        "DELETE /v2/personas/p1",
        "POST /v2/replicas",
        "PATCH /v2/replicas/r1/name",
        "DELETE /v2/replicas/r1?hard=true",
        "POST /v2/conversations",
        "GET /v2/conversations/c1?verbose=true",
        "POST /v2/conversations/c1/end",
        "DELETE /v2/conversations/c1",
        "GET /v2/conversations?status=active&limit=5&page=2",
        "GET /v2/replicas?replica_type=system&verbose=true&limit=100&page=1",
        "GET /v2/personas?persona_type=user&limit=100&page=1",
    ]
    assert upstream.asked[0].body == {"persona_name": "Echo"}
    assert upstream.asked[3].body == {"replica_name": "New"}
    assert all(asked.headers["x-api-key"] == KEY for asked in upstream.asked)


def test_the_new_vocabulary_is_written_when_configured(make_client: Any, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(200, {"pal_id": "p1"}), Answer(200, {"data": []}), Answer(200, {"conversation_id": "c1"}))
    client = make_client(vocabulary="pal", base_url=upstream.url + "/v2/")
    assert client.create_persona({"persona_name": "Echo", "default_replica_id": "r1"}) == {"persona_id": "p1"}
    client.list_replicas(replica_type="user", verbose=False)
    client.create_conversation({"persona_id": "p1", "replica_id": "r1"})
    assert upstream.targets() == [
        "POST /v2/pals",
        "GET /v2/faces?face_type=user&limit=100&page=1",
        "POST /v2/conversations",
    ]
    assert upstream.asked[0].body == {"pal_name": "Echo", "default_face_id": "r1"}
    assert upstream.asked[2].body == {"pal_id": "p1", "face_id": "r1"}


@pytest.mark.parametrize(
    "body", [{"pal_id": "p1", "x": 1}, {"data": {"pal_id": "p1", "x": 1}}, {"data": [{"persona_id": "p1", "x": 1}]}]
)
def test_a_persona_is_read_in_all_three_wrappings(client: TavusClient, upstream: ScriptedUpstream, body: Any) -> None:
    upstream.script(Answer(200, body))
    assert client.get_persona("p1") == {"persona_id": "p1", "x": 1}


def test_an_empty_list_for_one_persona_means_not_found(client: TavusClient, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(200, {"data": []}))
    with pytest.raises(errors.NotFound):
        client.get_persona("p1")


def test_nothing_to_change_is_told_apart_from_a_change(client: TavusClient, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(304), Answer(200, {"persona_id": "p1"}))
    patch = [{"op": "replace", "path": "/persona_name", "value": "x"}]
    assert client.patch_persona("p1", patch) is None
    assert client.patch_persona("p1", patch) == {"persona_id": "p1"}
    assert upstream.asked[0].body == patch


class TestPaging:
    def test_it_goes_on_until_the_promised_total_was_seen(
        self, client: TavusClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(page([*range(100)], 150), page([*range(100, 150)], 150))
        assert len(ids(client.iter_personas())) == 150
        assert len(upstream.asked) == 2

    def test_a_page_shorter_than_asked_for_is_not_the_end(
        self, client: TavusClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(page([1, 2], 5), page([3, 4], 5), page([5], 5))
        assert ids(client.iter_personas()) == ["p1", "p2", "p3", "p4", "p5"]

    def test_without_a_total_it_ends_with_an_empty_page(self, client: TavusClient, upstream: ScriptedUpstream) -> None:
        upstream.script(page([1, 2]), page([3]), page([]))
        assert ids(client.iter_personas()) == ["p1", "p2", "p3"]

    def test_a_total_that_drifts_neither_cuts_nor_doubles(
        self, client: TavusClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(page([*range(100)], 101), page([99, 100, 101], 103), page([], 103))
        rows = ids(client.iter_personas())
        assert rows == [f"p{i}" for i in range(102)]

    def test_a_total_that_counts_only_the_page_does_not_hide_the_rest(
        self, client: TavusClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(page([*range(100)], 100), page([100], 1))
        assert len(ids(client.iter_personas())) == 101

    def test_a_server_that_ignores_the_page_ends_after_one_repetition(
        self, client: TavusClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(page([1, 2], 9), page([1, 2], 9))
        assert ids(client.iter_personas()) == ["p1", "p2"]

    def test_mixed_rows_are_one_list(self, client: TavusClient, upstream: ScriptedUpstream) -> None:
        upstream.script(
            Answer(200, {"data": [{"pal_id": "p1"}, {"persona_id": "p2"}, {"persona_id": "p1"}], "total_count": 2})
        )
        assert ids(client.iter_personas()) == ["p1", "p2"]

    def test_a_list_without_end_is_cut_after_a_hundred_pages_and_says_so(
        self, client: TavusClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(*[page([i], 10**6) for i in range(101)])
        rows = []
        with pytest.raises(errors.BadReply, match="100 pages"):
            rows.extend(row for row in client.iter_personas())
        assert len(upstream.asked) == 100


class TestTryingAgain:
    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_read_is_tried_again(
        self, client: TavusClient, upstream: ScriptedUpstream, waits: list[float], status: int
    ) -> None:
        upstream.script(Answer(status, {"error": "x"}), Answer(cut="before"), Answer(200, {"persona_id": "p1"}))
        assert client.get_persona("p1") == {"persona_id": "p1"}
        assert len(waits) == 2 and 0.1 <= waits[0] <= 0.4 and 0.2 <= waits[1] <= 0.8

    def test_after_three_attempts_it_gives_up(self, client: TavusClient, upstream: ScriptedUpstream) -> None:
        upstream.script(*[Answer(503, {"error": "down"})] * 5)
        with pytest.raises(errors.Unavailable):
            client.get_persona("p1")
        assert len(upstream.asked) == 3

    def test_what_upstream_asks_to_wait_is_honoured(
        self, client: TavusClient, upstream: ScriptedUpstream, waits: list[float]
    ) -> None:
        upstream.script(Answer(429, {"error": "x"}, {"retry-after": "7"}), Answer(200, {"persona_id": "p1"}))
        client.get_persona("p1")
        assert waits == [7.0]

    def test_too_long_a_wait_is_told_instead(
        self, client: TavusClient, upstream: ScriptedUpstream, waits: list[float]
    ) -> None:
        upstream.script(Answer(429, {"error": "x"}, {"retry-after": "3600"}))
        with pytest.raises(errors.RateLimited) as caught:
            client.get_persona("p1")
        assert caught.value.retry_after == 3600
        assert waits == []

    @pytest.mark.parametrize(
        "write",
        [
            lambda c: c.create_persona({"persona_name": "x"}),
            lambda c: c.create_replica({"train_video_url": "https://x"}),
            lambda c: c.create_conversation({"persona_id": "p"}),
            lambda c: c.patch_persona("p", [{"op": "remove", "path": "/x"}]),
            lambda c: c.rename_replica("r", "x"),
            lambda c: c.end_conversation("c"),
            lambda c: c.delete_persona("p"),
            lambda c: c.delete_replica("r"),
            lambda c: c.delete_conversation("c"),
        ],
    )
    @pytest.mark.parametrize("answer", [Answer(503, {"error": "x"}), Answer(429, {"error": "x"}), Answer(cut="before")])
    def test_no_write_is_ever_repeated(
        self, client: TavusClient, upstream: ScriptedUpstream, waits: list[float], write: Any, answer: Answer
    ) -> None:
        upstream.script(answer, answer)
        with pytest.raises(errors.TavusError):
            write(client)
        assert len(upstream.asked) == 1 and waits == []


class TestObserver:
    def test_it_sees_each_attempt_with_secrets_masked(
        self, client: TavusClient, upstream: ScriptedUpstream, exchanges: list[Exchange]
    ) -> None:
        upstream.script(
            Answer(503, b"down"), Answer(200, {"persona_id": "p1", "layers": {"tts": {"api_key": "hidden"}}}),
            Answer(200, {"conversation_id": "c1", "meeting_token": "hidden"}),
        )  # fmt: skip
        client.get_persona("p1")
        answer = client.create_conversation({"persona_id": "p1", "properties": {"livekit_room_token": "hidden"}})
        assert answer["meeting_token"] == "hidden", "the caller gets what upstream gave"
        first, second, third = exchanges
        assert (first.method, first.path, first.status, first.attempt, first.response_body) == (
            "GET",
            "/v2/personas/p1",
            503,
            1,
            "down",
        )
        assert (second.status, second.attempt, second.error) == (200, 2, None)
        assert third.request_body == {"persona_id": "p1", "properties": {"livekit_room_token": "[redacted]"}}
        assert third.response_body == {"conversation_id": "c1", "meeting_token": "[redacted]"}
        assert first.started_at.tzinfo is dt.UTC and 0 <= first.seconds < 60
        shown = json.dumps([[e.request_body, e.response_body, e.query] for e in exchanges])
        assert "hidden" not in shown and KEY not in repr(exchanges)

    def test_it_sees_the_call_that_got_no_answer(
        self, client: TavusClient, upstream: ScriptedUpstream, exchanges: list[Exchange]
    ) -> None:
        upstream.script(Answer(cut="before"))
        with pytest.raises(errors.AnswerLost):
            client.end_conversation("c1")
        assert exchanges[0].status is None and exchanges[0].error and "lost" in exchanges[0].error

    def test_its_own_failure_does_not_cost_the_answer(
        self, make_client: Any, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(exchange: Exchange) -> None:
            raise RuntimeError("the log is full")

        upstream.script(Answer(200, {"conversation_id": "c1"}))
        assert make_client(observer=broken).create_conversation({"persona_id": "p"}) == {"conversation_id": "c1"}
        assert "the log is full" in caplog.text


def test_many_threads_share_one_client(
    client: TavusClient, upstream: ScriptedUpstream, exchanges: list[Exchange]
) -> None:
    upstream.script(*[Answer(200, {"persona_id": "p1"})] * 60)
    started = threading.Barrier(6)

    def ask(_: int) -> int:
        started.wait()
        return sum(client.get_persona("p1") == {"persona_id": "p1"} for _ in range(10))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 60
    assert len(exchanges) == 60


def test_a_proxy_of_the_environment_is_not_used_for_this_host(
    make_client: Any, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    upstream.script(Answer(200, {"persona_id": "p1"}))
    assert make_client().get_persona("p1") == {"persona_id": "p1"}


def test_the_key_is_not_shown_by_the_client_itself(client: TavusClient) -> None:
    assert KEY not in repr(client) + str(client)
