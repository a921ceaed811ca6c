"""``python -m echoadmin.twin``: the twin without Django."""

import sys

from .command import main

sys.exit(main())
