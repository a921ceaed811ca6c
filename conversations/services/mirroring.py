"""Making, ending and syncing conversations. Each function is keyword-only, takes the actor, and leaves an entry of
who did what.

All of them call upstream, so none may be called inside a database transaction. Each raises TavusError when upstream
refuses or can't be asked, and NotPossible when the conversation isn't in a state for it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Subquery
from django.utils import timezone

from conversations.models import Conversation, Room, Wanted
from conversations.money.budgets import BudgetReached, check_room
from conversations.refusals import Refusal
from conversations.services import bodies, rooms
from conversations.services.mirrored import CONVERSATION
from conversations.slots.standing import learn
from echoadmin.accounts.limits import check_persona
from echoadmin.actors import Actor
from echoadmin.log.writer import append
from echoadmin.mirror.creating import create
from echoadmin.mirror.kinds import NotPossible, Payload, about, account_entry, described, instant, noted
from echoadmin.mirror.looking import known_upstream_id, look, mark_gone
from echoadmin.mirror.models import MirrorState, new_public_id
from echoadmin.mirror.resolving import ABOUT_THEN, adopt, give_up, pending, resolve
from echoadmin.mirror.syncing import SyncResult, look_at_missing, sync_list
from echoadmin.tavus.errors import ConcurrencyReached, Conflict, InvalidRequest, NotFound, TavusError
from echoadmin.tavus.wire import redact, storable, to_wire
from echoadmin.upstream import calling, client
from personas.models import Persona, Replica

LOOK_AGAIN = timedelta(seconds=30)  # after a look that failed


def create_conversation(*, actor: Actor, body: Payload, join: bool = False, public_id: str = "") -> Conversation:
    """A conversation from a body in either vocabulary; upstream's clock, and its price, run from here on.

    Adds `participant_left_timeout`, `max_call_duration` and our `callback_url` unless given (all visible in
    `requested`); the rest is sent as given. join: the console enters its room as soon as it is known. The row is there
    also after a failure: `rejected`, or `unknown` when the answer was lost; the error's `reference` names it.
    public_id: the row's own id, when it was given away before. Raises BudgetReached, and leaves no row, where a budget
    has no room for it.
    """
    check_limits(actor, body)
    asked = bodies.read_body(body)
    public_id = public_id or new_public_id(Conversation.PREFIX)
    sent = bodies.with_defaults(asked, public_id)
    columns = bodies.columns_of(sent)
    persona = Persona.objects.filter(upstream_id=columns["upstream_persona_id"]).first()
    row = Conversation(
        public_id=public_id,
        persona=persona,
        replica=Replica.objects.filter(upstream_id=columns["upstream_replica_id"]).first(),
        requested=storable(redact(sent)),
        warnings=bodies.warnings_about(asked, persona, join=join),
        created_by_user=actor.user_id,
        created_by_key=actor.api_key_ref or "",
        **columns,
    )
    try:
        create(
            CONVERSATION,
            row,
            actor=actor,
            call=lambda tavus: tavus.create_conversation(sent),
            beside=lambda: _reserve_room(row, actor, join),
            at_birth=_keep_token,
        )
    except BudgetReached as refusal:
        facts = {"budget": refusal.standing.budget.public_id, "message": refusal.message}
        append([account_entry("budget.refused", actor, facts, is_error=True)])
        raise
    except ConcurrencyReached:
        learn(refused=True)
        raise
    learn(refused=False)
    if join and row.is_active:
        _join(row, actor)
    return row


def check_limits(actor: Actor, body: Any) -> None:
    """Raises OutsideLimits for a body whose persona the actor's key is not limited to; nothing is told of others."""
    if actor.limits is None:
        return
    asked = to_wire(body, "persona") if isinstance(body, dict) else {}
    named = asked.get("persona_id")
    mine: Any = Persona.objects.filter(public_id__in=actor.limits.personas)
    found = mine.by_any_id(named).first() if isinstance(named, str) and "\0" not in named else None
    check_persona(actor, found.public_id if found else None)


