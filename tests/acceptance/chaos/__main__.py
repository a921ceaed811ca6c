"""Breaks an installation of real processes at random, and compares three witnesses of what came of it.

    make chaos ROUNDS=20 SEED=7            PostgreSQL, Redis, two consoles, two workers
    make chaos ROUNDS=20 EMBEDDED=1        one console on SQLite, its rooms inside

Exit code 0: every promise was kept. 1: one was not; the report says which, and the folder with all logs stays.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from tests.acceptance.chaos import report, rounds
from tests.acceptance.chaos.acts import Act
from tests.acceptance.chaos.checks.all_checks import ALL
from tests.acceptance.chaos.evidence import gather
from tests.acceptance.chaos.place import Place
from tests.acceptance.chaos.scene import Scene
from tests.waiting import until


def run(arguments: argparse.Namespace, folder: Path) -> bool:
    """Everything, from the first process to the last check; whether every promise was kept."""
    place = Place(folder, embedded=arguments.embedded)
    try:
        place.open()
        scene = Scene(place, random.Random(arguments.seed))
        acts = rounds.chosen(arguments.rounds, random.Random(arguments.seed), embedded=arguments.embedded)
        troubles = _played(scene, acts)
        evidence = gather(scene, troubles)
        kept = report.tell_checks([look(evidence) for look in ALL])
        report.tell_complaints(folder)
        _end(scene)
        return kept
    except Exception as trouble:  # noqa: BLE001 - told as any other failure
        report.tell("TROUBLE: " + "".join(traceback.format_exception(trouble)))
        return False
    finally:
        place.close()


def _played(scene: Scene, acts: list[Act]) -> list[str]:
    """Play the rounds and settle; what kept them from their end."""
    troubles = []
    for part in (lambda: rounds.play(scene, acts, report.tell), lambda: rounds.settle(scene, report.tell)):
        try:
            part()
        except Exception as trouble:  # noqa: BLE001 - the checks tell what came of it
            report.tell(f"TROUBLE: {trouble}")
            troubles.append("".join(traceback.format_exception(trouble, limit=-4)))
    return troubles


def _end(scene: Scene) -> None:
    """End every conversation, as people do. Raises AssertionError where the bill does not stop."""
    for row in scene.place.api.all("conversations/?status=active&state=live"):
        scene.place.api.post(f"conversations/{row['id']}/end/")

    def over() -> bool:
        return not any(row["active"] for row in scene.place.twin.get("/twin/bill")["conversations"])

    until(over, "the bill has stopped")


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(prog="make chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    embedded = os.environ.get("CHAOS_DATABASE") == "sqlite"
    parser.add_argument("--embedded", action="store_true", default=embedded, help="SQLite, one console, no Redis")
    arguments = parser.parse_args()
    again = f"make chaos ROUNDS={arguments.rounds} SEED={arguments.seed}{' EMBEDDED=1' * arguments.embedded}"
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user, and has a folder within
    report.tell(f"{again}   (all logs under {folder})")
    kept = run(arguments, folder)
    print(f"\n{'every promise was kept' if kept else 'PROMISES WERE BROKEN'}; again: {again}")
    if kept:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
