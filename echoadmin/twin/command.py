"""The twin's command line: options over environment over defaults."""

import argparse
import logging
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from echoadmin.garbage import spare_what_is_loaded

from .certificates import ensure_certificates
from .server import CannotStart, run
from .settings import TwinSettings

DESCRIPTION = "A local stand-in for Tavus's API and Daily's rooms."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the twin's options to a parser."""
    parser.add_argument("--port", type=int, help="where Tavus's API answers (TWIN_PORT, 8790); 0 for a free one")
    parser.add_argument("--daily-port", type=int, help="where Daily answers (TWIN_DAILY_PORT, 8791); 0 for a free one")
    parser.add_argument("--speed", type=float, help="how many times faster the replicas speak (TWIN_SPEED, 1)")
    parser.add_argument("--data", type=Path, help="the folder for its database and certificates (ECHOADMIN_DATA, var)")
    parser.add_argument("--print-ca", action="store_true", help="print the path of the CA file to trust, and exit")


def settings_from(options: Mapping[str, object], environment: Mapping[str, str]) -> TwinSettings:
    """Return the settings. Raises :class:`CannotStart` for a value that makes no sense."""

    def pick(option: str, variable: str, default: str) -> str:
        given = options.get(option)
        return str(given) if given is not None else environment.get(variable) or default

    try:
        settings = TwinSettings(
            data=Path(pick("data", "ECHOADMIN_DATA", "var")),
            port=int(pick("port", "TWIN_PORT", "8790")),
            daily_port=int(pick("daily_port", "TWIN_DAILY_PORT", "8791")),
            speed=float(pick("speed", "TWIN_SPEED", "1")),
        )
    except ValueError as error:
        raise CannotStart(f"TWIN_PORT, TWIN_DAILY_PORT and TWIN_SPEED must be numbers: {error}.") from None
    if not 0 < settings.speed <= 1000:
        raise CannotStart("TWIN_SPEED must be over 0 and at most 1000.")
    if not all(0 <= port <= 65535 for port in (settings.port, settings.daily_port)):
        raise CannotStart("TWIN_PORT and TWIN_DAILY_PORT must be 0 to 65535.")
    return settings


def start(options: Mapping[str, object]) -> int:
    """Do what the options say; return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = settings_from(options, os.environ)
        if options.get("print_ca"):
            sys.stdout.write(f"{ensure_certificates(settings.folder).ca_file.resolve()}\n")
        else:
            spare_what_is_loaded()
            run(settings)
    except CannotStart as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"The twin cannot go on: {error}\n")
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the twin from a command line without Django."""
    parser = argparse.ArgumentParser(prog="python -m echoadmin.twin", description=DESCRIPTION)
    add_arguments(parser)
    return start(vars(parser.parse_args(arguments)))
