"""Makers of rows for tests: `make.conversation(name="Tour")`. Each gives a saved row that a page can show."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import factory
from django.contrib.auth.models import Group, User
from django.utils import timezone
from factory.django import DjangoModelFactory

from conversations.models import Conversation, Echo, Gap, Interaction, Room, SavedLine, Script, WebhookReceived, Worker
from echoadmin.accounts.roles import ROLES
from echoadmin.duties import Duty
from echoadmin.installation import Console
from personas.models import Persona, Replica


def user(role: str | None = "admin", name: str | None = None) -> User:
    """A user with a role (None: without one) and no password: hashing one takes longer than most tests."""
    row: User = User.objects.create_user(name or f"{role or 'nobody'}-{uuid.uuid4().hex[:6]}", is_staff=True)
    if role:
        assert role in ROLES
        row.groups.add(Group.objects.get_or_create(name=role)[0])
    return row


def _upstream_id(prefix: str) -> Any:
    return factory.LazyFunction(lambda: prefix + uuid.uuid4().hex[:10])


class PersonaFactory(DjangoModelFactory):
    class Meta:
        model = Persona

    upstream_id = _upstream_id("p")
    name = factory.Sequence(lambda n: f"Persona {n}")
    state = "live"
    pipeline_mode = "echo"
    payload = factory.LazyAttribute(lambda row: {"persona_id": row.upstream_id, "pipeline_mode": row.pipeline_mode})
    synced_at = factory.LazyFunction(timezone.now)


class ReplicaFactory(DjangoModelFactory):
    class Meta:
        model = Replica

    upstream_id = _upstream_id("r")
    name = factory.Sequence(lambda n: f"Replica {n}")
    state = "live"
    status = "completed"
    replica_type = "system"
    model_name = "phoenix-4"
    synced_at = factory.LazyFunction(timezone.now)


class ConversationFactory(DjangoModelFactory):
    class Meta:
        model = Conversation

    upstream_id = _upstream_id("c")
    name = factory.Sequence(lambda n: f"Conversation {n}")
    state = "live"
    status = "active"
    persona = factory.SubFactory(PersonaFactory)
    replica = factory.SubFactory(ReplicaFactory)
    upstream_persona_id = factory.LazyAttribute(lambda row: row.persona.upstream_id if row.persona else "")
    upstream_replica_id = factory.LazyAttribute(lambda row: row.replica.upstream_id if row.replica else "")
    conversation_url = factory.LazyAttribute(lambda row: f"https://tavus.daily.co/{row.upstream_id}")
    max_call_duration = 3600
    participant_left_timeout = 120
    upstream_created_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=12))
    created_by = "ana"


class WorkerFactory(DjangoModelFactory):
    class Meta:
        model = Worker

    name = factory.Sequence(lambda n: f"worker-{n}")
    host = "example"
    pid = 1
    version = "0.1.0"
    started_at = factory.LazyFunction(timezone.now)
    lease_until = factory.LazyFunction(lambda: timezone.now() + timedelta(seconds=30))


class RoomFactory(DjangoModelFactory):
    class Meta:
        model = Room

    conversation = factory.SubFactory(ConversationFactory)
    wanted = "joined"
    state = "joined"
    worker = factory.SubFactory(WorkerFactory)
    epoch = 1
    joined_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.LazyFunction(timezone.now)
    replica_present = True
    participants = [
        {"id": "1", "name": "Persona", "joined_at": None, "is_replica": True, "is_us": False},
        {"id": "2", "name": "echoadmin/worker", "joined_at": None, "is_replica": False, "is_us": True},
    ]


class LineFactory(DjangoModelFactory):
    class Meta:
        model = SavedLine

    name = factory.Sequence(lambda n: f"Line {n}")
    text = "Welcome."
    seconds = 0.5
    shared = True
    owner = "ana"
    owner_id = 0


class EchoFactory(DjangoModelFactory):
    class Meta:
        model = Echo

    conversation = factory.SubFactory(ConversationFactory)
    inference_id = factory.LazyFunction(lambda: uuid.uuid4().hex)
    wire_id = factory.SelfAttribute("inference_id")
    modality = "text"
    text = factory.Sequence(lambda n: f"Line {n}.")
    seconds = 2.0
    position = factory.Sequence(lambda n: n)
    actor = "ana"
    source = "page"
    state = "spoken"
    queued_at = factory.LazyFunction(timezone.now)


class InteractionFactory(DjangoModelFactory):
    class Meta:
        model = Interaction

    conversation = factory.SubFactory(ConversationFactory)
    event_type = "conversation.interrupt"
    message = {"message_type": "conversation", "event_type": "conversation.interrupt"}
    state = "sent"
    actor = "ana"
    queued_at = factory.LazyFunction(timezone.now)


class GapFactory(DjangoModelFactory):
    class Meta:
        model = Gap

    conversation = factory.SubFactory(ConversationFactory)
    kind = "missing_seq"
    n = factory.Sequence(lambda n: n + 1)
    from_at = factory.LazyFunction(timezone.now)
    to_at = factory.LazyFunction(timezone.now)
    count, first_seq, last_seq = 3, 604, 606
    reason = "lost"


class ScriptFactory(DjangoModelFactory):
    class Meta:
        model = Script

    name = factory.Sequence(lambda n: f"Script {n}")
    lines = factory.LazyFunction(lambda: [{"text": "Hello {{guest}}.", "pause": 1.5, "wait": "spoken"}])
    variables = factory.LazyFunction(lambda: {"guest": ""})
    created_by = "ana"


class WebhookFactory(DjangoModelFactory):
    class Meta:
        model = WebhookReceived

    conversation = factory.SubFactory(ConversationFactory)
    upstream_id = factory.LazyAttribute(lambda row: row.conversation.upstream_id if row.conversation else "")
    event_type = "system.shutdown"
    body = factory.LazyAttribute(lambda row: {"event_type": row.event_type, "conversation_id": row.upstream_id})
    received_at = factory.LazyFunction(timezone.now)
    state = "failed"
    attempts = 6
    error = "Tavus could not be asked"
    processed_at = factory.LazyFunction(timezone.now)


class DutyFactory(DjangoModelFactory):
    class Meta:
        model = Duty

    name = factory.Sequence(lambda n: f"duty-{n}")
    every = timedelta(minutes=1)
    next_run_at = factory.LazyFunction(timezone.now)


class ConsoleFactory(DjangoModelFactory):
    class Meta:
        model = Console

    name = factory.Sequence(lambda n: f"console-{n}")
    host = "example"
    pid = 1
    started_at = factory.LazyFunction(timezone.now)
    lease_until = factory.LazyFunction(lambda: timezone.now() + timedelta(seconds=30))


persona = PersonaFactory
replica = ReplicaFactory
conversation = ConversationFactory
worker = WorkerFactory
room = RoomFactory
echo = EchoFactory
interaction = InteractionFactory
gap = GapFactory
script = ScriptFactory
line = LineFactory
webhook = WebhookFactory
duty = DutyFactory
console = ConsoleFactory
