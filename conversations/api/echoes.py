"""`echoes/`, `interrupt/` and `interactions/` of a conversation: what makes the replica speak and stop."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.conversations import plain
from conversations.api.queueing import ChangeRequest, change
from conversations.api.speaking import ids_of, speak, speak_all
from conversations.models import Conversation, Echo, EchoState, Interaction
from conversations.serializers import (
    EchoRequest,
    EchoSerializer,
    InteractionRequest,
    InteractionSerializer,
    InterruptedSerializer,
    echo_dict,
    interaction_dict,
)
from conversations.services import speaking
from conversations.waiting import wait_for
from echoadmin.accounts.permissions import Operator
from echoadmin.api.catalogue import AUDIO, SAYING, TEXT
from echoadmin.api.paging import Pages
from echoadmin.api.parsing import ObjectsParser
from echoadmin.api.shaping import NOTHING_ASKED, Asked
from echoadmin.api.views import View
from echoadmin.idempotency import act_once, handles_key, idempotent, told

WAIT = 30.0  # seconds, at most
WAIT_PARAMETER = OpenApiParameter("wait", str, enum=["sent", "spoken"], description="Answer then, 30 s at most.")
# What is held waits for a second person, for as long as they take: that is told at once.
REACHED: dict[str, Callable[[Echo], bool]] = {
    "sent": lambda echo: echo.sent_at is not None or echo.is_final or echo.state == EchoState.HELD,
    "spoken": lambda echo: echo.is_final or echo.state == EchoState.HELD,
}


def echoes_of(conversation: Conversation) -> QuerySet[Echo]:
    """Its echoes with all that is shown of them, in one query."""
    return Echo.objects.filter(conversation=conversation).select_related("conversation", "again_of")


def whole(echoes: QuerySet[Echo], asked: Asked) -> QuerySet[Echo]:
    """With all that is shown of their conversation, where it was asked for."""
    more = ("conversation__persona", "conversation__replica", "conversation__room__worker")
    return echoes.select_related(*more) if "conversation" in asked.expand else echoes


def echo_of(conversation: Conversation, inference_id: str, asked: Asked = NOTHING_ASKED) -> Echo:
    """One echo. Raises NotFound."""
    found = whole(echoes_of(conversation), asked).filter(inference_id=inference_id).first()
    if found is None:
        words = f"There is no echo {inference_id[:140]!r} in this conversation; they are listed under echoes/."
        raise NotFound(words)
    return found


class EchoFilter(filters.FilterSet):
    """Filters of a conversation's echoes."""

    state = filters.CharFilter(method="by_states", max_length=200, label="one, or several with commas")
    modality = filters.ChoiceFilter(choices=[("text", "text"), ("audio", "audio")])
    source = filters.CharFilter(max_length=16, label="page, rest, websocket, quickstart, script, replay; more may come")

    class Meta:
        model = Echo
        fields: list[str] = []

    def by_states(self, queryset: QuerySet[Echo], name: str, value: str) -> QuerySet[Echo]:
        """States are an open set: an unknown one finds nothing."""
        return queryset.filter(state__in=[state.strip() for state in value.split(",")])


