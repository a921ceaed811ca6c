"""Reads audio files: any that libsndfile knows, as PCM16 mono at 24 kHz. `conversations.audio.decode` is the way in."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from conversations.audio import RATE, check_length
from conversations.refusals import BadSampleRate, BrokenAudio, Empty, NotAudio

_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"}
_FILE_RATES = range(4_000, 384_001)
_MOST_TRACKS = 16
_FRAMES = 16_384
_CONVERT = "Convert it, for example: ffmpeg -i FILE -ac 1 -ar 24000 out.wav"
_PIECE = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 0x7FFF0000
"""Bytes that a program writing to a pipe puts, or more, for a length that it does not know yet."""

_NO_LENGTH = 2**62
"""Frames that libsndfile tells, or more, where it does not know how many there are."""


def pcm_blocks(file: BinaryIO, field: str, max_seconds: float) -> Iterator[bytes]:
    """See `audio.decode`."""
    with _opened(file, field) as sound:
        _check_header(sound, field, max_seconds)
        yield from _resampled(_mono(sound, field, max_seconds), sound.samplerate, field)


class _Nameless(io.RawIOBase):
    """A binary file without its name, since soundfile guesses from names, and without being closed by soundfile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()


def _opened(file: BinaryIO, field: str) -> soundfile.SoundFile:
    file.seek(0)
    head = file.read(64)
    if not head:
        raise Empty(field, "Is empty (zero bytes). Choose the audio file again.")
    if kind := _other_kind(head):
        raise NotAudio(field, f"Is {kind}, not an audio file that can be read here. {_CONVERT}")
    if head.startswith(b"OggS") and not _ogg_is_whole(file):
        raise BrokenAudio(field, "Ends in the middle of a page of sound: it was cut off. Upload it again.")
    file.seek(0)
    try:
        sound = soundfile.SoundFile(_Nameless(file))
    except (soundfile.SoundFileError, ValueError, TypeError):
        raise NotAudio(
            field, f"Is no audio that can be read: WAV, FLAC, OGG, Opus, MP3 or AIFF, complete. {_CONVERT}"
        ) from None
    if sound.format not in _FORMATS:
        raise NotAudio(field, f"Is {sound.format_info}, which is not read here. {_CONVERT}")
    return sound


def _other_kind(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return "a video or an M4A file (MP4)"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "a video or a WebM file (Matroska)"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "a video (AVI)"
    if head[:4] in (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"):
        return "a video (MPEG)"
    return None


def _ogg_is_whole(file: BinaryIO) -> bool:
    """Whether the last page is complete; libsndfile reads what is there and says nothing (RFC 3533, section 6)."""
    file.seek(max(0, file.seek(0, io.SEEK_END) - 2 * 65_307))
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail):
        return False
    table = tail[page + 27 : page + 27 + tail[page + 26]]
    return len(table) == tail[page + 26] and page + 27 + len(table) + sum(table) <= len(tail)


def _check_header(sound: soundfile.SoundFile, field: str, max_seconds: float) -> None:
    if sound.samplerate not in _FILE_RATES:
        raise BadSampleRate(
            field,
            f"Says that it has {sound.samplerate:,} samples a second; {_FILE_RATES.start:,} to {_FILE_RATES.stop - 1:,}"
            f" are read. Its header may be damaged. {_CONVERT}",
        )
    if sound.channels > _MOST_TRACKS:
        raise BrokenAudio(field, f"Says that it has {sound.channels:,} channels. Its header may be damaged. {_CONVERT}")
    for told, there in _PIECE.findall(sound.extra_info):
        if int(there) < int(told) < _UNKNOWN_LENGTH:
            raise BrokenAudio(
                field, f"Ends after {int(there):,} of {int(told):,} bytes of sound: it was cut off. Upload it again."
            )
    if sound.frames < _NO_LENGTH:
        check_length(sound.frames / sound.samplerate, max_seconds, field)


def _mono(sound: soundfile.SoundFile, field: str, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    """The file's frames as one channel, counted; the header's word for their number is not trusted."""
    told, came = sound.frames, 0
    while True:
        try:
            frames = sound.read(_FRAMES, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError):
            place = came / sound.samplerate
            raise BrokenAudio(field, f"Is damaged or cut off after {place:.1f} seconds. {_CONVERT}") from None
        if not len(frames):
            break
        came += len(frames)
        check_length(came / sound.samplerate, max_seconds, field)
        yield np.nan_to_num(frames.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    if not came:
        raise Empty(field, "Holds no samples: its header is there, but no sound. Record or export it again.")
    # An MP3's length is an estimate that may be a few frames off.
    if told < _NO_LENGTH and came < told * 0.98 - 4_608:
        message = f"Ends after {came / sound.samplerate:.1f} of {told / sound.samplerate:.1f} seconds: it was cut off."
        raise BrokenAudio(field, f"{message} Upload it again.")


def _resampled(blocks: Iterator[NDArray[np.float32]], rate: int, field: str) -> Iterator[bytes]:
    if rate == RATE:
        for block in blocks:
            yield _pcm16(block)
        return
    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    there = False
    for block in blocks:
        if len(out := stream.resample_chunk(block)):
            there = True
            yield _pcm16(out)
    if len(out := stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)):
        there = True
        yield _pcm16(out)
    if not there:
        raise Empty(field, "Holds too few samples to be heard. Record or export it again.")


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    # 32,768 is what soundfile divides by, so that 16-bit samples at 24 kHz come out as they went in.
    return np.clip(np.rint(samples * 32_768.0), -32_768, 32_767).astype("<i2").tobytes()
