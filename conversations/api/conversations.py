"""`/api/v1/conversations/`, join, leave, end and sync."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.models import Conversation, RoomState, SlotRequest
from conversations.preflight import before_creating
from conversations.serializers import ConversationRequest, ConversationSerializer, PreflightSerializer
from conversations.services import mirroring, rooms
from conversations.services.orphans import adopt_stranger
from conversations.slots.api import SlotRequestSerializer
from conversations.slots.queueing import wait_for_slot
from conversations.within import readable
from echoadmin.accounts.permissions import Manager, Operator
from echoadmin.api.catalogue import UPSTREAM
from echoadmin.api.paging import Pages
from echoadmin.api.views import View, find
from echoadmin.idempotency import handles_key, idempotent
from echoadmin.mirror.models import MirrorState, new_public_id
from personas.serializers import SyncSerializer

TAG = ["conversations"]


def rows() -> QuerySet[Conversation]:
    """Conversations with all that is shown of them, in one query."""
    return Conversation.objects.select_related("persona", "replica", "room", "room__worker")


def one(any_id: str) -> Conversation:
    """The conversation with this id, ours or Tavus's. Raises NotFound."""
    found: Conversation = find(rows(), any_id)
    return found


def plain(any_id: str) -> Conversation:
    """The same without what belongs to it: half the time, where only its own columns are needed."""
    found: Conversation = find(Conversation.objects.order_by(), any_id)
    return found


class ConversationFilter(filters.FilterSet):
    """Filters of the list of conversations."""

    state = filters.ChoiceFilter(choices=MirrorState.choices)
    status = filters.CharFilter(max_length=16, label="active or ended")
    persona = filters.CharFilter(method="by_persona", max_length=128, label="either id")
    replica = filters.CharFilter(method="by_replica", max_length=128, label="either id")
    room = filters.ChoiceFilter(field_name="room__state", choices=RoomState.choices)
    name = filters.CharFilter(lookup_expr="icontains", max_length=200, label="part of the name")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def by_persona(self, queryset: QuerySet[Conversation], name: str, value: str) -> QuerySet[Conversation]:
        """By either id of the persona."""
        field = "persona__public_id" if value.startswith("pe_") else "upstream_persona_id"
        return queryset.filter(**{field: value})

    def by_replica(self, queryset: QuerySet[Conversation], name: str, value: str) -> QuerySet[Conversation]:
        """By either id of the replica."""
        field = "replica__public_id" if value.startswith("re_") else "upstream_replica_id"
        return queryset.filter(**{field: value})


@extend_schema(tags=TAG)
class ConversationList(View, generics.ListAPIView[Conversation]):
    """All conversations, newest first; POST creates a conversation at Tavus, whose clock and price run from then on."""

    roles = {"POST": Manager}
    codes = {"POST": (*UPSTREAM, "conversation_over", "budget_reached")}
    serializer_class = ConversationSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = ConversationFilter
    queryset = Conversation.objects.none()

    def get_queryset(self) -> QuerySet[Conversation]:
        """Newest first."""
        return rows().filter(readable(self.limits)).order_by("-id")

    @extend_schema(
        request=ConversationRequest,
        responses={201: ConversationSerializer, 200: PreflightSerializer, 202: SlotRequestSerializer},
        parameters=[
            OpenApiParameter("dry_run", bool, description="Only say what would fail; see `checks`."),
            OpenApiParameter("when_free", bool, description="Create it when a slot is free: see `slots/requests/`."),
        ],
    )
    @handles_key
    def post(self, request: Request) -> HttpResponseBase:
        """Creates it, in either vocabulary; `join: true` joins its room at once. With `dry_run=true` nothing is made
        and nothing is paid: the answer is what would fail, and with `test_mode: true` also Tavus's own judgement. With
        `when_free=true` the answer (202) is a request that waits for a slot, for SLOT_WAIT_HOURS at most.
        """
        if _asked(request, "dry_run"):
            return self._looked(request)
        return self._awaited(request) if _asked(request, "when_free") else self._made(request)

    def _looked(self, request: Request) -> Response:
        """A look keeps no Idempotency-Key: the key is for what it may lead to."""
        body, join = _read(request)
        mirroring.check_limits(self.actor(), body)
        checks = before_creating(actor=self.actor(), body=body, join=join)
        ready = not any(check.blocks for check in checks)
        return Response({"dry_run": True, "ready": ready, "checks": [check.facts() for check in checks]})

    @idempotent(lambda: new_public_id(Conversation.PREFIX))
    def _made(self, request: Request, ref: str) -> Response:
        body, join = _read(request)
        mirroring.create_conversation(actor=self.actor(), body=body, join=join, public_id=ref)
        return Response(_shown(ref), status=201)

    @idempotent(lambda: new_public_id("sl"))
    def _awaited(self, request: Request, ref: str) -> Response:
        body, join = _read(request)
        mirroring.check_limits(self.actor(), body)
        row = wait_for_slot(actor=self.actor(), body=body, join=join, public_id=ref)
        return Response(SlotRequestSerializer(row).data, status=202)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The conversation, or the request for a slot, that a repeated request made."""
        if waits := SlotRequest.objects.filter(public_id=ref).first():
            return Response(SlotRequestSerializer(waits).data, status=202)
        there = Conversation.objects.filter(public_id=ref).exists()
        return Response(_shown(ref), status=201) if there else None


@extend_schema(tags=TAG, responses=ConversationSerializer)
class ConversationOne(View):
    """One conversation, by either id."""

    roles = {"DELETE": Manager}
    codes = {"DELETE": UPSTREAM}
    shows = ConversationSerializer

    def get(self, request: Request, any_id: str) -> Response:
        """As this console knows it; nothing is asked of Tavus."""
        return self.one(one(any_id))

    @extend_schema(
        responses={204: None},
        parameters=[OpenApiParameter("hard", bool, description="Its recordings and transcripts too, for good.")],
    )
    def delete(self, request: Request, any_id: str) -> Response:
        """Removes Tavus's record of one that has ended; the row, its echoes and its log stay here."""
        hard = request.query_params.get("hard", "").lower() in ("1", "true")
        mirroring.delete_conversation(actor=self.actor(), conversation=one(any_id), hard=hard)
        return Response(status=204)