@extend_schema(tags=["echoes"])
class EchoList(View, generics.ListAPIView[Echo]):
    """A conversation's echoes, newest first; POST makes the replica speak."""

    roles = {"POST": Operator}
    codes = {"POST": (*SAYING, *TEXT, *AUDIO, "inference_id_taken", "queue_full")}
    largest_upload = 512 * 1024 * 1024  # bytes: ten minutes of any WAV; a file goes to disk as it comes
    parser_classes = [ObjectsParser, MultiPartParser]
    serializer_class = EchoSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = EchoFilter
    queryset = Echo.objects.none()

    def get_queryset(self) -> QuerySet[Echo]:
        """Newest first."""
        return whole(echoes_of(plain(self.kwargs["any_id"])), self.asked).order_by("-id")

    @extend_schema(request=EchoRequest, responses={202: EchoSerializer}, parameters=[WAIT_PARAMETER])
    @handles_key
    def post(self, request: Request, any_id: str) -> Any:
        """Queues it and answers 202; `?wait=` answers when it was sent or spoken, or after 30 s as it then is.

        An array of at most 100 is queued in its order, all or none, and answered by an array; the wait is for the last.
        """
        reached = _reached(request)
        response = self.queue(request, any_id=any_id)
        if reached is None or response.status_code != 202:
            return response
        return self.awaited(any_id, response, reached)

    @idempotent(lambda: uuid.uuid4().hex)
    def queue(self, request: Request, ref: str, any_id: str) -> Response:
        """The echo is committed when this returns; whether it will be said is seen in its state."""
        if isinstance(request.data, list):
            return _answer(speak_all(self.actor(), plain(any_id), request.data, ref))
        return _answer(speak(self.actor(), plain(any_id), request, ref))

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """What a repeated request made: of an array all, or nothing (ids of the client's own suffice)."""
        data = self.request.data
        if not isinstance(data, list):
            echo = echoes_of(plain(kwargs["any_id"])).filter(inference_id=ref).first()
            return _answer(echo) if echo else None
        ids = ids_of(data, ref)
        echoes = _in_order(plain(kwargs["any_id"]), ids)
        made = any(item.get("inference_id") is None for item in data) and len(echoes) == len(ids)
        return _answer(echoes) if made else None

    def awaited(self, any_id: str, response: Any, reached: Callable[[Echo], bool]) -> Response:
        """The echo when it is as far as was asked, or as it is after 30 s; of an array, the last."""
        data, headers = told(response)
        one_by_one = isinstance(data, list)
        ids = [str(echo["inference_id"]) for echo in (data if one_by_one else [data])]
        last = echo_of(plain(any_id), ids[-1])

        def look() -> bool | None:
            state, sent_at = Echo.objects.values_list("state", "sent_at").get(pk=last.pk)
            return reached(Echo(state=state, sent_at=sent_at)) or None

        wait_for(last.conversation.public_id, look, WAIT)
        echoes = _in_order(last.conversation, ids)
        return _answer(echoes if one_by_one else echoes[0], headers)


@extend_schema(tags=["echoes"], responses=EchoSerializer)
class EchoOne(View):
    """One echo, by its inference_id."""

    roles = {"DELETE": Operator, "PATCH": Operator}
    codes = {
        "PATCH": (*TEXT, "changed_meanwhile", "floor_taken", "not_now"),
        "DELETE": ("changed_meanwhile", "not_now"),
    }
    shows = EchoSerializer

    def get(self, request: Request, any_id: str, inference_id: str) -> Response:
        """As it is now."""
        return self.one(echo_of(plain(any_id), inference_id, self.asked))

    @extend_schema(request=ChangeRequest)
    def patch(self, request: Request, any_id: str, inference_id: str) -> Response:
        """Other words, or another place, for one that still waits; 409 `changed_meanwhile` once it does not."""
        echo = echo_of(plain(any_id), inference_id)
        return Response(echo_dict(change(self.actor(), echo, request.data)))

    @extend_schema(summary="Cancel an echo that waits", responses=EchoSerializer)
    def delete(self, request: Request, any_id: str, inference_id: str) -> Response:
        """Cancels one that still waits; one that is being said can only be interrupted."""
        echo = speaking.cancel(actor=self.actor(), echo=echo_of(plain(any_id), inference_id))
        return Response(echo_dict(echo))


