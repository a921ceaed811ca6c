"""The buttons of a conversation's page that say something, and that stop it.

Each answers a script with JSON, and a form with the page.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from conversations import audio, interactions
from conversations.admin.page_parts import ONE, PagePart
from conversations.models import Conversation
from conversations.refusals import Refusal
from conversations.serializers import echo_dict
from conversations.services import speaking
from echoadmin.accounts.acting import actor
from echoadmin.pages import button

SHOWN = 30  # characters on each side of a cut


def parsed_message(text: str) -> Any:
    """The JSON of an interaction that was typed. Raises Refusal that says where it breaks."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Refusal("message", f"This is no JSON: {error.msg} in line {error.lineno}.") from error
    except RecursionError as error:
        raise Refusal("message", "This JSON is nested too deeply.") from error


class SpeakingPart(PagePart):
    """Speak, interrupt, cancel, say again."""

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        """What a file may have."""
        return super().page_context(request, row) | {"largest_upload": settings.LARGEST_PAGE_UPLOAD}

    def page_paths(self) -> list[Any]:
        """Their buttons."""
        return [
            *super().page_paths(),
            (ONE + "speak/", "speak", self.speak),
            (ONE + "interrupt/", "interrupt", self.interrupt),
            (ONE + "cuts/", "cuts", self.cuts),
            (ONE + "send/", "send", self.send),
            (ONE + "echoes/<str:inference_id>/cancel/", "cancel", self.cancel),
            (ONE + "echoes/<str:inference_id>/again/", "again", self.again),
        ]

    @button("operator", "make a replica speak")
    def speak(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A text, or an audio file, to the end of the queue."""
        row = self.find(request, object_id)
        upload = request.FILES.get("audio")
        who: dict[str, Any] = {"actor": actor(request), "conversation": row}
        who["inference_id"] = request.POST.get("inference_id") or None

        def do() -> dict[str, Any]:
            if upload is None:
                return echo_dict(speaking.speak_text(text=request.POST.get("text", ""), **who))
            pcm = audio.decode(cast(BinaryIO, upload.file), field="audio", max_seconds=settings.ECHO_MAX_SECONDS)
            return echo_dict(speaking.speak_audio(pcm=pcm, sample_rate=audio.RATE, **who))

        return self.answer(request, row, do, 202)

    @button("operator", "make a replica speak")
    def cuts(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Where a text would be cut into messages, and how long it takes; nothing is said."""
        row = self.find(request, object_id)

        def do() -> dict[str, Any]:
            text = interactions.check_text(request.POST.get("text", ""))
            parts = interactions.split_text(text, row.upstream_id or "", uuid.uuid4().hex)
            ends = [{"begins": part[:SHOWN], "ends": part[-SHOWN:], "characters": len(part)} for part in parts]
            return {"parts": ends, "seconds": interactions.estimated_seconds(text)}

        return self.answer(request, row, do)

    @button("operator", "interrupt a replica")
    def interrupt(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Stop the replica, and cancel the queue."""
        row = self.find(request, object_id)

        def do() -> dict[str, Any]:
            asked = speaking.interrupt(actor=actor(request), conversation=row)
            return {"cancelled": asked.cancelled, "interaction": asked.interaction.pk}

        return self.answer(request, row, do)

    @button("operator", "send an interaction")
    def send(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Any other interaction, as JSON."""
        row = self.find(request, object_id)

        def do() -> dict[str, Any]:
            message = parsed_message(request.POST.get("message", ""))
            sent = speaking.send_interaction(actor=actor(request), conversation=row, message=message)
            return {"interaction": sent.pk, "state": sent.state}

        return self.answer(request, row, do, 202)

    @button("operator", "cancel what is queued")
    def cancel(self, request: HttpRequest, object_id: str, inference_id: str) -> HttpResponseBase:
        """Take one echo out of the queue."""
        row, echo = self.echo(request, object_id, inference_id)
        return self.answer(request, row, lambda: echo_dict(speaking.cancel(actor=actor(request), echo=echo)))

    @button("operator", "make a replica speak")
    def again(self, request: HttpRequest, object_id: str, inference_id: str) -> HttpResponseBase:
        """Say one echo again, as a new one."""
        row, echo = self.echo(request, object_id, inference_id)
        return self.answer(request, row, lambda: echo_dict(speaking.say_again(actor=actor(request), echo=echo)), 202)
