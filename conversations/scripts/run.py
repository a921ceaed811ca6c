"""A script as a run: each line is handed to the queue when its turn has come, under an id that is the run's and the
line's own; so a run that is taken up again says no line twice.

Where a line was interrupted, failed or was rejected, the run pauses and says so: somebody has to look before the next.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from django.db import transaction
from django.utils import timezone

from conversations import bells, interactions
from conversations.models import Conversation, Echo, EchoState
from conversations.refusals import ConversationOver, IdTaken, NotNow, QueueFull, Refusal
from conversations.replay.dry import missing_samples
from conversations.scripts.asking import check
from conversations.scripts.lines import Line
from conversations.scripts.standing import BAD, SKIPPED, TAKEN_BACK, WAITING, Place, Standing, echoes_of, standing
from conversations.services import speaking
from echoadmin.accounts.roles import OPERATOR
from echoadmin.actors import Actor
from echoadmin.runs import Broken, Held, Paused, Run, RunState, Stopped, TakenOver, run_kind
from echoadmin.runs.acting import actor_of_run

AHEAD = 3  # lines that wait in the queue where none is waited for: what a stop takes back at once
LOOK = 0.25  # seconds between looks at what became of lines


@run_kind("script", role=OPERATOR, check=check, skips=True)
def script_run(held: Held) -> dict[str, Any]:
    """Raises Paused where somebody has to look, and Broken when the conversation ends before the last line was said."""
    conversation = Conversation.objects.select_related("persona", "room").get(public_id=held.params["to"])
    playing = _Playing(held, conversation)
    try:
        playing.play()
    except TakenOver:
        raise
    except (Stopped, Paused, Broken):
        playing.take_back()
        raise
    return playing.result()


class _Playing:
    """A script in hand."""

    def __init__(self, held: Held, conversation: Conversation) -> None:
        self.held, self.run, self.conversation = held, held.run, conversation
        self.lines: list[Line] = held.params["lines"]
        self.actor = actor_of_run(held.run, "script")
        self.place = Place.of(held.cursor)
        self.now: Standing = standing(self.run)
        self._reported: Any = None

    def play(self) -> None:
        """Every line in its turn. What was said is in the database, so that it goes on where another left it."""
        if self.held.take_wish("skip"):
            self._skip_next()
        while True:
            self._look()
            at = self.now.next(self.place, len(self.lines))
            if at is None and self.now.under_way() is None:
                return
            early = LOOK if at is None else self._early(at)
            if at is None or early > 0:
                self.held.wait(min(early, LOOK))
            else:
                self._say(at)

    def take_back(self) -> None:
        """What still waits is not said, unless the run goes on; the line that is being said is. Nothing where the run
        goes on already: those lines are in its hands then."""
        words = "The script was stopped or paused before this line was said."
        with transaction.atomic():
            mine = Run.objects.select_for_update().filter(pk=self.run.pk, epoch=self.run.epoch).first()
            if mine is None or mine.state == RunState.WAITING:
                return
            echoes_of(self.run).filter(state__in=WAITING).update(
                state=EchoState.CANCELLED, reason=TAKEN_BACK, detail=words, ended_at=timezone.now()
            )
        bells.ring_tail(self.conversation.public_id)

    def result(self) -> dict[str, Any]:
        """How many lines ended how."""
        states = Counter(one.state for number, one in self.now.said.items() if number not in self.place.skipped)
        failed = [{"line": number, "fails": words} for number, words in sorted(self.place.failed.items())]
        skipped = sorted(set(self.place.skipped))
        return {"lines": len(self.lines), "states": dict(states), "skipped": skipped, "failed": failed}

    def _look(self) -> None:
        """What became of the lines so far; obeys a wish, tells trouble, reports."""
        self.now = standing(self.run)
        if self.held.take_wish("skip"):
            self._skip()
            self.now = standing(self.run)
        self._report()
        if any(one.reason == "conversation_ended" for one in self.now.said.values()):
            raise Broken(f"The conversation ended before all was said. {self._told()}", self.result())
        self._tell_trouble()

    def _tell_trouble(self) -> None:
        known, skipped = set(self.place.told), set(self.place.skipped)
        bad = [(n, one) for n, one in self.now.said.items() if one.state in BAD and n not in skipped]
        new = [(n, one) for n, one in bad if one.inference_id not in known]
        cut_off = [one for one in self.now.unsaid if one.reason == "interrupted" and one.inference_id not in known]
        if not new and not cut_off:
            return
        stopping = [one for one in self.now.said.values() if cut_off and not one.is_final]  # by the same interrupt
        self.place.told += [one.inference_id for one in [*(one for _, one in new), *cut_off, *stopping]]
        words = [f"Line {n} of {len(self.lines)} {_became(one.state)}: {one.detail or one.reason}" for n, one in new]
        self._pause(" ".join(words) or "An interrupt stopped it, and cancelled the lines that waited.")

    def _pause(self, words: str) -> None:
        self._report()
        after = self.now.next(self.place, len(self.lines))
        goes_on = f"Resume goes on with line {after}." if after else "It was the last line."
        raise Paused(f"{words} {goes_on}")

    def _early(self, at: int) -> float:
        """Seconds until this line's turn; 0 when it has come."""
        if sum(one.state in WAITING for one in self.now.said.values()) >= AHEAD:
            return LOOK
        before = self.now.said.get(at - 1)
        if before is None or at - 1 in self.place.skipped:
            return 0.0
        line = self.lines[at - 2]
        if line["wait"] and not before.is_final:
            return LOOK
        since = before.ended_at if line["wait"] else before.queued_at
        pause = 0.0 if at - 1 in self.place.cut else line["pause"]
        return pause - (timezone.now() - (since or before.queued_at)).total_seconds() if pause else 0.0

    def _say(self, at: int) -> None:
        line = self.lines[at - 1]
        self.held.check()  # what was paused, or is another's, says nothing more
        try:
            self.conversation.refresh_from_db(fields=["status", "state"])
            say(self.actor, self.conversation, line, self._id(at))
        except QueueFull:
            self.held.wait(1.0)  # of others' lines
        except ConversationOver:
            words = f"The conversation ended before line {at} of {len(self.lines)}. {self._told()}"
            raise Broken(words, self.result()) from None
        except Refusal as refusal:
            if isinstance(refusal, NotNow) and not isinstance(refusal, IdTaken):  # it can be said later
                self._pause(f"Line {at} of {len(self.lines)} can't be said now: {refusal.message}")
            self.place.failed[at] = refusal.message
            self._pause(f"Line {at} of {len(self.lines)} can't be said: {refusal.message}")

    def _skip(self) -> None:
        """The line that is said stops, one that waits is not said, a pause ends: the next line's turn has come."""
        at = self.now.under_way()
        following = self.now.next(self.place, len(self.lines))
        if at is None and following is not None and following > 1 and self._early(following) > 0:
            self.place.cut.append(following - 1)
        elif at is None:
            self._skip_next()
        else:
            self.place.skipped.append(at)
            self._report()  # before it is stopped: that it was is then no trouble
            self._silence(self.now.said[at].pk)
        self._report()

    def _skip_next(self) -> None:
        following = self.now.next(self.place, len(self.lines))
        self.place.skipped += [following] if following is not None else []

    def _silence(self, pk: int) -> None:
        """Takes the line out of the queue; once it is being sent only an interrupt stops it. Other lines stay."""
        words = f"Skipped by {self.actor.name}’s script."
        changes = {"state": EchoState.CANCELLED, "reason": SKIPPED, "detail": words, "ended_at": timezone.now()}
        if Echo.objects.filter(pk=pk, state__in=WAITING).update(**changes):
            bells.ring_tail(self.conversation.public_id)
            return
        stop = interactions.interrupt(str(self.conversation.upstream_id))
        try:
            speaking.send_interaction(actor=self.actor, conversation=self.conversation, message=stop)
        except Refusal:  # nobody is in the room: nothing is said
            return

    def _id(self, at: int) -> str:
        times = self.now.back[at]
        return f"{self.run.public_id}-{at}-{times}" if times else f"{self.run.public_id}-{at}"

    def _report(self) -> None:
        """Writes what has changed since the last report."""
        told = (self.now.ended(self.place), self.place.cursor())
        if told != self._reported:
            self.held.progress(told[0], total=len(self.lines), cursor=told[1])
            self._reported = (told[0], Place.of(told[1]).cursor())

    def _told(self) -> str:
        said = sum(one.state == EchoState.SPOKEN for one in self.now.said.values())
        return f"{said} of {len(self.lines)} lines were spoken."


def say(actor: Actor, conversation: Conversation, line: Line, inference_id: str) -> Echo:
    """Queues one line. Raises Refusal."""
    if "text" in line:
        return speaking.speak_text(actor=actor, conversation=conversation, text=line["text"], inference_id=inference_id)
    sound = Echo(modality="audio", clip_id=line["clip"], sample_rate=line["sample_rate"], seconds=line["seconds"])
    sound.closed_at = timezone.now()
    sound.body_sha256 = hashlib.sha256(b"clip %d" % line["clip"]).hexdigest()
    if words := missing_samples(sound):
        raise Refusal("clip", words)
    return speaking.say_of(actor=actor, conversation=conversation, origin=sound, inference_id=inference_id)


def _became(state: str) -> str:
    return "failed" if state == EchoState.FAILED else f"was {state}"
