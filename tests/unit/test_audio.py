"""Audio: every kind of file becomes PCM16 at 24 kHz in blocks, and every kind of rubbish a clear answer."""

from __future__ import annotations

import base64
import io
import os
import tracemalloc
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from conversations import audio
from conversations import interactions as ix
from conversations.refusals import BadSampleRate, BrokenAudio, Empty, NotAudio, Refusal, TooLong


def tone(seconds: float = 1.0, rate: int = 24000, hz: float = 440.0) -> np.ndarray[Any, Any]:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype("float32")


def made(fmt: str, subtype: str, rate: int, channels: int = 1, seconds: float = 1.0) -> bytes:
    out = io.BytesIO()
    samples = np.stack([tone(seconds, rate)] * channels, axis=1)
    soundfile.write(out, samples, rate, format=fmt, subtype=subtype)
    return out.getvalue()


def decoded(data: bytes, **limits: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(b"".join(audio.decode(io.BytesIO(data), **limits)), dtype="<i2")


def loudest_hz(samples: np.ndarray[Any, Any]) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples.astype("float64")))) * audio.RATE / len(samples))


@pytest.mark.parametrize(
    ("fmt", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_U8", 24000, 1),
        ("WAV", "PCM_16", 8000, 1),
        ("WAV", "PCM_16", 44100, 2),
        ("WAV", "PCM_24", 96000, 2),
        ("WAV", "PCM_32", 48000, 1),
        ("WAV", "FLOAT", 24000, 1),
        ("WAV", "DOUBLE", 22050, 6),
        ("WAV", "ULAW", 8000, 1),
        ("RF64", "PCM_16", 24000, 1),
        ("FLAC", "PCM_16", 44100, 1),
        ("FLAC", "PCM_24", 48000, 2),
        ("OGG", "OPUS", 48000, 1),
        ("OGG", "VORBIS", 44100, 2),
        ("MP3", "MPEG_LAYER_III", 44100, 1),
        ("AIFF", "PCM_16", 16000, 1),
        ("CAF", "PCM_16", 16000, 1),
    ],
)
def test_every_format_becomes_the_same_tone_at_24_khz(fmt: str, subtype: str, rate: int, channels: int) -> None:
    samples = decoded(made(fmt, subtype, rate, channels))
    assert abs(len(samples) - 24000) < 2400
    assert abs(loudest_hz(samples) - 440) < 5
    assert 14_000 < np.abs(samples).max() < 21_000


def test_16_bit_mono_at_24_khz_comes_out_bit_for_bit() -> None:
    every = np.arange(-32768, 32768, dtype="<i2")
    out = io.BytesIO()
    soundfile.write(out, every, 24000, format="WAV", subtype="PCM_16")
    assert (decoded(out.getvalue()) == every).all()


def test_samples_beyond_full_scale_and_no_numbers_are_made_harmless() -> None:
    out = io.BytesIO()
    wild = np.array([2.0, -2.0, np.nan, np.inf, -np.inf, 0.0], dtype="float32")
    soundfile.write(out, wild, 24000, format="WAV", subtype="FLOAT")
    assert decoded(out.getvalue()).tolist() == [32767, -32768, 0, 32767, -32768, 0]


