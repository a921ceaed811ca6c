"""Signatures as Standard Webhooks has them (standardwebhooks.com, 1.0.0): libraries for most languages check them.

Headers: `webhook-id`, `webhook-timestamp` (seconds since 1970), `webhook-signature`: "v1," and the base64 of
HMAC-SHA256 over "id.timestamp.body"; several, with blanks between, while a secret is being changed.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence

PREFIX = "whsec_"


def new_secret() -> str:
    """32 random bytes, as the libraries take them: whsec_…"""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode("ascii")


def signature(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """One signature. Raises ValueError for a secret that is none."""
    key = b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = hmac.digest(key, f"{delivery_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{b64encode(signed).decode('ascii')}"


def headers(known: Sequence[str], delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers, signed with each of the secrets."""
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, delivery_id, timestamp, body) for secret in known),
    }
