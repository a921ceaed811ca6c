"""One room of a worker, from the claim to the leave: joins, listens, notices loss by what the room does, rejoins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from conversations import bells
from conversations.models import RoomState
from conversations.rooms import claims, hearing, timing
from conversations.rooms.claims import Claimed
from conversations.rooms.desk import Desk, TenureLost
from conversations.rooms.echo_sender import EchoSender
from conversations.rooms.ends import Stop
from conversations.rooms.events import Dropped, Event, Heard, JoinFailed, Left, Link, Network, Present, StateChanged
from conversations.rooms.interaction_sender import InteractionSender
from conversations.rooms.leaving import leave
from conversations.rooms.matching import Matcher
from conversations.rooms.people import People
from conversations.rooms.room_log import RoomLog
from conversations.rooms.signs import Signs
from conversations.rooms.takeover import take_over
from conversations.rooms.urls import check_before_joining
from echoadmin.log.writer import Draft, Number

logger = logging.getLogger(__name__)


class LiveRoom:
    """Everything that one claimed room does; `run` ends when the room is left, ended, or another's."""

    def __init__(self, claimed: Claimed, desk: Desk, make_link: Callable[[str, Callable[[Event], None]], Link]) -> None:
        self.claimed = claimed
        self.tenure = claimed.tenure
        self.public_id, self.upstream_id, self.persona_ref = claimed.public_id, claimed.upstream_id, claimed.persona_ref
        self.desk = desk
        self.log = RoomLog(claimed, desk, on_refused=lambda: self.lose("another worker has the room"))
        self.name = f"echoadmin/{desk.worker.name}"
        self.loop = asyncio.get_running_loop()
        self.link: Link | None = None
        self.session_id = ""
        self.people = People()
        self.closing: str | None = None  # why: left, ended, stopped, handed_over
        self.draining = False  # nothing more is claimed: the echo in hand is the last
        self.released = False  # another worker speaks for the room, or may: nothing more is written
        self.matcher = Matcher()
        self.echoes = EchoSender(self)
        self.interactions = InteractionSender(self)
        self._make_link = make_link
        self._lost: asyncio.Event = asyncio.Event()
        self._news = asyncio.Event()  # it was lost, or somebody came or went
        self._lost_because = ""
        self.signs = Signs(datetime.now(UTC), self.loop.time())
        self._pending: Link | None = None
        self._life: asyncio.Task[None] | None = None
        self._more_audio = asyncio.Event()
        self._close = asyncio.Event()
        self._blind_since = claimed.blind_since
        self._blind_because = "handed_over" if claimed.handed_over else "worker_lost"

    @property
    def replica_present(self) -> bool:
        """Whether it is in the room, by what it says and by the list of participants."""
        return self.people.replica_id is not None

    @property
    def is_lost(self) -> bool:
        """Whether the link is known to be dead, and another is to come."""
        return self._lost.is_set()

    @property
    def can_send(self) -> bool:
        """Whether something may leave: there is a link, it is known neither to be dead nor to be away for a moment, and
        it is not being left."""
        return self.link is not None and not self.is_lost and not self.signs.is_interrupted and self.closing is None

    # --- life ---

    async def run(self) -> None:
        """Take over, join, serve until closing; never raises."""
        self._life = asyncio.current_task()
        tasks: list[asyncio.Task[None]] = []
        try:
            await take_over(self)
            tasks = [asyncio.create_task(part) for part in (self._stay(), self.echoes.run(), self.interactions.run())]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except TenureLost:
            logger.warning("%s is another worker's now", self.public_id)
        except Exception as error:
            logger.exception("the room of %s failed", self.public_id)
            await self._failed(f"{type(error).__name__}: {error}")
        finally:
            for task in tasks:
                task.cancel()
            await self.drop_link()

    def close(self, why: str) -> None:
        """Leave: `left` (nobody wants it), `ended` (the conversation did), `stopped` or `handed_over` (the worker)."""
        if self.closing is None:
            self.closing = why
            self._close.set()
            self.echoes.stir()

    def abandon(self) -> None:
        """The room is another worker's: end without a word."""
        if self._life is not None:
            self._life.cancel()

    def wake(self, about: str = "") -> None:
        """The bell rang: look into the outbox now."""
        if about == bells.AUDIO:
            self.echoes.stir()
        elif about != bells.INTERACTION:
            self.echoes.rung()
        if about != bells.INTERACTION:
            self._more_audio.set()
        if about not in (bells.ECHO, bells.AUDIO):
            self.interactions.wake()

    async def _stay(self) -> None:
        tries = 0
        while self.closing is None:
            try:
                await self._join()
            except JoinFailed as failure:
                tries += 1
                if await self._again_after(failure, tries):
                    continue
                return
            tries = 0
            await self._watch()
            if self.closing is None:
                await self._rejoin_after_loss()
        await leave(self)

    async def _join(self) -> None:
        check_before_joining(self.claimed.url)
        self._lost.clear()
        self.signs = Signs(datetime.now(UTC), self.loop.time())
        self.people = People()
        link = self._pending = self._make_link(self.name, self._reported)
        await link.join(self.claimed.url, self.claimed.token, timing.JOIN_TIMEOUT)
        self.session_id = link.session_id
        await self._joined(link.session_id)
        self.link = link
        self.wake()

    async def _joined(self, session: str) -> None:
        now = timezone.now()
        drafts = [self.log.draft("joined", {"session_id": session, "worker": self.desk.worker.name})]
        if self._blind_since is not None:
            drafts.insert(0, self._gap(self._blind_since, now, self._blind_because))
        tenure = self.tenure
        await self.desk.write(
            drafts,
            lambda: claims.update_room(
                tenure,
                state=RoomState.JOINED,
                joined_at=now,
                last_seen_at=now,
                session_id=session,
                error="",
                tries=0,
                next_try_at=None,
            ),
        )
        self._blind_since = None

    async def _watch(self) -> None:
        """Until the room is lost or to be left: write what changed, judge the connection by what it does."""
        seen = 0.0
        while not self._lost.is_set() and self.closing is None:
            await self._close_or(1.0, also=self._news)
            await asyncio.sleep(timing.SETTLE)
            self._news.clear()
            now = self.loop.time()
            self._judge(now)
            changes: dict[str, object] = {}
            if now - seen >= timing.SEEN_EVERY and not self.signs.is_interrupted:
                seen, changes["last_seen_at"] = now, timezone.now()
            if self.people.changed:
                self.people.changed = False
                changes |= {"participants": self.people.listed(), "replica_present": self.replica_present}
            if changes:  # by way of the log's writer: after the entries of all that was heard before
                self.log.later([], partial(claims.update_room, self.tenure, **changes))

    def _judge(self, now: float) -> None:
        if self.signs.interrupted_for(now) > timing.INTERRUPTED_FOR:
            self.lose("the connection was interrupted and did not come back")
        elif self.people.silent_for(now) > timing.SILENT_FOR:
            self.lose(f"the replica is there and has been silent for {timing.SILENT_FOR:g} s")

    async def _rejoin_after_loss(self) -> None:
        if self._lost_because == timing.CALL_ENDED:
            await self._close_or(timing.END_IS_TOLD_IN)
            if self.closing is not None:  # not lost: the conversation has ended
                return
        self._blind_since, self._blind_because = self.signs.blind_since, "room_lost"
        because = self._lost_because
        await self.drop_link()
        tenure = self.tenure
        await self.desk.write(
            [self.log.draft("lost", {"reason": because}, is_error=True), *self.doubts()],
            lambda: claims.update_room(
                tenure, state=RoomState.LOST, error=because, participants=[], replica_present=False
            ),
        )
        await self._close_or(timing.BACK_OFF[0])

    def doubts(self) -> list[Draft]:
        """Of a link that died: what it took and nobody heard anything after may never have left."""
        return self._unproven("room_lost") if self._lost.is_set() else []

    def _unproven(self, reason: str) -> list[Draft]:
        ns = self.signs.unproven()
        return [self.log.numbers("uncertain", ns, reason)] if ns else []

    def _gap(self, since: datetime, until: datetime, reason: str) -> Draft:
        """Nobody of ours listened for a while: what others sent then may be missing in the log."""
        return self.log.draft("gap", {"from": since.isoformat(), "to": until.isoformat(), "reason": reason})

    async def _again_after(self, failure: JoinFailed, tries: int) -> bool:
        """Note a join that failed, and wait for the next; False: that was the last, and the room is given back."""
        await self.drop_link()
        if failure.kind == "gone":
            await self.desk.insist(claims.ask_for_sync, self.tenure)
        pause = timing.pause_after(tries)
        change = partial(claims.release if pause is None else claims.update_room, self.tenure, state=RoomState.FAILED)
        words = failure.told(tries, pause)
        facts = {"kind": failure.kind, "words": failure.words, "try": tries, "again_in": pause}
        await self.desk.write(
            [self.log.draft("join_failed", facts, is_error=True)], lambda: change(error=words, tries=tries)
        )
        await self._close_or(pause or 0)
        return pause is not None

    async def _failed(self, error: str) -> None:
        soon = timezone.now() + timedelta(seconds=5)
        await self.desk.insist(claims.release, self.tenure, state=RoomState.FAILED, error=error, next_try_at=soon)

    async def drop_link(self) -> None:
        """Leave the call, if there is one."""
        link, self.link = self.link or self._pending, None
        self._pending = None
        self.people = People()
        if link is not None:
            await link.leave(timing.LEAVE_TIMEOUT)

    async def _close_or(self, seconds: float, also: asyncio.Event | None = None) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._close, also) if event is not None]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for future in waiting:
            future.cancel()

    # --- what the link reports ---

    def _reported(self, event: Event) -> None:
        if not self.released:
            self._on_event(event)
            if self.people.changed:
                self._news.set()

    def _on_event(self, event: Event) -> None:
        match event:
            case Heard():
                self.signs.heard(event.at, self.loop.time())
                hearing.heard(self, event)
            case Present():
                if self.people.came(event.participant):
                    self.echoes.stir()
            case Left():
                if self.people.went(event.participant_id):
                    gone = "The replica left the room while it was at it."
                    self.echoes.halt(Stop("unconfirmed", "replica_left", gone))
            case StateChanged(state="left") if self.link is not None and self.closing is None:
                self.lose(timing.CALL_ENDED)
                self.conversation_is_ending()
            case Network():
                self._network(event)
            case Dropped():
                hearing.dropped(self, event)
            case _:
                logger.debug("%s: %s", self.public_id, event)

    def _network(self, event: Network) -> None:
        """What the SDK got shortly before and while its connection was away may be lost, though it goes on with the
        rest (daily-python 0.36.0, measured)."""
        if event.event == "interrupted":
            self.signs.interrupted(self.loop.time())
            current = self.echoes.current
            if current is not None and current.modality == "audio" and (self.echoes.sending or self.signs.doubtful):
                broken = "The connection broke while it was being sent; pieces of it may be missing."
                self.echoes.halt(Stop("unconfirmed", "connection_interrupted", broken))
        elif event.event == "connected" and (since := self.signs.connected()):
            self.log.later([self._gap(since, event.at, "interrupted"), *self._unproven("interrupted")])
            self.wake()

    def replica_here(self, participant_id: str) -> None:
        """The replica shows itself, by what it sends."""
        if self.people.replica_is(participant_id):
            self.echoes.stir()

    # --- for the senders ---

    def send(self, message: dict[str, Any], n: Number, done: Callable[[str | None], None]) -> None:
        """Hand the message that is number `n` of the log to the SDK, if there is a link."""
        if self.link is None:
            self.loop.call_soon(done, "the room was lost")
            return
        self.signs.handed(n, self.loop.time())
        self.link.send(message, done)

    def send_error(self, words: str, link: Link | None) -> None:
        """A send over `link` failed: a dead link says so in these words, and is judged by them."""
        if any(sign in words for sign in timing.DEAD_LINK):
            self.lose(f"a send failed: {words}", link)

    def conversation_is_ending(self) -> None:
        """The replica says so: let a duty ask upstream."""
        self.loop.create_task(self.desk.insist(claims.ask_for_sync, self.tenure))

    def lose(self, because: str, link: Link | None = None) -> None:
        """The room is lost: what is being sent stops, and a new link is made. Not where `link` is an older one."""
        if link is not None and link is not self.link:
            return
        if not self._lost.is_set():
            self._lost_because = because
            self._lost.set()
            self._news.set()
        if self.echoes.sending:
            self.echoes.halt(Stop("unconfirmed", "room_lost", because))

    async def more_audio(self, seconds: float) -> None:
        """Wait for the bell, at most `seconds`; one that rang since the last wait counts: it was not looked after."""
        try:
            async with asyncio.timeout(seconds):
                await self._more_audio.wait()
        except TimeoutError:
            return
        finally:
            self._more_audio.clear()
