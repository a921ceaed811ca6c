"""`Idempotency-Key`: sent twice, made once, whatever happened in between."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.models import Conversation, Echo
from echoadmin.accounts.models import IdempotentRequest
from echoadmin.duties import REGISTRY
from echoadmin.idempotency import keeping as idempotency
from tests import make

ClientOf = Callable[..., APIClient]
HELLO = {"text": "Hello."}
DEAD_PID = 2**22 + 5  # above Linux's highest


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT", 0.5)
    monkeypatch.setattr(idempotency, "LOOK_EVERY", 0.01)


@pytest.fixture
def url(db: None) -> str:
    return f"/api/v1/conversations/{make.room().conversation.public_id}/echoes/"


def row_of(client: APIClient, url: str, key: str = "k", **columns: Any) -> IdempotentRequest:
    """What a first request that is still under way leaves."""
    client.post(url, HELLO, headers={"Idempotency-Key": key})
    Echo.objects.all().delete()
    IdempotentRequest.objects.filter(key=key).update(status=None, answer="", **columns)
    return IdempotentRequest.objects.get(key=key)


def test_the_same_request_gets_the_same_answer_and_makes_nothing_more(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    first = client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    again = client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.content == again.content
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Echo.objects.count() == 1


def test_another_key_another_user_another_address_are_other_requests(client_of: ClientOf, url: str) -> None:
    other = f"/api/v1/conversations/{make.room().conversation.public_id}/echoes/"
    operator, manager = client_of("operator"), client_of("manager")
    for client, where, key in ((operator, url, "k"), (operator, url, "l"), (operator, other, "k"), (manager, url, "k")):
        assert client.post(where, HELLO, headers={"Idempotency-Key": key}).status_code == 202
    assert Echo.objects.count() == 4


def test_another_body_under_the_same_key_is_409(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    response = client.post(url, {"text": "Other."}, headers={"Idempotency-Key": "k"})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "idempotency_key_reused"
    assert Echo.objects.count() == 1


@pytest.mark.parametrize("key", ["x" * 256, "ä", ""])
def test_a_key_that_is_none_is_refused(client_of: ClientOf, url: str, key: str) -> None:
    response = client_of("operator").post(url, HELLO, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["error"]["fields"]


def test_a_refused_request_frees_its_key(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    assert client.post(url, {"text": ""}, headers={"Idempotency-Key": "k"}).status_code == 400
    assert client.post(url, HELLO, headers={"Idempotency-Key": "k"}).status_code == 202


def test_a_request_that_breaks_frees_its_key(client_of: ClientOf, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of("operator")
    with monkeypatch.context() as broken:
        broken.setattr("conversations.api.echoes.speak", lambda *_: 1 / 0)
        assert client.post(url, HELLO, headers={"Idempotency-Key": "k"}).status_code == 500
    assert client.post(url, HELLO, headers={"Idempotency-Key": "k"}).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one(client_of: ClientOf, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT", 20.0)
    clients = [client_of("operator") for _ in range(6)]
    for client in clients[1:]:
        client.credentials(**clients[0]._credentials)
    together = threading.Barrier(len(clients))

    def send(client: APIClient) -> Any:
        together.wait()
        try:
            return client.post(url, HELLO, headers={"Idempotency-Key": "k"})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(send, clients))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert Echo.objects.count() == 1


def test_one_that_is_under_way_is_waited_for_and_then_409_with_a_time(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    row_of(client, url)
    response = client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "idempotency_in_progress"
    assert int(response["Retry-After"]) >= 1
    assert not Echo.objects.exists()


@pytest.mark.parametrize(
    "columns",
    [
        {"holder": f"{socket.gethostname()}|{DEAD_PID}|x"},
        {"holder": f"{socket.gethostname()}|{os.getpid()}|an earlier process with this number"},
        {"holder": "elsewhere|1|x", "created_at": timezone.now() - timedelta(minutes=3)},
    ],
    ids=["gone", "number used again", "too long ago"],
)
def test_after_a_crash_that_made_nothing_it_is_made_under_the_id_of_then(
    client_of: ClientOf, url: str, columns: dict[str, Any]
) -> None:
    client = client_of("operator")
    row = row_of(client, url, **columns)
    response = client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    assert response.status_code == 202
    assert response.json()["inference_id"] == row.ref == Echo.objects.get().inference_id


def test_after_a_crash_the_reserved_object_is_the_answer(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    row = row_of(client, url, holder=f"{socket.gethostname()}|{DEAD_PID}|x")
    conversation = Conversation.objects.get(public_id=url.split("/")[4])
    make.echo(conversation=conversation, inference_id=row.ref, state="unconfirmed")
    response = client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["state"]) == (202, "unconfirmed")
    assert Echo.objects.count() == 1


def test_one_elsewhere_that_is_not_old_is_not_taken_over(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    row_of(client, url, holder="elsewhere|1|x")
    assert client.post(url, HELLO, headers={"Idempotency-Key": "k"}).status_code == 409


def test_after_a_day_the_key_is_new_again(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    client.post(url, HELLO, headers={"Idempotency-Key": "k"})
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert client.post(url, {"text": "Other."}, headers={"Idempotency-Key": "k"}).status_code == 202
    assert Echo.objects.count() == 2


def test_old_ones_are_forgotten_by_a_duty(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    for key in ("old", "new"):
        client.post(url, HELLO, headers={"Idempotency-Key": key})
    IdempotentRequest.objects.filter(key="old").update(created_at=timezone.now() - timedelta(hours=25))
    assert REGISTRY["forget_idempotency_keys"].do() == "1 forgotten"
    assert [row.key for row in IdempotentRequest.objects.all()] == ["new"]


def test_a_multipart_body_is_the_same_under_another_boundary(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    texts = [
        client.generic(
            "POST",
            url,
            f'--{boundary}\r\nContent-Disposition: form-data; name="text"\r\n\r\n{words}\r\n--{boundary}--\r\n',
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Idempotency-Key": "k"},
        ).status_code
        for boundary, words in (("aaa", "Hi."), ("bbb", "Hi."), ("ccc", "Other."))
    ]
    assert texts == [202, 202, 409]
    assert Echo.objects.count() == 1
