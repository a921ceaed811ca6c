"""The ids that people and programs see: ours, from birth, and never a row's number."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids get read aloud


def new_public_id(prefix: str) -> str:
    """`prefix_` and 20 random characters (100 bits)."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(20))
