"""`manage.py say ID "Hello." ["And more." …]`: make the replica say it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from conversations import audio
from conversations.api.conversations import plain
from conversations.api.echoes import REACHED
from conversations.models import Conversation, Echo
from conversations.serializers import echo_dict
from conversations.services import speaking
from conversations.waiting import wait_for
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand


class Command(JsonCommand):
    help = "Queue texts, all or none, or an audio file; --wait until the last one was sent or spoken."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("conversation", metavar="ID", help="ours or Tavus's")
        parser.add_argument("texts", nargs="*", metavar="TEXT")
        parser.add_argument("--file", type=Path, help="WAV, FLAC, OGG, Opus, MP3 or AIFF, in place of texts")
        parser.add_argument("--wait", choices=list(REACHED), help="until the last one is so far, or has ended")
        parser.add_argument("--patience", type=float, default=600, metavar="S", help="seconds that it waits (600)")

    def act(self, actor: Actor, options: dict[str, Any]) -> list[dict[str, Any]]:
        conversation = plain(options["conversation"])
        echoes = self._queued(actor, conversation, options)
        if options["wait"]:
            self._wait(conversation, echoes[-1], options)
            echoes = list(Echo.objects.filter(pk__in=[echo.pk for echo in echoes]).order_by("position"))
        for echo in echoes:
            echo.conversation = conversation
        return [echo_dict(echo) for echo in echoes]

    def _queued(self, actor: Actor, conversation: Conversation, options: dict[str, Any]) -> list[Echo]:
        if bool(options["texts"]) == bool(options["file"]):
            raise CommandError("say what: give texts, or --file with a sound")
        if options["file"]:
            try:
                with options["file"].open("rb") as file:
                    pcm = audio.decode(file, max_seconds=settings.ECHO_MAX_SECONDS)
                    return [
                        speaking.speak_audio(actor=actor, conversation=conversation, pcm=pcm, sample_rate=audio.RATE)
                    ]
            except OSError as error:
                raise CommandError(f"{options['file']} can't be read: {error.strerror}") from error
        said = [speaking.Saying(uuid.uuid4().hex, text=text) for text in options["texts"]]
        return speaking.speak_all(actor=actor, conversation=conversation, utterances=said)

    def _wait(self, conversation: Conversation, last: Echo, options: dict[str, Any]) -> None:
        def look() -> bool | None:
            last.refresh_from_db(fields=["state", "sent_at"])
            return REACHED[options["wait"]](last) or None

        wait_for(conversation.public_id, look, options["patience"])

    def lines(self, data: Any) -> Iterable[str]:
        for echo in data:
            words = echo["text"] or f"{echo['seconds']:.1f} s of audio"
            yield f"{echo['inference_id']}  {echo['state']}  {words}"