def end_conversation(*, actor: Actor, conversation: Conversation, because: str = "") -> Conversation:
    """End it upstream, which stops its clock; what is queued in it is cancelled. Ending one that has ended does
    nothing. because: why this console does so by itself; it then stands before upstream's own reason."""
    conversation_id = known_upstream_id(CONVERSATION, conversation)
    if conversation.status == "ended" or conversation.state == MirrorState.GONE:
        return conversation
    if because:
        Conversation.objects.filter(pk=conversation.pk).update(ended_because=because[:200])
    append([noted(conversation, "end_asked", actor, {"because": because} if because else None)])
    with calling(actor=actor, **about(conversation)):
        try:
            client().end_conversation(conversation_id)
        except TavusError as error:
            if because and not error.may_have_happened:  # it goes on, or had ended before, for another reason
                Conversation.objects.filter(pk=conversation.pk).update(ended_because="")
            _ended_all_the_same(conversation, error, actor)
            return conversation
    look(CONVERSATION, conversation, actor=actor)
    if conversation.is_active:  # upstream took it and has not done it yet: a duty looks again
        ask_for_look(conversation)
    return conversation


def delete_conversation(*, actor: Actor, conversation: Conversation, hard: bool = False) -> Conversation:
    """Remove upstream's record of an ended conversation (hard: its recordings too). Our row, its echoes and its log
    stay."""
    conversation_id = known_upstream_id(CONVERSATION, conversation)
    if conversation.is_active:
        raise NotPossible("status", "It is still active, and deleting it would not stop its clock: end it first.")
    append([noted(conversation, "delete_asked", actor, {"hard": hard})])
    with calling(actor=actor, **about(conversation)):
        try:
            client().delete_conversation(conversation_id, hard=hard)
        except NotFound:
            pass  # it is what was asked for
        except TavusError as error:
            facts: Payload = {"hard": hard, "error": described(error)}
            append([noted(conversation, "delete_failed", actor, facts, is_error=True)])
            if error.may_have_happened:
                _look_if_possible(conversation, actor)
            if conversation.state != MirrorState.GONE:
                raise
    append([noted(conversation, "deleted", actor, {"hard": hard})])
    mark_gone(CONVERSATION, conversation, actor)
    return conversation


def sync_conversation(*, actor: Actor, conversation: Conversation) -> Conversation:
    """Read one anew, whole: with its events and why it ended."""
    asked_for = conversation.sync_wanted_at
    look(CONVERSATION, conversation, actor=actor)
    Conversation.objects.filter(pk=conversation.pk, sync_wanted_at=asked_for).update(sync_wanted_at=None)
    conversation.refresh_from_db(fields=["sync_wanted_at"])
    return conversation


def sync_conversations(*, actor: Actor, status: str | None = None) -> SyncResult:
    """Read upstream's conversations; what it no longer lists is asked for one by one, and found ended, or gone.

    status: `active` reads those that run (quick, however long the history is), None reads all.
    """
    result = SyncResult()
    with calling(actor=actor):
        rows = client().iter_conversations(status=status)
        seen = sync_list(CONVERSATION, rows, actor=actor, result=result, admit=_admit)
        if result.complete:
            live = Conversation.objects.filter(state=MirrorState.LIVE).exclude(upstream_id__in=seen)
            missing = live.filter(status=status) if status else live
            look_at_missing(CONVERSATION, missing.order_by("id"), actor=actor, result=result)
    _link_people()
    if actor.source != "system" or result.new or result.gone or result.problems:
        append([account_entry("conversation.synced", actor, result.facts(), is_error=bool(result.problems))])
    return result


def ask_for_look(conversation: Conversation) -> None:
    """Let a duty look upstream within seconds."""
    now = timezone.now()
    Conversation.objects.filter(pk=conversation.pk).update(sync_wanted_at=now)
    conversation.sync_wanted_at = now


def look_where_asked(*, actor: Actor, limit: int = 20) -> int:
    """Look upstream at the conversations that a webhook or a lost room asks for; returns how many were looked at."""
    wanted = Conversation.objects.filter(sync_wanted_at__lte=timezone.now()).exclude(upstream_id=None)
    done = 0
    for conversation in wanted.order_by("sync_wanted_at")[:limit]:
        asked_for = conversation.sync_wanted_at
        try:
            sync_conversation(actor=actor, conversation=conversation)
            done += 1
        except TavusError:  # the call's own entry tells why
            same = Conversation.objects.filter(pk=conversation.pk, sync_wanted_at=asked_for)
            same.update(sync_wanted_at=F("sync_wanted_at") + LOOK_AGAIN)
            if timezone.now() - conversation.started_at > timedelta(days=2):
                same.update(sync_wanted_at=None)
    return done


def resolve_unknown(*, actor: Actor, younger_than: timedelta | None = None) -> list[Conversation]:
    """Find conversations whose create's answer was lost: exactly by the reference in their `callback_url`; else by
    name, ids and time, if exactly one unmirrored row fits. Returns those found; the others stay unknown, for a person
    to adopt or give up.
    """
    waiting = pending(CONVERSATION, younger_than=younger_than)
    if not waiting:
        return []
    with calling(actor=actor):
        listed = list(client().iter_conversations())
    return resolve(CONVERSATION, waiting, listed, actor=actor, fits=fits, refers=bodies.refers)


