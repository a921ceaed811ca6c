"""A PostgreSQL of its own: from the installed programs, on a free port, its data in a folder that goes away."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.console_process import free_ports

LIMIT = 120.0  # s for anything that it is told to do
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",  # it is the processes that are killed here, not the machine
    "shared_buffers": "64MB",
}


class PostgreSQL:
    """A server that can be stopped and started again, as often as one likes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.bin = _programs()
        self.port = free_ports(1)[0]
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/echoadmin"
        self._as: dict[str, Any] = _not_root()
        folder.mkdir(parents=True)
        if self._as:
            os.chown(folder, self._as["user"], self._as["group"])

    def create(self) -> None:
        """Make the files, start it, and make an empty database."""
        flags = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", "-D", str(self.data), *flags)
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "echoadmin")

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {**OPTIONS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        given = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", given)

    def stop(self, how: str = "fast") -> None:
        """Stop it: `fast` ends every connection in order, `immediate` is a crash that it recovers from."""
        self._run("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", how)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, new ones are taken by the system, and no answer comes."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def read_only(self, on: bool) -> None:
        """From the next transaction on it takes no writes, or does again."""
        command = f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}"
        self._run("psql", "-qX", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-c", command)
        self._run("pg_ctl", "reload", "-D", str(self.data))

    def _signal(self, number: signal.Signals) -> None:
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        others = [pid for pid, parent in _parents() if parent == first]
        for pid in (first, *others):  # the first one first: it makes no new ones then
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def runs(self) -> bool:
        """Whether its server is there."""
        return (self.data / "postmaster.pid").exists()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=LIMIT, check=False, **self._as,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


def _parents() -> Iterator[tuple[int, int]]:
    """Each process of the machine, and which one made it."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])


def _programs() -> Path:
    """Where the newest installed PostgreSQL has its programs. Raises FileNotFoundError."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = installed[-1] if installed else shutil.which("initdb")
    if not found:
        raise FileNotFoundError("no PostgreSQL is installed: apt install postgresql, or run it with EMBEDDED=1")
    return Path(found).resolve().parent


def _not_root() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then as the user that its package made, or as nobody."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
