"""Audio echoes: chunks, pacing, samples that still arrive."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.utils import timezone

from conversations import audio, interactions
from conversations.models import Echo
from conversations.refusals import EchoClosed, IdTaken, TooLong
from conversations.rooms.desk import Desk
from conversations.rooms.pace import AHEAD
from conversations.services import speaking
from echoadmin.log import clips
from echoadmin.log.models import Clip
from tests.integration.rooms.driving import ANA, RATE, InRoom, tone
from tests.waiting import until

EARLY = 0.005  # s: what a clock may be off


def plan_and_arrival(room: InRoom) -> tuple[list[float], list[float]]:
    """When the console's messages were to leave and when the room had them, in seconds since the first was to leave."""
    planned = [entry.at.timestamp() for entry in room.entries(direction="out")]
    came = [row["at"] for row in room.record() if row["from_name"].startswith("echoadmin/")]
    return [one - planned[0] for one in planned], [one - planned[0] for one in came]


def departures(room: InRoom) -> list[float]:
    """When the room got each of the console's messages, in seconds since the first."""
    at = [row["at"] for row in room.record() if row["from_name"].startswith("echoadmin/")]
    return [one - at[0] for one in at]


def chunks(room: InRoom) -> list[dict[str, Any]]:
    """The properties of each audio message that the console sent."""
    return [message["properties"] for message in room.sent()]


def test_the_replica_gets_every_sample_in_chunks_of_50_ms_and_one_done(room: InRoom) -> None:
    pcm = tone(1.02)
    echo = room.until_state(room.play(pcm, pacing="lead", inference_id="song"), "spoken")
    sent = chunks(room)
    assert b"".join(base64.b64decode(one["audio"]) for one in sent) == pcm
    assert [len(base64.b64decode(one["audio"])) for one in sent] == [2400] * 20 + [960]
    assert [one["done"] for one in sent] == [False] * 20 + [True]
    assert {(one["modality"], one["sample_rate"], one["inference_id"]) for one in sent} == {("audio", RATE, "song")}
    assert (echo.chunks, echo.chunks_sent, echo.seconds) == (21, 21, 1.02)
    assert None not in echo.times.values()
    assert not room.flags()


def test_the_log_has_each_chunk_and_its_samples_once_bit_for_bit(room: InRoom) -> None:
    pcm = tone(1.02)
    echo = room.until_state(room.play(pcm, pacing="lead"), "spoken")
    out = room.entries(direction="out")
    assert [(entry.clip_id, entry.clip_start, entry.clip_bytes) for entry in out] == [
        (echo.clip_id, start, min(2400, len(pcm) - start)) for start in range(0, len(pcm), 2400)
    ]
    assert '"audio":null' in str(out[0].body)
    assert clips.read_samples(int(echo.clip_id or 0), 0, len(pcm) + 1) == pcm
    room.agree()


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_samples_of_another_rate_go_out_as_given(room: InRoom, rate: int) -> None:
    pcm = tone(0.31, rate)
    room.until_state(room.play(pcm, rate, pacing="lead"), "spoken")
    assert {one["sample_rate"] for one in chunks(room)} == {rate}
    assert room.pcm_sent(Echo.objects.get()) == pcm
    assert {len(base64.b64decode(one["audio"])) for one in chunks(room)[:-1]} == {audio.chunk_bytes(rate)}
    room.agree()


def test_one_sample_is_an_echo_too(room: InRoom) -> None:
    echo = room.until_state(room.play(b"\1\2"), "spoken")
    assert [(one["audio"], one["done"]) for one in chunks(room)] == [("AQI=", True)]
    until(lambda: Echo.objects.get().sent_at, "its sending is known, however soon it was spoken")
    echo.refresh_from_db()
    assert (echo.chunks, echo.chunks_sent, echo.state) == (1, 1, "spoken")


def test_what_fills_its_last_chunk_has_no_empty_one_after_it(room: InRoom) -> None:
    room.until_state(room.play(tone(0.1), pacing="lead"), "spoken")
    assert [(len(one["audio"]), one["done"]) for one in chunks(room)] == [(3200, False), (3200, True)]


def test_burst_takes_far_less_time_than_the_audio_lasts(room: InRoom) -> None:
    room.until_state(room.play(tone(20.0)), "spoken")
    assert departures(room)[-1] < 5.0
    room.agree()


