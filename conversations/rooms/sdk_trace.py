"""Stops daily-python from writing every WebSocket frame out in hexadecimal for a trace that nobody reads.

Measured with 0.36.0: a message of 3.4 KB costs the SDK's threads 0.2 ms of CPU, three quarters of which are Rust's
`tungstenite` formatting the frame, byte by byte, for a log line that is thrown away. Neither `log_level` nor RUST_LOG
changes that: the SDK takes every line first and chooses afterwards. Rust's `log` crate has a ceiling for this, one
number in the process (docs.rs/log, `set_max_level`), which the SDK sets to "trace" and offers no call to lower. It is
lowered here, to "warn", at the address that the library's own symbol table gives. Whatever is not as it was measured
is left alone, and costs only time. DAILY_SDK_TRACE=1 leaves it as it is.
"""

from __future__ import annotations

import ctypes
import logging
import mmap
import struct
from pathlib import Path

logger = logging.getLogger(__name__)

NAME = b"3log20MAX_LOG_LEVEL_FILTER\0"  # the end of it: what stands before differs from build to build
WARN, TRACE = 2, 5
_SYMTAB = 2
_SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
_SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, align, entry size


def silence(library: Path) -> bool:
    """Lower the ceiling of the SDK that is loaded from `library`; whether that was done."""
    try:
        address = _loaded_at(library) + _offset_of(library)
    except (OSError, ValueError) as error:
        logger.info("the Daily SDK's trace stays as it is: %s", error)
        return False
    level = ctypes.c_size_t.from_address(address)
    if level.value != TRACE:
        logger.info("the Daily SDK's trace stays as it is: its level is %d", level.value)
        return False
    level.value = WARN
    return True


def _loaded_at(library: Path) -> int:
    """The address of the library's first byte in this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, _, offset, *_, path = line.split(maxsplit=5) if line.count(" ") > 4 else (line, "", "", "")
        if path.strip() == str(library.resolve()) and int(offset, 16) == 0:
            return int(place.partition("-")[0], 16)
    raise ValueError(f"{library} is not loaded")


def _offset_of(library: Path) -> int:
    """Where the number lies behind the library's first byte. Raises ValueError where that is not certain."""
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as elf:
        if elf[:6] != b"\x7fELF\x02\x01":  # 64 bit, little-endian
            raise ValueError(f"{library} is no library of the kind that is known")
        symbols, names = _tables(elf)
        place = elf.find(NAME, names[0], names[0] + names[1])
        if place < 0:
            raise ValueError("it has no such number")
        name = struct.pack("<I", elf.rfind(b"\0", 0, place) + 1 - names[0])
        at = elf.find(name, symbols[0], symbols[0] + symbols[1])
        while at >= 0 and (at - symbols[0]) % _SYMBOL.size:
            at = elf.find(name, at + 1, symbols[0] + symbols[1])
        if at < 0:
            raise ValueError("it has no such symbol")
        *_, value, size = _SYMBOL.unpack_from(elf, at)
        if size != ctypes.sizeof(ctypes.c_size_t) or value % size:
            raise ValueError(f"the number has {size} bytes at {value:#x}")
        return int(value)


def _tables(elf: mmap.mmap) -> tuple[tuple[int, int], tuple[int, int]]:
    """Offset and size of the symbol table, and of its names."""
    start, count = struct.unpack_from("<Q", elf, 0x28)[0], struct.unpack_from("<H", elf, 0x3C)[0]
    sections = [_SECTION.unpack_from(elf, start + number * _SECTION.size) for number in range(count)]
    for section in sections:
        if section[1] == _SYMTAB:
            names = sections[section[6]]
            return (section[4], section[5]), (names[4], names[5])
    raise ValueError("its symbols were stripped")