def test_a_long_file_is_never_whole_in_memory() -> None:
    data = io.BytesIO(made("FLAC", "PCM_16", 48000, seconds=300))
    tracemalloc.start()
    total = sum(len(block) for block in audio.decode(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 300 * 48000
    assert peak < 10_000_000, "the samples alone are 57 MB"


def test_the_file_is_left_open_for_its_owner() -> None:
    file = io.BytesIO(made("WAV", "PCM_16", 24000))
    list(audio.decode(file))
    assert not file.closed


def test_a_misleading_name_does_not_matter() -> None:
    file = io.BytesIO(made("WAV", "PCM_16", 24000))
    file.name = "sound.raw"
    assert len(b"".join(audio.decode(file))) == 48000


# --- rubbish --------------------------------------------------------------------------------------------------------


def wav_with(change: Callable[[bytearray], None]) -> bytes:
    data = bytearray(made("WAV", "PCM_16", 24000))
    change(data)
    return bytes(data)


def patched(start: int, stop: int, value: int) -> bytes:
    def change(data: bytearray) -> None:
        data[start:stop] = value.to_bytes(stop - start, "little")

    return wav_with(change)


MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(2000)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", Empty, "zero bytes"),
        (b"RIFF", NotAudio, "no audio"),
        (b"%PDF-1.7 " * 100, NotAudio, "ffmpeg"),
        (os.urandom(64).replace(b"\xff", b"x") * 90, NotAudio, "ffmpeg"),
        (MP4, NotAudio, "a video or an M4A"),
        (b"\x1a\x45\xdf\xa3" + bytes(200), NotAudio, "WebM"),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(200), NotAudio, "AVI"),
        (made("WAV", "PCM_16", 24000)[:20_000], BrokenAudio, "cut off"),
        (made("AIFF", "PCM_16", 24000)[:20_000], BrokenAudio, "cut off"),
        (made("FLAC", "PCM_16", 24000, seconds=9)[:-9_000], BrokenAudio, "cut off"),
        (made("MP3", "MPEG_LAYER_III", 24000, seconds=9)[:9_000], BrokenAudio, "cut off"),
        (made("OGG", "OPUS", 24000, seconds=9)[:-9_000], BrokenAudio, "cut off"),
        (made("WAV", "PCM_16", 24000, seconds=0), Empty, "no samples"),
        (patched(40, 44, 0), Empty, "no samples"),
        (patched(24, 28, 1), BadSampleRate, "samples a second"),
        (patched(24, 28, 1_000_000), BadSampleRate, "1,000,000"),
        (patched(24, 28, 0), NotAudio, "no audio"),
        (patched(22, 24, 99), BrokenAudio, "99 channels"),
        (made("WAV", "PCM_16", 384_000, seconds=1 / 384_000), Empty, "samples"),
    ],
    ids=[
        "zero bytes",
        "four bytes",
        "a PDF",
        "noise",
        "MP4",
        "WebM",
        "AVI",
        "WAV cut",
        "AIFF cut",
        "FLAC cut",
        "MP3 cut",
        "Opus cut",
        "no samples",
        "length 0",
        "1 Hz",
        "1 MHz",
        "0 Hz",
        "99 channels",
        "one sample",
    ],
)
def test_what_is_no_whole_audio_file_gets_an_answer_that_says_so(data: bytes, error: type[Refusal], words: str) -> None:
    with pytest.raises(error) as caught:
        decoded(data)
    assert type(caught.value) is error
    assert caught.value.field == "file"
    assert words in caught.value.message


def test_a_flac_that_is_damaged_in_the_middle_says_where() -> None:
    data = bytearray(made("FLAC", "PCM_16", 24000, seconds=10))
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    with pytest.raises(BrokenAudio, match=r"after \d\.\d seconds|cut off"):
        decoded(bytes(data))


def test_a_wav_written_to_a_pipe_has_no_length_and_is_read_to_its_end() -> None:
    for unknown in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF024):
        assert len(decoded(patched(40, 44, unknown))) == 24000


def test_an_hour_is_refused_before_any_of_it_is_decoded() -> None:
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", 8000, 1, format="FLAC", subtype="PCM_16") as sound:
        for _ in range(60):
            sound.write(np.zeros(8000 * 60, dtype="int16"))
    blocks = audio.decode(io.BytesIO(out.getvalue()), field="audio_file")
    with pytest.raises(TooLong) as caught:
        next(blocks)
    assert (caught.value.status, caught.value.field) == (413, "audio_file")
    assert "600 seconds" in caught.value.message


def test_a_file_that_does_not_know_its_length_is_stopped_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile.SoundFile, "frames", 2**63 - 1)
    assert len(decoded(made("WAV", "PCM_16", 24000, seconds=1), max_seconds=1)) == 24000
    with pytest.raises(TooLong):
        decoded(made("WAV", "PCM_16", 24000, seconds=3), max_seconds=1)


