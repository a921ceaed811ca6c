"""The SDK's trace of every frame is silenced in the library that is installed, and what is not known is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import daily.daily
import pytest

from conversations.rooms import sdk_trace

LIBRARY = Path(str(daily.daily.__file__))
SCRIPT = """
import ctypes, sys
from pathlib import Path
import daily
from conversations.rooms import sdk_trace
from daily import daily as sdk
library = Path(sdk.__file__)
level = ctypes.c_size_t.from_address(sdk_trace._loaded_at(library) + sdk_trace._offset_of(library))
before = level.value
first = sdk_trace.silence(library)  # before the SDK has set it: it is not what is known
daily.Daily.init()
traced = level.value
print(before, first, traced, sdk_trace.silence(library), level.value, sdk_trace.silence(library), level.value)
sys.stdout.flush()
import os; os._exit(0)
"""


def test_the_installed_sdk_is_silenced_once_it_was_started() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["0", "False", "5", "True", "2", "False", "2"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no library",
        b"\x7fELF\x01\x01" + bytes(58),  # 32 bit
        b"\x7fELF\x02\x01" + bytes(58),  # no sections
    ],
)
def test_what_is_no_such_library_is_left_alone(content: bytes, tmp_path: Path) -> None:
    library = tmp_path / "daily.so"
    library.write_bytes(content)
    assert sdk_trace.silence(library) is False
    with pytest.raises(ValueError):
        sdk_trace._offset_of(library)


def test_a_build_without_the_number_is_left_alone(tmp_path: Path) -> None:
    content = LIBRARY.read_bytes()
    assert content.count(sdk_trace.NAME) == 1
    other = tmp_path / "daily.so"
    other.write_bytes(content.replace(sdk_trace.NAME, sdk_trace.NAME[:-2] + b"X\0"))
    with pytest.raises(ValueError, match="no such number"):
        sdk_trace._offset_of(other)
