"""`python -m tests.acceptance.secret_scan.after_suite --noted FILE FOLDER…`: what the suite left, looked through.

FOLDER: pytest's own (`--basetemp`), with the databases, spools, exports and output of every console that a test ran.
Ends with 1 and a list of places when a secret lies in one of them; with 2 when nothing was noted, so that a plugin that
was not loaded is no pass.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.acceptance.secret_scan.noting import noted
from tests.acceptance.secret_scan.scanning import scan_folder, tokens_of_twins

TWINS = ("twin.sqlite3", "/twin-store")  # what the stand-in for the vendor keeps is the vendor's


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noted", type=Path, required=True)
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    secrets = noted(options.noted) if options.noted.exists() else {}
    if not secrets:
        print(f"no secret was noted in {options.noted}: was the suite run with -p tests.acceptance.secret_scan.noting?")
        return 2
    found = []
    for folder in options.folders:
        tokens = tokens_of_twins(folder)
        found += scan_folder(folder, {**secrets, **tokens}, without=TWINS)
        print(f"{folder}: looked for {len(secrets)} noted secrets and {len(tokens)} meeting tokens")
    for one in found:
        print(f"FOUND {one}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
