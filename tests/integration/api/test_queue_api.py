"""What waits, over REST: other words, another place, approval by a second person, and the floor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from rest_framework.test import APIClient

from conversations import outbox
from conversations.models import Conversation, Echo, EchoState
from echoadmin.accounts.models import ApiKey
from echoadmin.log.models import Entry
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]


@pytest.fixture
def conversation(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation.pk)


@pytest.fixture
def url(conversation: Conversation) -> str:
    return f"/api/v1/conversations/{conversation.public_id}/"


@pytest.fixture
def signed_in(person: Callable[..., User]) -> Callable[..., APIClient]:
    """Somebody who is signed in, without a key: `signed_in("ana", reviewed=True)`."""

    def make_client(name: str, role: str = "operator", *, reviewed: bool = False) -> APIClient:
        user = person(role, name)
        if reviewed:
            user.groups.add(Group.objects.get(name="reviewed"))
        client = APIClient()
        client.force_login(user)
        return client

    return make_client


def say(client: APIClient, url: str, *ids: str) -> None:
    for one in ids:
        assert client.post(f"{url}echoes/", {"text": f"Line {one}.", "inference_id": one}).status_code == 202


def order(conversation: Conversation) -> list[str]:
    waiting = conversation.echoes.filter(state__in=("queued", "held")).order_by("position")
    return list(waiting.values_list("inference_id", flat=True))


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def events(conversation: Conversation) -> list[str]:
    own = Entry.objects.filter(conversation_ref=conversation.public_id, kind="operator").order_by("id")
    return list(own.values_list("event_type", flat=True))


def test_a_line_that_waits_gets_other_words(client_of: ClientOf, url: str, conversation: Conversation) -> None:
    client = client_of("operator")
    say(client, url, "a")
    before = Echo.objects.get(inference_id="a")
    told = client.patch(f"{url}echoes/a/", {"text": "Other words."}).json()
    assert (told["text"], told["revision"], told["edited_by"]) == ("Other words.", 1, "operator (key test)")
    assert told["state"] == "queued"
    assert Echo.objects.get(inference_id="a").body_sha256 == before.body_sha256
    say(client, url, "a")  # the wish that made it is still known for what it was
    assert order(conversation) == ["a"]
    assert events(conversation) == ["echo.edited"]


def test_what_was_claimed_or_seen_otherwise_is_409(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    say(client, url, "a", "b")
    assert client.patch(f"{url}echoes/a/", {"text": "Once.", "revision": 0}).status_code == 200
    assert code(client.patch(f"{url}echoes/a/", {"text": "Twice.", "revision": 0})) == (409, "changed_meanwhile")
    Echo.objects.filter(inference_id="a").update(state=EchoState.SENDING)
    assert code(client.patch(f"{url}echoes/a/", {"text": "Late."})) == (409, "changed_meanwhile")
    assert code(client.patch(f"{url}echoes/a/", {"position": 2})) == (409, "changed_meanwhile")
    assert code(client.patch(f"{url}echoes/b/", {"before": "a"})) == (409, "changed_meanwhile")
    assert Echo.objects.get(inference_id="a").text == "Once."


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"before": "a"}, ["c", "a", "b", "d"]),
        ({"after": "a"}, ["a", "c", "b", "d"]),
        ({"position": 4}, ["a", "b", "d", "c"]),
        ({"position": 99}, ["a", "b", "d", "c"]),
        ({"position": 1, "text": "Both."}, ["c", "a", "b", "d"]),
    ],
)
def test_a_line_is_moved(
    client_of: ClientOf, url: str, conversation: Conversation, where: dict[str, Any], expected: list[str]
) -> None:
    client = client_of("operator")
    say(client, url, "z", "a", "b", "c", "d")
    Echo.objects.filter(inference_id="z").update(state=EchoState.SPOKEN)
    spoken = Echo.objects.get(inference_id="z").position
    assert client.patch(f"{url}echoes/c/", where).status_code == 200
    assert order(conversation) == expected
    assert Echo.objects.get(inference_id="z").position == spoken
    following = outbox.next_echo(conversation.pk)
    assert following is not None
    assert following.inference_id == expected[0]
    assert events(conversation)[-1] == "echo.moved"


@pytest.mark.parametrize("body", [{}, {"before": "b", "position": 1}, {"position": "1"}, {"text": ""}, {"text": 5}])
def test_a_change_that_says_nothing_clear_is_400(client_of: ClientOf, url: str, body: dict[str, Any]) -> None:
    client = client_of("operator")
    say(client, url, "a", "b")
    assert client.patch(f"{url}echoes/a/", body).status_code == 400


def test_neither_is_done_where_one_cannot_be(client_of: ClientOf, url: str) -> None:
    client = client_of("operator")
    say(client, url, "a", "b")
    assert client.patch(f"{url}echoes/a/", {"text": "New.", "after": "nobody"}).status_code == 409
    assert Echo.objects.get(inference_id="a").text == "Line a."


def test_a_reviewed_line_is_held_blocks_nobody_and_keeps_its_place(
    signed_in: ClientOf, url: str, conversation: Conversation
) -> None:
    ana, ben = signed_in("ana", reviewed=True), signed_in("ben")
    told = ana.post(f"{url}echoes/?wait=spoken", {"text": "Held.", "inference_id": "a"}).json()  # answers at once
    assert told["state"] == "held"
    say(ben, url, "b")
    following = outbox.next_echo(conversation.pk)
    assert following is not None
    assert following.inference_id == "b"
    assert code(ana.post(f"{url}echoes/a/approve/")) == (409, "not_a_second_person")
    assert code(ana.post(f"{url}echoes/a/reject/")) == (409, "not_a_second_person")
    told = ben.post(f"{url}echoes/a/approve/", {"text": "Better."}).json()
    assert (told["state"], told["text"], told["decided_by"], told["revision"]) == ("queued", "Better.", "ben", 1)
    following = outbox.next_echo(conversation.pk)
    assert following is not None
    assert following.inference_id == "a"
    assert code(ben.post(f"{url}echoes/a/approve/")) == (409, "changed_meanwhile")
    assert events(conversation) == ["echo.approved"]


def test_words_that_nobody_saw_are_not_approved(signed_in: ClientOf, url: str) -> None:
    ana, ben = signed_in("ana", reviewed=True), signed_in("ben")
    say(ana, url, "a")
    assert ana.patch(f"{url}echoes/a/", {"text": "Something else."}).json()["state"] == "held"
    assert code(ben.post(f"{url}echoes/a/approve/", {"revision": 0})) == (409, "changed_meanwhile")
    assert ben.post(f"{url}echoes/a/approve/", {"revision": 1}).json()["state"] == "queued"
    assert ana.patch(f"{url}echoes/a/", {"text": "Changed after approval."}).json()["state"] == "held"


def test_a_reviewed_person_changes_no_line_of_another(signed_in: ClientOf, url: str) -> None:
    ana, ben = signed_in("ana", reviewed=True), signed_in("ben")
    say(ben, url, "b")
    assert ana.patch(f"{url}echoes/b/", {"text": "Mine."}).status_code == 409
    assert Echo.objects.get(inference_id="b").text == "Line b."


def test_a_rejected_line_is_never_said(signed_in: ClientOf, url: str, conversation: Conversation) -> None:
    ana, ben = signed_in("ana", reviewed=True), signed_in("ben")
    say(ana, url, "a")
    told = ben.post(f"{url}echoes/a/reject/", {"reason": "Too loud."}).json()
    assert (told["state"], told["detail"], told["decided_by"]) == ("rejected", "Rejected by ben: Too loud.", "ben")
    assert told["times"]["ended"]
    assert outbox.next_echo(conversation.pk) is None
    assert events(conversation) == ["echo.rejected"]


def test_a_keys_line_is_decided_by_its_owner_signed_in_but_by_no_key_of_theirs(client_of: ClientOf, url: str) -> None:
    by_key = client_of("operator")
    ApiKey.objects.update(reviewed=True)
    say(by_key, url, "a")
    assert Echo.objects.get(inference_id="a").state == "held"
    assert code(by_key.post(f"{url}echoes/a/approve/")) == (409, "not_a_second_person")
    owner = APIClient()
    owner.force_login(User.objects.get(username="operator"))
    assert owner.post(f"{url}echoes/a/approve/").json()["state"] == "queued"


def test_who_has_the_floor_speaks_alone_and_anybody_interrupts(
    signed_in: ClientOf, url: str, conversation: Conversation, settings: Any
) -> None:
    settings.INTERRUPT_DEADLINE = 0.1
    ana, ben, max_ = signed_in("ana"), signed_in("ben"), signed_in("max", "manager")
    say(ben, url, "free")
    assert ana.get(f"{url}floor/").json() == {"floor": None}
    assert ana.post(f"{url}floor/", {"action": "take"}).json()["floor"]["name"] == "ana"
    say(ana, url, "a")
    refused = ben.post(f"{url}echoes/", {"text": "Me!"})
    assert code(refused) == (409, "floor_taken")
    assert "ana has the floor" in refused.json()["error"]["message"]
    assert code(ben.patch(f"{url}echoes/a/", {"text": "Me!"})) == (409, "floor_taken")
    for action in ({"action": "take"}, {"action": "release"}, {"action": "hand_over", "to": "ben"}):
        assert code(ben.post(f"{url}floor/", action)) == (409, "floor_taken")
    assert ben.post(f"{url}interrupt/").json()["cancelled"] == ["free", "a"]
    assert ana.post(f"{url}floor/", {"action": "hand_over", "to": "ben"}).json()["floor"]["name"] == "ben"
    say(ben, url, "b")
    assert max_.post(f"{url}floor/", {"action": "take"}).json()["floor"]["name"] == "max"
    assert max_.post(f"{url}floor/", {"action": "release"}).json() == {"floor": None}
    say(ana, url, "c")
    told = [event for event in events(conversation) if event.startswith("floor.")]
    assert told == ["floor.taken", "floor.handed", "floor.taken", "floor.released"]


def test_a_key_has_the_floor_as_itself(client_of: ClientOf, url: str) -> None:
    by_key = client_of("operator")
    assert by_key.post(f"{url}floor/", {"action": "take"}).json()["floor"]["key"]
    owner = APIClient()
    owner.force_login(User.objects.get(username="operator"))
    assert code(owner.post(f"{url}echoes/", {"text": "Me."})) == (409, "floor_taken")
    say(by_key, url, "a")


@pytest.mark.parametrize(
    "body", [{}, {"action": "x"}, {"action": "hand_over"}, {"action": "hand_over", "to": "nobody"}]
)
def test_an_unclear_wish_for_the_floor_is_400(client_of: ClientOf, url: str, body: dict[str, Any]) -> None:
    assert client_of("operator").post(f"{url}floor/", body).status_code == 400


def test_latencies_are_told_of_one_conversation_and_of_all(
    client_of: ClientOf, url: str, conversation: Conversation
) -> None:
    client, start = client_of("operator"), timezone.now()
    say(client, url, "a", "b")

    def at(seconds: float) -> Any:
        return start + timedelta(seconds=seconds)

    times = {"state": "spoken", "queued_at": at(0), "sending_at": at(0.1), "sent_at": at(0.3)}
    Echo.objects.filter(inference_id="a").update(**times, speaking_at=at(1), ended_at=at(5))
    later = {"sending_at": at(5.1), "sent_at": at(5.5), "speaking_at": at(6), "ended_at": at(9)}
    Echo.objects.filter(inference_id="b").update(**times | later)
    told = client.get(f"{url}latencies/").json()
    assert told == client.get("/api/v1/latencies/").json()
    assert (told["echoes"], told["states"]) == (2, {"spoken": 2})
    assert told["steps"]["queued_to_speaking"] == {"count": 1, "p50": 1.0, "p95": 1.0, "p99": 1.0, "longest": 1.0}
    assert told["steps"]["sending_to_sent"] == {"count": 2, "p50": 0.2, "p95": 0.4, "p99": 0.4, "longest": 0.4}
    other = make.room().conversation
    assert client.get(f"/api/v1/conversations/{other.public_id}/latencies/").json()["echoes"] == 0
