"""Audio in and out: any audio file to PCM16 mono at 24 kHz in blocks, base64 pieces, chunks, and WAV. No Django here.

PCM is always 16-bit signed little-endian mono: two bytes a sample.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import pybase64

from conversations.refusals import BadSampleRate, Empty, Refusal, TooLong

RATE = 24_000
"""Hz that files are resampled to (docs.tavus.io, Echo Mode: 24,000 is recommended)."""

SLOWEST, FASTEST = 8_000, 48_000
"""Hz of PCM that goes out as given."""

CHUNK_BYTES = 2_400
"""Bytes of PCM in a chunk: 50 ms at 24 kHz."""

LARGEST_CHUNK = 2_700
"""Bytes of PCM that fit into one app message of 4,096 bytes with the longest ids that there can be (128 characters)."""

MAX_SECONDS = 600.0

_FILE_STARTS = (b"RIFF", b"fLaC", b"OggS", b"ID3\x03\x00", b"ID3\x04\x00")


def decode(file: BinaryIO, *, field: str = "file", max_seconds: float = MAX_SECONDS) -> Iterator[bytes]:
    """The samples of an audio file (WAV, FLAC, OGG, Opus, MP3, AIFF …) as blocks of PCM16 mono at 24 kHz.

    `file` is binary and can be sought in; it is read as it is decoded, never held whole. Raises while it is iterated,
    at the end too, when the file stops short, so that nothing of it may be kept before the last block came:
    `Empty`, `NotAudio`, `BrokenAudio`, `BadSampleRate`, `TooLong`.
    """
    from conversations.sound_files import pcm_blocks  # with numpy, which takes a fifth of a command's start

    yield from pcm_blocks(file, field, max_seconds)


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


def check_length(length: float, most: float, field: str = "audio") -> None:
    """Raises `TooLong` when `length` seconds are more than `most`."""
    if length > most:
        raise TooLong(field, f"Lasts over {most:,.0f} seconds, the most for one echo. Cut it into several.")


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
