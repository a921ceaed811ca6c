"""Sends what is no echo, at once and beside the echo in hand; an interrupt goes before everything and stops that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from conversations import interactions, outbox
from conversations.models import EchoState, Interaction, InteractionState
from conversations.rooms.ends import Answer, Stop
from echoadmin.actors import SYSTEM
from echoadmin.log.writer import Draft, Number

if TYPE_CHECKING:
    from conversations.rooms.room import LiveRoom

INTERRUPT = "conversation.interrupt"
TOO_OLD = 10.0  # s; what waited longer for the room to be joined is not sent any more, it would come out of the blue


class InteractionSender:
    """The one coroutine of a room that lets interactions leave."""

    def __init__(self, room: LiveRoom) -> None:
        self.room = room
        self._answered = asyncio.Event()
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self) -> None:
        """The bell rang."""
        self._wake.set()

    async def run(self) -> None:
        """Forever: send what waits, interrupts first."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            room = self.room
            if not room.can_send:
                continue
            for interaction in await room.desk.insist(outbox.queued_interactions, room.tenure.conversation_id):
                if room.can_send:
                    await self._send(interaction)

    async def interrupt_as_system(self, why: str) -> None:
        """At once, in a room that is being left: free a replica that waits for audio which will not come."""
        if self.room.link is not None and not self.room.is_lost:
            await self._send(await self._queue_interrupt(why))

    async def interrupt_soon(self, why: str) -> None:
        """The same as soon as the room is joined again, before any echo."""
        await self._queue_interrupt(why)
        self.wake()

    async def _queue_interrupt(self, why: str) -> Interaction:
        room = self.room
        return await room.desk.insist(_system_interrupt, room.tenure.conversation_id, room.upstream_id, why)

    async def _send(self, interaction: Interaction) -> None:
        room, tenure = self.room, self.room.tenure
        if (timezone.now() - interaction.queued_at).total_seconds() > TOO_OLD and interaction.source != "system":
            await self._settle(interaction, InteractionState.FAILED, "not_joined_in_time", claimed=False)
            return
        interrupts = interaction.event_type == INTERRUPT
        current, out = room.echoes.current, room.matcher.outstanding
        if interrupts:
            room.echoes.halt(Stop(EchoState.INTERRUPTED, "interrupted", f"Interrupted by {interaction.actor}."))
        written = await room.log.claim(
            [self._draft(interaction)], lambda: outbox.claim_interaction(tenure, interaction.pk)
        )
        if written is None:
            return
        if not await self._transmit(interaction, written[0].n):
            return
        result = None
        if interrupts:
            if current is None:  # one was being claimed, in the transaction before
                current, out = room.echoes.current, room.matcher.outstanding
            await room.echoes.until_idle(settings.INTERRUPT_DEADLINE + 0.5)
            confirmed = current is None or (out is not None and out.stopped)
            interrupted = (
                current.inference_id
                if current is not None and not (out and out.stopped and not out.interrupted)
                else None
            )
            result = {"interrupted": interrupted, "confirmed": confirmed}
        await self._settle(interaction, InteractionState.SENT, "", result=result)

    async def _transmit(self, interaction: Interaction, n: Number) -> bool:
        """Hand it to the SDK and wait for the completion; settles it when that fails or is missing."""
        room, link, answer = self.room, self.room.link, Answer(self._answered.set)
        self._answered.clear()
        room.send(interaction.message, n, answer)
        try:
            async with asyncio.timeout(settings.ECHO_COMPLETION_DEADLINE):
                await self._answered.wait()
        except TimeoutError:
            missing = f"Daily's SDK gave no answer within {settings.ECHO_COMPLETION_DEADLINE:g} s."
            await self._settle(interaction, InteractionState.UNCONFIRMED, "completion_missing", detail=missing)
            room.lose("a send got no completion", link)
        if answer.error is not None:
            room.signs.accounted([n])
            await room.log.not_sent(None, [n], "send_failed", answer.error)
            await self._settle(interaction, InteractionState.FAILED, "send_failed", detail=answer.error)
            room.send_error(answer.error, link)
        if (not answer.came or answer.error is not None) and interaction.source == SYSTEM.source:
            await self.interrupt_soon(interaction.detail)  # the replica still waits
        return answer.came and answer.error is None

    async def _settle(
        self,
        interaction: Interaction,
        state: str,
        reason: str,
        *,
        detail: str = "",
        result: dict[str, Any] | None = None,
        claimed: bool = True,
    ) -> None:
        tenure, now = self.room.tenure, datetime.now(UTC)
        changes: dict[str, Any] = {
            "state": state,
            "reason": reason,
            "detail": detail or interaction.detail,
            "result": result,
            "ended_at": now,
        }
        if state == InteractionState.SENT:
            changes["sent_at"] = now
        if not claimed:
            await self.room.log.settle(
                lambda: (
                    outbox.claim_interaction(tenure, interaction.pk)
                    and outbox.settle_interaction(tenure, interaction.pk, **changes)
                )
            )
            return
        await self.room.log.settle(lambda: outbox.settle_interaction(tenure, interaction.pk, **changes))

    def _draft(self, interaction: Interaction) -> Draft:
        message = interaction.message
        return Draft(
            stream=self.room.public_id,
            kind="app_message",
            event_type=interaction.event_type,
            direction="out",
            family=interactions.family(interaction.event_type),
            sender=self.room.session_id,
            sender_name=self.room.name,
            conversation_ref=self.room.public_id,
            persona_ref=self.room.persona_ref,
            actor=interaction.actor,
            api_key_ref=interaction.api_key_ref or None,
            epoch=self.room.tenure.epoch,
            request_id=interaction.request_id or None,
            message=message,
            said=interactions.said(message),
        )


def _system_interrupt(conversation_id: int, upstream_id: str, why: str) -> Interaction:
    return Interaction.objects.create(
        conversation_id=conversation_id,
        event_type=INTERRUPT,
        message=interactions.interrupt(upstream_id),
        actor=SYSTEM.name,
        source=SYSTEM.source,
        detail=why,
        queued_at=timezone.now(),
    )
