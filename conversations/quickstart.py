"""`POST /send_audio_message`: the address of Tavus's Echo Mode quickstart, its body and its answers.

A program written for the quickstart's own server works as it is, but for the key that it now sends. Audio comes in
pieces that share an `inference_id` and are one echo; the last one has `done: true`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import audio, interactions
from conversations.models import Conversation, Echo, EchoState
from conversations.models.echo import FINAL_STATES
from conversations.refusals import IdTaken, Refusal
from conversations.services import speaking
from conversations.waiting import wait_for
from conversations.within import readable
from echoadmin.accounts.permissions import Operator
from echoadmin.actors import Actor, Limits
from echoadmin.api.errors import exception_handler
from echoadmin.api.limits import Policy
from echoadmin.api.problems import refused
from echoadmin.api.views import View

LARGEST = 1_000_000  # bytes of a body
PATIENCE = 2.0  # seconds that an answer waits for the piece to be sent
DEFAULT_RATE = 16_000  # Hz; the quickstart's default
SENT = {"status": "Message sent successfully"}


@dataclass(frozen=True)
class Piece:
    """One POST."""

    modality: str
    text: str
    pcm: bytes
    sample_rate: int
    inference_id: str | None
    done: bool


class SendAudioMessage(View):
    """The quickstart's address."""

    roles = {"POST": Operator}
    schema = None
    policy = Policy("pieces", times=20)  # audio comes in 20 pieces a second for each room: by default, of 100 rooms

    @classmethod
    def largest_body(cls, content_type: str) -> int:
        """Twice what is taken: up to there a refusal has the quickstart's own shape."""
        return 2 * LARGEST

    def post(self, request: Request) -> HttpResponse | Response:
        """200 when sent (or stored, while it waits its turn), 400 for what can't be, 500 with Daily's words."""
        if len(request.body) > LARGEST:
            raise refused(413, "too_large", "The body has over 1 MB. Send the audio in smaller pieces.")
        conversation = _conversation(request.data, self.limits)
        piece = _piece(request.data)
        echo = _say(self.actor("quickstart"), conversation, piece)
        failed = _wait_until_sent(conversation, echo, piece)
        return (
            JsonResponse({"error": f"Failed to send message: {failed}"}, status=500) if failed else JsonResponse(SENT)
        )

    def handle_exception(self, exc: Exception) -> Response:
        """The quickstart's errors are a text; what it knows as 400 stays 400."""
        response = exception_handler(exc, {"request": self.request})
        status = 400 if response.status_code in (404, 409) else response.status_code
        headers = {name: value for name, value in response.items() if name in ("WWW-Authenticate", "Retry-After")}
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="echoadmin"'
        answer = Response({"error": response.data["error"]["message"]}, status=status, headers=headers)
        answer.exception = True
        return answer


def _conversation(data: Any, limits: Limits | None) -> Conversation:
    given = data.get("conversation_id")
    if not isinstance(given, str) or not given:
        raise refused(400, "invalid", "conversation_id: is the id of a conversation, Tavus's or ours.")
    rows: Any = Conversation.objects.select_related("room").filter(readable(limits))
    found: Conversation | None = rows.by_any_id(given).first()
    if found is None:
        raise refused(400, "not_found", f"Not connected to a room: there is no conversation {given[:80]!r}.")
    room = getattr(found, "room", None)
    if room is None or room.wanted != "joined" or not found.is_active:
        raise refused(400, "not_joined", "Not connected to a room")
    return found


def _piece(data: Any) -> Piece:
    modality = data.get("modality") or ("audio" if data.get("audio") is not None else "text")
    if modality not in ("audio", "text"):
        raise refused(400, "invalid", "modality: is audio or text.")
    given = data.get("inference_id")
    inference_id = None if given is None else interactions.check_inference_id(given)
    done = data.get("done", modality == "text" or inference_id is None)
    if done in ("true", "false"):  # an older page of the vendor's shows it as text
        done = done == "true"
    if not isinstance(done, bool):
        raise refused(400, "invalid", "done: is true or false.")
    if modality == "text":
        return Piece("text", interactions.check_text(data.get("text")), b"", DEFAULT_RATE, inference_id, True)
    rate = audio.check_sample_rate(data.get("sample_rate", DEFAULT_RATE))
    may_be_empty = done and inference_id is not None
    samples = data.get("audio", "" if may_be_empty else None)
    pcm = audio.pcm_from_base64(samples, rate, allow_empty=may_be_empty)
    return Piece("audio", "", pcm, rate, inference_id, done or inference_id is None)


def _say(actor: Actor, conversation: Conversation, piece: Piece) -> Echo:
    if piece.modality == "text":
        return speaking.speak_text(
            actor=actor, conversation=conversation, text=piece.text, inference_id=piece.inference_id
        )
    echo = _open(actor, conversation, piece)
    if echo.modality != "audio":
        raise IdTaken("inference_id", "It was used for a text. Use a new one for audio.")
    if echo.sample_rate != piece.sample_rate:
        raise Refusal("sample_rate", f"Is {echo.sample_rate} for this inference_id, as in its first piece.")
    return speaking.append_audio(echo=echo, pcm=piece.pcm, done=piece.done)


def _open(actor: Actor, conversation: Conversation, piece: Piece) -> Echo:
    """The echo that the piece belongs to: the one of its inference_id, or a new one."""
    known = conversation.echoes.filter(inference_id=piece.inference_id) if piece.inference_id else None
    found = known.first() if known is not None else None
    if found is not None:
        return found
    try:
        return speaking.open_audio(
            actor=actor,
            conversation=conversation,
            sample_rate=piece.sample_rate,
            inference_id=piece.inference_id,
        )
    except IdTaken:  # two first pieces at once: the other one was faster
        found = known.first() if known is not None else None
        if found is None:
            raise
        return found


def _wait_until_sent(conversation: Conversation, echo: Echo, piece: Piece) -> str | None:
    """Daily's words if it failed; None when it was sent, waits behind another echo, or 2 s have passed."""
    if echo.state == EchoState.HELD or _waits_its_turn(conversation, echo):
        return None
    enough = _chunks_of(echo) if not piece.done else None

    def look() -> Echo | None:
        echo.refresh_from_db()
        there = echo.sent_at is not None if enough is None else echo.chunks >= enough
        return echo if there or echo.is_final else None

    if enough != 0:
        wait_for(conversation.public_id, look, PATIENCE)
    return (echo.detail or echo.reason) if echo.state == EchoState.FAILED else None


def _waits_its_turn(conversation: Conversation, echo: Echo) -> bool:
    ahead = conversation.echoes.filter(position__lt=echo.position)
    return ahead.exclude(state__in=(*FINAL_STATES, EchoState.HELD)).exists()


def _chunks_of(echo: Echo) -> int:
    """Chunks that can have left by now: the last one is held back until it is known whether `done` goes with it."""
    rate = int(echo.sample_rate or DEFAULT_RATE)
    size = audio.chunk_bytes(rate, settings.ECHO_CHUNK_BYTES)
    return max(0, -(-round(echo.seconds * rate) * 2 // size) - 1)
