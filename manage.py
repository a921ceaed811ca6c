#!/usr/bin/env python
"""Django's command line for echoadmin: `manage.py serve` runs the console, `manage.py help` lists the rest."""

import os
import sys


def main() -> None:
    """Run the command; a setting that makes no sense is one clear line, not a traceback."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the very line that tells an older Python so
        sys.exit("echoadmin needs Python 3.11 or newer; this is %s.%s" % sys.version_info[:2])  # noqa: UP031
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "echoadmin.settings")
    from django.core.management import execute_from_command_line

    from echoadmin.env import BadSetting

    try:
        execute_from_command_line(sys.argv)
    except BadSetting as error:
        sys.exit(f"echoadmin: {error}")


if __name__ == "__main__":
    main()
