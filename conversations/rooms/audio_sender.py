"""Sends one audio echo: chunks are logged shortly before they leave, and leave on time, whatever the database does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings

from conversations import audio, interactions, outbox
from conversations.models import Echo, EchoState
from conversations.rooms.clip_reader import STALLED, Chunk, ClipReader
from conversations.rooms.ends import completion_missing, room_lost, send_failed
from conversations.rooms.pace import Pace
from echoadmin.log.writer import Draft, Number

if TYPE_CHECKING:
    from conversations.rooms.echo_sender import EchoSender
    from conversations.rooms.events import Link
    from conversations.rooms.room import LiveRoom

STARVED_LOOK = 0.25  # s between looks for more samples, when no bell tells of them


@dataclass(slots=True)
class Logged:
    """A chunk whose entry is durable: message, its number in the log, when it leaves (the loop's clock)."""

    message: dict[str, Any]
    n: Number
    departure: float


@dataclass
class Delivery:
    """How far one audio echo got, over the link on which it began. Chunks are named by their numbers in the log."""

    room: LiveRoom
    link: Link | None
    taken: int = 0  # completed without error
    awaited: int = -1  # somebody waits until no more than so many are open; -1: nobody does
    open: set[Number] = field(default_factory=set)  # handed over, and not completed yet
    unsent: list[Number] = field(default_factory=list)  # never handed over, or refused
    error: str | None = None  # of the first that was refused
    stuck: bool = False  # no completion came for too long
    failed: BaseException | None = None  # of the logging side

    @property
    def began(self) -> bool:
        """Whether anything may have reached the replica."""
        return bool(self.taken or self.open)

    @property
    def lost(self) -> bool:
        """Whether the link is another one now, or known to be dead."""
        return self.room.link is not self.link or self.room.is_lost

    def hand(self, chunk: Logged, stir: Callable[[], None]) -> None:
        """Give one chunk to the SDK."""

        def done(error: str | None) -> None:
            self.open.discard(chunk.n)
            if error is None:
                self.taken += 1
            else:
                self.room.signs.accounted([chunk.n])
                self.unsent.append(chunk.n)
                self.error = self.error or error
            if error is not None or len(self.open) <= self.awaited:
                stir()

        self.open.add(chunk.n)
        self.room.send(chunk.message, chunk.n, done)


async def say_audio(sender: EchoSender, echo: Echo) -> None:
    """From the first chunk to the replica's last word, or to whatever stopped it."""
    room, rate = sender.room, int(echo.sample_rate or 24_000)
    size = _chunk_bytes(room, echo, rate)
    reader = ClipReader(room.desk, echo, size)
    pace = Pace(echo.pacing, audio.seconds(size, rate), settings.ECHO_LEAD, room.loop.time())
    delivery = Delivery(room, room.link)
    logged: asyncio.Queue[list[Logged] | None] = asyncio.Queue(maxsize=1)
    out = room.matcher.expect(echo.pk, echo.wire_id, words=None)
    logging = asyncio.create_task(_log_chunks(sender, echo, reader, pace, logged, delivery, rate))
    try:
        await _send_chunks(sender, pace, logged, delivery)
        await logging
    finally:
        logging.cancel()
    if delivery.failed is not None:
        raise delivery.failed
    if not delivery.began and not delivery.unsent:
        if reader.finished and not reader.read_bytes:
            await _never_fed(sender, echo, reader)
        return  # else it was cancelled before anything was written
    length = audio.seconds(reader.read_bytes, rate)
    if await _settled(sender, echo, delivery, length):
        await sender.follow(echo, out, length)
    if delivery.began and not out.stopped and (sender.stop is None or sender.stop.state == EchoState.UNCONFIRMED):
        await room.interactions.interrupt_soon("The replica would wait for the rest of an audio echo.")


def _chunk_bytes(room: LiveRoom, echo: Echo, rate: int) -> int:
    """A burst of what is there has no rhythm to keep: it fills its messages, and needs a sixth fewer of them."""
    if echo.pacing == "burst" and echo.closed_at is not None:
        fitting = interactions.fitting_pcm(room.upstream_id, rate, echo.wire_id)
        return audio.chunk_bytes(rate, fitting, fitting)
    return audio.chunk_bytes(rate, settings.ECHO_CHUNK_BYTES)


async def _never_fed(sender: EchoSender, echo: Echo, reader: ClipReader) -> None:
    """It was closed without a sample: nothing is sent, for the replica would say nothing about it."""
    room, reason = sender.room, STALLED if reader.stalled else "empty"
    detail = "It was closed before a single sample came. Send the audio, then say it again as a new echo."
    await room.log.settle(lambda: outbox.fail_queued(room.tenure, echo.pk, reason=reason, detail=detail))


async def _settled(sender: EchoSender, echo: Echo, delivery: Delivery, seconds: float) -> bool:
    """Whether all of it was sent, or it was interrupted on the way: both are followed to the replica's stop."""
    room, sent = sender.room, partial(outbox.note_sent, sender.room.tenure, echo.pk)
    delivery.awaited = 0
    await sender.until(lambda: not delivery.open or delivery.lost or delivery.stuck, settings.ECHO_COMPLETION_DEADLINE)
    if delivery.unsent:
        reason = "send_failed" if delivery.error else sender.stop.reason if sender.stop else "stopped"
        await room.log.not_sent(echo, delivery.unsent, reason, detail=delivery.error or "")
    if delivery.error is not None:
        await sender.end(echo, send_failed(delivery.error), sent=delivery.taken)
        room.send_error(delivery.error, delivery.link)
    elif delivery.lost:
        await sender.end(echo, sender.stop or room_lost(), sent=delivery.taken)
    elif delivery.open:
        await sender.end(echo, completion_missing(), sent=delivery.taken)
        room.lose("a send got no completion", delivery.link)
    elif sender.stop is not None:
        room.log.later([], lambda: sent(delivery.taken))
        return True
    else:
        at = datetime.now(UTC)
        sender.reach("sent", at)
        room.log.later([], lambda: outbox.mark_sent(room.tenure, echo.pk, at=at, sent=delivery.taken, seconds=seconds))
        return True
    return False


# --- the logging side ---


async def _log_chunks(
    sender: EchoSender,
    echo: Echo,
    reader: ClipReader,
    pace: Pace,
    logged: asyncio.Queue[list[Logged] | None],
    delivery: Delivery,
    rate: int,
) -> None:
    """Write chunks to the log, at most 250 ms before they leave; ends with None in the queue, whatever happens."""
    index = 0
    try:
        while not (reader.finished or sender.stop or delivery.error or delivery.stuck or delivery.lost):
            chunks = await _next_chunks(sender, reader, pace, index)
            if not chunks:
                continue
            batch = await _log(sender, echo, chunks, pace, index, delivery, rate)
            if batch is None:
                return
            await logged.put(batch)
            index += len(batch)
    except Exception as error:  # noqa: BLE001 - it is raised again by say_audio, after what was logged is accounted for
        delivery.failed = error
    finally:
        await logged.put(None)


async def _next_chunks(sender: EchoSender, reader: ClipReader, pace: Pace, index: int) -> list[Chunk]:
    loop = sender.room.loop
    most = pace.batch(index, loop.time())
    if not most:
        await asyncio.sleep(max(0.0, pace.departure(index) - loop.time() - 0.15))
        return []
    chunks = await reader.take(most)
    if not chunks and not reader.finished:
        await _starve(sender, reader)
        pace.starved(index, loop.time())
    return chunks


async def _starve(sender: EchoSender, reader: ClipReader) -> None:
    """Samples still arrive: wait for the bell; who has sent nothing for too long has ended."""
    left = settings.ECHO_STALL_DEADLINE - reader.stalled_for()
    if not reader.closed and left <= 0:
        await reader.close_stalled()
        return
    await sender.room.more_audio(min(STARVED_LOOK, max(0.01, left)))


async def _log(
    sender: EchoSender, echo: Echo, chunks: list[Chunk], pace: Pace, index: int, delivery: Delivery, rate: int
) -> list[Logged] | None:
    room, now, clock = sender.room, datetime.now(UTC), sender.room.loop.time()
    departures = [max(clock, pace.departure(index + offset)) for offset in range(len(chunks))]
    messages = [
        interactions.audio_echo_chunk(room.upstream_id, chunk.pcm, rate, echo.wire_id, chunk.last) for chunk in chunks
    ]
    drafts: list[Draft] = [
        sender.draft(
            echo,
            message,
            at=now + timedelta(seconds=leaves - clock),
            clip=(int(echo.clip_id or 0), chunk.start, len(chunk.pcm)),
        )
        for message, chunk, leaves in zip(messages, chunks, departures, strict=True)
    ]
    if index == 0:
        claim = partial(outbox.claim_echo, room.tenure, echo.pk, revision=echo.revision, chunks=len(chunks))
    else:
        claim = partial(outbox.claim_more, room.tenure, echo.pk, chunks=len(chunks), sent=delivery.taken)
    written = await room.log.claim(drafts, claim, goes_on=index > 0)
    if written is None:
        return None
    sender.reach("sending")
    return [
        Logged(message, entry.n, leaves) for message, entry, leaves in zip(messages, written, departures, strict=True)
    ]


# --- the sending side ---


async def _send_chunks(
    sender: EchoSender, pace: Pace, logged: asyncio.Queue[list[Logged] | None], delivery: Delivery
) -> None:
    """Hand each logged chunk to the SDK at its time; once stopped, only note what was logged and did not leave."""

    def over() -> bool:
        return sender.stop is not None or delivery.error is not None or delivery.stuck or delivery.lost

    now, most = sender.room.loop.time, pace.most_unacknowledged
    while (batch := await logged.get()) is not None:
        for chunk in batch:
            if chunk.departure > now() or len(delivery.open) >= most:
                await _until_departure(sender, pace, chunk, delivery, over)
            if over():
                delivery.unsent.append(chunk.n)
            else:
                delivery.hand(chunk, sender.stir)


async def _until_departure(
    sender: EchoSender, pace: Pace, chunk: Logged, delivery: Delivery, over: Callable[[], bool]
) -> None:
    ahead = chunk.departure - sender.room.loop.time()
    if ahead > 0:
        await sender.until(over, ahead)
    if len(delivery.open) >= pace.most_unacknowledged and not over():
        # Down to half: one wake-up for many completions, instead of one for each.
        few = delivery.awaited = pace.most_unacknowledged // 2
        waited = await sender.until(lambda: len(delivery.open) <= few or over(), settings.ECHO_COMPLETION_DEADLINE)
        delivery.stuck, delivery.awaited = not waited, -1
