"""Where the console is, and how long it is waited for: the same for both clients."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import httpx

TIMEOUT = 45.0  # seconds for one answer; the console keeps one for 30 at most
CONNECT_TIMEOUT = 10.0
PATIENCE = 60.0  # seconds that a request is tried again for


def options(url: str | None, key: str | None, timeout: float, transport: Any) -> dict[str, Any]:
    """For httpx. Raises ValueError where nothing says which console, or which key."""
    base = (url or os.environ.get("ECHOADMIN_URL", "")).rstrip("/")
    secret = key or os.environ.get("ECHOADMIN_KEY", "")
    if urlsplit(base).scheme not in ("http", "https"):
        raise ValueError("where is the console? Give url, such as http://127.0.0.1:8000, or set ECHOADMIN_URL")
    if not secret:
        raise ValueError("give key, from manage.py create_api_key, or set ECHOADMIN_KEY")
    return {
        "base_url": base,
        "headers": {"Authorization": f"Bearer {secret}", "Accept": "*/*", "User-Agent": "echoadmin-client"},
        "timeout": httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
        "transport": transport,
        "trust_env": False,  # no proxy and no .netrc gets the key
        "follow_redirects": False,
    }
