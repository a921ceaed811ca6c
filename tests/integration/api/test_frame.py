"""What every address of the API does: who may, what an error looks like, and what is not let in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from rest_framework.test import APIClient

from conversations.models import Worker
from personas.models import Persona
from tests import make
from tests.integration.pages import told

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]


def error(response: Any) -> dict[str, Any]:
    body = json.loads(response.content)
    assert set(body) == {"error"}
    assert {"code", "message", "fields", "upstream", "request_id"} <= set(body["error"])
    assert body["error"]["message"]
    assert body["error"]["request_id"] == response["X-Request-Id"]
    return dict(body["error"])


def test_without_a_login_it_is_401_and_says_how(client: Any) -> None:
    response = client.get("/api/v1/personas/")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert error(response)["code"] == "unauthenticated"


def test_a_key_that_opens_nothing_is_401(db: None) -> None:
    response = APIClient().get("/api/v1/personas/", HTTP_AUTHORIZATION="Bearer abcdefgh.nope")
    assert response.status_code == 401
    assert "not known" in error(response)["message"]


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("post", "/api/v1/personas/", "manager"),
        ("patch", "/api/v1/personas/x/", "manager"),
        ("delete", "/api/v1/personas/x/", "manager"),
        ("post", "/api/v1/personas/sync/", "manager"),
        ("post", "/api/v1/replicas/sync/", "manager"),
        ("post", "/api/v1/conversations/", "manager"),
        ("post", "/api/v1/conversations/sync/", "manager"),
        ("post", "/api/v1/conversations/x/end/", "manager"),
        ("post", "/api/v1/conversations/x/sync/", "manager"),
        ("delete", "/api/v1/conversations/x/", "manager"),
        ("post", "/api/v1/conversations/x/join/", "operator"),
        ("post", "/api/v1/conversations/x/leave/", "operator"),
        ("post", "/api/v1/conversations/x/echoes/", "operator"),
        ("post", "/api/v1/conversations/x/interrupt/", "operator"),
        ("post", "/api/v1/conversations/x/interactions/", "operator"),
        ("delete", "/api/v1/conversations/x/echoes/y/", "operator"),
        ("post", "/api/v1/conversations/x/echoes/y/again/", "operator"),
        ("post", "/api/v1/lines/", "operator"),
        ("patch", "/api/v1/lines/x/", "operator"),
        ("delete", "/api/v1/lines/x/", "operator"),
        ("patch", "/api/v1/conversations/x/echoes/y/", "operator"),
        ("post", "/api/v1/conversations/x/echoes/y/approve/", "operator"),
        ("post", "/api/v1/conversations/x/echoes/y/reject/", "operator"),
        ("post", "/api/v1/conversations/x/floor/", "operator"),
        ("get", "/api/v1/conversations/x/floor/", "auditor"),
        ("get", "/api/v1/conversations/x/latencies/", "auditor"),
        ("get", "/api/v1/latencies/", "auditor"),
        ("post", "/api/v1/stop/", "operator"),
        ("post", "/api/v1/scripts/", "operator"),
        ("post", "/api/v1/scripts/clips/", "operator"),
        ("patch", "/api/v1/scripts/x/", "operator"),
        ("delete", "/api/v1/scripts/x/", "operator"),
        ("post", "/api/v1/scripts/x/run/", "operator"),
        ("get", "/api/v1/scripts/x/", "auditor"),
        ("get", "/api/v1/conversations/x/", "auditor"),
    ],
)
def test_the_role_below_is_403_and_the_role_itself_gets_on(
    client_of: ClientOf, method: str, path: str, role: str
) -> None:
    below = {"manager": "operator", "operator": "auditor", "auditor": None}[role]
    if below:
        response = getattr(client_of(below), method)(path, {})
        assert response.status_code == 403
        assert f"role {role}" in error(response)["message"]
    if "/x/" in path:
        assert getattr(client_of(role), method)(path, {}).status_code == 404


def test_a_scope_that_is_missing_is_named(client_of: ClientOf) -> None:
    response = client_of("manager", ("read", "speak")).post("/api/v1/personas/", {})
    assert response.status_code == 403
    assert "scope manage" in error(response)["message"]
    response = client_of("manager", ("speak",)).get("/api/v1/personas/")
    assert "scope read" in error(response)["message"]


def test_a_role_that_is_taken_away_counts_at_the_next_request(client_of: ClientOf) -> None:
    client = client_of("auditor")
    assert client.get("/api/v1/personas/").status_code == 200
    User.objects.get(username="auditor").groups.clear()
    assert client.get("/api/v1/personas/").status_code == 403


def test_a_session_needs_its_csrf_token_to_write(person: Callable[..., User]) -> None:
    client = APIClient(enforce_csrf_checks=True)
    assert client.login(username=person("operator").username, password="a long enough password")
    assert client.get("/api/v1/personas/").status_code == 200
    response = client.post("/api/v1/conversations/x/join/")
    assert (response.status_code, error(response)["code"]) == (403, "forbidden")


@pytest.mark.parametrize("path", ["/api/v1/nope/", "/api/v2/personas/", "/api/", "/api", "/api/v1/personas/a/b/c/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_404_in_the_same_shape(client: Any, path: str, method: str) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == 404
    assert error(response)["code"] == "not_found"


def test_the_slash_at_the_end_may_be_forgotten(client_of: ClientOf) -> None:
    assert client_of("auditor").get("/api/v1/personas").status_code == 200
    assert client_of("manager").post("/api/v1/conversations/x/end", {}).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["personas", "replicas", "conversations"],
)
def test_an_unknown_id_says_where_ids_are_listed(client_of: ClientOf, path: str) -> None:
    response = client_of("auditor").get(f"/api/v1/{path}/xyz/")
    assert response.status_code == 404
    assert f"/api/v1/{path}/" in error(response)["message"]


def test_a_wrong_method_is_405_and_says_which_are_right(client_of: ClientOf) -> None:
    response = client_of("manager").put("/api/v1/personas/", {})
    assert (response.status_code, error(response)["code"]) == (405, "method_not_allowed")
    assert "POST" in response["Allow"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        ("[1]", "application/json", 400, "JSON object"),
        ('"text"', "application/json", 400, "JSON object"),
        ("{", "application/json", 400, "JSON"),
        ('{"a": NaN}', "application/json", 400, "JSON"),
        ("\xff", "application/json", 400, "JSON"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "application/json", 400, "deep"),
        ('{"a":' * 100 + "1" + "}" * 100, "application/json", 400, "deep"),
        ('{"persona_name": "a\\u0000b"}', "application/json", 400, "NUL"),
        ('{"persona_name": "\\ud800"}', "application/json", 400, "surrogate"),
        ('{"\\udc00": 1}', "application/json", 400, "surrogate"),
        ("<a/>", "text/xml", 415, "application/json"),
        ("a=b", "application/x-www-form-urlencoded", 415, "application/json"),
    ],
)
def test_a_body_that_can_not_be_is_refused(
    client_of: ClientOf, body: str, content_type: str, status: int, words: str
) -> None:
    data = body.encode("latin-1")
    response = client_of("manager").generic("POST", "/api/v1/personas/", data, content_type=content_type)
    assert response.status_code == status
    assert words in error(response)["message"]
    assert not Persona.objects.exists()


def test_a_body_that_is_too_large_is_413_before_it_is_read(client_of: ClientOf) -> None:
    length = str(64 * 1024 * 1024 + 1)
    response = client_of("manager").generic(
        "POST", "/api/v1/personas/", b"{}", content_type="application/json", CONTENT_LENGTH=length
    )
    assert (response.status_code, error(response)["code"]) == (413, "too_large")


def test_a_refused_field_is_named(client_of: ClientOf) -> None:
    body = '{"layers": {"tts": {"voice": "a\\u0000"}}}'
    response = client_of("manager").generic("POST", "/api/v1/personas/", body, content_type="application/json")
    assert list(error(response)["fields"]) == ["layers.tts.voice"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("state=nope", "state"),
        ("name=%00", "name"),
        ("%00=1", ""),
    ],
)
def test_a_bad_query_names_its_parameter(client_of: ClientOf, query: str, field: str) -> None:
    response = client_of("auditor").get(f"/api/v1/personas/?{query}")
    assert response.status_code == 400
    assert [name for name in error(response)["fields"] if name] == ([field] if field else [])


def test_an_id_with_nul_is_404(client_of: ClientOf) -> None:
    assert client_of("auditor").get("/api/v1/personas/a%00b/").status_code == 404


def test_the_request_id_of_the_caller_comes_back(client_of: ClientOf) -> None:
    response = client_of("auditor").get("/api/v1/personas/x/", HTTP_X_REQUEST_ID="mine-1")
    assert error(response)["request_id"] == "mine-1"


def test_what_breaks_is_logged_and_told_without_its_secrets(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is hunter2")

    client = client_of("auditor")
    monkeypatch.setattr("personas.api.find", breaks)
    response = client.get("/api/v1/personas/x/")
    assert (response.status_code, error(response)["code"]) == (500, "internal")
    assert "hunter2" not in response.content.decode()
    assert "hunter2" in caplog.text


def test_a_database_that_is_away_is_503_with_a_time(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    client = client_of("auditor")
    monkeypatch.setattr("personas.api.find", away)
    response = client.get("/api/v1/personas/x/")
    assert (response.status_code, error(response)["code"]) == (503, "database_unavailable")
    assert response["Retry-After"] == "2"


def test_a_host_that_is_not_this_consoles_is_400_in_the_same_shape(client_of: ClientOf) -> None:
    response = client_of("auditor").get("/api/v1/personas/", HTTP_HOST="@(T3")
    assert (response.status_code, error(response)["code"]) == (400, "invalid")
    assert "ECHOADMIN_ALLOWED_HOSTS" in error(response)["message"]


def test_what_breaks_outside_of_a_view_is_told_in_the_same_shape(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError("the answer can't be written")

    client = client_of("auditor")
    client.raise_request_exception = False
    monkeypatch.setattr("rest_framework.renderers.JSONRenderer.render", breaks)
    response = client.get("/api/v1/personas/")
    assert (response.status_code, error(response)["code"]) == (500, "internal")


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_a_number_that_no_json_has_names_its_field(client_of: ClientOf, number: str) -> None:
    body = f'{{"persona_name": "A", "layers": {{"tts": {{"speed": {number}}}}}}}'
    response = client_of("manager").generic("POST", "/api/v1/personas/", body, content_type="application/json")
    assert (response.status_code, list(error(response)["fields"])) == (400, ["layers.tts.speed"])


# --- lists ----------------------------------------------------------------------------------------------------------


def test_pages_go_forth_and_back_without_gap_or_repeat(client_of: ClientOf) -> None:
    made = [row.public_id for row in make.persona.create_batch(25)]
    client, seen, url = client_of("auditor"), [], "/api/v1/personas/?limit=10"
    backs = []
    while url:
        page = client.get(url).json()
        assert list(page) == ["results", "next", "previous"]
        seen += [row["id"] for row in page["results"]]
        backs.append(page["previous"])
        url = page["next"]
    assert seen == made[::-1]
    assert backs[0] is None
    assert [row["id"] for row in client.get(backs[-1]).json()["results"]] == seen[10:20]


def test_a_page_stays_where_it_is_while_rows_are_added(client_of: ClientOf) -> None:
    make.persona.create_batch(4)
    client = client_of("auditor")
    page = client.get("/api/v1/personas/?limit=2").json()
    make.persona.create_batch(3)
    after = client.get(page["next"]).json()["results"]
    assert {row["id"] for row in after}.isdisjoint(row["id"] for row in page["results"])


LISTS = {
    "personas/": lambda: make.persona(),
    "replicas/": lambda: make.replica(),
    "conversations/": lambda: make.room(),
    "workers/": lambda: make.room(worker=make.worker()),
    "duties/": lambda: make.duty(),
    "scripts/": lambda: make.script(),
    "lines/": lambda: make.line(),
    "webhooks/": lambda: make.webhook(duplicate_of=make.webhook()),
    "subscriptions/": lambda: told.subscription(),
    "deliveries/": lambda: told.delivery(),
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_one(
    client_of: ClientOf, path: str, django_assert_num_queries: Any
) -> None:
    client = client_of("auditor")
    LISTS[path]()
    client.get(f"/api/v1/{path}")
    # key and user, groups, the list itself; workers and their rooms are one
    with django_assert_num_queries(3):
        one = client.get(f"/api/v1/{path}").json()
    for _ in range(5):
        LISTS[path]()
    with django_assert_num_queries(3) as queries:
        many = client.get(f"/api/v1/{path}").json()
    assert len(many["results"]) >= len(one["results"]) + 5
    assert not any("COUNT(*)" in query["sql"] for query in queries.captured_queries)


def test_a_worker_shows_its_rooms_and_whether_it_lives(client_of: ClientOf) -> None:
    worker = make.worker(name="w1")
    make.room(worker=worker)
    make.room(worker=worker, state="idle")
    Worker.objects.filter(pk=make.worker(name="dead").pk).update(lease_until="2020-01-01T00:00:00Z")
    shown = {row["name"]: row for row in client_of("auditor").get("/api/v1/workers/").json()["results"]}
    assert (shown["w1"]["rooms"], shown["w1"]["alive"], shown["dead"]["alive"]) == (1, True, False)


# --- the document ---------------------------------------------------------------------------------------------------


def test_the_openapi_document_names_every_address(client: Any) -> None:
    response = client.get("/api/v1/schema/?format=json")
    paths = json.loads(response.content)["paths"]
    for path in ("personas/", "conversations/{any_id}/echoes/", "entries/", "conversations/{any_id}/messages/"):
        assert f"/api/v1/{path}" in paths
    operation = paths["/api/v1/conversations/{any_id}/echoes/"]["post"]
    assert "202" in operation["responses"]


def test_the_documents_page_asks_no_other_host(client: Any) -> None:
    response = client.get("/api/v1/docs/")
    assert response.status_code == 200
    assert "//cdn" not in response.content.decode()
    assert "https://" not in response.content.decode()
