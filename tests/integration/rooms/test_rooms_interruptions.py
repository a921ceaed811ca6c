"""A connection that breaks and heals by itself: what the SDK had in hand then may be lost, and nothing tells it so."""

from __future__ import annotations

from typing import Any

import pytest

from conversations.models import Echo
from conversations.rooms.daily import Link
from tests.integration.rooms.driving import InRoom, tone
from tests.waiting import until


def until_final(echo: Echo) -> tuple[str, str]:
    """How it ended."""
    until(lambda: Echo.objects.get(pk=echo.pk).is_final, "it is settled")
    echo.refresh_from_db()
    return echo.state, echo.reason


def test_audio_whose_connection_heals_on_the_way_may_have_holes_and_is_not_called_spoken(room: InRoom) -> None:
    echo = room.until_state(room.play(tone(30.0), pacing="realtime"), "speaking")
    room.twin.fault("drop_socket", conversation_id=room.upstream_id)
    next_one = room.say("The next.")
    assert until_final(echo) == ("unconfirmed", "connection_interrupted")
    room.until_state(next_one, "spoken")
    assert "swallowed" not in room.flags()
    [doubt] = room.facts("uncertain")
    assert doubt["reason"] == "interrupted"
    assert not room.facts("lost")
    room.agree()


def test_audio_whose_last_piece_is_lost_leaves_no_replica_waiting_for_it(
    room: InRoom, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ECHO_STOP_FACTOR, settings.ECHO_STOP_EXTRA = 0.0, 0.5
    real = Link.send

    def lose_the_last(link: Link, message: dict[str, Any], done: Any) -> None:
        given = message.get("properties", {})
        if "audio" in given and given["done"]:
            link._loop.call_soon(done, None)
        else:
            real(link, message, done)

    monkeypatch.setattr(Link, "send", lose_the_last)
    echo, next_one = room.play(tone(0.5)), room.say("The next.")
    assert until_final(echo) == ("unconfirmed", "stop_not_seen")
    settings.ECHO_STOP_EXTRA = 10.0
    room.until_state(next_one, "spoken")
    assert "swallowed" not in room.flags()
