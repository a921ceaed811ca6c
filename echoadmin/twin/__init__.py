"""The twin: a local stand-in for Tavus's HTTP API and Daily's rooms, over real sockets.

Real clients talk to it unchanged: httpx (or Tavus's own command line) with another base URL, daily-python with a proxy
URL and a CA file. A replica waits in every room, says what it is echoed, and the twin keeps its own record of what each
room carried. Any ``x-api-key`` is accepted, but one that begins with ``invalid`` (401), and none at all (401).

It is a package of its own: it imports nothing else of echoadmin, and only its command and the tests import it.
"""

VERSION = "1.0"
