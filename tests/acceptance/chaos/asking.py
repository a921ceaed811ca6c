"""The REST API of several consoles, any of which may be gone at the moment."""

from __future__ import annotations

import random
import time
from typing import Any

import httpx

PATIENCE = 40.0  # s that one answer is waited for; a console may keep it for 30 s where it is asked to
AWAY = (httpx.TransportError, httpx.HTTPStatusError)


class Api:
    """Asks whichever console answers."""

    def __init__(self, urls: list[str], key: str) -> None:
        self.urls, self.key = urls, key
        limits = httpx.Limits(max_keepalive_connections=0)  # a kept connection would be to a console that is gone
        self._http = httpx.Client(
            timeout=PATIENCE, trust_env=False, limits=limits, headers={"Authorization": f"Bearer {key}"}
        )

    def once(self, url: str, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """One POST to one console; the answer whatever it is. Raises httpx.TransportError where none came."""
        return self._http.post(f"{url}/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str, limit: float = 90.0) -> Any:
        """What some console answers, within `limit` seconds."""
        return self._insist("GET", path, None, limit)

    def post(self, path: str, body: Any = None, limit: float = 90.0) -> Any:
        """The same for a POST that may be sent twice."""
        return self._insist("POST", path, body, limit)

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every row of a list, from one of the consoles."""
        mark = "&" if "?" in path else "?"
        page = self.get(f"{path}{mark}limit=100")
        rows: list[dict[str, Any]] = page["results"]
        while page["next"]:
            page = self.get(page["next"].partition("/api/v1/")[2])
            rows += page["results"]
        return rows

    def _insist(self, method: str, path: str, body: Any, limit: float) -> Any:
        deadline = time.monotonic() + limit
        while True:
            url = random.choice(self.urls)
            try:
                answer = self._http.request(method, f"{url}/api/v1/{path}", json=body)
                answer.raise_for_status()
                return answer.json() if answer.content else None
            except AWAY:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
