"""How much one key may ask, how many wrong ones an address may try, and what the answers say of it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from rest_framework.test import APIClient

from conversations.live import asked
from conversations.live.visitor import Unwelcome, recognise
from conversations.models import Echo
from echoadmin import bodies
from echoadmin.accounts import wrong_keys
from echoadmin.accounts.keys import create_key, revoke_key
from echoadmin.actors import Actor
from echoadmin.api import limits
from echoadmin.api.problems import ApiError
from tests import make

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
PATH = "/api/v1/personas/"


@pytest.fixture(autouse=True)
def few(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMIT, settings.RATE_WINDOW, settings.REDIS_URL = 3, 60, ""
    monkeypatch.setattr(limits, "HERE", limits.Counts())
    monkeypatch.setattr(limits, "_away_until", 0.0)


def test_each_answer_says_how_much_is_left(client_of: ClientOf) -> None:
    client = client_of("auditor")
    left = []
    for _ in range(3):
        response = client.get(PATH)
        assert response["RateLimit-Policy"] == '"default";q=3;w=60'
        found = re.fullmatch(r'"default";r=(\d+);t=(\d+)', response["RateLimit"])
        assert found is not None
        assert 1 <= int(found[2]) <= 60
        left.append(int(found[1]))
    assert left == [2, 1, 0]


def test_one_too_many_is_429_with_a_time_and_does_nothing(client_of: ClientOf) -> None:
    client = client_of("operator")
    for _ in range(3):
        client.get(PATH)
    response = client.post("/api/v1/lines/", {"name": "A", "text": "B."})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert response["RateLimit"].startswith('"default";r=0;')


def test_keys_have_counts_of_their_own_also_of_one_user(client_of: ClientOf) -> None:
    first, second = client_of("auditor"), client_of("auditor")
    for _ in range(4):
        last = first.get(PATH)
    assert last.status_code == 429
    assert second.get(PATH).status_code == 200


def test_who_is_signed_in_is_counted_too(person: Callable[..., Any]) -> None:
    browser = APIClient()
    browser.force_login(person("auditor"))
    assert [browser.get(PATH).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_what_is_refused_counts_as_well(client_of: ClientOf) -> None:
    client = client_of("auditor")
    told = [client.post(PATH, {}).status_code for _ in range(4)]
    assert told == [403, 403, 403, 429]


def test_a_window_that_has_ended_begins_anew(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client, now = client_of("auditor"), [1000.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    assert [client.get(PATH).status_code for _ in range(4)] == [200, 200, 200, 429]
    now[0] += 60
    assert client.get(PATH).status_code == 200


def test_zero_is_without_a_limit(client_of: ClientOf, settings: Any) -> None:
    settings.RATE_LIMIT = 0
    client = client_of("auditor")
    for _ in range(5):
        response = client.get(PATH)
    assert response.status_code == 200
    assert "RateLimit" not in response


def test_the_quickstarts_pieces_have_a_count_of_their_own(client_of: ClientOf, settings: Any) -> None:
    settings.RATE_LIMIT = 1
    client = client_of("operator")
    told = [client.post("/send_audio_message", {}) for _ in range(21)]
    assert [answer.status_code for answer in told] == [400] * 20 + [429]
    assert (told[0]["RateLimit-Policy"], told[0]["RateLimit"][:12]) == ('"pieces";q=20;w=60', '"pieces";r=1')
    assert 1 <= int(told[-1]["Retry-After"]) <= 60
    assert isinstance(told[-1].json()["error"], str), "the quickstart's errors are texts"
    assert client.get(PATH).status_code == 200, "what its rooms are sent is not held against the rest"


def test_a_key_asks_for_metrics_within_its_limit(client_of: ClientOf) -> None:
    client = client_of("auditor")
    told = [client.get("/metrics", REMOTE_ADDR="192.0.2.9").status_code for _ in range(4)]
    assert told == [200, 200, 200, 429]
    assert {APIClient().get("/metrics").status_code for _ in range(5)} == {200}, "on this machine nobody needs a key"


def test_a_websocket_counts_as_a_request_and_so_does_what_is_asked_on_it(person: Callable[..., Any]) -> None:
    conversation = make.room().conversation
    _, text = create_key(user=person("operator"), label="test", actor=Actor("test"))
    visitor = recognise({"headers": [(b"authorization", f"Bearer {text}".encode())], "client": ("127.0.0.1", 1)})
    utterance, _ = asked.open_text(visitor, conversation.pk, {})
    asked.say_next(visitor, utterance, "One.")
    asked.speak(visitor, conversation.pk, {"text": "Two."})
    for ask in (
        lambda: asked.speak(visitor, conversation.pk, {"text": "Three."}),
        lambda: asked.open_text(visitor, conversation.pk, {}),
        lambda: asked.open_audio(visitor, conversation.pk, {}),
        lambda: asked.interrupt(visitor, conversation.pk),
    ):
        with pytest.raises(ApiError) as refusal:
            ask()
        assert refusal.value.problem.code == "rate_limited"
    asked.say_next(visitor, utterance, "Four.")
    assert list(Echo.objects.order_by("id").values_list("text", flat=True)) == ["One.", "Two.", "Four."]
    with pytest.raises(Unwelcome) as unwelcome:
        recognise({"headers": [(b"authorization", f"Bearer {text}".encode())], "client": ("127.0.0.1", 1)})
    assert unwelcome.value.code == 4429
    assert APIClient(headers={"Authorization": f"Bearer {text}"}).get(PATH).status_code == 429


def test_old_counts_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(limits, "MOST_KEPT", 10)
    counts = limits.Counts()
    for number in range(20):
        counts.add(f"key:{number}", 1)
    now[0] = 2
    counts.add("key:x", 1)
    assert list(counts._windows) == ["key:x"]


# --- keys that open nothing ---

WRONG = "Bearer abcdefgh.wrong"


@pytest.fixture
def two_wrong(few: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WRONG_KEY_LIMIT = 2
    monkeypatch.setattr(wrong_keys, "_known", set())


def test_keys_that_open_nothing_are_counted_and_then_not_looked_at(
    two_wrong: None, client_of: ClientOf, django_assert_num_queries: Any
) -> None:
    guesser, client = APIClient(), client_of("auditor")
    told = []
    for secret in "ab":
        response = guesser.get(PATH, headers={"Authorization": f"Bearer abcdefgh.{secret}"})
        told.append((response.status_code, response["RateLimit-Policy"], response["RateLimit"].partition(";t=")[0]))
    policy = '"wrong-keys";q=2;w=60'
    assert told == [(401, policy, '"wrong-keys";r=1'), (401, policy, '"wrong-keys";r=0')]
    with django_assert_num_queries(0):
        response = guesser.get(PATH, headers={"Authorization": WRONG})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(response["Retry-After"]) <= 60
    assert response["RateLimit"].startswith('"wrong-keys";r=0;t=')
    assert "Wait" in response.json()["error"]["message"]
    assert client.get(PATH).status_code == 429, "a right guess is not told from a wrong one"


def test_a_key_that_has_worked_from_there_goes_on(two_wrong: None, client_of: ClientOf) -> None:
    client = client_of("auditor")
    assert client.get(PATH).status_code == 200
    assert [APIClient().get(PATH, headers={"Authorization": WRONG}).status_code for _ in range(3)] == [401, 401, 429]
    assert client.get(PATH).status_code == 200
    assert client.get(PATH, REMOTE_ADDR="192.0.2.7").status_code == 200, "another address has a count of its own"


def test_a_key_that_has_worked_and_was_revoked_is_one_of_the_wrong_ones(
    two_wrong: None, person: Callable[..., Any]
) -> None:
    api_key, text = create_key(user=person("auditor"), label="test", actor=Actor("test"))
    client = APIClient(headers={"Authorization": f"Bearer {text}"})
    assert client.get(PATH).status_code == 200
    revoke_key(api_key, actor=Actor("test"))
    assert [client.get(PATH).status_code for _ in range(3)] == [401, 401, 429]


def test_one_ipv6_network_is_one_address(two_wrong: None) -> None:
    told = [
        APIClient().get(PATH, headers={"Authorization": WRONG}, REMOTE_ADDR=f"2001:db8::{last}").status_code
        for last in (1, 2, 3)
    ]
    assert told == [401, 401, 429]


def test_the_quickstarts_address_and_large_bodies_are_no_way_round(two_wrong: None) -> None:
    wrong = {"Authorization": WRONG}
    told = [APIClient().post("/send_audio_message", {}, headers=wrong).status_code for _ in range(3)]
    assert told == [401, 401, 429]
    answers: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    headers = [(b"content-length", b"100000"), (b"authorization", WRONG.encode())]
    scope = {"type": "http", "path": PATH, "headers": headers, "client": ("127.0.0.1", 1)}
    async_to_sync(bodies.BodyLimits(send))(scope, receive, send)
    told_of = dict(answers[0]["headers"])
    assert answers[0]["status"] == 429
    assert 1 <= int(told_of[b"retry-after"]) <= 60
    assert told_of[b"ratelimit"].startswith(b'"wrong-keys";r=0;')


def test_a_websocket_counts_with_the_rest(two_wrong: None) -> None:
    scope = {"headers": [(b"authorization", WRONG.encode())], "client": ("127.0.0.1", 1)}
    codes = []
    for _ in range(3):
        with pytest.raises(Unwelcome) as unwelcome:
            recognise(scope)
        codes.append(unwelcome.value.code)
    assert codes == [4401, 4401, 4429]
    assert "Wait" in unwelcome.value.reason
    assert APIClient().get(PATH, headers={"Authorization": WRONG}).status_code == 429


def test_behind_a_trusted_proxy_the_callers_address_counts(two_wrong: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    for caller, expected in (("192.0.2.1", [401, 401, 429]), ("192.0.2.2", [401])):
        headers = {"Authorization": WRONG, "X-Forwarded-For": caller}
        assert [APIClient().get(PATH, headers=headers).status_code for _ in expected] == expected
    scope = {
        "headers": [(b"authorization", WRONG.encode()), (b"x-forwarded-for", b"192.0.2.1")],
        "client": ("127.0.0.1", 1),
    }
    with pytest.raises(Unwelcome) as unwelcome:
        recognise(scope)
    assert unwelcome.value.code == 4429


# --- several consoles ---


@pytest.fixture
def shared(settings: Any) -> str:
    """A Redis, where there is one."""
    url = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=0.5) as client:
            client.ping()
    except redis.RedisError:
        pytest.skip("no Redis")
    settings.REDIS_URL = url
    return url


def test_consoles_with_one_redis_share_the_count(
    client_of: ClientOf, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("auditor")
    assert [client.get(PATH).status_code for _ in range(2)] == [200, 200]
    monkeypatch.setattr(limits, "HERE", limits.Counts())  # another console counts nothing of this one's
    assert [client.get(PATH).status_code for _ in range(2)] == [200, 429]
    with redis.Redis.from_url(shared) as seen:
        [name] = [name for name in seen.keys("echoadmin:rate:key:*") if 0 < seen.pttl(name) <= 60_000][:1]
        assert int(seen.get(name)) >= 1  # type: ignore[arg-type]


def test_wrong_keys_are_counted_together_as_well(
    shared: str, two_wrong: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = shared  # `two_wrong` is asked for after it
    address = f"2001:db8:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}::1"
    told = []
    for _ in range(3):
        monkeypatch.setattr(limits, "HERE", limits.Counts())  # another console
        told.append(APIClient().get(PATH, headers={"Authorization": WRONG}, REMOTE_ADDR=address))
    assert [answer.status_code for answer in told] == [401, 401, 429]
    assert 1 <= int(told[-1]["Retry-After"]) <= 60


def test_a_redis_that_is_away_lets_each_console_count_by_itself(
    client_of: ClientOf, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client = client_of("auditor")
    assert [client.get(PATH).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert caplog.text.count("counted by this console alone") == 1


@pytest.mark.parametrize("error", [ValueError("I/O operation on closed file."), OSError(9, "Bad file descriptor")])
def test_whatever_the_client_of_redis_breaks_with_stops_no_request(
    client_of: ClientOf,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def broken(who: str, more: int) -> limits.Count:
        raise error

    monkeypatch.setattr(limits, "_shared", broken)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client = client_of("auditor")
    assert [client.get(PATH).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert str(error) in caplog.text