@pytest.mark.parametrize("inference_id", ["x", "x" * 128])
def test_a_burst_fills_its_messages_and_no_more(room: InRoom, inference_id: str) -> None:
    pcm = tone(1.0)
    room.until_state(room.play(pcm, inference_id=inference_id), "spoken")
    *full, last = [interactions.wire_size(message) for message in room.sent()]
    assert set(full) <= set(range(interactions.LIMIT - 4, interactions.LIMIT + 1))
    assert last <= interactions.LIMIT
    assert room.pcm_sent(Echo.objects.get()) == pcm
    assert not room.flags()


def test_realtime_sends_as_fast_as_it_is_heard(room: InRoom) -> None:
    echo = room.until_state(room.play(tone(1.5), pacing="realtime"), "spoken")
    planned, came = plan_and_arrival(room)
    assert len(planned) == 30
    assert planned[-1] > 1.2, "the last of 30 is to leave 1.45 s after the first was due"
    assert all(here >= there - EARLY for there, here in zip(planned, came, strict=True)), "no chunk is early"
    assert echo.speaking_at < echo.sent_at, "it speaks before the last chunk is sent"  # type: ignore[operator]


def test_lead_runs_a_fifth_of_a_second_ahead(room: InRoom) -> None:
    room.until_state(room.play(tone(1.5), pacing="lead"), "spoken")
    planned, came = plan_and_arrival(room)
    assert planned[:5] == [0.0] * 5, "the first 200 ms leave at once"
    assert planned[-1] > 1.0
    assert all(here >= there - EARLY for there, here in zip(planned, came, strict=True))


