"""A Redis of its own: the installed program on a free port, which keeps nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import redis

from tests.console_process import free_ports
from tests.waiting import until


class RedisServer:
    """A server that can be killed and started again; what it held is gone then."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_ports(1)[0]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        if shutil.which("redis-server") is None:
            raise FileNotFoundError("no redis-server is installed: apt install redis-server, or run with EMBEDDED=1")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {"bind": "127.0.0.1", "port": self.port, "save": "", "appendonly": "no", "dir": self.folder}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        until(self._answers, "Redis answers")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's, once it was started."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
