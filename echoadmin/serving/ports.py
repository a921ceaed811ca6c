"""Taking the console's port, and saying in one line why it can't be had."""

from __future__ import annotations

import errno
import socket
from pathlib import Path


class PortTaken(OSError):
    """The port can't be had; the message names it, the variable that moves it, and its holder if that can be seen."""


def listen_on(host: str, port: int, variable: str) -> socket.socket:
    """A socket bound to host and port, not yet accepting; raises PortTaken, which names `variable`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise PortTaken(f"HOST={host} is no address of this machine ({error.strerror}); try HOST=127.0.0.1") from error
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(address)
        taken.listen(2048)
    except OSError as error:
        taken.close()
        raise PortTaken(explain(host, port, variable, error)) from error
    return taken


def explain(host: str, port: int, variable: str, error: OSError) -> str:
    """One line: what is wrong with the port, who has it, and what to set."""
    if error.errno == errno.EADDRINUSE:
        return in_use(port, variable)
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has; choose one from 1024 up with {variable}=<port>"
    return f"{host}:{port} can't be listened on ({error.strerror}); set HOST to an address of this machine"


def in_use(port: int, variable: str) -> str:
    """One line: the port, who has it, and the variable that moves it."""
    by = f" by {held}" if (held := holder(port)) else " by another program"
    return f"port {port} is already in use{by}; stop it, or choose another with {variable}=<port>"


def answers(host: str, port: int) -> bool:
    """Whether anything accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def holder(port: int) -> str:
    """Who listens on `port`, as "pid 123 (python manage.py serve)"; "" where this system or its rights don't tell."""
    inodes = _listening_inodes(port)
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        if inodes & _sockets_of(folder):
            return f"pid {folder.name} ({command_of(int(folder.name))})"
    return ""


def command_of(pid: int) -> str:
    """The process's command line, 80 characters at most; "" where it can't be read."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode(errors="replace") for word in words if word)[:80]


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
        except OSError:
            continue
        found |= {row[9] for row in rows if row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port}
    return found


def _sockets_of(process: Path) -> set[str]:
    found = set()
    try:
        for descriptor in (process / "fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        return found  # another user's process, or one that just ended
    return found