def adopt_conversation(*, actor: Actor, conversation: Conversation, conversation_id: str) -> Conversation:
    """A person says that upstream's `conversation_id` is this unknown row."""
    adopt(CONVERSATION, conversation, conversation_id, actor=actor, found_by="person")
    return conversation


def give_up_conversation(*, actor: Actor, conversation: Conversation) -> Conversation:
    """A person says that upstream never made it: the unknown row is rejected."""
    give_up(CONVERSATION, conversation, actor=actor)
    return conversation


def fits(row: Conversation, payload: Payload) -> bool:
    """Whether an upstream row can be what this create made: same name, ids and `callback_url`, made about then."""
    made = instant(payload.get("created_at"))
    same = all(
        not row.requested.get(name) or not payload.get(name) or row.requested[name] == payload[name]
        for name in ("conversation_name", "persona_id", "replica_id")
    )
    return same and _same_address(row, payload) and (made is None or abs(made - row.created_at) < ABOUT_THEN)


def _same_address(row: Conversation, payload: Payload) -> bool:
    """Compared as masked, for that is how requests are kept; upstream gives "" for none."""
    if payload.get("callback_url") is None:
        return True
    listed = redact({"callback_url": payload["callback_url"]})["callback_url"]
    return bool(listed == (row.requested.get("callback_url") or ""))


def _link_people() -> None:
    """Conversations whose persona or replica was mirrored after them."""
    for model, name in ((Persona, "persona"), (Replica, "replica")):
        theirs = model.objects.filter(upstream_id=OuterRef(f"upstream_{name}_id"))
        unlinked = Conversation.objects.filter(Exists(theirs), **{name: None})
        unlinked.update(**{name: Subquery(theirs.values("pk")[:1])})


def _reserve_room(row: Conversation, actor: Actor, join: bool) -> None:
    """Whether to join is kept from here on: a conversation whose answer was lost is joined once it is found. Raises
    BudgetReached."""
    check_room(row)
    Room.objects.create(conversation=row, wanted=Wanted.JOINED if join else Wanted.IDLE)
    if join:
        append([rooms.operator_draft(actor, row, "room.join")])


def _join(row: Conversation, actor: Actor) -> None:
    """The conversation is there, and paid for: a room that can't be joined is a warning on it, not an error instead
    of it."""
    try:
        rooms.join(actor=actor, conversation=row)
    except Refusal as refusal:
        Room.objects.filter(conversation=row).update(wanted=Wanted.IDLE)
        row.warnings = [*row.warnings, f"The room was not joined: {refusal.message}"]
        row.save(update_fields=["warnings", "updated_at"])


def _keep_token(row: Conversation, answer: Payload) -> None:
    """The private room's token comes in the create's answer alone; it is kept sealed, in its own column."""
    if isinstance(answer.get("meeting_token"), str) and row.status != "ended":
        row.meeting_token = answer["meeting_token"]


def _ended_all_the_same(conversation: Conversation, error: TavusError, actor: Actor) -> None:
    """Ending failed: perhaps because it has ended already, which upstream itself must say; else the error is
    raised."""
    if isinstance(error, NotFound | InvalidRequest | Conflict) or error.may_have_happened:
        _look_if_possible(conversation, actor)
    ended = not conversation.is_active
    append([noted(conversation, "end_failed", actor, {"ended": ended, "error": described(error)}, is_error=not ended)])
    if not ended:
        if error.may_have_happened:
            ask_for_look(conversation)
        raise error


def _look_if_possible(conversation: Conversation, actor: Actor) -> None:
    """What does upstream say now? Its silence leaves the row as it is; the caller says what that means."""
    with suppress(TavusError):
        look(CONVERSATION, conversation, actor=actor)


def _admit(payload: Payload) -> Conversation | None:
    """The row for an upstream conversation that has none: the unsettled one that it refers to, or a new one; none
    while it may yet be what an unsettled row asked for.
    """
    unsettled = Conversation.objects.filter(upstream_id=None, state__in=(MirrorState.RESERVED, MirrorState.UNKNOWN))
    reference = bodies.reference_in(payload)
    if reference and (asked := unsettled.select_for_update(no_key=True).filter(public_id=reference).first()):
        return asked
    if any(fits(row, payload) for row in unsettled):
        return None
    return Conversation(made_here=False)
