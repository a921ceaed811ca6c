"""A spool: a file that takes records while the database is away, and gives them back in their order.

Each record has its length and a checksum before it, so that what a killed process, a full disk or a bad one left is
seen. A spool is its process's as long as that lives, by a lock that the system takes away with it; then anybody's.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

logger = logging.getLogger(__name__)

_FRAME = struct.Struct(">II")  # bytes in the payload, their CRC-32
_SUFFIX = ".spool"
_KEEP = 1  # the format


class Spool:
    """One file, open and locked. Offsets are those of records' ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.first = 0  # where the first record begins
        self.size = 0
        self.cut_off = 0  # bytes at the end that were no whole record

    @property
    def name(self) -> str:
        """Unique for good: the database remembers by it how far the spool was taken in."""
        return self.path.name

    def add(self, payloads: Sequence[bytes]) -> list[int]:
        """Appends records and waits for the disk; returns where each ends. After an OSError none of them is there."""
        blocks, ends = [], []
        end = self.size
        for payload in payloads:
            blocks += [_FRAME.pack(len(payload), crc32(payload)), payload]
            end += _FRAME.size + len(payload)
            ends.append(end)
        try:
            _write_all(self._descriptor, b"".join(blocks), self.size)
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size = end
        return ends

    def read(self, start: int, end: int) -> Iterator[tuple[int, bytes | None]]:
        """Each record between, with where it ends; None for one that is damaged."""
        at = start
        while at < end and (found := self._record(at, end)) is not None:
            at, payload = found
            yield at, payload

    def remove(self) -> None:
        """Takes the file away, for good: from here on a power cut does not bring it back."""
        self.path.unlink(missing_ok=True)
        _sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """Lets go of it; what is in it stays for whoever comes."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def check(self) -> None:
        """Walks through all of it, and cuts off at the end what no record can be told from."""
        size, at = os.fstat(self._descriptor).st_size, self.first
        for end, _ in self.read(self.first, size):
            at = end
        if at < size:
            logger.error("%d bytes at the end of %s are no whole record, and cut off", size - at, self.name)
            os.ftruncate(self._descriptor, at)
            os.fsync(self._descriptor)
        self.size, self.cut_off = at, size - at

    def _record(self, at: int, end: int) -> tuple[int, bytes | None] | None:
        """The record at `at`; None where there is none that can be told, a torn one at the end among them."""
        payload = self._payload(at, end)
        if payload is None:
            return None
        after, whole = payload
        if whole is not None or (after < end and self._is_record(after, end)):
            return after, whole
        return None

    def _is_record(self, at: int, end: int) -> bool:
        payload = self._payload(at, end)
        return payload is not None and payload[1] is not None

    def _payload(self, at: int, end: int) -> tuple[int, bytes | None] | None:
        """By the length that stands there; no payload where the checksum says no."""
        frame = os.pread(self._descriptor, _FRAME.size, at)
        if len(frame) < _FRAME.size:
            return None
        length, checksum = _FRAME.unpack(frame)
        after = at + _FRAME.size + length
        if not length or after > end:
            return None
        payload = os.pread(self._descriptor, length, at + _FRAME.size)
        return after, payload if crc32(payload) == checksum else None


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a writer's spools lie. `belongs`: the installation; spools of another are never taken in here."""

    path: Path
    owner: str
    belongs: str
    limit: int  # bytes

    def new(self) -> Spool:
        """An empty spool of this owner. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{self.owner}-{uuid.uuid4().hex[:8]}"
        path = self.path / (name + _SUFFIX)
        # Under another name until it is locked and says whose it is: nobody takes it for a dead one's.
        making = self.path / (name + ".new")
        spool = Spool(path, os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            fcntl.flock(spool._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = {"spool": _KEEP, "owner": self.owner, "belongs": self.belongs}
            [spool.first] = spool.add([json.dumps(head).encode()])
            making.rename(path)
            _sync_folder(self.path)
        except OSError:
            spool.close()
            making.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        return spool

    def abandoned(self) -> Iterator[Spool]:
        """Each spool of this installation that no living process has, the oldest first: this process's from here on."""
        for path in sorted(self.path.glob(f"*{_SUFFIX}")):
            spool = self._adopt(path)
            if spool is not None:
                yield spool

    def lying(self) -> list[tuple[int, float]]:
        """Of each spool that is there, this process's and dead ones': its bytes, and when it was last written (s)."""
        found = []
        for path in self.path.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # its owner is done with it
                told = path.stat()
                found.append((told.st_size, told.st_mtime))
        return found

    def _adopt(self, path: Path) -> Spool | None:
        try:
            spool = Spool(path, os.open(path, os.O_RDWR))
        except FileNotFoundError:
            return None  # its owner is done with it
        try:
            fcntl.flock(spool._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and self._is_ours(spool):
                spool.check()
                return spool
        except BlockingIOError:
            pass  # it has a living owner
        except OSError:
            spool.close()
            raise
        spool.close()
        return None

    def _is_ours(self, spool: Spool) -> bool:
        """Whether its head can be read and names this installation."""
        size = os.fstat(spool._descriptor).st_size
        found = spool._payload(0, size)
        if found is None or found[1] is None:
            return False
        spool.first = found[0]
        try:
            head = json.loads(found[1])
        except ValueError:
            return False
        return isinstance(head, dict) and head.get("spool") == _KEEP and head.get("belongs") == self.belongs


def _write_all(descriptor: int, block: bytes, at: int) -> None:
    left = memoryview(block)
    while left:
        written = os.pwrite(descriptor, left, at)
        left, at = left[written:], at + written


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