def test_no_chunk_is_in_the_log_long_before_it_leaves(room: InRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[float] = []
    put = Desk.put

    def measured(desk: Desk, drafts: list[Any], guard: Any, **how: Any) -> Any:
        ahead.extend((draft.at - timezone.now()).total_seconds() for draft in drafts if draft.direction == "out")
        return put(desk, drafts, guard, **how)

    monkeypatch.setattr(Desk, "put", measured)
    room.until_state(room.play(tone(1.5), pacing="realtime"), "spoken")
    assert len(ahead) == 30
    assert 0.1 < max(ahead) <= AHEAD + EARLY


def test_audio_and_text_wait_for_each_other(room: InRoom) -> None:
    one, two = room.play(tone(0.5), pacing="lead"), room.say("In between.")
    three = room.play(tone(0.2), pacing="lead")
    room.until_state(three, "spoken")
    kinds = [one["modality"] for one in chunks(room)]
    assert kinds == ["audio"] * 10 + ["text"] + ["audio"] * 4
    for before, after in ((one, two), (two, three)):
        before.refresh_from_db()
        after.refresh_from_db()
        assert before.spoken_at <= after.sending_at  # type: ignore[operator]
    assert not room.flags()
    room.agree()


def test_the_same_id_with_the_same_samples_is_the_same_echo(room: InRoom) -> None:
    pcm = tone(0.2)
    first = room.play(pcm, inference_id="song")
    assert room.play([pcm[:500], pcm[500:]], inference_id="song").pk == first.pk
    with pytest.raises(IdTaken):
        room.play(pcm[:-2], inference_id="song")
    with pytest.raises(IdTaken):
        room.play(pcm, 16_000, inference_id="song")
    room.until_state(first, "spoken")
    assert room.pcm_sent(first) == pcm
    assert list(Clip.objects.values_list("pk", flat=True)) == [first.clip_id], "refused samples are not kept"


def test_audio_is_said_again_from_the_same_samples(room: InRoom) -> None:
    pcm = tone(0.3)
    first = room.until_state(room.play(pcm), "spoken")
    again = room.until_state(speaking.say_again(actor=ANA, echo=first), "spoken")
    assert again.clip_id == first.clip_id
    assert room.pcm_sent(again) == pcm
    room.agree()


# --- samples that arrive while they are said ---


def test_an_open_echo_speaks_while_its_samples_arrive(room: InRoom) -> None:
    pcm = tone(0.9)
    echo = room.stream()
    speaking.append_audio(echo=echo, pcm=pcm[:20_001])
    room.until_state(echo, "speaking")
    assert echo.sent_at is None
    speaking.append_audio(echo=echo, pcm=pcm[20_001:])
    speaking.append_audio(echo=echo, pcm=b"", done=True)
    room.until_state(echo, "spoken")
    assert room.pcm_sent(echo) == pcm
    assert [one["done"] for one in chunks(room)].count(True) == 1
    assert chunks(room)[-1]["done"] is True
    assert (echo.seconds, echo.reason) == (0.9, "")
    room.agree()


def test_many_small_pieces_are_chunks_of_the_usual_size_but_for_the_first_which_waits_for_nothing(room: InRoom) -> None:
    pcm = tone(0.5)
    echo = room.stream(pacing="lead")
    for start in range(0, len(pcm), 1_000):
        speaking.append_audio(echo=echo, pcm=pcm[start : start + 1_000])
    speaking.append_audio(echo=echo, pcm=b"", done=True)
    room.until_state(echo, "spoken")
    assert room.pcm_sent(echo) == pcm
    first, *more = (len(base64.b64decode(one["audio"])) for one in chunks(room)[:-1])
    assert 480 <= first <= 2400
    assert set(more) == {2400}
    room.agree()


def test_an_open_echo_whose_sender_stays_away_is_closed_and_said_as_far_as_it_came(room: InRoom, settings: Any) -> None:
    settings.ECHO_STALL_DEADLINE = 0.3
    pcm = tone(0.4)
    echo = room.stream()
    speaking.append_audio(echo=echo, pcm=pcm)
    room.until_state(echo, "spoken")
    assert echo.reason == "stream_stalled"
    assert echo.closed_at is not None
    assert [one["done"] for one in chunks(room)] == [False] * 7 + [True]
    assert room.pcm_sent(echo) == pcm
    with pytest.raises(EchoClosed) as refused:
        speaking.append_audio(echo=echo, pcm=b"\0\0")
    assert "stream_stalled" in refused.value.message
    room.agree()


def test_a_sender_that_was_away_for_a_moment_is_heard_on(room: InRoom, settings: Any) -> None:
    pcm = tone(0.6)
    echo = room.stream(pacing="lead")
    speaking.append_audio(echo=echo, pcm=pcm[:12_000])
    room.until_state(echo, "speaking")
    until(lambda: len(chunks(room)) == 4, "all that is known not to be the last has left")
    speaking.append_audio(echo=echo, pcm=pcm[12_000:], done=True)
    room.until_state(echo, "spoken")
    assert room.pcm_sent(echo) == pcm
    at = departures(room)
    later = [one - at[5] for one in at[5:]]
    assert all(one >= index * 0.05 - 0.22 for index, one in enumerate(later)), "no hurry after the pause"


def test_an_open_echo_that_never_had_a_sample_fails_and_sends_nothing(room: InRoom) -> None:
    echo = room.stream()
    speaking.append_audio(echo=echo, pcm=b"", done=True)
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("failed", "empty")
    assert "sample" in echo.detail
    room.until_state(room.say("The next."), "spoken")
    assert room.words_sent() == ["The next."]
    assert len(room.sent()) == 1


def test_an_open_echo_that_nobody_ever_fed_fails_when_it_stalls(room: InRoom, settings: Any) -> None:
    settings.ECHO_STALL_DEADLINE = 0.2
    echo = room.stream()
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("failed", "stream_stalled")
    assert room.sent() == []


def test_an_open_echo_takes_only_so_many_seconds(room: InRoom, settings: Any) -> None:
    settings.ECHO_MAX_SECONDS = 1
    settings.ECHO_STALL_DEADLINE = 0.3
    echo = room.stream()
    speaking.append_audio(echo=echo, pcm=tone(0.9))
    with pytest.raises(TooLong):
        speaking.append_audio(echo=echo, pcm=tone(0.2))
    room.until_state(echo, "spoken")
    assert room.pcm_sent(echo) == tone(0.9), "nothing of the refused piece was kept"


def test_an_echo_that_waits_takes_its_samples_meanwhile(room: InRoom) -> None:
    before = room.play(tone(5.0), pacing="lead")
    echo = room.stream()
    pcm = tone(0.4)
    speaking.append_audio(echo=echo, pcm=pcm, done=True)
    speaking.interrupt(actor=ANA, conversation=room.conversation)
    until(lambda: Echo.objects.get(pk=before.pk).is_final, "the first is stopped")
    echo.refresh_from_db()
    assert echo.state == "cancelled"
    with pytest.raises(EchoClosed):
        speaking.append_audio(echo=echo, pcm=pcm)
