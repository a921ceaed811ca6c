"""Stop everything: every room is interrupted at once, then left, or its conversation ended, as asked.

It goes on past whatever fails, and names it. Doing it twice is harmless: what has stopped is stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from functools import partial
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from conversations import outbox
from conversations.models import Conversation, Echo, EchoState, Interaction, Room, RoomState, Wanted
from conversations.models.echo import FINAL_STATES
from conversations.refusals import NotJoined, Refusal
from conversations.services import mirroring, rooms, speaking
from conversations.waiting import wait_for
from echoadmin.actors import Actor
from echoadmin.log.writer import append, known
from echoadmin.mirror.kinds import account_entry
from echoadmin.request_threads import pause
from echoadmin.runs import Run, RunState, stop_run
from echoadmin.tavus.errors import TavusError

logger = logging.getLogger(__name__)

NOTHING, LEAVE, END = THENS = ("nothing", "leave", "end")
STOPPED = "everything.stopped"
LONGEST_REASON = 500  # characters
SPEAKING_RUNS = ("replay", "script")  # kinds of runs that queue lines of their own
SIDE_BY_SIDE = 8  # conversations that are ended at the same time: Tavus may take its time for each
ENDED_WITHIN = 20.0  # s; whoever presses this button wants an answer, also while Tavus gives none


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be done. step: interrupt, leave or end."""

    step: str
    code: str
    message: str


@dataclass(slots=True)
class Halted:
    """What was done in one conversation. `interrupted`: the inference_id that was being said; `left`: nobody wants
    its room any more, and its worker leaves within a second or two."""

    conversation: Conversation
    cancelled: list[str] = field(default_factory=list)
    interrupted: str | None = None
    confirmed: bool = False
    left: bool = False
    ended: bool = False
    problems: list[Problem] = field(default_factory=list)
    interaction: Interaction | None = None

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "conversation": self.conversation.public_id,
            "conversation_id": self.conversation.upstream_id,
            "name": self.conversation.name,
            "cancelled": self.cancelled,
            "interrupted": self.interrupted,
            "confirmed": self.confirmed,
            "left": self.left,
            "ended": self.ended,
            "problems": [asdict(problem) for problem in self.problems],
        }


@dataclass(slots=True)
class StoppedAll:
    """What came of it, conversation by conversation."""

    then: str
    reason: str
    conversations: list[Halted]
    runs: list[str]  # that were speaking, and stop
    n: int = 0  # of the entry that tells it, in the account's stream

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not any(halted.problems for halted in self.conversations)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "then": self.then,
            "reason": self.reason,
            "complete": self.complete,
            "conversations": [halted.facts() for halted in self.conversations],
            "runs": self.runs,
        }


def stop_everything(*, actor: Actor, then: str = NOTHING, reason: str = "") -> StoppedAll:
    """Interrupt every room and cancel what is queued; then leave, or end, or neither. Raises Refusal for a `then` that
    is none.

    Ending takes in what this console made, or was in, and is not in now, for it costs; what others made and this
    console never was in goes on. Everything is left before anything is ended: while Tavus is away, a room that was
    left still ends by its own timeout. Call it outside a transaction; it answers after about 3 s, and after 25 s at
    most when it ends.
    """
    _check(then, reason)
    done = StoppedAll(then, reason, [Halted(row) for row in _reached(then)], [])
    refs = [halted.conversation.public_id for halted in done.conversations]
    asked = {"then": then, "reason": reason, "conversations": refs, "source": actor.source}
    append([account_entry("everything.stop_asked", actor, asked)])
    done.runs = _stop_runs()
    for halted in done.conversations:
        _try(halted, "interrupt", partial(_silence, actor, halted))
    _await(done, actor)
    if then != NOTHING:
        for halted in done.conversations:
            halted.left = _is_wanted(halted) and _try(halted, "leave", partial(_leave, actor, halted))
    if then == END:
        _end_all(actor, done.conversations)
    facts = {**done.facts(), "source": actor.source}
    [done.n] = known(entry.n for entry in append([account_entry(STOPPED, actor, facts, is_error=not done.complete)]))
    return done


def _check(then: str, reason: str) -> None:
    if not isinstance(then, str) or then not in THENS:
        raise Refusal("then", f"Is one of {', '.join(THENS)}.")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise Refusal("reason", f"Is a text of at most {LONGEST_REASON} characters.")


def _reached(then: str) -> QuerySet[Conversation]:
    """Where somebody of ours speaks, or may: the room is wanted, or something still waits to be said."""
    waiting = Echo.objects.filter(conversation=OuterRef("pk"), state__in=(EchoState.QUEUED, EchoState.HELD))
    which = Q(room__wanted=Wanted.JOINED) | Q(Exists(waiting))
    if then == END:
        which |= Q(made_here=True) | Q(room__last_seen_at__isnull=False)
    running = Conversation.objects.filter(which, status="active", state="live")
    return running.select_related("room", "persona").order_by("id")


def _stop_runs() -> list[str]:
    """What goes on queueing lines by itself would speak again a moment later."""
    open_states = (RunState.WAITING, RunState.PAUSED, RunState.RUNNING)
    runs = Run.objects.filter(kind__in=SPEAKING_RUNS, state__in=open_states).order_by("id")
    return [run.public_id for run in runs if stop_run(run)]