@extend_schema(tags=["echoes"], request=None, responses={202: EchoSerializer})
class EchoAgain(View):
    """Says an echo that ended again, as a new one."""

    roles = {"POST": Operator}
    codes = {"POST": (*SAYING, *TEXT, *AUDIO, "queue_full", "not_now", "inference_id_taken")}

    @idempotent(lambda: uuid.uuid4().hex)
    def post(self, request: Request, ref: str, any_id: str, inference_id: str) -> Response:
        """The new echo; `again_of` names the old one."""
        old = echo_of(plain(any_id), inference_id)
        return _answer(speaking.say_again(actor=self.actor(), echo=old, inference_id=ref))

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The echo that a repeated request made."""
        echo = echoes_of(plain(kwargs["any_id"])).filter(inference_id=ref).first()
        return _answer(echo) if echo else None


@extend_schema(tags=["echoes"], request=None, responses=InterruptedSerializer)
class Interrupt(View):
    """Cancels what waits and stops the replica."""

    roles = {"POST": Operator}
    codes = {"POST": ("not_joined", "conversation_over", "not_now", "floor_taken")}

    @handles_key
    def post(self, request: Request, any_id: str) -> Response:
        """Answers when the replica said that it stopped, or after about 2 s with `confirmed: false`."""
        response = self.stop(request, any_id=any_id)
        if response.status_code != 200:
            return response
        done, headers = told(response)
        interaction = Interaction.objects.select_related("conversation").get(pk=done["interaction"])

        def look() -> bool | None:
            interaction.refresh_from_db(fields=["ended_at", "result"])
            return interaction.ended_at is not None or None

        wait_for(interaction.conversation.public_id, look, settings.INTERRUPT_DEADLINE + 1)
        result = interaction.result or {"interrupted": None, "confirmed": False}
        return Response({"cancelled": done["cancelled"], **result}, headers=headers)

    @act_once
    def stop(self, request: Request, any_id: str) -> Response:
        """What was cancelled, and the interaction that stops the replica; what comes of that is seen in it."""
        done = speaking.interrupt(actor=self.actor(), conversation=plain(any_id))
        return Response({"cancelled": done.cancelled, "interaction": done.interaction.pk})


@extend_schema(tags=["echoes"])
class Interactions(View, generics.ListAPIView[Interaction]):
    """Messages to the replica that are no echoes, newest first; POST sends an interaction."""

    roles = {"POST": Operator}
    codes = {"POST": (*SAYING, *TEXT, "not_now")}
    serializer_class = InteractionSerializer
    pagination_class = Pages
    filter_backends: list[Any] = []
    queryset = Interaction.objects.none()

    def get_queryset(self) -> QuerySet[Interaction]:
        """Newest first."""
        return Interaction.objects.filter(conversation=plain(self.kwargs["any_id"])).order_by("-id")

    @extend_schema(request=InteractionRequest, responses={202: InteractionSerializer})
    @act_once
    def post(self, request: Request, any_id: str) -> Response:
        """Sent at once, beside the echo that is being said."""
        conversation = plain(any_id)
        event_type = request.data.get("event_type")
        if not isinstance(event_type, str) or not 1 <= len(event_type) <= 120:
            raise ValidationError({"event_type": ["Is a text of 1 to 120 characters, such as conversation.respond."]})
        message = {"message_type": "conversation", "conversation_id": conversation.upstream_id, **request.data}
        sent = speaking.send_interaction(actor=self.actor(), conversation=conversation, message=message)
        return Response(interaction_dict(sent), status=202)


def _reached(request: Request) -> Callable[[Echo], bool] | None:
    asked = request.query_params.get("wait")
    if asked is None:
        return None
    if asked not in REACHED:
        raise ValidationError({"wait": ["Is sent or spoken."]})
    return REACHED[asked]


def _in_order(conversation: Conversation, ids: list[str]) -> list[Echo]:
    """Those of these echoes that there are, in the order of `ids`."""
    found = {echo.inference_id: echo for echo in echoes_of(conversation).filter(inference_id__in=ids)}
    return [found[inference_id] for inference_id in ids if inference_id in found]


def _answer(said: Echo | list[Echo], headers: dict[str, str] | None = None) -> Response:
    data: Any = [echo_dict(echo) for echo in said] if isinstance(said, list) else echo_dict(said)
    return Response(data, status=202, headers=headers)
