"""Exports and runs over REST: who may, what comes, and what becomes of a reader who stops reading."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from rest_framework.test import APIClient

from echoadmin.actors import Actor
from echoadmin.log import reader
from echoadmin.log.export import Export, pieces
from echoadmin.log.models import Entry
from echoadmin.log.writer import append
from echoadmin.runs import Held, Run, claim_run, perform, run_kind, start_run
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db
ClientOf = Callable[..., APIClient]
EXPORT = "/api/v1/entries/export/"


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def lines(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200
    return [json.loads(line) for line in body(response).splitlines()]


def do_all() -> None:
    while run := claim_run("here"):
        perform(run)


# --- the address ---


def test_an_auditor_takes_out_what_fits_and_the_log_says_so(client_of: ClientOf) -> None:
    append([draft(message={"k": k}) for k in range(3)] + [draft(kind="webhook")])
    client = client_of("auditor", ("read",))
    response = client.get(f"{EXPORT}?kind=webhook")
    assert response["Content-Type"] == "application/x-ndjson"
    assert 'filename="log-' in response["Content-Disposition"]
    assert [line["kind"] for line in lines(response)] == ["webhook"]
    told = Entry.objects.get(event_type="log.exported")
    assert (told.kind, told.actor, reader.message(told)["filters"]) == (
        *("operator", "auditor (key test)", {"kind": "webhook"}),
    )
    assert len(lines(client.get(f"{EXPORT}?format=ndjson&conversation=cv_1"))) == 4


def test_it_goes_on_after_the_last_whole_line(client_of: ClientOf) -> None:
    append([draft(message={"k": k}) for k in range(5)])
    client = client_of("auditor")
    whole = lines(client.get(f"{EXPORT}?kind=app_message"))
    assert lines(client.get(f"{EXPORT}?kind=app_message&after={whole[2]['id']}")) == whole[3:]
    csv = body(client.get(f"{EXPORT}?kind=app_message&format=csv")).splitlines()
    rest = body(client.get(f"{EXPORT}?kind=app_message&format=csv&after={whole[2]['id']}")).splitlines()
    assert csv[4:] == rest


def test_samples_and_a_zip_come_when_asked_for(client_of: ClientOf) -> None:
    from conversations import interactions

    pcm = bytes(200)
    message = interactions.audio_echo_chunk("c", pcm, 24000, "a", done=True)
    append([draft(message=message, samples=pcm)])
    client = client_of("auditor")
    assert lines(client.get(f"{EXPORT}?conversation=cv_1"))[0]["message"]["properties"]["audio"] is None
    assert lines(client.get(f"{EXPORT}?conversation=cv_1&audio=include"))[0]["message"] == message
    assert body(client.get(f"{EXPORT}?format=zip"))[:2] == b"PK"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("format=xml", "format"),
        ("audio=x", "audio"),
        ("after=x", "after"),
        ("after=999999999", "after"),
        ("colour=red", "colour"),
        ("kind=nope", "kind"),
        ("at_after=2026-01-02T00:00:00Z&at_before=2026-01-01T00:00:00Z", "at_before"),
        ("cursor=abc", "cursor"),
    ],
)
def test_what_cannot_be_is_named_and_no_export_is_recorded(client_of: ClientOf, query: str, field: str) -> None:
    response = client_of("auditor").get(f"{EXPORT}?{query}")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not Entry.objects.filter(event_type="log.exported").exists()


def test_nobody_exports_without_a_role(client_of: ClientOf) -> None:
    assert APIClient().get(EXPORT).status_code == 401
    assert client_of("operator", ("speak",)).get(EXPORT).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_reader_who_stops_reading_is_dropped(client_of: ClientOf, settings: Any) -> None:
    settings.STREAM_STALL = 0.3
    append([draft(message={"pad": "x" * 1000}) for _ in range(500)])
    key = client_of("auditor")._credentials["HTTP_AUTHORIZATION"]
    sent: list[Any] = []
    asked: list[bool] = []

    async def read_one_block() -> None:
        async def receive() -> dict[str, Any]:
            if asked:
                await asyncio.Event().wait()  # no disconnect: the reader is there, and does nothing
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        scope = {
            "type": "http", "method": "GET", "path": EXPORT, "query_string": b"kind=app_message", "scheme": "http",
            "headers": [(b"host", b"localhost"), (b"authorization", key.encode())], "client": ("127.0.0.1", 1),
        }  # fmt: skip
        async with asyncio.timeout(20):
            await get_asgi_application()(scope, receive, send)

    asyncio.run(read_one_block())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 200


# --- runs ---


def test_an_export_is_asked_for_watched_and_fetched(client_of: ClientOf) -> None:
    append([draft(message={"k": k}) for k in range(5)])
    client = client_of("auditor", ("read",))
    asked = client.post(
        "/api/v1/runs/", {"kind": "export", "params": {"format": "csv", "filters": {"sender": "replica-1"}}}
    )
    assert asked.status_code == 202
    run = asked.json()
    assert (run["state"], run["kind"], run["actor"]) == ("waiting", "export", "auditor (key test)")
    assert run["label"] == "sender replica-1 as csv"
    address = f"/api/v1/runs/{run['id']}/"
    assert client.get(f"{address}file/").status_code == 409
    do_all()
    done = client.get(address).json()
    assert (done["state"], done["percent"], done["result"]["entries"]) == ("done", 100, 5)
    file = client.get(f"{address}file/")
    whole = body(file)
    assert whole == b"".join(piece.data for piece in pieces(Export("csv", {"sender": "replica-1"})))
    assert (file["Content-Length"], file["Content-Type"]) == (str(len(whole)), "text/csv; charset=utf-8")
    part = client.get(f"{address}file/", HTTP_RANGE="bytes=10-19")
    assert (part.status_code, body(part)) == (206, whole[10:20])
    assert client.get(f"{address}file/", HTTP_RANGE="bytes=9999999-").status_code == 416
    told = [entry.event_type for entry in Entry.objects.filter(kind="operator", event_type__startswith="run.")]
    assert told == ["run.downloaded"]
    assert Entry.objects.filter(event_type="log.exported").count() == 1
    assert [row["id"] for row in client.get("/api/v1/runs/?kind=export").json()["results"]] == [run["id"]]
    assert client.delete(f"{address}file/").status_code == 204
    assert client.get(f"{address}file/").status_code == 404


def test_the_same_wish_twice_is_one_run(client_of: ClientOf) -> None:
    client = client_of("auditor")
    wish = {"kind": "export", "params": {"format": "ndjson"}}
    first, second = (client.post("/api/v1/runs/", wish, HTTP_IDEMPOTENCY_KEY="one").json() for _ in range(2))
    assert first["id"] == second["id"]
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "kind"),
        ({"kind": "bake"}, "kind"),
        ({"kind": ["export"]}, "kind"),
        ({"kind": "export", "format": "csv"}, "format"),
        ({"kind": "export", "params": []}, "params"),
        ({"kind": "export", "params": {"format": "xml"}}, "format"),
        ({"kind": "export", "params": {"format": "csv", "filters": {"kind": "x"}}}, "kind"),
        ({"kind": "export", "params": {"format": "csv", "filters": []}}, "format"),
        ({"kind": "export", "params": {"format": "csv", "filters": [1]}}, "filters"),
        ({"kind": "export", "params": {"format": "csv", "audio": "yes"}}, "audio"),
        ({"kind": "export", "params": {"format": "csv", "colour": 1}}, "colour"),
        ({"kind": "verify", "params": {"stream": "cv_none"}}, "stream"),
        ({"kind": "verify", "params": {"first": 3}}, "first"),
        ({"kind": "verify", "params": {"stream": "account", "first": 3, "last": 2}}, "last"),
    ],
)
def test_a_wish_that_cannot_be_names_what_is_wrong(client_of: ClientOf, wish: dict[str, Any], field: str) -> None:
    response = client_of("auditor").post("/api/v1/runs/", wish)
    if wish.get("params", {}) == {"format": "csv", "filters": []}:  # none is as good as none given
        assert response.status_code == 202
        return
    assert response.status_code == 400, response.json()
    assert list(response.json()["error"]["fields"]) == [field]
    assert not Run.objects.exists()


def test_a_verification_is_asked_for_by_an_auditor(client_of: ClientOf) -> None:
    append([draft()])
    client = client_of("auditor")
    run = client.post("/api/v1/runs/", {"kind": "verify", "params": {"stream": "cv_1"}}).json()
    do_all()
    done = client.get(f"/api/v1/runs/{run['id']}/").json()
    assert (done["state"], done["result"]["verified"]) == ("done", True)


def test_one_stops_and_resumes_ones_own_runs_and_a_manager_anybodys(client_of: ClientOf) -> None:
    auditor, operator, manager = client_of("auditor"), client_of("operator"), client_of("manager")
    run = auditor.post("/api/v1/runs/", {"kind": "export", "params": {"format": "csv"}}).json()
    address = f"/api/v1/runs/{run['id']}/"
    assert operator.post(f"{address}stop/").status_code == 403
    assert auditor.post(f"{address}resume/").status_code == 409
    assert auditor.post(f"{address}stop/").json()["state"] == "stopped"
    assert auditor.post(f"{address}stop/").json()["state"] == "stopped"
    assert Entry.objects.filter(event_type="run.stopped").count() == 1
    assert manager.post(f"{address}resume/").json()["state"] == "waiting"
    assert manager.post(f"{address}stop/").json()["state"] == "stopped"
    assert auditor.get("/api/v1/runs/rn_none/").status_code == 404


def test_a_kind_asks_for_its_role_and_one_without_is_nobodys(client_of: ClientOf) -> None:
    from echoadmin.runs import KINDS, Asked

    @run_kind("speak_long", role="operator", check=lambda params: Asked(dict(params)))
    def speak_long(held: Held) -> None:
        return None

    @run_kind("inner")
    def inner(held: Held) -> None:
        return None

    try:
        refusal = client_of("auditor").post("/api/v1/runs/", {"kind": "speak_long"})
        assert (refusal.status_code, "operator" in refusal.json()["error"]["message"]) == (403, True)
        reader_only = client_of("operator", ("read",)).post("/api/v1/runs/", {"kind": "speak_long"})
        assert (reader_only.status_code, "speak" in reader_only.json()["error"]["message"]) == (403, True)
        assert client_of("operator").post("/api/v1/runs/", {"kind": "speak_long"}).status_code == 202
        assert client_of("admin").post("/api/v1/runs/", {"kind": "inner"}).status_code == 400
        start_run(actor=Actor("system"), kind="inner", params={})
        assert len(client_of("auditor").get("/api/v1/runs/").json()["results"]) == 2
    finally:
        del KINDS["speak_long"], KINDS["inner"]
