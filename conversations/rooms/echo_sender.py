"""Sends a room's echoes, one at a time: claimed and logged in one transaction, sent, then followed to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from conversations import outbox
from conversations.models import Echo, EchoState
from conversations.rooms.audio_sender import say_audio
from conversations.rooms.echo_steps import EchoSteps
from conversations.rooms.ends import Answer, Stop, completion_missing, room_lost, send_failed, unconfirmed
from conversations.rooms.matching import Outstanding
from conversations.rooms.text_sender import claim_next_text, say_text
from echoadmin.log.writer import Draft, Number

if TYPE_CHECKING:
    from conversations.rooms.room import LiveRoom

logger = logging.getLogger(__name__)


class EchoSender:
    """The one coroutine of a room that lets echoes leave."""

    def __init__(self, room: LiveRoom) -> None:
        self.room = room
        self.stop: Stop | None = None
        self.current: Echo | None = None
        self.steps: EchoSteps | None = None  # of the echo in hand
        self.sending = False  # whether messages of the echo in hand still leave
        self.idle = asyncio.Event()
        self.idle.set()
        self._stir = asyncio.Event()
        self._rung = False  # whether the bell told of something queued since the last look
        self._first: tuple[int, float] | None = None  # the echo at the head, and since when it waits for the replica

    def stir(self) -> None:
        """Something changed: look again."""
        self._stir.set()

    def rung(self) -> None:
        """The bell: something was queued, or taken out of the queue."""
        self._rung = True
        self.stir()

    async def until_idle(self, timeout: float) -> None:
        """Wait until no echo is in hand, at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self.idle.wait()
        except TimeoutError:
            logger.warning("%s: an echo is still in hand after %g s", self.room.public_id, timeout)

    def halt(self, stop: Stop) -> None:
        """No further byte of the echo in hand leaves."""
        if not self.idle.is_set() and self.stop is None:
            self.stop = stop
        self.stir()

    async def run(self) -> None:
        """Forever: follow what an earlier epoch had sent, then say what is queued."""
        await self._adopt()
        while True:
            if not await self._say_next():
                await self._pause(None)

    async def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, at most `timeout` seconds; whether it does."""
        deadline = self.room.loop.time() + timeout
        while not condition():
            remaining = deadline - self.room.loop.time()
            if remaining <= 0:
                return False
            await self._pause(remaining)
        return True

    async def _pause(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stir.wait()
        except TimeoutError:
            return
        finally:
            self._stir.clear()

    # --- the queue ---

    async def _say_next(self) -> bool:
        """Say the first of the queue; False when there is nothing to say or it can't be said yet."""
        room = self.room
        if not self._may_begin():
            self._first = None
            return False
        if self._rung and room.replica_present:
            self._rung = False
            if await self._say_rung():
                return True
        echo = await room.desk.insist(outbox.next_echo, room.tenure.conversation_id)
        if echo is None or not self._may_begin():
            self._first = None
            return False
        if not room.replica_present:
            return await self._wait_for_replica(echo)
        await self._say(echo)
        return True

    def _may_begin(self) -> bool:
        return self.room.can_send and not self.room.draining

    async def _wait_for_replica(self, echo: Echo) -> bool:
        now = self.room.loop.time()
        if self._first is None or self._first[0] != echo.pk:
            self._first = (echo.pk, now)
        waited = now - self._first[1]
        if waited < settings.ECHO_REPLICA_DEADLINE:
            await self._pause(min(settings.LOOK_EVERY, settings.ECHO_REPLICA_DEADLINE - waited))
            return True
        waited_for = f"{settings.ECHO_REPLICA_DEADLINE:g} s"
        detail = (
            f"The replica was not in the room within {waited_for}. See that the conversation runs, then say it again."
        )
        await self.room.log.settle(
            lambda: outbox.fail_queued(self.room.tenure, echo.pk, reason="replica_absent", detail=detail)
        )
        return True

    async def _say_rung(self) -> bool:
        """Find and claim what the bell told of in one transaction: a look of its own would cost as much again."""
        with self._busy(None):
            claimed = await claim_next_text(self)
            if claimed is not None:
                self._take(claimed.echo)
                self.reach("sending")
                await say_text(self, claimed.echo, claimed)
        return claimed is not None

    async def _say(self, echo: Echo) -> None:
        with self._busy(echo):
            if echo.modality == "audio":
                await say_audio(self, echo)
            else:
                await say_text(self, echo)

    @contextmanager
    def _busy(self, echo: Echo | None) -> Iterator[None]:
        """Something is in hand, or about to be: from here on it can be halted, and who waits for the end waits."""
        self.stop, self.sending = None, True
        self._take(echo)
        self.idle.clear()
        try:
            yield
        finally:
            self.room.matcher.give_up()
            if self.steps is not None:
                self.steps.count()
            self.current, self.steps, self.sending = None, None, False
            self.idle.set()

    def _take(self, echo: Echo | None) -> None:
        self.current, self.steps = echo, EchoSteps(echo) if echo is not None else None

    def reach(self, step: str, at: datetime | None = None) -> None:
        """The echo in hand got so far."""
        if self.steps is not None:
            self.steps.reach(step, at)

    # --- messages ---

    async def transmit(self, echo: Echo, message: dict[str, Any], ns: list[Number]) -> bool:
        """Hand one message to the SDK and wait for its completion; settles the echo when that fails or is missing."""
        room, link, out, answer = self.room, self.room.link, self.room.matcher.outstanding, Answer(self.stir)

        def known() -> bool:
            return answer.came or room.link is not link or (out is not None and out.started)

        room.send(message, ns[0], answer)
        await self.until(known, settings.ECHO_COMPLETION_DEADLINE)
        if answer.error is not None:
            room.signs.accounted(ns)
            await room.log.not_sent(echo, ns, "send_failed", detail=answer.error)
            await self.end(echo, send_failed(answer.error))
            room.send_error(answer.error, link)
        elif not known():
            await self.end(echo, completion_missing())
            room.lose("a send got no completion", link)
        elif room.link is not link and not answer.came:
            await self.end(echo, self.stop or room_lost())
        else:
            return True
        return False

    # --- what follows ---

    async def follow(self, echo: Echo, out: Outstanding, seconds: float) -> bool:
        """Wait for the replica to start and to stop; False when the echo came to another end, which is settled here."""
        self.sending = False
        stop_deadline = seconds * settings.ECHO_STOP_FACTOR + settings.ECHO_STOP_EXTRA
        room, link, began = self.room, self.room.link, self.room.loop.time()
        if not await self.until(lambda: out.started or self.stop is not None, settings.ECHO_START_DEADLINE):
            out.overdue = True
            if room.signs.silent_since(began):
                room.lose("nothing was heard since the last message was sent", link)
            await self.end(echo, unconfirmed("start_not_seen", "The replica did not say that it began."))
            return False
        if self.stop is None and not await self.until(lambda: out.stopped or self.stop is not None, stop_deadline):
            await self.end(echo, unconfirmed("stop_not_seen", "The replica did not say that it ended."))
            return False
        if self.stop is not None and not out.stopped:
            await self._after_stop(echo, out, self.stop)
        return out.stopped and not out.interrupted and self.stop is None

    async def _after_stop(self, echo: Echo, out: Outstanding, stop: Stop) -> None:
        """An interrupt is acknowledged by a stop, if at all; what else halts an echo is settled at once."""
        if stop.state == EchoState.INTERRUPTED:
            await self.until(lambda: out.stopped, settings.INTERRUPT_DEADLINE)
        if not out.stopped:
            await self.end(echo, stop)

    async def end(self, echo: Echo, stop: Stop, *, sent: int | None = None) -> None:
        """The echo's final state, with its reason."""
        tenure, at = self.room.tenure, datetime.now(UTC)
        if self.steps is not None:
            self.steps.ended = stop.state
        await self.room.log.settle(
            lambda: outbox.mark_ended(
                tenure, echo.pk, state=stop.state, reason=stop.reason, detail=stop.detail, at=at, sent=sent
            )
        )

    async def _adopt(self) -> None:
        """What an earlier epoch had sent and not seen end: the next echo waits for it, as it would have."""
        for echo in await self.room.desk.insist(outbox.under_way, self.room.tenure.conversation_id):
            self.stop, self.current = None, echo
            self.idle.clear()
            words, heard_id = echo.text or None, echo.heard_id or None
            out = self.room.matcher.expect(echo.pk, echo.wire_id, words=words, heard_id=heard_id)
            out.started = echo.speaking_at is not None
            passed = (datetime.now(UTC) - (echo.sent_at or echo.queued_at)).total_seconds()
            seconds = echo.seconds * settings.ECHO_STOP_FACTOR + settings.ECHO_STOP_EXTRA
            if await self.until(lambda: out.stopped or self.stop is not None, max(0.5, seconds - passed)):  # noqa: B023
                if self.stop is not None:
                    await self._after_stop(echo, out, self.stop)
            else:
                await self.end(echo, unconfirmed("stop_not_seen", "Its end fell into the time without a worker."))
            self.room.matcher.give_up()
            self.current = None
            self.idle.set()

    def draft(
        self,
        echo: Echo,
        message: dict[str, Any],
        *,
        at: datetime,
        said: str | None = None,
        clip: tuple[int, int, int] | None = None,
    ) -> Draft:
        """The entry of one outbound message of this echo."""
        return Draft(
            stream=self.room.public_id,
            kind="app_message",
            event_type="conversation.echo",
            at=at,
            direction="out",
            family="echo",
            sender=self.room.session_id,
            sender_name=self.room.name,
            inference_id=message["properties"]["inference_id"],
            echo_id=echo.pk,
            conversation_ref=self.room.public_id,
            persona_ref=self.room.persona_ref,
            actor=echo.actor,
            api_key_ref=echo.api_key_ref or None,
            epoch=self.room.tenure.epoch,
            request_id=echo.request_id or None,
            message=message,
            said=said,
            clip=clip,
        )
