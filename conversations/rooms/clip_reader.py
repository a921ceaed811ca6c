"""Reads an echo's samples while they may still arrive, and cuts them into chunks."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from conversations.models import Echo
from conversations.rooms.desk import Desk
from echoadmin.log import clips

logger = logging.getLogger(__name__)

READ_AHEAD = 1_440_000  # bytes: 30 s at 24 kHz
ENOUGH = READ_AHEAD * 3 // 4  # below it is read on already: the database may go away, and what is being said goes on
SAMPLE = 2  # bytes
STALLED = "stream_stalled"  # the reason of an echo that was closed for its sender


@dataclass(frozen=True, slots=True)
class Chunk:
    """`pcm` lies in the clip from byte `start` on; `last` chunks carry `done: true`."""

    pcm: bytes
    start: int
    last: bool


_HOW_MUCH = """
    SELECT (SELECT closed_at IS NOT NULL FROM conversations_echo WHERE id = %s), size FROM log_clip WHERE id = %s
"""


class ClipReader:
    """The samples of one audio echo, in order. One chunk is held back until it is known whether it is the last."""

    def __init__(self, desk: Desk, echo: Echo, chunk_bytes: int) -> None:
        self._desk = desk
        self._echo_id = echo.pk
        self._clip_id = int(echo.clip_id or 0)
        self._chunk_bytes = chunk_bytes
        # Of what still arrives a first chunk may be as short as 10 ms: the replica begins sooner.
        self._small_start = int(echo.sample_rate or 24_000) // 100 * SAMPLE
        self._buffer = b""
        self._used = 0  # of the buffer, from its first byte on
        self._at = 0  # of the next byte to be taken, in the clip
        self.closed = echo.closed_at is not None
        self.last_piece_at: datetime = echo.last_piece_at or echo.queued_at
        self._size = 0
        self.finished = False
        self.stalled = False
        self._reading: asyncio.Task[None] | None = None

    @property
    def read_bytes(self) -> int:
        """How far into the clip chunks were taken."""
        return self._at

    async def take(self, most: int) -> list[Chunk]:
        """Up to `most` chunks; none when the samples for one are not there yet."""
        if not self._size or not self._whole():  # else all of it is here, and the database may be away
            if self._left <= self._chunk_bytes * most:
                await self._read_now()
            elif self._left < ENOUGH and self.closed:
                self._read_soon()
        taken: list[Chunk] = []
        while len(taken) < most and not self.finished:
            # A full chunk leaves only when something is known to follow it, for the last one must say so.
            if self._left > self._chunk_bytes:
                taken.append(self._cut(self._chunk_bytes, last=False))
            elif self._left > self._small_start and not self._at and not self._whole():
                taken.append(self._cut(self._left - SAMPLE, last=False))
            elif self._whole():
                self.finished = True
                if self._left:  # nothing is only where not one sample came
                    taken.append(self._cut(self._left, last=True))
            else:
                break
        return taken

    async def close_stalled(self) -> None:
        """Nobody sends any more: what is there is the whole echo."""
        await self._desk.insist(_close_echo, self._echo_id, STALLED)
        self.closed = self.stalled = True

    def stalled_for(self) -> float:
        """Seconds since the last piece came, as far as was looked."""
        return (timezone.now() - self.last_piece_at).total_seconds()

    @property
    def _left(self) -> int:
        return len(self._buffer) - self._used

    def _whole(self) -> bool:
        return self.closed and self._at + self._left >= self._size

    def _cut(self, length: int, *, last: bool) -> Chunk:
        chunk = Chunk(self._buffer[self._used : self._used + length], self._at, last)
        self._used += length
        self._at += length
        return chunk

    async def _read_now(self) -> None:
        if self._reading is not None:
            await self._reading
        self._take_in(await self._desk.insist(self._read, self._at + self._left))

    def _read_soon(self) -> None:
        """Beside the sending, and without insisting: what is there already is sent meanwhile."""

        async def read() -> None:
            try:
                self._take_in(await self._desk.db(self._read, self._at + self._left))
            except (OperationalError, InterfaceError):
                logger.debug("samples are read later")
            finally:
                self._reading = None

        self._reading = self._reading or asyncio.create_task(read())

    def _take_in(self, samples: bytes) -> None:
        self._buffer, self._used = self._buffer[self._used :] + samples, 0

    def _read(self, start: int) -> bytes:
        """How much there is, then the samples up to there."""
        with connection.cursor() as cursor:
            cursor.execute(_HOW_MUCH, [self._echo_id, self._clip_id])
            closed, size = cursor.fetchone()
        if size > self._size:
            self.last_piece_at = timezone.now()
        self.closed, self._size = self.closed or bool(closed), int(size)
        return clips.read_samples(self._clip_id, start, min(READ_AHEAD, max(0, self._size - start)))


def _close_echo(echo_id: int, reason: str) -> None:
    Echo.objects.filter(pk=echo_id, closed_at__isnull=True).update(closed_at=timezone.now(), reason=reason)
