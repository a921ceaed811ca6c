"""How much one key may ask, and what the answers say of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from rest_framework.test import APIClient

from echoadmin.api import limits

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


def test_the_quickstarts_pieces_are_not_counted(client_of: ClientOf) -> None:
    client = client_of("operator")
    assert {client.post("/send_audio_message", {}).status_code for _ in range(5)} == {400}


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


def test_a_redis_that_is_away_lets_each_console_count_by_itself(
    client_of: ClientOf, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client = client_of("auditor")
    assert [client.get(PATH).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert caplog.text.count("counted by this console alone") == 1
