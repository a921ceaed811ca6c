"""What is done in a round: one of these, by chance. Each breaks something and mends it, and says what it did."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from tests.acceptance.chaos.place import LEASE, Slot, start_all
from tests.acceptance.chaos.scene import Scene
from tests.waiting import until

Act = Callable[[Scene], str]
DRAINED_IN = 90.0  # s; each room first finishes what it says
TOGETHER = "CHAOS_TOGETHER"  # set to 1: PostgreSQL is also away while a worker is killed


def _killed(scene: Scene, slots: list[Slot]) -> None:
    """kill -9 of each, and a new process in its place: at once, or when the others have had to do without."""
    scene.strike()
    for slot in slots:
        slot.kill()
    if scene.chance.random() < 0.5:
        scene.go_on(scene.chance.randint(1, 6), limit=3 * LEASE)
    start_all(slots)


def kill_worker(scene: Scene) -> str:
    """Its rooms are another's soon."""
    victim = scene.victim()
    what = f"kill -9 {victim.name}, which held {scene.held_by(victim)} rooms"
    _killed(scene, [victim])
    return what


def kill_all_workers(scene: Scene) -> str:
    """Nobody is left to take the rooms."""
    _killed(scene, scene.place.workers)
    return "kill -9 of every worker"


def kill_console(scene: Scene) -> str:
    """Its requests are lost; on the embedded default its rooms, too."""
    victim = scene.chance.choice(scene.place.consoles)
    _killed(scene, [victim])
    return f"kill -9 {victim.name}"


def kill_both(scene: Scene) -> str:
    """A worker and a console, in either order."""
    victims = [scene.victim(), scene.chance.choice(scene.place.consoles)]
    scene.chance.shuffle(victims)
    _killed(scene, victims)
    return f"kill -9 {victims[0].name} and {victims[1].name}"


def restart_console(scene: Scene) -> str:
    """In order, as for a new version."""
    victim = scene.chance.choice(scene.place.consoles)
    scene.strike()
    code = victim.terminate(DRAINED_IN)
    victim.start()
    assert code == 0, f"{victim.name} ended with {code} after SIGTERM"
    return f"{victim.name} ended in order (SIGTERM) and started"


def drain_worker(scene: Scene) -> str:
    """It hands its rooms over, and is gone."""
    victim = scene.victim()
    held = scene.held_by(victim)
    scene.strike()
    code = victim.terminate(DRAINED_IN)
    scene.go_on(scene.chance.randint(0, 4))
    victim.start()
    assert code == 0, f"{victim.name} ended with {code} after it was to drain"
    return f"{victim.name} drained (SIGTERM) with {held} rooms, and started"


def freeze(scene: Scene) -> str:
    """It neither dies nor does anything until others have its rooms; then it goes on as if nothing had been."""
    victim = scene.victim()
    held = scene.held_by(victim)
    began = time.monotonic()
    scene.strike()
    victim.freeze()
    try:
        if not scene.place.embedded:
            until(lambda: not scene.held_by(victim), f"others have the rooms of {victim.name}", 20 * LEASE)
        scene.pass_time(0.2, 2.0)
        time.sleep(max(0.0, began + 1.2 * LEASE - time.monotonic()))
    finally:
        victim.thaw()
    return f"SIGSTOP {victim.name}, which held {held} rooms, for {time.monotonic() - began:.1f} s"


def stop_postgresql(scene: Scene) -> str:
    """The database is away; nothing else is."""
    database = scene.place.postgresql
    assert database is not None
    how = scene.chance.choice(("fast", "immediate"))
    scene.strike()
    database.stop(how)
    began = time.monotonic()
    scene.pass_time(0.2, 2 * LEASE)
    together = os.environ.get(TOGETHER) == "1" and scene.chance.random() < 0.5
    victim = scene.chance.choice(scene.place.workers)
    if together:
        victim.kill()
    database.start()
    if together:
        victim.start()
    killed = f", {victim.name} killed meanwhile" if together else ""
    return f"PostgreSQL stopped ({how}) for {time.monotonic() - began:.1f} s{killed}"


def kill_redis(scene: Scene) -> str:
    """No bell rings, and everybody looks for themselves."""
    assert scene.place.redis is not None
    scene.strike()
    scene.place.redis.kill()
    began = time.monotonic()
    scene.pass_time(0.2, 2 * LEASE)
    scene.place.redis.start()
    return f"kill -9 Redis, away for {time.monotonic() - began:.1f} s"


def drop_sockets(scene: Scene) -> str:
    """The connection to one room is cut, or to all; a close frame is a cut that the SDK does not notice."""
    kind = scene.chance.choice(("drop_socket", "close_frame"))
    rooms = [row["conversation_id"] for row in scene.rooms()]
    cut = rooms if scene.chance.random() < 0.4 else [scene.chance.choice(rooms)]
    scene.strike()
    for conversation_id in cut:
        scene.place.twin.fault(kind, conversation_id=conversation_id)
    return f"{kind} in {len(cut)} of {len(rooms)} rooms"


OUTGROWN: tuple[Act, ...] = (
    kill_worker, kill_all_workers, kill_console, kill_both, restart_console, drain_worker, freeze, stop_postgresql,
    kill_redis, drop_sockets,
)  # fmt: skip
EMBEDDED: tuple[Act, ...] = (kill_console, restart_console, freeze, drop_sockets)
