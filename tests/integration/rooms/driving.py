"""What a test does with one conversation, and what it can see of it: the rows, the log, and the twin's own record."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from conversations.models import Conversation, Echo, Interaction, Room
from conversations.services import rooms, speaking
from echoadmin.actors import Actor
from echoadmin.log import reader
from echoadmin.log.models import Entry
from tests import witnesses
from tests.twin_process import TwinProcess
from tests.waiting import until

ANA = Actor(name="ana", source="rest", request_id="req-1")
RATE = 24_000
AGREE_LIMIT = 5.0  # s; the log may be behind by what is being written


def tone(seconds: float, rate: int = RATE, start: int = 0) -> bytes:
    """PCM16 mono of which no two pieces are alike, so that a mix-up shows."""
    numbers = np.arange(start, start + round(seconds * rate), dtype=np.int64)
    return (numbers * 7919 % 65_521 - 32_760).astype("<i2").tobytes()


@dataclass
class InRoom:
    """One conversation, at both ends."""

    conversation: Conversation
    twin: TwinProcess

    # --- what is done ---

    def want(self) -> None:
        """Ask for the room, without waiting."""
        rooms.join(actor=ANA, conversation=self.conversation)

    def join(self) -> None:
        """Ask for the room and wait until it is joined and the replica there."""
        self.want()
        self.until_room(state="joined")
        until(lambda: self.twin.room(self.upstream_id)["replica_present"], "the replica is there")

    def leave(self) -> None:
        """Leave, and wait until it is so."""
        rooms.leave(actor=ANA, conversation=self.conversation)
        self.until_room(state="idle")

    def say(self, text: str, **more: Any) -> Echo:
        """Queue a text echo."""
        return speaking.speak_text(actor=ANA, conversation=self.conversation, text=text, **more)

    def play(self, pcm: bytes | Iterable[bytes], rate: int = RATE, pacing: str = "burst", **more: Any) -> Echo:
        """Queue an audio echo."""
        blocks = [pcm] if isinstance(pcm, bytes) else pcm
        return speaking.speak_audio(
            actor=ANA, conversation=self.conversation, pcm=blocks, sample_rate=rate, pacing=pacing, **more
        )

    def stream(self, rate: int = RATE, pacing: str = "burst", **more: Any) -> Echo:
        """Queue an audio echo whose samples are still to come."""
        return speaking.open_audio(actor=ANA, conversation=self.conversation, sample_rate=rate, pacing=pacing, **more)

    def interrupt(self) -> speaking.Interrupted:
        return speaking.interrupt(actor=ANA, conversation=self.conversation)

    def send(self, message: dict[str, Any]) -> Interaction:
        """Queue an interaction of any kind."""
        return speaking.send_interaction(actor=ANA, conversation=self.conversation, message=message)

    def end_upstream(self) -> None:
        """End the conversation at the twin, so that it stops costing (twice is once)."""
        self.twin.post(f"/v2/conversations/{self.upstream_id}/end")

    def end(self) -> None:
        """End it, as the console knows it: upstream and in its mirror."""
        self.end_upstream()
        Conversation.objects.filter(pk=self.conversation.pk).update(status="ended")

    # --- what is seen ---

    @property
    def upstream_id(self) -> str:
        return str(self.conversation.upstream_id)

    @property
    def row(self) -> Room:
        return Room.objects.select_related("worker").get(conversation=self.conversation)

    def until_room(self, **columns: Any) -> Room:
        """Wait until the room's row is so."""
        return until(
            lambda: Room.objects.filter(conversation=self.conversation, **columns).first(),
            f"the room has {columns}",
        )

    def until_state(self, echo: Echo, *states: str) -> Echo:
        """Wait until an echo is in one of the states."""

        def reached() -> bool:
            echo.refresh_from_db()
            return echo.state in states or (echo.is_final and self._fail(echo, states))

        until(reached, f"an echo is {' or '.join(states)}")
        return echo

    @staticmethod
    def _fail(echo: Echo, states: tuple[str, ...]) -> bool:
        raise AssertionError(
            f"the echo ended as {echo.state} ({echo.reason}: {echo.detail}), not {' or '.join(states)}"
        )

    def until_sent(self, interaction: Interaction) -> Interaction:
        """Wait until an interaction is sent."""
        until(lambda: Interaction.objects.filter(pk=interaction.pk, state="sent").exists(), "the interaction is sent")
        interaction.refresh_from_db()
        return interaction

    def entries(self, **columns: Any) -> list[Entry]:
        """The conversation's entries, oldest first."""
        return list(Entry.objects.filter(conversation_ref=self.conversation.public_id, **columns).order_by("n"))

    def facts(self, event_type: str) -> list[dict[str, Any]]:
        """What entries of the kind `room` say."""
        return reader.messages(self.entries(kind="room", event_type=event_type))

    def until_facts(self, event_type: str) -> list[dict[str, Any]]:
        """The same, once there is one."""
        return until(lambda: self.facts(event_type), f"there is a {event_type} entry")

    def shown(self) -> list[dict[str, Any]]:
        """All entries as the API shows them, samples included."""
        return reader.as_dicts(self.entries(), lambda refs: dict.fromkeys(refs, self.upstream_id), audio=True)

    def record(self) -> list[dict[str, Any]]:
        """The twin's own record of the room."""
        return self.twin.messages(self.upstream_id)

    def sent(self) -> list[Any]:
        """What the console sent, by the twin's record."""
        return [row["message"] for row in self.record() if row["from_name"].startswith("echoadmin/")]

    def words_sent(self) -> list[str]:
        """The texts of the echoes among those."""
        return [message["properties"]["text"] for message in self.sent() if "text" in message.get("properties", {})]

    def pcm_sent(self, echo: Echo) -> bytes:
        """The samples of an audio echo as the room carried them."""
        return witnesses.samples(self.sent(), echo.inference_id)

    def flags(self) -> set[str]:
        """What the twin made of the console's messages beside hearing them: swallowed, over_4096, …"""
        return {flag for row in self.record() if row["from_name"].startswith("echoadmin/") for flag in row["flags"]}

    def our_name(self) -> str:
        """What the console is called in the room."""
        return f"echoadmin/{self.row.worker.name}"  # type: ignore[union-attr]

    def connected(self, name: str = "") -> bool:
        """Whether the twin has a socket of the console's (or of whoever is called so)."""
        people = self.twin.room(self.upstream_id)["participants"]
        return any(one["connected"] for one in people if one["name"] == (name or self.our_name()))

    def agree(self) -> None:
        """Both witnesses say the same: this console's log, and the twin's record."""
        deadline = time.monotonic() + AGREE_LIMIT
        while differences := witnesses.differences(self.shown(), self.record()):
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(differences))
            time.sleep(0.02)

    def age(self, **columns: float) -> None:
        """Move times of the room's row so many seconds into the past."""
        row = self.row
        changes = {name: getattr(row, name) - timedelta(seconds=by) for name, by in columns.items()}
        Room.objects.filter(pk=row.pk).update(**changes)


def open_conversation(twin: TwinProcess, **properties: Any) -> InRoom:
    """A conversation at the twin, with a replica that echoes, and its mirror."""
    persona = twin.post("/v2/personas", {"persona_name": "Echo", "pipeline_mode": "echo"})
    created = twin.post(
        "/v2/conversations",
        {
            "replica_id": "re8e740a42",
            "persona_id": persona["persona_id"],
            "properties": {"participant_left_timeout": 120, **properties},
        },
    )
    conversation = Conversation.objects.create(
        upstream_id=created["conversation_id"],
        conversation_url=created["conversation_url"],
        status="active",
        state="live",
        name="a test",
    )
    return InRoom(conversation, twin)
