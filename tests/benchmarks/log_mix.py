"""What a busy console's log is made of: drafts of whole conversations, the same ones each time for the same block.

A block is twenty conversations that begin and end within 46 minutes, and what the account did meanwhile: about 11,500
entries, so that ten million are thirty days of 18,700 conversations. More than half are heartbeats and chunks of audio;
one in ten holds a sentence.
"""

from __future__ import annotations

from base64 import b64encode
from bisect import bisect
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any
from uuid import UUID

from log_names import COMMON_KEY, COMMON_WORD, OURS, RARE_ACTOR, RARE_KEY, RARE_WORD

from echoadmin.log.writer.drafts import Draft

BLOCK_STREAMS = 20
SLICE = timedelta(minutes=46, seconds=12)  # of a block
CLIP_SECONDS, RATE, CHUNK = 15, 24_000, 2_400  # bytes a chunk
CLIPS = 12

_PERSONAS = [f"pe_{i:04}" for i in range(40)]
_PERSONA_WEIGHTS = list(accumulate([1 / (i + 1) for i in range(39)] + [0.002]))
_ACTORS = ["ana", "ben", "chloe", "dmitri", "eve", "farid", "grace", RARE_ACTOR]
_ACTOR_WEIGHTS = list(accumulate([50, 20, 10, 8, 6, 4, 2, 0.02]))
_SYLLABLES = [consonant + vowel for consonant in "bdklmnr" for vowel in "aeiou"][:33]
_SMALL = ("the", "a", "to", "and", "you", "of", "in", "is", "that", "it", "for", "on", "we", "are", "with", "this")
_WORDS = [*_SMALL, *(f"{a}{b}{c}" for a in _SYLLABLES for b in _SYLLABLES[:12] for c in _SYLLABLES[:12])]
_WORD_WEIGHTS = list(accumulate(1 / (i + 3) for i in range(len(_WORDS))))


def samples(clip: int) -> bytes:
    """The PCM of one of the CLIPS that all audio of the mix is cut from."""
    return Random(f"clip {clip}").randbytes(CLIP_SECONDS * RATE * 2)


@cache
def _encoded(clip: int) -> list[str]:
    pcm = samples(clip)
    return [b64encode(pcm[at : at + CHUNK]).decode() for at in range(0, len(pcm), CHUNK)]


def block(number: int, start: datetime) -> list[tuple[datetime, Draft]]:
    """The block's entries in the order of their times, with the moment at which each was stored."""
    random = Random(f"block {number}")
    drafts = list(_account(random, number, start))
    for i in range(BLOCK_STREAMS):
        begins = start + SLICE * random.uniform(0, 0.55)
        drafts += _Conversation(random, number * BLOCK_STREAMS + i, begins, SLICE * random.uniform(0.05, 0.4)).drafts
    drafts.sort(key=lambda draft: draft.at or start)
    return [((draft.at or start) + timedelta(milliseconds=random.randint(2, 40)), draft) for draft in drafts]


def public_id(conversation: int) -> str:
    """The stream's name."""
    return f"cv_mix{conversation:06}"


def _pick(random: Random, values: list[str], weights: list[float]) -> str:
    return values[bisect(weights, random.random() * weights[-1])]


def _sentence(random: Random) -> str:
    words = [_pick(random, _WORDS, _WORD_WEIGHTS) for _ in range(random.randint(5, 20))]
    if random.random() < 0.05:
        words[random.randrange(len(words))] = COMMON_WORD
    if random.random() < 0.0001:
        words[-1] = RARE_WORD
    return " ".join(words).capitalize() + "."


def _account(random: Random, number: int, start: datetime) -> Iterator[Draft]:
    for _ in range(12):
        actor = _pick(random, _ACTORS, _ACTOR_WEIGHTS)
        at = start + SLICE * random.random()
        facts = {"actor": actor, "request_id": f"{random.getrandbits(64):016x}", "at": at}
        if random.random() < 0.3:
            yield Draft("account", "operator", "signed_in", message={"user": actor, "address": "10.0.0.7"}, **facts)
        else:
            yield _call("account", "GET", "/v2/conversations", 200, random, **facts)


