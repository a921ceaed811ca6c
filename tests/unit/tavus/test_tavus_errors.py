"""Each documented refusal, and each undocumented accident, becomes the right error of the tree."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from echoadmin.tavus import errors
from echoadmin.tavus.client import TavusClient
from tests.unit.tavus.conftest import KEY
from tests.unit.tavus.upstream_server import Answer, ScriptedUpstream

DICT_IN_TEXT = {"error": "Bad Request. {'default_face_id': ['default_face_id is required when creating a pal.']}"}
HTML = b"<!DOCTYPE html><html><body>Sign in to the hotel network</body></html>"


def create(client: TavusClient) -> Any:
    return client.create_conversation({"persona_id": "p1"})


def get(client: TavusClient) -> Any:
    return client.get_persona("p1")


@pytest.mark.parametrize(
    ("act", "status", "body", "error", "words"),
    [
        (create, 400, DICT_IN_TEXT, errors.InvalidRequest, "default_face_id is required"),
        (create, 400, {"error": "Invalid replica_id"}, errors.InvalidRequest, "Invalid replica_id"),
        (
            create,
            400,
            {"message": "User has reached maximum concurrent conversations"},
            errors.ConcurrencyReached,
            "maximum",
        ),
        (
            create,
            429,
            {"message": "User has reached maximum concurrent conversations"},
            errors.ConcurrencyReached,
            "maximum",
        ),
        (create, 401, {"message": "Invalid access token"}, errors.Unauthorised, "Invalid access token"),
        (create, 403, HTML, errors.Unauthorised, "hotel"),
        (create, 402, {"message": "The user is out of conversational credits."}, errors.OutOfCredits, "credits"),
        (create, 402, b"", errors.OutOfCredits, ""),
        (create, 409, {"error": "busy"}, errors.Conflict, "busy"),
        (create, 429, {"detail": "slow down"}, errors.RateLimited, "slow down"),
        (create, 404, {"message": "no route"}, errors.BadReply, "no route"),
        (create, 404, HTML, errors.BadReply, "hotel"),
        (create, 418, {"message": "teapot"}, errors.BadReply, "teapot"),
        (get, 400, {"error": "Invalid persona_id"}, errors.NotFound, "Invalid persona_id"),
        (get, 400, {"error": "Invalid pal_id"}, errors.NotFound, "Invalid pal_id"),
        (get, 400, {"error": "Invalid replica_id"}, errors.InvalidRequest, "Invalid replica_id"),
        (get, 404, {"message": "gone"}, errors.NotFound, "gone"),
        (get, 404, b"", errors.NotFound, ""),
        (get, 404, HTML, errors.BadReply, "hotel"),
        (get, 422, {"message": "Invalid JSON patch format"}, errors.InvalidRequest, "JSON patch"),
        (get, 500, {"error": "boom"}, errors.Unavailable, "boom"),
    ],
)
def test_a_refusal_is_told_with_upstreams_words_and_a_way_out(
    client: TavusClient, upstream: ScriptedUpstream, act: Callable[[TavusClient], Any], status: int, body: Any,
    error: type[errors.TavusError], words: str,
) -> None:  # fmt: skip
    upstream.script(Answer(status, body))
    with pytest.raises(errors.TavusError) as caught:
        act(client)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert words in caught.value.upstream
    assert caught.value.may_have_happened is False
    assert caught.value.code.startswith("upstream_")
    assert caught.value.way_out.endswith(".")
    assert len(upstream.asked) == 1, "what is refused is not asked again"


def test_field_errors_inside_the_text_are_read_in_the_old_words(
    client: TavusClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(
        Answer(400, DICT_IN_TEXT),
        Answer(400, {"error": "Bad Request. {'broken"}),
        Answer(400, {"error": "Invalid face_uuid"}),
    )
    found = []
    for _ in range(3):
        with pytest.raises(errors.InvalidRequest) as caught:
            client.create_persona({"persona_name": "x"})
        found.append(caught.value.fields)
    assert found == [
        {"default_replica_id": ["default_face_id is required when creating a pal."]},
        {},
        {"replica_id": ["Invalid face_uuid"]},
    ]


def test_a_conflict_says_whether_it_is_about_unsaved_edits(client: TavusClient, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(409, {"error": "unsaved", "conflict": "maker_changes"}), Answer(200, {"pal_id": "p1"}))
    patch = [{"op": "replace", "path": "/persona_name", "value": "x"}]
    with pytest.raises(errors.Conflict) as caught:
        client.patch_persona("p1", patch)
    assert caught.value.maker_changes
    assert client.patch_persona("p1", patch, force=True) == {"persona_id": "p1"}
    assert upstream.targets() == ["PATCH /v2/personas/p1", "PATCH /v2/personas/p1?force=true"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(cut="before"), "lost"),
        (Answer(200, {"conversation_id": "c1", "conversation_url": "x"}, cut="middle"), "lost"),
        (Answer(500, {"error": "boom"}), "boom"),
        (Answer(502, HTML), "without a word"),
        (Answer(200, HTML), "web page"),
        (Answer(200, b"{half"), "not JSON"),
        (Answer(200, b'{"conversation_id": NaN}'), "not JSON"),
        (Answer(200, b"[" * 100_000), "not JSON"),
        (Answer(200, {"status": "active"}), "holds no conversation_id"),
        (Answer(200, None), "holds no conversation_id"),
        (Answer(200, ["c1"]), "holds no conversation_id"),
    ],
)
def test_a_create_whose_answer_is_lost_may_have_happened_and_is_never_repeated(
    client: TavusClient, upstream: ScriptedUpstream, answer: Answer, why: str
) -> None:
    upstream.script(answer)
    with pytest.raises(errors.AnswerLost) as caught:
        create(client)
    assert caught.value.may_have_happened is True
    assert why in str(caught.value)
    assert len(upstream.asked) == 1


def test_a_create_without_an_answer_in_time_may_have_happened(make_client: Any, upstream: ScriptedUpstream) -> None:
    release = threading.Event()
    upstream.script(Answer(200, {"conversation_id": "c1"}, hold=release))
    with pytest.raises(errors.AnswerLost):
        create(make_client(read_timeout=0.1))
    release.set()
    assert len(upstream.asked) == 1


def test_a_create_that_met_no_server_certainly_did_not_happen(make_client: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = make_client(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(errors.Unavailable) as caught:
            create(client)
    assert caught.value.may_have_happened is False


@pytest.mark.parametrize(
    ("status", "may_have_happened"), [(301, False), (307, False), (308, False), (302, True), (303, True)]
)
def test_a_redirect_is_a_bad_reply_and_is_not_followed(
    client: TavusClient, upstream: ScriptedUpstream, status: int, may_have_happened: bool
) -> None:
    upstream.script(Answer(status, None, {"location": f"{upstream.url}/elsewhere?token=abc123"}))
    with pytest.raises(errors.BadReply) as caught:
        create(client)
    assert caught.value.may_have_happened is may_have_happened
    assert "elsewhere" in caught.value.upstream and "abc123" not in caught.value.upstream
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("body", [HTML, b"{half", {"data": "x"}, {"data": [1]}, {"rows": []}, ["x"], None])
def test_a_list_of_another_shape_is_a_bad_reply(client: TavusClient, upstream: ScriptedUpstream, body: Any) -> None:
    upstream.script(Answer(200, body))
    with pytest.raises(errors.BadReply):
        list(client.iter_personas())


@pytest.mark.parametrize("body", [None, {}, {"data": {}}, {"data": [{}, {}]}, "text"])
def test_a_persona_of_another_shape_is_a_bad_reply(client: TavusClient, upstream: ScriptedUpstream, body: Any) -> None:
    upstream.script(Answer(200, body))
    with pytest.raises(errors.BadReply):
        client.get_persona("p1")


def test_an_answer_over_the_limit_is_not_read_to_its_end(make_client: Any, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(200, {"persona_name": "x" * 5000}), Answer(200, {"conversation_id": "x" * 5000}))
    client = make_client(reply_limit=1000)
    with pytest.raises(errors.BadReply):
        client.get_persona("p1")
    with pytest.raises(errors.AnswerLost):
        create(client)


def test_upstreams_words_are_short_and_hold_no_key(client: TavusClient, upstream: ScriptedUpstream) -> None:
    upstream.script(Answer(400, {"error": f"{KEY} " + "ü" * 9000}))
    with pytest.raises(errors.InvalidRequest) as caught:
        create(client)
    assert KEY not in caught.value.upstream + str(caught.value)
    assert len(caught.value.upstream.encode()) <= 2048


@pytest.mark.parametrize("bad", ["", "..", "a/b", "p 1", "p?x=1", "x" * 201])
def test_an_impossible_id_is_not_found_without_asking(
    client: TavusClient, upstream: ScriptedUpstream, bad: str
) -> None:
    with pytest.raises(errors.NotFound):
        client.get_conversation(bad)
    assert upstream.asked == []


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": object()}, {"x": "\ud800"}])
def test_a_body_that_is_no_json_is_refused_without_asking(
    client: TavusClient, upstream: ScriptedUpstream, body: Any
) -> None:
    with pytest.raises(errors.InvalidRequest):
        client.create_conversation(body)
    assert upstream.asked == []


@pytest.mark.parametrize("base_url", ["tavusapi.com", "ftp://tavusapi.com", "", "https://"])
def test_a_base_url_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(ValueError, match="TAVUS_API_URL"):
        TavusClient(base_url, KEY)


def test_a_key_with_a_line_break_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="TAVUS_API_KEY") as caught:
        TavusClient("https://tavusapi.com", "secret\n")
    assert "secret" not in str(caught.value)
