"""`/api/v1/stop/`: every room interrupted at once, then left, or its conversation ended."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.services import stopping
from echoadmin.accounts.permissions import Manager, Operator
from echoadmin.api.views import View


class StopRequest(serializers.Serializer[Any]):
    """For the OpenAPI document; an empty body interrupts, and does no more."""

    then = serializers.ChoiceField(
        stopping.THENS, required=False, help_text="nothing (default), leave the rooms, or end the conversations."
    )
    reason = serializers.CharField(required=False, max_length=stopping.LONGEST_REASON, help_text="Kept in the log.")


class StopProblemSerializer(serializers.Serializer[Any]):
    """What could not be done."""

    step = serializers.CharField(help_text="interrupt, leave or end.")
    code = serializers.CharField()
    message = serializers.CharField()


class HaltedSerializer(serializers.Serializer[Any]):
    """What was done in one conversation."""

    conversation = serializers.CharField(help_text="Our id.")
    conversation_id = serializers.CharField(allow_null=True, help_text="Tavus's.")
    name = serializers.CharField()
    cancelled = serializers.ListField(child=serializers.CharField(), help_text="The inference_ids that were waiting.")
    interrupted = serializers.CharField(allow_null=True, help_text="The inference_id that was being said.")
    confirmed = serializers.BooleanField(help_text="Whether the replica said that it stopped, or was silent.")
    left = serializers.BooleanField(help_text="Nobody wants its room any more; its worker leaves within seconds.")
    ended = serializers.BooleanField(help_text="It has ended at Tavus, and costs nothing more.")
    problems = StopProblemSerializer(many=True)


class StoppedSerializer(serializers.Serializer[Any]):
    """What came of it. `complete` is false where something could not be done; the conversation's problems say what."""

    then = serializers.CharField()
    reason = serializers.CharField()
    complete = serializers.BooleanField()
    conversations = HaltedSerializer(many=True)
    runs = serializers.ListField(child=serializers.CharField(), help_text="The replays that were stopped.")


@extend_schema(tags=["operations"], request=StopRequest, responses=StoppedSerializer)
class Stop(View):
    """Stops everything."""

    roles = {"POST": Operator}

    def post(self, request: Request) -> Response:
        """Operators; ending is for managers. It goes on past failures and names them; twice is once."""
        if unknown := set(request.data) - {"then", "reason"}:
            raise ValidationError({min(unknown): ["Is not known here. A stop takes then and reason."]})
        then, reason = request.data.get("then", stopping.NOTHING), request.data.get("reason", "")
        ends = Manager()
        if then == stopping.END and not ends.has_permission(request, self):
            raise PermissionDenied(f"To end conversations: {ends.message} To leave the rooms, send then: leave.")
        return Response(stopping.stop_everything(actor=self.actor(), then=then, reason=reason).facts())
