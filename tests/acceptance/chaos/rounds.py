"""The rounds: traffic, an act, recovery, and again; then quiet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.acceptance.chaos.acts import EMBEDDED, OUTGROWN, Act
from tests.acceptance.chaos.scene import Blow, Scene
from tests.waiting import until

AT_FIRST = 3  # conversations
AT_MOST = 6
SETTLED_IN = 300.0  # s

Tell = Callable[[str], None]


def play(scene: Scene, acts: list[Act], tell: Tell) -> None:
    """A round for each act, and what it did. Raises AssertionError where the place does not recover."""
    for _ in range(AT_FIRST):
        scene.traffic.open()
    until(lambda: len(scene.rooms()) == AT_FIRST, "the first conversations are there", 90)
    scene.until_recovered()
    for number, act in enumerate(acts, 1):
        _round(scene, act, number, tell)


def chosen(rounds: int, chance: random.Random, *, embedded: bool) -> list[Act]:
    """The acts, by chance alone; but none is done a second time before each was done once."""
    acts: list[Act] = []
    while len(acts) < rounds:
        deck = list(EMBEDDED if embedded else OUTGROWN)
        chance.shuffle(deck)
        acts += deck
    return acts[:rounds]


def _round(scene: Scene, act: Act, number: int, tell: Tell) -> None:
    traffic = scene.traffic
    accepted, lost = traffic.accepted, traffic.lost
    scene.go_on(scene.chance.randint(3, 9))
    if len(traffic.talks) < AT_MOST and scene.chance.random() < 0.3:
        traffic.open()  # it begins in the middle of what comes
    blow = Blow(act.__name__, time.time())  # the act itself tells when it strikes
    scene.blows.append(blow)
    blow.what = act(scene)
    mended = time.monotonic()
    scene.until_recovered()
    scene.go_on(scene.chance.randint(2, 6))
    blow.ended = time.time()
    promised, unanswered = traffic.accepted - accepted, traffic.lost - lost
    tell(
        f"round {number:<3} {blow.what}; whole again after {time.monotonic() - mended:.1f} s; "
        f"{promised} echoes promised, {unanswered} answers lost"
    )


def settle(scene: Scene, tell: Tell) -> None:
    """Nothing more is asked for, and everything that was comes to its end."""
    began = time.monotonic()
    scene.traffic.stop()
    until(lambda: not _unsettled(scene), "every conversation is known for sure", SETTLED_IN)
    scene.until_recovered()
    until(lambda: not _under_way(scene), "every echo has come to its end", SETTLED_IN)
    tell(f"settled in {time.monotonic() - began:.0f} s")


def _unsettled(scene: Scene) -> bool:
    """Whether a create's answer was lost, something came of it, and nobody has found that out yet."""
    rows = scene.place.api.all("conversations/")
    names = {row["conversation_name"] for row in rows if row["state"] in ("reserved", "unknown")}
    return any(room["conversation_name"] in names for room in scene.place.twin.get("/twin/rooms"))


def _under_way(scene: Scene) -> bool:
    states = ",".join(("held", "queued", "sending", "sent", "speaking"))
    paths = [f"conversations/{row['id']}/echoes/?state={states}&limit=10" for row in scene.rooms()]
    return any(scene.place.api.get(path)["results"] for path in paths)
