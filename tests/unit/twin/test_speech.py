"""What a replica makes of an echo."""

import base64

import pytest

from echoadmin.twin.speech import Utterance, audio_seconds, is_done, rewritten, spoken_pieces


def test_a_sent_id_comes_back_as_the_uuid_of_its_md5() -> None:
    assert rewritten("utt-1") == "82215b3f-20fb-7345-d941-2e912c0f0706"
    assert rewritten("utt-1") == rewritten("utt-1")


@pytest.mark.parametrize("none", [None, ""])
def test_without_an_id_every_utterance_gets_one_of_its_own(none: str | None) -> None:
    assert rewritten(none) != rewritten(none)


def test_samples_are_counted_in_seconds_at_their_own_rate() -> None:
    audio = base64.b64encode(bytes(48_000)).decode()
    assert audio_seconds({"audio": audio, "sample_rate": 24_000}) == 1.0
    assert audio_seconds({"audio": audio}) == 1.5
    assert audio_seconds({"audio": ""}) == 0.0


@pytest.mark.parametrize(
    "properties",
    [
        {"audio": "not base64!"},
        {"audio": "AAAA", "sample_rate": 0},
        {"audio": "AAAA", "sample_rate": "24000"},
        {"audio": "AAAA", "sample_rate": True},
        {"audio": 5},
        {},
    ],
)
def test_unreadable_samples_have_no_length(properties: dict[str, object]) -> None:
    assert audio_seconds(properties) is None


@pytest.mark.parametrize(
    ("properties", "done"),
    [
        ({}, True),
        ({"modality": "text"}, True),
        ({"modality": "audio"}, False),
        ({"modality": "audio", "done": True}, True),
        ({"modality": "audio", "done": "true"}, True),
        ({"modality": "audio", "done": "false"}, False),
        ({"modality": "text", "done": False}, False),
        ({"modality": "audio", "done": 1}, False),
    ],
)
def test_a_text_is_done_by_default_and_audio_is_not(properties: dict[str, object], done: bool) -> None:
    assert is_done(properties) is done


@pytest.mark.parametrize("text", ["One.", "a b c d e f g h i j", "word " * 700, "nospacesatall" * 100])
def test_pieces_grow_to_the_whole_text_and_stay_few(text: str) -> None:
    pieces = spoken_pieces(text)
    assert pieces[-1] == (1.0, text)
    assert 1 <= len(pieces) <= 13
    shares = [share for share, _ in pieces]
    assert shares == sorted(shares)
    assert all(text.startswith(said) for _, said in pieces)


def test_audio_that_comes_after_a_pause_plays_on_from_then() -> None:
    utterance = Utterance("x", "y", "audio")
    utterance.add_audio(1.0, done=False, now=0.0, speed=10)
    utterance.started, utterance.heard_until = 0.0, 0.1
    utterance.add_audio(1.0, done=False, now=0.05, speed=10)
    assert utterance.heard_until == pytest.approx(0.2)
    utterance.add_audio(1.0, done=True, now=5.0, speed=10)
    assert utterance.heard_until == pytest.approx(5.1)
    assert utterance.seconds == 3.0
