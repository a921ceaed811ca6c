"""Every POST of the API honours an Idempotency-Key: what it does is done once, and its first answer is given again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient

from conversations.models import Echo, EchoState, Interaction
from echoadmin import sealed
from echoadmin.accounts.models import ApiKey, IdempotentRequest
from echoadmin.actors import Actor
from echoadmin.api.views import View
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.idempotency import keeping
from echoadmin.log.models import Entry
from echoadmin.runs import start_run
from tests import make

ClientOf = Callable[..., APIClient]
FIRST = {"first": "answer"}


def posts(patterns: Any = None, at: str = "/") -> Iterator[str]:
    """Every address under /api/v1/ that takes a POST, its parts filled in with something."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        here = at + str(one.pattern).lstrip("^").rstrip("$")
        if isinstance(one, URLResolver):
            yield from posts(one.url_patterns, here)
        elif here.startswith("/api/v1/") and hasattr(getattr(one.callback, "cls", None), "post"):
            yield filled(one, here)


def filled(pattern: URLPattern, path: str) -> str:
    for name, converter in pattern.pattern.converters.items():
        kind = {"IntConverter": ("int", "1"), "StringConverter": ("str", "x")}[type(converter).__name__]
        path = path.replace(f"<{kind[0]}:{name}>", kind[1])
    return path


EVERY_POST = sorted(posts())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "WAIT", 0.1)
    monkeypatch.setattr(keeping, "LOOK_EVERY", 0.01)


@pytest.fixture
def admin(db: None) -> APIClient:
    """An admin who is signed in: some addresses are for no key."""
    client = APIClient()
    client.force_authenticate(make.user("admin", "admin"))
    return client


def answered_before(path: str, body: dict[str, Any], status: int | None = 299) -> None:
    """What an equal request left."""
    key = ApiKey.objects.first()
    IdempotentRequest.objects.create(
        who=f"key:{key.prefix}" if key else f"user:{User.objects.get().pk}",
        method="POST",
        path=path,
        key="k",
        body_sha256=sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest(),
        holder="elsewhere|1|x",
        created_at=timezone.now(),
        status=status,
        answer=sealed.seal(json.dumps(FIRST)) if status else "",
    )


def send(client: APIClient, path: str, body: dict[str, Any]) -> Any:
    text = json.dumps(body, separators=(",", ":"))
    return client.post(path, text, content_type="application/json", headers={"Idempotency-Key": "k"})


def test_the_walk_finds_the_addresses() -> None:
    assert len(EVERY_POST) >= 35
    assert "/api/v1/conversations/x/echoes/x/approve/" in EVERY_POST


