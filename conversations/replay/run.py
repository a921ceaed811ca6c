"""A replay as a run: each line is handed to the queue when its time has come, under an id that is the run's and the
line's own; so a run that is taken up again says no line twice."""

from __future__ import annotations

import json
from collections import Counter
from time import monotonic
from typing import Any

from django.utils import timezone

from conversations import bells
from conversations.models import Conversation, Echo, EchoState
from conversations.models.echo import FINAL_STATES
from conversations.refusals import ConversationOver, FloorTaken, NotJoined, QueueFull, Refusal
from conversations.replay import dry
from conversations.replay.asking import Replay, check
from conversations.services import speaking
from echoadmin.accounts.roles import OPERATOR
from echoadmin.runs import Broken, Held, Stopped, TakenOver, run_kind
from echoadmin.runs.acting import actor_of_run

TAKEN_BACK = "replay_stopped"
AHEAD = 3  # lines that wait in the queue: what a stop takes back at once
LOOK = 0.25  # seconds between looks at what became of lines
SHOWN = 500  # lines of a dry replay in the run itself; all of them are in its file


@run_kind("replay", role=OPERATOR, check=check)
def replay_run(held: Held) -> dict[str, Any]:
    """Raises Broken when the conversation ends, or its room is left, before the last line was said."""
    replay = Replay.of(held.params)
    conversation = Conversation.objects.select_related("persona", "room").get(public_id=replay.to)
    if replay.dry:
        return _dry(held, replay, conversation)
    playing = _Playing(held, replay, conversation)
    try:
        playing.hand_over()
        playing.wait_for_the_rest()
    except TakenOver:
        raise
    except Stopped:
        playing.take_back()
        raise
    return playing.ended()


