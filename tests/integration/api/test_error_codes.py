"""Each code of the catalogue, produced by a request: a table of code → what brings it about."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.test import APIClient

from conversations.live import events
from conversations.models import Conversation, SlotRequest
from conversations.services import rooms, stopping
from echoadmin import bodies, crowding
from echoadmin.accounts.models import IdempotentRequest
from echoadmin.api import limits
from echoadmin.api.catalogue import ALL, CODES, REST, SOCKET, WITHIN
from echoadmin.deliveries.models import Delivery, Subscription
from echoadmin.idempotency import keeping
from echoadmin.runs import Run
from tests import make
from tests.console_process import free_ports
from tests.integration.api.test_echoes import b64, wav
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
HELLO = {"text": "Hello."}
RENAMED = {"op": "replace", "path": "/persona_name", "value": "Other"}


@dataclass
class World:
    """What a producer of an error has at hand."""

    client_of: Callable[..., APIClient]
    twin: TwinProcess
    settings: Any
    patch: pytest.MonkeyPatch

    def as_(self, role: str) -> APIClient:
        return self.client_of(role)

    def conversation(self, **fields: Any) -> Conversation:
        """One whose room is joined, as far as anybody wants it."""
        return Conversation.objects.get(pk=make.room(conversation=make.conversation(**fields)).conversation.pk)

    def say(self, body: Any, role: str = "operator", **fields: Any) -> Any:
        return self.as_(role).post(f"{at(self.conversation(**fields))}echoes/", body)

    def create(self, **fault: Any) -> Any:
        """A persona, of whose creation Tavus makes this."""
        self.twin.fault(**{"kind": "status", "method": "POST", "path": "/v2/personas", **fault})
        return self.as_("manager").post("/api/v1/personas/", {"persona_name": "Reader", "pipeline_mode": "echo"})


def at(conversation: Any) -> str:
    return f"/api/v1/conversations/{conversation.public_id}/"


def _file(world: World, name: str, content: bytes) -> Any:
    path = f"{at(world.conversation())}echoes/"
    return world.as_("operator").post(path, {"file": SimpleUploadedFile(name, content)}, format="multipart")


def _breaks(error: Exception) -> Callable[[World], Any]:
    def produce(world: World) -> Any:
        def broken(*_: Any, **__: Any) -> None:
            raise error

        client = world.as_("auditor")
        world.patch.setattr("personas.api.find", broken)
        return client.get("/api/v1/personas/x/")

    return produce


def too_slow(world: World) -> Any:
    """By the ASGI application itself: a client of tests has sent its body before it asks."""
    world.patch.setattr(bodies, "GRACE", 0.01)
    world.patch.setattr(bodies, "LINGER", 0.01)

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    return _asked(bodies.BodyLimits(reads))


def overloaded(world: World) -> Any:
    """Likewise: as many wait as may."""
    world.patch.setattr(crowding, "MOST_WAITING", 0)
    world.patch.setattr(bodies, "LINGER", 0.01)
    return _asked(crowding.Crowding(bodies.BodyLimits(None)))  # type: ignore[arg-type]


def _asked(application: Any) -> Any:
    """Its answer to a request whose body never comes."""
    told: list[Any] = []

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "path": "/api/v1/personas/", "headers": [(b"content-length", b"9")]}
    asyncio.run(application(scope, never, send))
    headers = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    response: Any = HttpResponse(told[1]["body"], status=told[0]["status"], headers=headers)
    response.json = lambda: json.loads(told[1]["body"])
    return response


def second_factor_missing(world: World) -> Any:
    world.settings.TOTP_ROLES = ["auditor"]
    after = world.settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    middleware = [*world.settings.MIDDLEWARE]
    middleware.insert(after, "echoadmin.accounts.signing_in.second_factor_required")
    world.settings.MIDDLEWARE = middleware
    client = APIClient()
    client.force_login(make.user("auditor"))
    return client.get("/api/v1/personas/")


def rate_limited(world: World) -> Any:
    world.patch.setattr(limits, "HERE", limits.Counts())
    world.settings.REDIS_URL, world.settings.RATE_LIMIT = "", 1
    client = world.as_("auditor")
    client.get("/api/v1/personas/")
    return client.get("/api/v1/personas/")


def idempotency_key_reused(world: World) -> Any:
    client, path = world.as_("operator"), f"{at(world.conversation())}echoes/"
    client.post(path, HELLO, headers={"Idempotency-Key": "k"})
    return client.post(path, {"text": "Other."}, headers={"Idempotency-Key": "k"})


def idempotency_in_progress(world: World) -> Any:
    world.patch.setattr(keeping, "WAIT", 0.1)
    client, path = world.as_("operator"), f"{at(world.conversation())}echoes/"
    client.post(path, HELLO, headers={"Idempotency-Key": "k"})
    IdempotentRequest.objects.update(status=None, answer="", created_at=timezone.now())
    return client.post(path, HELLO, headers={"Idempotency-Key": "k"})


def inference_id_taken(world: World) -> Any:
    echo = make.echo(conversation=world.conversation(), text="Hello.")
    path = f"{at(echo.conversation)}echoes/"
    return world.as_("operator").post(path, {"text": "Other.", "inference_id": echo.inference_id})


def floor_taken(world: World) -> Any:
    conversation = world.conversation()
    world.as_("manager").post(f"{at(conversation)}floor/", {"action": "take"})
    return world.as_("operator").post(f"{at(conversation)}echoes/", HELLO)


def queue_full(world: World) -> Any:
    world.settings.ECHO_MAX_QUEUED = 1
    conversation, client = world.conversation(), world.as_("operator")
    client.post(f"{at(conversation)}echoes/", HELLO)
    return client.post(f"{at(conversation)}echoes/", HELLO)


def too_long(world: World) -> Any:
    world.settings.ECHO_MAX_SECONDS = 1
    return world.say({"audio": b64(bytes(2 * 2 * 24000))})


def _with_echo(method: str, path: str, body: Any = None, role: str = "operator", **fields: Any) -> Callable[..., Any]:
    def produce(world: World) -> Any:
        echo = make.echo(conversation=world.conversation(), **fields)
        place = f"{at(echo.conversation)}echoes/{echo.inference_id}/{path}"
        return getattr(world.as_(role), method)(place, body or {})

    return produce


def range_not_satisfiable(world: World) -> Any:
    client, path = world.as_("operator"), f"{at(world.conversation())}echoes/"
    made = client.post(path, {"audio": b64(bytes(4800))}).json()
    return client.get(f"{path}{made['inference_id']}/audio/", HTTP_RANGE="bytes=100000-")


def duplicate(world: World) -> Any:
    repeat = make.webhook(duplicate_of=make.webhook(), state="ignored")
    return world.as_("manager").post(f"/api/v1/webhooks/{repeat.public_id}/process/")


def changed(world: World) -> Any:
    script = make.script()
    body = {"name": "Other", "revision": script.revision + 1}
    return world.as_("operator").patch(f"/api/v1/scripts/{script.public_id}/", body)


def script_running(world: World) -> Any:
    client, script, conversation = world.as_("operator"), make.script(), world.conversation()
    body = {"conversation": conversation.public_id, "variables": {"guest": "Ana"}}
    client.post(f"/api/v1/scripts/{script.public_id}/run/", body)
    return client.post(f"/api/v1/scripts/{script.public_id}/run/", body)


def _with_run(action: str, state: str, method: str = "post") -> Callable[[World], Any]:
    def produce(world: World) -> Any:
        run = Run.objects.create(kind="export", state=state, actor="ana")
        return getattr(world.as_("manager"), method)(f"/api/v1/runs/{run.public_id}/{action}/")

    return produce


def delivered(world: World) -> Any:
    hook = Subscription.objects.create(url="https://hooks.example.com/", created_by="ana")
    row = Delivery.objects.create(subscription=hook, event_type="ping", body="{}", state="delivered")
    return world.as_("manager").post(f"/api/v1/deliveries/{row.public_id}/again/")


def too_many_streams(world: World) -> Any:
    client, places = world.as_("auditor"), threading.BoundedSemaphore(1)
    world.patch.setattr(events, "_open", places)
    places.acquire()
    return client.get("/api/v1/entries/stream/")


def budget_reached(world: World) -> Any:
    world.settings.PRICE_PER_MINUTE = 0.37
    client = world.as_("manager")
    client.post("/api/v1/budgets/", {"name": "Nothing", "amount": "0.01"})
    return client.post("/api/v1/conversations/", {"replica_id": "re8e740a42", "persona_id": "pipecat0"})


def not_waiting(world: World) -> Any:
    now = timezone.now()
    row = SlotRequest.objects.create(
        conversation_ref="cv_x", state="expired", sealed_body="", created_by="ana", expires_at=now
    )
    return world.as_("manager").delete(f"/api/v1/slots/requests/{row.public_id}/")


def drift_changed(world: World) -> Any:
    client = world.as_("manager")
    made = client.post("/api/v1/personas/", {"persona_name": "Reader", "pipeline_mode": "echo"}).json()
    world.twin.request("PATCH", f"/v2/personas/{made['persona_id']}", [RENAMED])
    return client.post(f"/api/v1/personas/{made['id']}/push/", {"patch_sha256": "0" * 64})


def upstream_concurrency(world: World) -> Any:
    world.twin.request("PUT", "/twin/limits", {"concurrent_conversations": 0})
    body = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
    return world.as_("manager").post("/api/v1/conversations/", body)


def upstream_out_of_credits(world: World) -> Any:
    world.twin.request("PUT", "/twin/limits", {"credit_seconds": 0})
    body = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
    return world.as_("manager").post("/api/v1/conversations/", body)


def upstream_not_found(world: World) -> Any:
    persona = make.persona(upstream_id="p000000000")
    return world.as_("manager").patch(f"/api/v1/personas/{persona.public_id}/", {"persona_name": "Other"})


def upstream_conflict(world: World) -> Any:
    made = world.as_("manager").post("/api/v1/personas/", {"persona_name": "Reader", "pipeline_mode": "echo"}).json()
    world.twin.fault("maker_changes")
    return world.as_("manager").patch(f"/api/v1/personas/{made['id']}/", {"persona_name": "Other"})


def upstream_unavailable(world: World) -> Any:
    world.settings.TAVUS_API_URL = f"http://127.0.0.1:{free_ports(1)[0]}"
    return world.as_("manager").post("/api/v1/personas/", {"persona_name": "Reader", "pipeline_mode": "echo"})


def upstream_bad_reply(world: World) -> Any:
    made = world.as_("manager").post("/api/v1/personas/", {"persona_name": "Reader", "pipeline_mode": "echo"}).json()
    world.twin.fault("status", status=200, body={"data": "none"}, method="GET", path="/v2/personas")
    return world.as_("manager").post(f"/api/v1/personas/{made['id']}/sync/")


def not_confirmed(world: World) -> Any:
    world.settings.INTERRUPT_DEADLINE = 0.1
    world.conversation()
    return world.as_("operator").post("/api/v1/stop/", {})


def upstream_silent(world: World) -> Any:
    world.settings.INTERRUPT_DEADLINE = 0.1
    world.patch.setattr(stopping, "ENDED_WITHIN", 0.1)
    body = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
    world.as_("manager").post("/api/v1/conversations/", body)
    world.twin.fault("delay", seconds=2, method="POST", path="/v2/conversations")
    return world.as_("manager").post("/api/v1/stop/", {"then": "end"})


def refused(world: World) -> Any:
    def can_not(**_: Any) -> None:
        raise ValueError("It can't be left.")

    world.settings.INTERRUPT_DEADLINE = 0.1
    world.patch.setattr(rooms, "leave", can_not)
    world.conversation()
    return world.as_("operator").post("/api/v1/stop/", {"then": "leave"})


PRODUCERS: dict[str, Callable[[World], Any]] = {
    "invalid": lambda world: world.say({}),
    "unauthenticated": lambda world: APIClient().get("/api/v1/personas/"),
    "forbidden": lambda world: world.say(HELLO, role="auditor"),
    "not_found": lambda world: world.as_("auditor").get("/api/v1/conversations/x/"),
    "method_not_allowed": lambda world: world.as_("manager").put("/api/v1/personas/", {}),
    "not_acceptable": lambda world: world.as_("auditor").get("/api/v1/personas/", HTTP_ACCEPT="text/html"),
    "too_large": lambda world: world.say({"text": "x" * 20_001}),
    "unsupported_media_type": lambda world: world.as_("manager").generic(
        "POST", "/api/v1/personas/", "<a/>", content_type="text/xml"
    ),
    "rate_limited": rate_limited,
    "overloaded": overloaded,
    "internal": _breaks(RuntimeError("a fault of ours")),
    "database_unavailable": _breaks(OperationalError("connection refused")),
    "idempotency_key_reused": idempotency_key_reused,
    "idempotency_in_progress": idempotency_in_progress,
    "empty": lambda world: world.say({"text": "  "}),
    "unspeakable": lambda world: world.say({"text": "bell\x07"}),
    "bad_sample_rate": lambda world: world.say({"audio": b64(bytes(4)), "sample_rate": 1}),
    "broken_audio": lambda world: _file(world, "cut.wav", wav(2)[:5000]),
    "not_audio": lambda world: _file(world, "a.pdf", b"%PDF-1.7\n" + bytes(500)),
    "too_long": too_long,
    "not_now": _with_echo("post", "again/", state="queued"),
    "not_joined": lambda world: world.as_("operator").post(f"{at(make.conversation())}echoes/", HELLO),
    "conversation_over": lambda world: world.say(HELLO, status="ended"),
    "inference_id_taken": inference_id_taken,
    "floor_taken": floor_taken,
    "queue_full": queue_full,
    "changed_meanwhile": _with_echo("patch", "", {"text": "Other."}, state="spoken"),
    "not_a_second_person": _with_echo("post", "approve/", state="held", actor="operator", closed_at=timezone.now()),
    "changed": changed,
    "script_running": script_running,
    "not_pausable": _with_run("pause", "done"),
    "not_skippable": _with_run("skip", "running"),
    "not_resumable": _with_run("resume", "running"),
    "not_done": _with_run("file", "running", "get"),
    "range_not_satisfiable": range_not_satisfiable,
    "delivered": delivered,
    "duplicate": duplicate,
    "too_many_streams": too_many_streams,
    "budget_reached": budget_reached,
    "not_waiting": not_waiting,
    "drift_changed": drift_changed,
    "wrong_state": lambda world: world.as_("manager").delete(at(world.conversation())),
    "upstream_invalid": lambda world: world.create(status=400, body={"message": "Invalid", "errors": {"x": ["y"]}}),
    "upstream_out_of_credits": upstream_out_of_credits,
    "upstream_not_found": upstream_not_found,
    "upstream_concurrency": upstream_concurrency,
    "upstream_conflict": upstream_conflict,
    "upstream_rate_limited": lambda world: world.create(status=429, headers={"Retry-After": "3"}),
    "upstream_unauthorised": lambda world: world.create(status=401),
    "upstream_bad_reply": upstream_bad_reply,
    "upstream_unavailable": upstream_unavailable,
    "upstream_answer_lost": lambda world: world.create(kind="cut", when="after"),
    "not_confirmed": not_confirmed,
    "upstream_silent": upstream_silent,
    "refused": refused,
    "too_slow": too_slow,
    "second_factor_missing": second_factor_missing,
}


@pytest.fixture
def world(
    client_of: Callable[..., APIClient], twin: TwinProcess, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> World:
    return World(client_of, twin, settings, monkeypatch)


def test_the_table_is_the_catalogue() -> None:
    """Those of the WebSocket are produced beside its other errors, in test_live.py."""
    assert set(PRODUCERS) == {code.name for code in ALL if code.where != SOCKET}


@pytest.mark.parametrize("name", [code.name for code in ALL if code.where == REST])
def test_each_code_is_answered_with_its_status_in_the_one_shape(world: World, name: str) -> None:
    response = PRODUCERS[name](world)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (CODES[name].status, name), error
    assert {"code", "message", "fields", "upstream", "request_id"} <= set(error)
    assert error["request_id"] == response["X-Request-Id"]
    assert (error["upstream"] is not None) == name.startswith("upstream_")
    if (response.status_code == 429 and name != "queue_full") or name == "idempotency_in_progress":
        assert int(response["Retry-After"]) >= 1


@pytest.mark.parametrize("name", [code.name for code in ALL if code.where == WITHIN])
def test_each_problem_of_a_stop_is_told_in_its_answer(world: World, name: str) -> None:
    response = PRODUCERS[name](world)
    assert response.status_code == 200
    told = [problem["code"] for one in response.json()["conversations"] for problem in one["problems"]]
    assert name in told, response.json()
