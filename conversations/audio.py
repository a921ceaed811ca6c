"""Audio in and out: any audio file to PCM16 mono at 24 kHz in blocks, base64 pieces, chunks, and WAV. No Django here.

PCM is always 16-bit signed little-endian mono: two bytes a sample.
"""

from __future__ import annotations

import binascii
import io
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import pybase64
import soundfile
import soxr
from numpy.typing import NDArray

from conversations.refusals import BadSampleRate, BrokenAudio, Empty, NotAudio, Refusal, TooLong

RATE = 24_000
"""Hz that files are resampled to (docs.tavus.io, Echo Mode: 24,000 is recommended)."""

SLOWEST, FASTEST = 8_000, 48_000
"""Hz of PCM that goes out as given."""

CHUNK_BYTES = 2_400
"""Bytes of PCM in a chunk: 50 ms at 24 kHz."""

LARGEST_CHUNK = 2_700
"""Bytes of PCM that fit into one app message of 4,096 bytes with the longest ids that there can be (128 characters)."""

MAX_SECONDS = 600.0

_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"}
_FILE_RATES = range(4_000, 384_001)
_MOST_TRACKS = 16
_FRAMES = 16_384
_FILE_STARTS = (b"RIFF", b"fLaC", b"OggS", b"ID3\x03\x00", b"ID3\x04\x00")
_CONVERT = "Convert it, for example: ffmpeg -i FILE -ac 1 -ar 24000 out.wav"
_PIECE = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 0x7FFF0000
"""Bytes that a program writing to a pipe puts, or more, for a length that it does not know yet."""

_NO_LENGTH = 2**62
"""Frames that libsndfile tells, or more, where it does not know how many there are."""


def decode(file: BinaryIO, *, field: str = "file", max_seconds: float = MAX_SECONDS) -> Iterator[bytes]:
    """The samples of an audio file (WAV, FLAC, OGG, Opus, MP3, AIFF …) as blocks of PCM16 mono at 24 kHz.

    `file` is binary and can be sought in; it is read as it is decoded, never held whole. Raises while it is iterated,
    at the end too, when the file stops short, so that nothing of it may be kept before the last block came:
    `Empty`, `NotAudio`, `BrokenAudio`, `BadSampleRate`, `TooLong`.
    """
    with _opened(file, field) as sound:
        _check_header(sound, field, max_seconds)
        yield from _resampled(_mono(sound, field, max_seconds), sound.samplerate, field)


def pcm_from_base64(
    text: object,
    sample_rate: object,
    *,
    field: str = "audio",
    allow_empty: bool = False,
    max_seconds: float = MAX_SECONDS,
) -> bytes:
    """The samples of a base64 text at `sample_rate` Hz.

    Raises `Refusal` (no base64, half a sample, a header in front), `Empty`, `BadSampleRate`, `TooLong`.
    """
    rate = check_sample_rate(sample_rate)
    if not isinstance(text, str):
        raise Refusal(field, "Is base64 text of PCM16 little-endian mono samples.")
    if text.startswith("data:"):
        raise Refusal(field, "Is a data: URL. Send only what follows the comma, and only raw PCM16 samples.")
    pcm = _from_base64(text, field)
    if not pcm and not allow_empty:
        raise Empty(field, "Holds no samples. Send base64 of PCM16 little-endian mono.")
    check_pcm(pcm, rate, field=field, max_seconds=max_seconds)
    return pcm


def _from_base64(text: str, field: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # the latter for what is not ASCII
        raise Refusal(field, "Is no base64 (A-Z, a-z, 0-9, + and /, padded with = to a multiple of 4).") from None


def check_pcm(pcm: bytes, sample_rate: int, *, field: str = "audio", max_seconds: float = MAX_SECONDS) -> None:
    """Whether `pcm` is whole samples, without a file's header, and not too long. Raises `Refusal` and `TooLong`."""
    if pcm.startswith(_FILE_STARTS):
        raise Refusal(field, "Starts like an audio file. Send raw samples without a header, or the file as `file`.")
    if len(pcm) % 2:
        raise Refusal(field, f"Has {len(pcm):,} bytes, an odd number; a PCM16 sample has two. Was it cut?")
    check_length(seconds(len(pcm), sample_rate), max_seconds, field)


def check_sample_rate(value: object, field: str = "sample_rate") -> int:
    """A rate in Hz that the replica can be sent. Raises `BadSampleRate`."""
    if isinstance(value, bool) or not isinstance(value, int) or not SLOWEST <= value <= FASTEST:
        raise BadSampleRate(field, f"Is a whole number of Hz from {SLOWEST:,} to {FASTEST:,}, such as {RATE}.")
    return value


def seconds(nbytes: int, sample_rate: int) -> float:
    """How long `nbytes` of PCM16 mono last at `sample_rate` Hz."""
    return nbytes / 2 / sample_rate


def wav_header(nbytes: int, sample_rate: int) -> bytes:
    """The 44 bytes that make `nbytes` of PCM16 mono a WAV file. Raises ValueError above 4 GiB."""
    if not 0 <= nbytes <= 0xFFFFFFFF - 36:
        raise ValueError(f"a WAV file cannot hold {nbytes:,} bytes")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", nbytes + 36, b"WAVE") + form + struct.pack("<4sI", b"data", nbytes)


def chunk_bytes(sample_rate: int, wanted: int = CHUNK_BYTES, largest: int = LARGEST_CHUNK) -> int:
    """Bytes of PCM for each chunk: `wanted`, but whole samples, at most 100 ms, and never over `largest`."""
    most = min(wanted, largest, sample_rate // 10 * 2)
    return max(2, most - most % 2)


def chunks(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of `size`, the last one shorter."""
    rest = b""
    for block in blocks:
        data = rest + block
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            yield data[start : start + size]
        rest = data[whole:]
    if rest:
        yield rest


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


def check_length(length: float, most: float, field: str = "audio") -> None:
    """Raises `TooLong` when `length` seconds are more than `most`."""
    if length > most:
        raise TooLong(field, f"Lasts over {most:,.0f} seconds, the most for one echo. Cut it into several.")


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
