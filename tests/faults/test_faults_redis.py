"""Redis misbehaves: killed, restarted, standing still, full. It carries doorbells alone: who waits for one also looks
every 2 s, so that all becomes a little slower and nothing is lost.

The console is a real process with its rooms inside, on SQLite and a Redis of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from tests.acceptance.chaos.redis_server import RedisServer
from tests.faults.own_console import OwnConsole
from tests.twin_process import TwinProcess
from tests.waiting import until

pytestmark = [pytest.mark.own_database, pytest.mark.xdist_group("own Redis"), pytest.mark.timeout(180)]
LOOK = 2.0  # s between two looks


@dataclass(frozen=True)
class Broken:
    """One row: what is done to Redis, and how it is mended."""

    breaks: Callable[[RedisServer], None]
    mends: Callable[[RedisServer], None]
    lines: int = 2  # said meanwhile


def told(server: RedisServer, **settings: str) -> None:
    """CONFIG SET."""
    with redis.Redis.from_url(server.url) as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def signalled(number: signal.Signals) -> Callable[[RedisServer], None]:
    return lambda server: server.process.send_signal(number)


REDIS = {
    "killed": Broken(RedisServer.kill, RedisServer.start),
    "restarted": Broken(restart, lambda server: None),
    # It takes no write any more: not a bell is rung.
    "full": Broken(
        lambda server: told(server, maxmemory="1", maxmemory_policy="noeviction"),
        lambda server: told(server, maxmemory="0"),
    ),
    "standing-still": Broken(signalled(signal.SIGSTOP), signalled(signal.SIGCONT)),
    "killed-for-long": Broken(RedisServer.kill, RedisServer.start, lines=6),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        made = RedisServer(tmp_path_factory.mktemp("redis") / "server")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def own(
    server: RedisServer, session_twin: TwinProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnConsole]:
    made = OwnConsole(tmp_path_factory.mktemp("console"), session_twin, REDIS_URL=server.url)
    yield made
    made.end()


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=name, marks=[pytest.mark.slow_fault] * (row.lines > 2)) for name, row in REDIS.items()],
)
def test_redis(own: OwnConsole, server: RedisServer, row: Broken) -> None:
    """Each line is said within a look or two, an interrupt and a leave are obeyed, and what was heard is in the log."""
    said = [spoken(own, "Before.")]
    row.breaks(server)
    said += [spoken(own, f"Meanwhile, {number}.") for number in range(row.lines)]
    own.hears(10)
    until(own.all_heard, "the log goes on")
    own.call.ask("POST", f"conversations/{own.call.id}/leave/")
    until(lambda: room(own)["state"] == "idle", "the room is left", 5 * LOOK)
    own.call.ask("POST", f"conversations/{own.call.id}/join/")
    own.call.until_joined()
    row.mends(server)
    said.append(spoken(own, "After."))
    assert all(echo["state"] == "spoken" for echo in said)
    sent = own.call.texts_sent()
    assert [sent[echo["inference_id"]] for echo in said] == [1] * len(said), "each once"
    own.call.agree()
    assert own.console.process.poll() is None


def spoken(own: OwnConsole, text: str) -> Any:
    """Say a line; the echo, once it is final."""
    return own.call.until_final(own.call.say(text), limit=5 * LOOK)


def room(own: OwnConsole) -> Any:
    return own.call.ask("GET", f"conversations/{own.call.id}/")["room"]