class _Action(View):
    """A POST without a body that answers with the conversation."""

    def done(self, any_id: str, note: str | None = None) -> Response:
        """The conversation as it is now, and a note where the action has a consequence that one may not expect."""
        return Response({**_shown(any_id), **({"note": note} if note else {})})


@extend_schema(tags=TAG, request=None, responses=ConversationSerializer)
class Join(_Action):
    """The console enters the room; a worker does it within seconds."""

    roles = {"POST": Operator}
    codes = {"POST": ("conversation_over",)}

    def post(self, request: Request, any_id: str) -> Response:
        """What is wanted is in `room.wanted`, what is in `room.state`."""
        conversation = one(any_id)
        rooms.join(actor=self.actor(), conversation=conversation)
        return self.done(conversation.public_id)


@extend_schema(tags=TAG, request=None, responses=ConversationSerializer)
class Leave(_Action):
    """The console leaves the room."""

    roles = {"POST": Operator}

    def post(self, request: Request, any_id: str) -> Response:
        """`note` says when Tavus ends the conversation for it."""
        conversation = one(any_id)
        rooms.leave(actor=self.actor(), conversation=conversation)
        return self.done(conversation.public_id, _leaving_note(conversation))


@extend_schema(tags=TAG, request=None, responses=ConversationSerializer)
class End(_Action):
    """Ends it at Tavus, which stops its clock."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    def post(self, request: Request, any_id: str) -> Response:
        """Ending one that has ended does nothing."""
        conversation = mirroring.end_conversation(actor=self.actor(), conversation=one(any_id))
        return self.done(conversation.public_id)


@extend_schema(tags=TAG, request=None, responses=ConversationSerializer)
class Adopt(_Action):
    """Makes a conversation that was created elsewhere this console's own."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    def post(self, request: Request, any_id: str) -> Response:
        """Who asks is its creator from here on. 409 for one that is ours already, or does not run."""
        conversation = adopt_stranger(actor=self.actor(), conversation=one(any_id))
        return self.done(conversation.public_id)


@extend_schema(tags=TAG, request=None, responses=ConversationSerializer)
class ConversationSync(_Action):
    """Reads one anew from Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    def post(self, request: Request, any_id: str) -> Response:
        """As it is now."""
        conversation = mirroring.sync_conversation(actor=self.actor(), conversation=one(any_id))
        return self.done(conversation.public_id)


@extend_schema(tags=TAG)
class ConversationsSync(View):
    """Reads all conversations from Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    @extend_schema(
        operation_id="conversations_sync_all",
        request=None,
        responses=SyncSerializer,
        parameters=[OpenApiParameter("status", str, enum=["active"], description="Only those that run.")],
    )
    def post(self, request: Request) -> Response:
        """What it found."""
        status = request.query_params.get("status") or None
        if status not in (None, "active"):
            raise ValidationError({"status": ["Is active, or left out for all."]})
        return Response(mirroring.sync_conversations(actor=self.actor(), status=status).facts())


def _asked(request: Request, name: str) -> bool:
    asked = request.query_params.get(name, "").lower()
    if asked not in ("", "0", "false", "1", "true"):
        raise ValidationError({name: ["Is true or false."]})
    return asked in ("1", "true")


def _read(request: Request) -> tuple[dict[str, Any], bool]:
    """The body without what is ours, and whether to join."""
    body = dict(request.data)
    join = body.pop("join", False)
    if not isinstance(join, bool):
        raise ValidationError({"join": ["Is true or false."]})
    return body, join


def _shown(any_id: str) -> dict[str, Any]:
    return dict(ConversationSerializer(one(any_id)).data)


def _leaving_note(conversation: Conversation) -> str | None:
    if not conversation.is_active:
        return None
    seconds = conversation.participant_left_timeout
    when = "after its participant_left_timeout" if seconds is None else f"{seconds} s after the last participant left"
    return f"Tavus ends this conversation {when}. Join again before that to keep it."