@pytest.mark.parametrize("path", EVERY_POST)
def test_an_equal_request_gets_the_first_answer_and_another_is_refused(admin: APIClient, path: str) -> None:
    answered_before(path, {"a": 1})
    again = send(admin, path, {"a": 1})
    assert (again.status_code, json.loads(again.content)) == (299, FIRST)
    assert again["Idempotent-Replayed"] == "true"
    for other in (send(admin, path, {"a": 2}), send(admin, f"{path}?other=query", {"a": 1})):
        assert other.status_code == 409, other.content
        assert other.json()["error"]["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("path", EVERY_POST)
def test_one_under_way_is_waited_for_and_then_named_with_a_time(admin: APIClient, path: str) -> None:
    answered_before(path, {"a": 1}, status=None)
    answer = send(admin, path, {"a": 1})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "idempotency_in_progress"
    assert int(answer["Retry-After"]) >= 1


# --- what is done, is done once ---


def approve(client: APIClient) -> tuple[str, Any]:
    echo = make.echo(state=EchoState.HELD, actor="somebody else", closed_at=timezone.now())
    at = f"/api/v1/conversations/{make.room(conversation=echo.conversation).conversation.public_id}"
    return f"{at}/echoes/{echo.inference_id}/approve/", lambda: Echo.objects.get(pk=echo.pk).decided_by


def interact(client: APIClient) -> tuple[str, Any]:
    at = f"/api/v1/conversations/{make.room().conversation.public_id}"
    return f"{at}/interactions/", Interaction.objects.count


def interrupt(client: APIClient) -> tuple[str, Any]:
    at = f"/api/v1/conversations/{make.room().conversation.public_id}"
    return f"{at}/interrupt/", Interaction.objects.count


def floor(client: APIClient) -> tuple[str, Any]:
    at = f"/api/v1/conversations/{make.room().conversation.public_id}"
    return f"{at}/floor/", Entry.objects.filter(event_type__startswith="floor").count


def join(client: APIClient) -> tuple[str, Any]:
    at = f"/api/v1/conversations/{make.room(wanted='idle').conversation.public_id}"
    return f"{at}/join/", Entry.objects.filter(event_type="room.join").count


def pause(client: APIClient) -> tuple[str, Any]:
    run = start_run(actor=Actor("ana"), kind="export", params={})
    return f"/api/v1/runs/{run.public_id}/pause/", Entry.objects.filter(event_type="run.paused").count


def ping(client: APIClient) -> tuple[str, Any]:
    return f"/api/v1/subscriptions/{subscription().public_id}/ping/", Delivery.objects.count


def subscription() -> Subscription:
    return Subscription.objects.create(public_id="sb_1", url="https://receiver.example/", event_types=[])


BODIES: dict[Any, dict[str, Any]] = {
    interact: {"event_type": "conversation.respond", "properties": {"text": "Hello."}},
    floor: {"action": "take"},
}


@pytest.mark.parametrize("act", [approve, interact, interrupt, floor, join, pause, ping])
def test_an_act_is_done_once_and_its_answer_given_again(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, settings: Any, act: Any
) -> None:
    settings.INTERRUPT_DEADLINE = -0.9
    client = client_of("admin")
    path, done = act(client)
    body = BODIES.get(act, {})
    before = done()
    first = send(client, path, body)
    assert first.status_code < 300, first.content
    assert "Idempotent-Replayed" not in first
    after = done()
    assert after != before
    again = send(client, path, body)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert done() == after


def test_an_act_and_its_answer_are_there_together_or_not_at_all(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("operator")
    client.raise_request_exception = False
    path, done = interact(client)

    def dies(*_: Any) -> None:
        raise RuntimeError("a crash before the answer is kept")

    with monkeypatch.context() as broken:
        broken.setattr("echoadmin.idempotency.keep_answer", dies)
        assert send(client, path, BODIES[interact]).status_code == 500
    assert not done(), "nothing was done"
    assert send(client, path, BODIES[interact]).status_code == 202
    assert done() == 1


def test_a_secret_that_is_shown_once_does_not_lie_in_the_database(client_of: ClientOf) -> None:
    client = client_of("manager")
    path = f"/api/v1/subscriptions/{subscription().public_id}/rotate/"
    secret = send(client, path, {}).json()["secret"]
    assert secret.startswith("whsec_")
    kept = IdempotentRequest.objects.get()
    assert secret not in kept.answer
    assert secret[6:30] not in kept.answer
    assert send(client, path, {}).json()["secret"] == secret


def test_answers_that_were_kept_before_are_sealed_by_the_migration(db: None) -> None:
    row = {"who": "user:1", "method": "POST", "path": "/", "ref": "", "holder": "", "body_sha256": ""}
    IdempotentRequest.objects.create(key="a", created_at=timezone.now(), answer='{"secret": "s"}', **row)
    IdempotentRequest.objects.create(key="b", created_at=timezone.now(), answer="", **row)
    migration = import_module("echoadmin.accounts.migrations.0004_sealed_answers")
    migration.seal_answers(apps, None)
    kept = IdempotentRequest.objects.get(key="a")
    assert "secret" not in kept.answer
    assert keeping.answer_of(kept) == '{"secret": "s"}'
    assert keeping.answer_of(IdempotentRequest.objects.get(key="b")) == ""
    migration.unseal_answers(apps, None)
    assert IdempotentRequest.objects.get(key="a").answer == '{"secret": "s"}'


def test_an_answer_sealed_with_another_secret_key_is_told_as_lost(client_of: ClientOf, settings: Any) -> None:
    client = client_of("manager")
    path = f"/api/v1/subscriptions/{subscription().public_id}/ping/"
    assert send(client, path, {}).status_code == 202
    settings.SECRET_KEY = "another one " * 5
    answer = send(client, path, {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert Delivery.objects.count() == 1


def test_a_key_for_what_is_not_there_is_free_again(client_of: ClientOf) -> None:
    path = "/api/v1/conversations/cv_none/echoes/"
    assert send(client_of("operator"), path, {"text": "Hi."}).status_code == 404
    assert not IdempotentRequest.objects.exists()


def test_who_waits_holds_no_connection(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of("operator")
    path, _ = interact(client)
    answered_before(path, {}, status=None)
    let_go: list[int] = []
    monkeypatch.setattr(keeping, "let_go", lambda: let_go.append(1))
    send(client, path, {})
    assert let_go, "it gave its connection back before each sleep"


def test_a_view_of_its_own_honours_it_without_a_word(client_of: ClientOf, rf: Any) -> None:
    class Shout(View):
        def post(self, request: Any) -> Response:
            return Response({}, status=201)

    assert hasattr(Shout.post, "handles_key")


def test_a_day_old_key_is_new(client_of: ClientOf) -> None:
    client = client_of("operator")
    path, done = interact(client)
    send(client, path, BODIES[interact])
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    send(client, path, BODIES[interact])
    assert done() == 2
