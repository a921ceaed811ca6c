"""A process of its own that puts numbered units into a log's writer until it is killed.

    python -m tests.integration.log.spooling_writer <database> <folder> <first number>

Prints each number once its unit is durable, in the order in which they became so.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(database: str, folder: str, first: int) -> None:
    """Until it is killed."""
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    settings.DATABASES["default"].get("OPTIONS", {}).pop("pool", None)
    django.setup()
    from echoadmin.log.writer import Folder, Unit, Writer, intake
    from tests.integration.log.drafts import draft

    intake.PIECE_ENTRIES = 4  # so that a spool is taken in for a while

    writer = Writer(spool=Folder(Path(folder), "child", "ours", 2**26))
    writer.start()
    for number in range(first, first + 100_000):
        unit = Unit([draft(f"cv_{number % 3}", message={"number": number})], happened=True)
        future = writer.put(unit)
        future.add_done_callback(lambda done, n=number: print(n if done.exception() is None else "lost", flush=True))
        time.sleep(0.002)  # as they come


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