def _silence(actor: Actor, halted: Halted) -> None:
    """Interrupt the room; where nobody wants it, only what waits is cancelled."""
    conversation = halted.conversation
    try:
        asked = speaking.interrupt(actor=actor, conversation=conversation)
    except NotJoined:
        halted.cancelled += _cancel_waiting(actor, conversation)
        halted.confirmed = True  # nobody of ours is there to speak
        return
    halted.cancelled += asked.cancelled
    halted.interaction = asked.interaction


def _cancel_waiting(actor: Actor, conversation: Conversation) -> list[str]:
    with transaction.atomic():
        words = f"{actor.name} stopped everything."
        cancelled = outbox.cancel_queued(conversation.pk, reason="interrupted", detail=words)
        if cancelled:
            append([rooms.operator_draft(actor, conversation, "echo.cancel", cancelled=cancelled)])
    return cancelled


def _await(done: StoppedAll, actor: Actor) -> None:
    """Until every room has said what its interrupt did, or would have by now; then once more where a run was faster."""
    until = monotonic() + settings.INTERRUPT_DEADLINE + 1
    _read_results(done.conversations, until)
    if not done.runs:
        return
    while Run.objects.filter(public_id__in=done.runs, state=RunState.STOPPING).exists() and monotonic() < until:
        sleep(0.05)  # no bell rings for a run
    late = Echo.objects.filter(
        source__in=SPEAKING_RUNS, conversation__in=[halted.conversation for halted in done.conversations]
    )
    again = set(late.exclude(state__in=FINAL_STATES).values_list("conversation", flat=True))
    spoke = [halted for halted in done.conversations if halted.conversation.pk in again]
    for halted in spoke:
        _try(halted, "interrupt", partial(_silence, actor, halted))
    _read_results(spoke, monotonic() + settings.INTERRUPT_DEADLINE + 1)


def _read_results(every: Iterable[Halted], until: float) -> None:
    for halted in every:
        interaction = halted.interaction
        if interaction is None:
            continue
        if _room_of(halted).state == RoomState.JOINED:
            seconds = max(0.0, until - monotonic())
            wait_for(halted.conversation.public_id, partial(_ended, interaction), seconds)
        else:
            interaction.refresh_from_db()
        result = interaction.result or {}
        halted.interrupted = result.get("interrupted") or halted.interrupted
        halted.confirmed = bool(result.get("confirmed"))
        if not halted.confirmed:
            halted.problems.append(Problem("interrupt", "not_confirmed", _unconfirmed(halted)))


def _ended(interaction: Interaction) -> bool | None:
    interaction.refresh_from_db()
    return True if interaction.ended_at else None


def _unconfirmed(halted: Halted) -> str:
    room = _room_of(halted)
    if room.state != RoomState.JOINED:
        return f"The room is {room.state}, so the replica may not have heard the interrupt. Leave it, or end it."
    return "The replica has not said that it stopped. Look into the room; if it goes on, end the conversation."


def _room_of(halted: Halted) -> Room:
    room: Room | None = getattr(halted.conversation, "room", None)
    return room or Room()


def _is_wanted(halted: Halted) -> bool:
    return _room_of(halted).wanted == Wanted.JOINED


def _leave(actor: Actor, halted: Halted) -> None:
    rooms.leave(actor=actor, conversation=halted.conversation)


def _end_all(actor: Actor, every: list[Halted]) -> None:
    """Several at a time, and no longer than ENDED_WITHIN; what Tavus answers later is in the log all the same."""
    pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="stopping")
    asked: dict[Future[Problem | None], Halted] = {pool.submit(_end, actor, one.conversation): one for one in every}
    with pause():
        answered, silent = wait(asked, timeout=ENDED_WITHIN)
    pool.shutdown(wait=False, cancel_futures=True)
    for future in answered:
        problem = future.result()
        asked[future].ended = problem is None
        asked[future].problems += [problem] if problem else []
    for future in silent:
        words = f"Tavus has not answered within {ENDED_WITHIN:g} s, so it may run on, and cost. Stop again, or end it."
        asked[future].problems.append(Problem("end", "upstream_silent", words))


def _end(actor: Actor, conversation: Conversation) -> Problem | None:
    """On a thread of its own, whose connection is closed again."""
    halted = Halted(conversation)
    try:
        _try(halted, "end", partial(_end_one, actor, conversation))
    finally:
        connections.close_all()
    return next(iter(halted.problems), None)


def _end_one(actor: Actor, conversation: Conversation) -> None:
    mirroring.end_conversation(actor=actor, conversation=conversation)


def _try(halted: Halted, step: str, do: Callable[[], None]) -> bool:
    """Whether it was done. What goes wrong in one conversation must not keep the others going."""
    try:
        do()
    except (TavusError, ValueError) as error:
        halted.problems.append(Problem(step, str(getattr(error, "code", "refused")), _words(error)))
        return False
    except Exception as error:
        logger.exception("%s could not be stopped: %s", halted.conversation.public_id, step)
        halted.problems.append(Problem(step, "internal", f"{type(error).__name__}: {error}"))
        return False
    return True


def _words(error: Exception) -> str:
    told = [str(getattr(error, "message", "") or error), str(getattr(error, "way_out", ""))]
    upstream = str(getattr(error, "upstream", "") or "")
    if upstream and upstream not in told[0]:
        told.append(f"Tavus said: {upstream[:300]}")
    return " ".join(part for part in told if part)