class _Playing:
    """A replay in hand."""

    def __init__(self, held: Held, replay: Replay, conversation: Conversation) -> None:
        self.held, self.replay, self.conversation = held, replay, conversation
        self.actor = actor_of_run(held.run, "replay")
        place = held.cursor or {"next": 0, "failed": []}
        self.next: int = max(0, place["next"] - self._taken_back())
        self.failed: list[dict[str, Any]] = place["failed"]

    @property
    def echoes(self) -> Any:
        """The lines that were handed over, but for those that an earlier stop took back."""
        return self._all().exclude(reason=TAKEN_BACK)

    def hand_over(self) -> None:
        """Every line at its time; after a restart the pauses go on from the line that is next."""
        times = self.replay.times()
        self._report()
        while self.next < len(times):
            began = monotonic() - times[self.next]
            while self.next < len(times):
                if (early := began + times[self.next] - monotonic()) > 0:
                    self.held.wait(early)
                self._until_few_wait()
                if not self._say(self.next):
                    break  # the queue is full of others' lines: later lines come as much later
                self.next += 1
                self._report()

    def wait_for_the_rest(self) -> None:
        """Until nothing more happens to any line: each ends by its own deadline."""
        while self.echoes.exclude(state__in=FINAL_STATES).exists():
            self.held.wait(LOOK)
            self._report()
        self._report()  # the last line may have ended after it was counted

    def take_back(self) -> None:
        """A stop: what still waits is not said, unless the run is resumed; the line that is being said is."""
        words = "The replay was stopped before this line was said."
        self.echoes.filter(state__in=(EchoState.QUEUED, EchoState.HELD)).update(
            state=EchoState.CANCELLED, reason=TAKEN_BACK, detail=words, ended_at=timezone.now()
        )
        bells.ring_tail(self.conversation.public_id)

    def ended(self) -> dict[str, Any]:
        """What came of it. Raises Broken where the conversation ended on the way."""
        result = self._result()
        if self.echoes.filter(reason="conversation_ended").exists():
            raise Broken(f"The conversation ended before all was said. {_told(result)}", result)
        return result

    def _say(self, at: int) -> bool:
        """False when there is no place in the queue. Raises Broken when the room is no place to speak in any more."""
        line = self.replay.lines[at]
        origin = Echo.objects.filter(pk=line.origin).first()
        if origin is None:
            self._fail(line.origin, "The echo is no longer there.")
            return True
        try:
            if line.text is None and origin.modality == "audio" and (words := dry.missing_samples(origin)):
                self._fail(line.origin, words)
                return True
            self.conversation.refresh_from_db(fields=["status", "state"])
            speaking.say_of(
                actor=self.actor,
                conversation=self.conversation,
                origin=origin,
                inference_id=self._free_id(at),
                text=line.text,
            )
        except QueueFull:
            self.held.wait(1.0)
            return False
        except (ConversationOver, NotJoined, FloorTaken) as refusal:
            self.take_back()
            result = self._result()
            words = f"{_why(refusal)} before line {at + 1} of {len(self.replay.lines)}. {_told(result)}"
            raise Broken(words, result) from None
        except Refusal as refusal:
            self._fail(line.origin, refusal.message)
        return True

    def _fail(self, origin: int, words: str) -> None:
        self.failed.append({"echo": origin, "fails": words})

    def _until_few_wait(self) -> None:
        while self.echoes.filter(state__in=(EchoState.QUEUED, EchoState.HELD)).count() >= AHEAD:
            self.held.wait(LOOK)

    def _report(self) -> None:
        done = self.echoes.filter(state__in=FINAL_STATES).count() + len(self.failed)
        self.held.progress(done, total=len(self.replay.lines), cursor={"next": self.next, "failed": self.failed})

    def _result(self) -> dict[str, Any]:
        states = Counter(self.echoes.values_list("state", flat=True))
        return {"lines": len(self.replay.lines), "states": dict(states), "failed": self.failed}

    def _all(self) -> Any:
        mine = f"{self.held.run.public_id}-"
        return Echo.objects.filter(conversation=self.conversation, inference_id__startswith=mine)

    def _taken_back(self) -> int:
        """How many of the newest lines a stop took back: those come again, under new ids."""
        taken = set(self._all().filter(reason=TAKEN_BACK).values_list("replay_of", flat=True))
        return len(taken - set(self.echoes.values_list("replay_of", flat=True)))

    def _free_id(self, at: int) -> str:
        """The line's id; after each time that a stop took it back, another one."""
        first = f"{self.held.run.public_id}-{at + 1}"
        times = self._all().filter(reason=TAKEN_BACK, replay_of=self.replay.lines[at].origin).count()
        return f"{first}-{times}" if times else first


def _dry(held: Held, replay: Replay, conversation: Conversation) -> dict[str, Any]:
    held.begin_file("replay.ndjson", "application/x-ndjson")
    told = []
    for line, at in zip(replay.lines, replay.times(), strict=True):
        one = {**dry.would(conversation, Echo.objects.filter(pk=line.origin).first(), line), "at": round(at, 3)}
        told.append(one)
        held.write((json.dumps(one) + "\n").encode())
        if len(told) % 100 == 0:
            held.check()
    seconds = _length(told)
    held.progress(len(told), total=len(told))
    return {
        "dry": True,
        "lines": told[:SHOWN],
        "messages": sum(one["messages"] for one in told),
        "seconds": round(seconds, 1),
        "fails": sum(one["fails"] is not None for one in told),
        "problems": dry.problems(conversation, replay, seconds),
    }


def _length(told: list[dict[str, Any]]) -> float:
    """About how long it takes: a line begins at its time, or when the one before has ended."""
    end = 0.0
    for one in told:
        end = max(end, one["at"]) + (0.0 if one["fails"] else one["seconds"])
    return end


def _why(refusal: Refusal) -> str:
    if isinstance(refusal, FloorTaken):
        return f"{refusal.message.rstrip('.')}. It was taken"
    return "The conversation ended" if isinstance(refusal, ConversationOver) else "The room was left"


def _told(result: dict[str, Any]) -> str:
    said = result["states"].get(EchoState.SPOKEN, 0)
    return f"{said} of {result['lines']} lines were spoken."