def test_exactly_the_longest_is_taken() -> None:
    assert len(decoded(made("WAV", "PCM_16", 24000, seconds=2), max_seconds=2)) == 48000


# --- base64 ---------------------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_base64_samples_come_out_bit_for_bit() -> None:
    assert audio.pcm_from_base64(b64(b"\x01\x02\x03\x04"), 16000) == b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", Empty, "no samples"),
        ("####", Refusal, "no base64"),
        ("AAA", Refusal, "no base64"),
        ("AAAA AAAA", Refusal, "no base64"),
        ("ÄÄÄÄ", Refusal, "no base64"),
        (None, Refusal, "base64 text"),
        (7, Refusal, "base64 text"),
        ("data:audio/wav;base64,AAAA", Refusal, "comma"),
        (b64(b"odd"), Refusal, "odd number"),
        (b64(made("WAV", "PCM_16", 24000)), Refusal, "header"),
    ],
)
def test_a_bad_piece_of_base64_names_the_field_and_the_way_out(text: object, error: type[Refusal], words: str) -> None:
    with pytest.raises(error) as caught:
        audio.pcm_from_base64(text, 24000)
    assert caught.value.field == "audio"
    assert words in caught.value.message


def test_an_empty_piece_is_taken_where_it_only_ends_the_audio() -> None:
    assert audio.pcm_from_base64("", 24000, allow_empty=True) == b""


@pytest.mark.parametrize("rate", [0, -1, 7999, 48001, 1_000_000, True, "24000", None, 24000.0])
def test_a_sample_rate_out_of_range_is_refused(rate: object) -> None:
    with pytest.raises(BadSampleRate) as caught:
        audio.pcm_from_base64(b64(bytes(4)), rate)
    assert caught.value.field == "sample_rate"
    assert "8,000 to 48,000" in caught.value.message


def test_too_many_samples_in_one_piece_are_refused() -> None:
    with pytest.raises(TooLong):
        audio.pcm_from_base64(b64(bytes(48_000 * 3)), 24000, max_seconds=2)


@given(st.binary(max_size=200))
def test_whatever_is_given_as_base64_is_samples_or_a_refusal(data: bytes) -> None:
    try:
        assert audio.pcm_from_base64(b64(data), 24000) == data
    except Refusal:
        assert not data or len(data) % 2 or data[:4] in (b"RIFF", b"OggS", b"fLaC")


# --- chunks and WAV -------------------------------------------------------------------------------------------------


@given(st.integers(8000, 48000), st.integers(1, 10_000))
def test_a_chunk_is_whole_samples_and_fits_a_message_with_the_longest_ids(rate: int, wanted: int) -> None:
    size = audio.chunk_bytes(rate, wanted)
    message = ix.audio_echo_chunk("c" * 128, bytes(size), rate, "x" * 128, done=False)
    assert size % 2 == 0
    assert 2 <= size <= max(2, wanted)
    assert ix.wire_size(message) <= ix.LIMIT


def test_a_chunk_at_24_khz_is_50_ms() -> None:
    assert audio.chunk_bytes(24000) == 2400
    assert audio.seconds(audio.chunk_bytes(24000), 24000) == 0.05


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 30))
def test_chunks_are_the_same_bytes_all_of_one_size_but_the_last(blocks: list[bytes], size: int) -> None:
    pieces = list(audio.chunks(blocks, size))
    assert b"".join(pieces) == b"".join(blocks)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(pieces)


@given(st.binary(max_size=400).filter(lambda data: len(data) % 2 == 0), st.integers(8000, 48000))
def test_a_wav_is_read_back_by_others(pcm: bytes, rate: int) -> None:
    with wave.open(io.BytesIO(audio.wav_header(len(pcm), rate) + pcm)) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (rate, 1, 2)
        assert reader.readframes(reader.getnframes()) == pcm


def test_a_wav_above_4_gib_is_refused() -> None:
    with pytest.raises(ValueError, match="4,294,967,295"):
        audio.wav_header(0xFFFFFFFF, 24000)
