"""What waits and who may speak: approve and reject, the floor, and how long the steps of echoes took."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.conversations import plain
from conversations.latency import latencies
from conversations.models import Conversation, Echo, Room
from conversations.serializers import EchoSerializer, echo_dict
from conversations.services import speaking
from conversations.standing import floor_of, room_of
from conversations.within import readable
from echoadmin.accounts.permissions import Operator
from echoadmin.api.catalogue import SAYING, TEXT
from echoadmin.api.views import View
from echoadmin.idempotency import act_once

DECIDING = ("changed_meanwhile", "not_a_second_person", "not_now", "floor_taken")


class ChangeRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: other words, or another place, or both."""

    text = serializers.CharField(required=False, max_length=20_000)
    before = serializers.CharField(required=False, help_text="The inference_id of one that waits.")
    after = serializers.CharField(required=False, help_text="The inference_id of one that waits.")
    position = serializers.IntegerField(required=False, min_value=1, help_text="Among those that wait, from 1.")
    revision = serializers.IntegerField(required=False, help_text="As it was seen; 409 where it is another by now.")


class ApproveRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    text = serializers.CharField(required=False, max_length=20_000, help_text="Says this instead.")
    revision = serializers.IntegerField(required=False, help_text="As it was seen; 409 where it is another by now.")


class RejectRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    reason = serializers.CharField(required=False, max_length=1000)
    revision = serializers.IntegerField(required=False)


class FloorRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    action = serializers.ChoiceField(["take", "hand_over", "release"])
    to = serializers.CharField(required=False, help_text="The name of a user, for hand_over.")


class FloorSerializer(serializers.Serializer[Any]):
    """Who alone may speak."""

    name = serializers.CharField()
    key = serializers.CharField(help_text="The prefix of the key that has it, else empty.")
    since = serializers.DateTimeField(allow_null=True)


class FloorAnswer(serializers.Serializer[Any]):
    """Null where everybody with the role may speak."""

    floor = FloorSerializer(allow_null=True)


class LatenciesSerializer(serializers.Serializer[Any]):
    """Of the newest echoes that ended."""

    echoes = serializers.IntegerField()
    states = serializers.DictField(child=serializers.IntegerField())
    steps = serializers.DictField(help_text="Each step's count, p50, p95, p99 and longest, in seconds.")


def waiting_echo(any_id: str, inference_id: str) -> Echo:
    """One echo. Raises NotFound."""
    found: QuerySet[Echo] = Echo.objects.filter(conversation=plain(any_id), inference_id=inference_id)
    echo = found.select_related("conversation", "again_of").first()
    if echo is None:
        words = f"There is no echo {inference_id[:140]!r} in this conversation; they are listed under echoes/."
        raise NotFound(words)
    return echo


def change(actor: Any, echo: Echo, data: Any) -> Echo:
    """Other words, then another place, as far as given: both or neither."""
    given = {name: data[name] for name in ("before", "after", "position") if data.get(name) is not None}
    text, revision = data.get("text"), _whole(data, "revision")
    if text is None and not given:
        raise ValidationError({"text": ["Give text, or one of before, after and position."]})
    if "position" in given:
        given["position"] = _whole(data, "position")
    return speaking.change(actor=actor, echo=echo, text=text, revision=revision, **given)


@extend_schema(tags=["echoes"], request=ApproveRequest, responses=EchoSerializer)
class EchoApprove(View):
    """A second person lets a held line be said."""

    roles = {"POST": Operator}
    codes = {"POST": (*TEXT, *DECIDING)}

    @act_once
    def post(self, request: Request, any_id: str, inference_id: str) -> Response:
        """Now queued, in its old place."""
        echo, data = waiting_echo(any_id, inference_id), request.data
        done = speaking.approve(actor=self.actor(), echo=echo, text=data.get("text"), revision=_whole(data, "revision"))
        return Response(echo_dict(done))


@extend_schema(tags=["echoes"], request=RejectRequest, responses=EchoSerializer)
class EchoReject(View):
    """A second person has a held line never be said."""

    roles = {"POST": Operator}
    codes = {"POST": DECIDING}

    @act_once
    def post(self, request: Request, any_id: str, inference_id: str) -> Response:
        """Now rejected, which is final."""
        echo, data = waiting_echo(any_id, inference_id), request.data
        reason = data.get("reason") or ""
        if not isinstance(reason, str):
            raise ValidationError({"reason": ["Is a text."]})
        done = speaking.reject(actor=self.actor(), echo=echo, reason=reason, revision=_whole(data, "revision"))
        return Response(echo_dict(done))


@extend_schema(tags=["conversations"], responses=FloorAnswer)
class Floor(View):
    """Who alone may speak in a conversation; POST takes the floor, hands it over or releases it."""

    roles = {"POST": Operator}
    codes = {"POST": (*SAYING, "not_now")}

    def get(self, request: Request, any_id: str) -> Response:
        """As it is now."""
        return _floor(room_of(plain(any_id)))

    @extend_schema(request=FloorRequest)
    @act_once
    def post(self, request: Request, any_id: str) -> Response:
        """Take it, hand it to a user, or release it. A manager may do so with another one's."""
        conversation: Conversation = plain(any_id)
        data = request.data
        return _floor(
            speaking.do_with_floor(
                actor=self.actor(), conversation=conversation, action=data.get("action"), to=data.get("to")
            )
        )


@extend_schema(tags=["conversations"], responses=LatenciesSerializer)
class ConversationLatencies(View):
    """How long the steps of a conversation's echoes took."""

    def get(self, request: Request, any_id: str) -> Response:
        """Percentiles over its newest 500 that ended."""
        return Response(latencies(Q(pk=plain(any_id).pk)))


@extend_schema(tags=["conversations"], responses=LatenciesSerializer)
class AllLatencies(View):
    """How long the steps of all echoes took."""

    def get(self, request: Request) -> Response:
        """Percentiles over the newest 500 that ended."""
        return Response(latencies(readable(self.limits) if self.limits else None))


def _floor(room: Room | None) -> Response:
    return Response({"floor": floor_of(room) if room else None})


def _whole(data: Any, name: str) -> int | None:
    value = data.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31):
        raise ValidationError({name: ["Is a whole number."]})
    return value
