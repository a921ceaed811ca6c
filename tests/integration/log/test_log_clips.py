"""Samples in parts, and as WAV files."""

from __future__ import annotations

import io
import wave

import pytest

from echoadmin.log.clips import append_samples, iter_samples, new_clip, read_ranges, read_samples
from echoadmin.log.models import PART_BYTES, Clip, ClipPart
from echoadmin.log.wav import RangeNotSatisfiable, byte_range, clip_wav

pytestmark = pytest.mark.django_db
PCM = bytes(i * 31 % 251 for i in range(PART_BYTES * 2 + 5000))


def clip_of(*pieces: bytes, sample_rate: int = 24000) -> int:
    clip = new_clip(sample_rate)
    for piece in pieces:
        append_samples(clip.pk, piece)
    return clip.pk


def test_samples_are_kept_in_parts_of_at_most_256_kb_and_read_back_by_range() -> None:
    clip = clip_of(PCM[:1000], b"", PCM[1000:3400], PCM[3400:])
    assert [len(bytes(part.samples)) for part in ClipPart.objects.order_by("start")] == [
        1000,
        2400,
        PART_BYTES,
        PART_BYTES,
        1600,
    ]
    for start, nbytes in ((0, len(PCM)), (999, 2), (1000, 2400), (3399, PART_BYTES + 2), (len(PCM) - 1, 10), (0, 0)):
        assert read_samples(clip, start, nbytes) == PCM[start : start + nbytes]
    assert read_samples(clip, len(PCM), 10) == b""
    assert Clip.objects.get().seconds == pytest.approx(len(PCM) / 48000)


def test_appending_tells_where_the_piece_begins() -> None:
    clip = new_clip(8000).pk
    assert [append_samples(clip, b"ab" * 10), append_samples(clip, b"c" * 6), append_samples(clip, b"d")] == [0, 20, 26]


def test_what_can_not_be_a_clip_is_refused() -> None:
    with pytest.raises(Clip.DoesNotExist, match="no clip 99"):
        append_samples(99, b"ab")
    for rate in (0, -1, 1_000_001):
        with pytest.raises(ValueError, match="sample rate"):
            new_clip(rate)


def test_many_ranges_of_many_clips_are_read_together() -> None:
    one, two = clip_of(PCM), clip_of(PCM[:100], PCM[100:5000])
    ranges = [(one, 0, 10), (one, PART_BYTES - 5, 10), (two, 90, 20), (two, 0, 5000), (two, 4999, 100), (77, 0, 5)]
    found = read_ranges(ranges)
    assert found == {
        (clip, at, n): b"" if clip == 77 else PCM[:5000][at : at + n] if clip == two else PCM[at : at + n]
        for clip, at, n in ranges
    }


def test_a_clip_is_read_block_by_block() -> None:
    blocks = list(iter_samples(clip_of(PCM), 10, len(PCM) - 20))
    assert b"".join(blocks) == PCM[10:-10]
    assert max(map(len, blocks)) <= PART_BYTES


def test_a_clip_is_a_wav_file_that_others_can_read() -> None:
    file = clip_wav(clip_of(PCM[:-1] + b"x", sample_rate=22050))
    data = b"".join(file.blocks())
    assert len(data) == file.size
    with wave.open(io.BytesIO(data)) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, 22050)
        assert read.readframes(read.getnframes()) == PCM[:-1] + b"x"


def test_any_range_of_the_wav_file_is_that_range_of_the_whole() -> None:
    file = clip_wav(clip_of(PCM), start=2400, nbytes=PART_BYTES + 100)
    whole = b"".join(file.blocks())
    assert whole[44:] == PCM[2400 : 2400 + PART_BYTES + 100]
    for first, stop in ((0, 10), (10, 44), (10, 50), (44, 45), (100, PART_BYTES + 50), (file.size - 1, file.size)):
        assert b"".join(file.blocks(first, stop)) == whole[first:stop]
    assert clip_wav(file.clip_id, start=10**9).nbytes == 0


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_range_headers_are_read_as_http_says(header: str | None, wanted: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == wanted


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_beyond_the_file_is_not_satisfiable(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        byte_range(header, 100)
