"""What waits, changed: other words, or another place in the queue.

The room's row is locked first, as everybody does who orders its queue, so no worker claims an echo in between.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from conversations import bells, interactions
from conversations.models import Conversation, Echo, EchoState, Room
from conversations.refusals import ChangedMeanwhile, NotNow, Refusal
from conversations.services.rooms import operator_draft
from conversations.services.speaking.queueing import WAITING, check_floor, ring
from echoadmin.actors import Actor
from echoadmin.log.writer import append


def person_of(name: str) -> str:
    """The person behind an actor's name: of "ana (key tts)", "ana". No user's name has a space."""
    return name.split(" (key ", 1)[0]


def change(*, actor: Actor, echo: Echo, text: str | None = None, revision: int | None = None, **place: Any) -> Echo:
    """Other words, and another place, as far as given: all of it, or nothing."""
    where = {name: value for name, value in place.items() if value is not None}
    with transaction.atomic():
        if text is not None:
            echo, revision = edit(actor=actor, echo=echo, text=text, revision=revision), None
        if where or text is None:
            echo = move(actor=actor, echo=echo, revision=revision, **where)
    return echo


def edit(*, actor: Actor, echo: Echo, text: str, revision: int | None = None) -> Echo:
    """Other words for a text that waits; raises ChangedMeanwhile once it is claimed, or is not at `revision` any more.

    Who is reviewed changes only their own lines, which wait for a second person then, whoever had approved them.
    """
    words = interactions.check_text(text)
    with transaction.atomic():
        room, row = locked(echo)
        check_waits(row, revision)
        check_floor(actor, room)
        check_editable(actor, row)
        change: dict[str, Any] = {"state": EchoState.HELD, "decided_by": "", "decided_at": None}
        change_words(row, words, actor, change if actor.reviewed else {})
        tell(actor, row, room, "echo.edited", text=words, was=row.text, revision=row.revision + 1)
    row.refresh_from_db()
    return row


def move(
    *,
    actor: Actor,
    echo: Echo,
    before: str | None = None,
    after: str | None = None,
    position: int | None = None,
    revision: int | None = None,
) -> Echo:
    """Another place among those that wait: before or after another, or the place `position`, counted from 1.

    All that change places with it get a new revision: a sender that had read the old first one does not get it.
    """
    if sum(given is not None for given in (before, after, position)) != 1:
        raise Refusal("position", "Give exactly one of before, after (each an inference_id) and position (from 1).")
    with transaction.atomic():
        room, row = locked(echo)
        check_waits(row, revision)
        waiting = list(Echo.objects.filter(conversation=row.conversation_id, state__in=WAITING).order_by("position"))
        places = [one.position for one in waiting]
        order = [one for one in waiting if one.pk != row.pk]
        order.insert(_place_in(order, before, after, position), row)
        for one, place in zip(order, places, strict=True):
            if one.position != place:
                own = Echo.objects.filter(pk=one.pk, state__in=WAITING)
                if not own.update(position=place, revision=F("revision") + 1):
                    raise changed(one)
        tell(actor, row, room, "echo.moved", place=order.index(row) + 1, of=len(order))
    row.refresh_from_db()
    return row


def locked(echo: Echo) -> tuple[Room, Echo]:
    """The room, locked until the commit, and the echo as it is now."""
    rooms = Room.objects.select_for_update(of=("self",)).select_related("worker")
    room = rooms.get(conversation=echo.conversation_id)
    return room, Echo.objects.select_related("conversation", "conversation__persona", "again_of").get(pk=echo.pk)


def check_waits(echo: Echo, revision: int | None) -> None:
    """Raises ChangedMeanwhile for one that waits no more, or was edited or moved since `revision`."""
    if echo.state not in WAITING or (revision is not None and echo.revision != revision):
        raise changed(echo)


def check_editable(actor: Actor, echo: Echo) -> None:
    """Raises for audio, and for a reviewed actor the line of another: their words would be said unseen."""
    if echo.modality != "text":
        raise Refusal("text", "Audio has no words to change. Cancel it and send another.")
    if actor.reviewed and person_of(echo.actor) != person_of(actor.name):
        raise NotNow("text", "What you say waits for a second person, so you change only your own lines.")


def change_words(echo: Echo, words: str, actor: Actor, more: dict[str, Any]) -> None:
    """One conditional UPDATE; the body's digest stays that of what was asked for, which tells a repeat."""
    own = Echo.objects.filter(pk=echo.pk, state__in=WAITING, revision=echo.revision)
    if not own.update(
        text=words,
        seconds=interactions.estimated_seconds(words),
        revision=F("revision") + 1,
        edited_by=actor.name,
        **more,
    ):
        raise changed(echo)


def changed(echo: Echo) -> ChangedMeanwhile:
    """It waits no more, or has other words or another place by now."""
    if echo.state in WAITING:
        by = f" Its words are by {echo.edited_by}." if echo.edited_by else ""  # who moved it may be another
        words = f"It was edited or moved meanwhile.{by} Look at it again."
    else:
        words = f"It is {echo.state} and can't be changed any more; interrupt the conversation to stop it."
    return ChangedMeanwhile("revision", words)


def tell(actor: Actor, echo: Echo, room: Room, event_type: str, **facts: object) -> None:
    """The log's entry of it, and the bells."""
    conversation: Conversation = echo.conversation
    append([operator_draft(actor, conversation, event_type, inference_id=echo.inference_id, **facts)])
    ring(conversation, bells.ECHO, room)


def _place_in(order: list[Echo], before: str | None, after: str | None, position: int | None) -> int:
    if position is not None:
        return min(max(position, 1) - 1, len(order))
    other = before if before is not None else after
    for at, one in enumerate(order):
        if one.inference_id == other:
            return at if before is not None else at + 1
    raise ChangedMeanwhile("before" if before is not None else "after", f"{other!r} is no other echo that waits here.")
