"""A clip, or a range of one, as a WAV file that is never whole in memory."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from echoadmin.log.clips import iter_samples
from echoadmin.log.models import Clip

HEADER_BYTES = 44


class RangeNotSatisfiable(ValueError):
    """A Range header asks for what the file has not: answer 416 with `Content-Range: bytes */size`."""


@dataclass(frozen=True, slots=True)
class Wav:
    """PCM16 mono, `nbytes` of samples from byte `start` of a clip."""

    clip_id: int
    start: int
    nbytes: int
    sample_rate: int  # Hz

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return HEADER_BYTES + self.nbytes

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.nbytes / 2 / self.sample_rate

    def blocks(self, first: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The file's bytes from `first` up to `stop`, in blocks of at most 256 KB."""
        stop = self.size if stop is None else min(stop, self.size)
        if first < HEADER_BYTES:
            yield self._header()[first:stop]
        low, high = max(first, HEADER_BYTES) - HEADER_BYTES, stop - HEADER_BYTES
        if high > low:
            yield from iter_samples(self.clip_id, self.start + low, high - low)

    def _header(self) -> bytes:
        rate = self.sample_rate
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", 36 + self.nbytes, b"WAVE"),
            *(b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16),
            *(b"data", self.nbytes),
        )


def clip_wav(clip_id: int, start: int = 0, nbytes: int | None = None) -> Wav:
    """The clip as it is now, or its range from byte `start` on. Raises Clip.DoesNotExist."""
    clip = Clip.objects.get(pk=clip_id)
    start = min(start, clip.size)
    there = clip.size - start
    return Wav(clip_id, start, there if nbytes is None else min(nbytes, there), clip.sample_rate)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """What a Range header asks for: (first byte, the byte after the last), or None for the whole file.

    A header of another unit, of several ranges or of no sense is ignored, as RFC 9110 §14.2 allows. Raises
    RangeNotSatisfiable.
    """
    match = re.fullmatch(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", header or "", re.ASCII | re.IGNORECASE)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        begin, stop = max(0, size - int(last)), size
    else:
        begin, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < begin:
            return None
    if begin >= size or begin >= stop:
        raise RangeNotSatisfiable(f"the file has {size} bytes, the range begins at {begin}")
    return begin, stop
