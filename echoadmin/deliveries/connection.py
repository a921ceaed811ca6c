"""The way to one address: judged at each use, and kept open between uses as long as it is the same."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from echoadmin.deliveries.addresses import Target

CONNECT, READ = 5.0, 10.0  # seconds


class Connection:
    """A client for one target. A name that stands for another address by now, or another name, gets a new one:
    nothing goes over a connection that was made to what was judged under another name."""

    def __init__(self) -> None:
        self._target: tuple[str, str] | None = None
        self._client: httpx.Client | None = None

    def to(self, target: Target) -> httpx.Client:
        """Redirects are not followed, and no proxy of the environment's is asked: both lead to what nobody judged."""
        wanted = (target.authority, target.url.split("/")[2])
        if self._client is None or self._target != wanted:
            self.close()
            timeout = httpx.Timeout(READ, connect=CONNECT)
            self._client = httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False)
            self._target = wanted
        return self._client

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
