"""RoomsConsumer: the Channels consumer that owns a worker's Daily connections, through its keeper."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer
from channels.layers import get_channel_layer

from conversations import bells
from conversations.rooms.keeper import Keeper

logger = logging.getLogger(__name__)

PAUSE = 2.0  # s to wait when the channel layer does not answer; the keeper looks by itself meanwhile


class RoomsConsumer(AsyncConsumer):
    """Listens on `rooms.<worker>` and in the group `rooms`. It never raises: an exception would lose the next bell."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self.keeper = keeper

    async def listen(self) -> None:
        """Receive and dispatch until cancelled."""
        layer = get_channel_layer()
        channel = bells.worker_channel(self.keeper.worker.name)
        joined = False
        while True:
            try:
                if not joined:
                    await layer.group_add(bells.ROOMS, channel)
                    joined = True
                await self.dispatch(await layer.receive(channel))
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the layer's client raises its own kinds; the loop must live on
                logger.warning("the rooms' bell is silent: %s", error)
                joined = False
                await asyncio.sleep(PAUSE)

    async def room_bell(self, message: dict[str, Any]) -> None:
        """`{"type": "room.bell", "conversation": id, "about": "echo" | "interaction" | "room"}`."""
        ring = partial(self.keeper.bell, int(message["conversation"]), str(message.get("about", "")))
        asyncio.get_running_loop().call_soon(ring)
