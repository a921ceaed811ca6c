"""Pre-flight: what would fail, told before money is spent and before the first line. Nothing is made, nothing is paid.

`before_creating` asks Tavus at most twice, by GET, so it may not be called inside a database transaction; with
`test_mode` also by a POST, which Tavus answers without a replica and without a bill. `before_speaking` asks only the
database.
"""

from conversations.preflight.checks import Check
from conversations.preflight.creating import before_creating
from conversations.preflight.speaking import before_speaking

__all__ = ["Check", "before_creating", "before_speaking"]
