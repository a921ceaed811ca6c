"""Answers that are made while they are sent: block by block, and given up when nobody takes them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.negotiation import DefaultContentNegotiation

from echoadmin.request_threads import let_go

logger = logging.getLogger(__name__)

RANGE = OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="`bytes=0-99`: that part, as 206.")
STOPPING = threading.Event()
"""This console is about to end: what streams without an end of its own ends now."""

SLICE = 64 * 1024  # bytes: each has its own time to be taken


class AnyAccept(DefaultContentNegotiation):
    """Players ask for audio/*, and a file's `?format=` is no renderer's; errors are JSON all the same."""

    def select_renderer(self, request, renderers, format_suffix=None):  # type: ignore[no-untyped-def]
        """The first renderer, whatever was asked for."""
        return renderers[0], renderers[0].media_type


def streamed(
    request: HttpRequest, blocks: Iterator[bytes], status: int, headers: dict[str, str]
) -> StreamingHttpResponse:
    """A response that reads one block at a time, under ASGI too.

    Between two blocks it holds no connection to the database. A reader who takes nothing for STREAM_STALL seconds is
    dropped: the connection ends before the answer does.
    """
    body = _patient(blocks, settings.STREAM_STALL) if isinstance(request, ASGIRequest) else blocks
    return StreamingHttpResponse(body, status=status, headers=headers)


@contextmanager
def taken_within(stall: float) -> Iterator[None]:
    """Around the `yield` of a block: the answer's task is cancelled when nobody takes it for `stall` seconds."""
    task = asyncio.current_task()

    def give_up() -> None:
        logger.warning("a reader took nothing for %g s, so the answer was given up", stall)
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(stall, give_up)
    try:
        yield
    finally:
        timer.cancel()


async def _patient(blocks: Iterator[bytes], stall: float) -> AsyncIterator[bytes]:
    try:
        while (block := await sync_to_async(_next)(blocks)) is not None:
            for at in range(0, len(block), SLICE):
                with taken_within(stall):
                    yield block[at : at + SLICE]
    finally:
        if isinstance(blocks, Generator):
            await sync_to_async(_close)(blocks)


def _next(blocks: Iterator[bytes]) -> bytes | None:
    try:
        return next(blocks, None)
    finally:
        let_go()


def _close(blocks: Generator[bytes]) -> None:
    try:
        blocks.close()
    finally:
        let_go()
