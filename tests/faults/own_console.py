"""A console of its own: a real process with its rooms inside, on whatever database and Redis, and one conversation."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

from tests.acceptance.calling import Call
from tests.console_process import free_ports, start_console
from tests.twin_process import TwinProcess

NUMBERED = "fault.numbered"
KEYS = {
    "ECHOADMIN_SECRET_KEY": secrets.token_urlsafe(48),
    "ECHOADMIN_SIGNING_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",  # of 32 zero bytes
}


class OwnConsole:
    """The process, which may be killed and started again on the same data, and what is said to it by its replica."""

    def __init__(self, data: Path, twin: TwinProcess, **settings: str) -> None:
        self.data, self.twin = data, twin
        self._ports = [free_ports(1)[0], twin.port, twin.daily_port]
        self._settings = {**KEYS, "DAILY_CA_FILE": twin.ca_file, **settings}
        self.console = self._start()
        self.call = Call(self.console, self.console.api_key("faults"))
        self.call.open()
        self._told = 0

    def _start(self) -> Any:
        return start_console(self.data, self._ports, twin=self.twin, **self._settings)

    def start_again(self) -> None:
        """After a kill: the same console, joined again."""
        self.console = self.call.console = self._start()
        self.call.until_joined()

    def end(self) -> None:
        """The conversation, so that it costs no more, and the process."""
        self.twin.post(f"/v2/conversations/{self.call.upstream_id}/end")
        self.console.kill()

    def hears(self, count: int, every: float = 0.02) -> None:
        """The replica sends so many numbered messages, one after the other."""
        for _ in range(count):
            self._told += 1
            message = {"event_type": NUMBERED, "number": self._told}
            self.twin.post(f"/twin/rooms/{self.call.upstream_id}/messages", message)
            time.sleep(every)  # as they come

    def all_heard(self) -> bool:
        """Whether every numbered message is in the log, once and in order."""
        logged = [one["message"]["number"] for one in self.call.entries() if one["event_type"] == NUMBERED]
        assert logged == sorted(set(logged)), "something is there twice, or out of order"
        return logged == [*range(1, self._told + 1)]

    def is_spooled(self) -> bool:
        """Whether the last of them lies in a spool, by the spool's file."""
        last = f'"number":{self._told}}}'.encode()
        return any(last in spool.read_bytes() for spool in (self.data / "spool").glob("*.spool"))

    def facts(self, event_type: str) -> list[Any]:
        """What entries of that type say."""
        return [one["message"] for one in self.call.entries() if one["event_type"] == event_type]