def _call(stream: str, method: str, path: str, status: int, random: Random, **columns: Any) -> Draft:
    error = None if status < 400 else "upstream_refused"
    response = {"message": "There is no such conversation."} if error else {"status": "active", "total_count": 3}
    message = {
        "method": method,
        "path": path,
        "query": {},
        "request": None,
        "status": status,
        "response": response,
        "error": error,
        "seconds": round(random.uniform(0.05, 0.9), 6),
        "attempt": 1,
    }
    route = "/".join(part if len(part) < 9 or part == "conversations" else "{id}" for part in path.split("/"))
    return Draft(stream, "upstream", f"{method} {route}", is_error=bool(error), message=message, **columns)


class _Conversation:
    """One conversation from its creation to the vendor's last webhook."""

    def __init__(self, random: Random, index: int, begins: datetime, lasts: timedelta) -> None:
        self.random, self.stream = random, public_id(index)
        self.begins, self.ends = begins, begins + lasts
        self.theirs = f"c{random.getrandbits(48):012x}"
        self.replica = str(UUID(int=random.getrandbits(128)))
        self.guest = str(UUID(int=random.getrandbits(128)))
        self.persona = _pick(random, _PERSONAS, _PERSONA_WEIGHTS)
        self.actor = _pick(random, _ACTORS, _ACTOR_WEIGHTS)
        self.key = RARE_KEY if self.actor == RARE_ACTOR else random.choice([COMMON_KEY, COMMON_KEY, "key_web", None])
        self.seq = 0
        self.echo = index * 64
        self.drafts: list[Draft] = []
        self._frame()
        self._beats()
        self._talk()

    def _add(self, draft: Draft) -> None:
        draft.conversation_ref, draft.persona_ref = self.stream, self.persona
        self.drafts.append(draft)

    def _heard(self, at: datetime, event_type: str, family: str, said: str | None = None, **message: Any) -> None:
        self.seq += 1
        kind = event_type.partition(".")[0]
        whole = {"message_type": kind, "event_type": event_type, "conversation_id": self.theirs, "seq": self.seq}
        sender, name = (self.guest, "Guest") if "user" in event_type else (self.replica, "replica")
        self._add(
            Draft(
                *(self.stream, "app_message", event_type, at, "in", family, sender, name, message.get("inference_id")),
                epoch=1,
                seq=self.seq,
                message={**whole, **message},
                said=said,
            )
        )

    def _frame(self) -> None:
        begins, ends, random = self.begins, self.ends, self.random
        who = {"actor": self.actor, "api_key_ref": self.key}
        self._add(_call(self.stream, "POST", "/v2/conversations", 200, random, at=begins, **who))
        room = {"worker": "a1", "participant_id": OURS}
        self._add(
            Draft(self.stream, "room", "joined", begins + timedelta(seconds=2), family="room", message=room, epoch=1)
        )
        joined = {"properties": {"replica_id": "r90bbd427f71"}}
        self._heard(begins + timedelta(seconds=4), "system.replica_joined", "presence", None, **joined)
        if random.random() < 0.2:
            at = begins + timedelta(seconds=30)
            self._add(_call(self.stream, "GET", f"/v2/conversations/{self.theirs}", 404, random, at=at, **who))
        if random.random() < 0.05:
            gap = {"from": 10.5, "seconds": 3.2, "reason": "the connection was lost"}
            at = begins + timedelta(seconds=60)
            self._add(Draft(self.stream, "room", "gap", at, family="room", message=gap, epoch=1, is_error=True))
        self._add(Draft(self.stream, "operator", "end", ends, message={"reason": "asked"}, **who))
        end = f"/v2/conversations/{self.theirs}/end"
        self._add(_call(self.stream, "POST", end, 200, random, at=ends + timedelta(milliseconds=5), **who))
        for event in ("system.shutdown", "application.transcription_ready"):
            body = {"conversation_id": self.theirs, "event_type": event, "message_type": event.partition(".")[0]}
            at = ends + timedelta(seconds=random.uniform(0.5, 2))
            self._add(Draft(self.stream, "webhook", event, at, "in", "other", sender_name="Tavus", message=body))

    def _beats(self) -> None:
        at, attempt = self.begins + timedelta(seconds=5), 0
        while at < self.ends:
            attempt += 1
            beat = {"properties": {"attempt": attempt}}
            self._heard(at, "system.replica_present", "presence", None, **beat)
            at += timedelta(seconds=5)

    def _talk(self) -> None:
        turns = 32
        for turn in range(turns):
            at = self.begins + timedelta(seconds=6) + (self.ends - self.begins) * (turn / (turns + 1))
            self.echo += 1
            inference = str(UUID(int=self.random.getrandbits(128)))
            if turn == 7:
                self._audio(at, inference, self.random.randint(40, 250))
            else:
                self._text(at, inference)
            if self.random.random() < 0.2:
                self._guest(at + timedelta(seconds=6), turn)

    def _out(self, at: datetime, inference: str, properties: dict[str, Any], **columns: Any) -> None:
        whole = {"message_type": "conversation", "event_type": "conversation.echo", "conversation_id": self.theirs}
        whole["properties"] = properties
        self._add(
            Draft(
                *(self.stream, "app_message", "conversation.echo", at, "out", "echo", OURS, "echoadmin/a1", inference),
                self.echo,
                actor=self.actor,
                api_key_ref=self.key,
                epoch=1,
                message=whole,
                **columns,
            )
        )

    def _text(self, at: datetime, inference: str) -> None:
        words = _sentence(self.random)
        self._out(at, inference, {"modality": "text", "text": words, "done": True}, said=words)
        self._spoken(at + timedelta(seconds=0.6), inference, words)

    def _audio(self, at: datetime, inference: str, chunks: int) -> None:
        clip = self.random.randrange(CLIPS)
        encoded = _encoded(clip)
        first = self.random.randrange(len(encoded) - chunks)
        for i in range(chunks):
            properties = {"modality": "audio", "audio": encoded[first + i], "sample_rate": RATE}
            properties |= {"inference_id": inference, "done": i == chunks - 1}
            place = (clip + 1, (first + i) * CHUNK, CHUNK)
            self._out(at + timedelta(milliseconds=50 * i), inference, properties, clip=place)
        self._spoken(at + timedelta(seconds=0.5), inference, None)

    def _spoken(self, at: datetime, inference: str, words: str | None) -> None:
        turn = {"inference_id": inference, "turn_idx": self.echo % 64, "timestamp": round(at.timestamp(), 3)}
        replica = {"role": "replica"}
        self._heard(at, "conversation.replica.started_speaking", "speaking", **turn)
        self._heard(at, "conversation.started_speaking", "speaking", properties=replica, **turn)
        if words is not None:
            for i in range(2):
                part = {**replica, "speech": words[: 20 * (i + 1)], "content_index": i, "final": i == 1}
                self._heard(at, "conversation.utterance.streaming", "utterance", properties=part, **turn)
            spoken = {**replica, "speech": words}
            self._heard(at, "conversation.utterance", "utterance", words, properties=spoken, **turn)
        stopped = {"duration": round(self.random.uniform(1, 9), 2), "interrupted": self.random.random() < 0.03}
        at += timedelta(seconds=float(stopped["duration"]))
        self._heard(at, "conversation.replica.stopped_speaking", "speaking", properties=stopped, **turn)
        self._heard(at, "conversation.stopped_speaking", "speaking", properties={**replica, **stopped}, **turn)

    def _guest(self, at: datetime, turn: int) -> None:
        inference = {"inference_id": str(UUID(int=self.random.getrandbits(128))), "turn_idx": turn}
        words = _sentence(self.random)
        self._heard(at, "conversation.user.started_speaking", "speaking", **inference)
        said = {"role": "user", "speech": words}
        self._heard(at, "conversation.utterance", "utterance", words, properties=said, **inference)
        self._heard(at + timedelta(seconds=3), "conversation.user.stopped_speaking", "speaking", **inference)
        if self.random.random() < 0.02:
            call = {"name": "get_weather", "arguments": '{"location":"Paris"}', "tool_call_id": f"call_{turn}"}
            self._heard(at, "conversation.tool_call", "tool", properties=call, **inference)
