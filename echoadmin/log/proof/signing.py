"""Signatures of checkpoints and of what was pruned: Ed25519, by the key of ECHOADMIN_SIGNING_KEY.

The private key lies outside the database: who can write rows can't sign. Trusted are the key in use, the public keys
that ECHOADMIN_OLD_SIGNING_KEYS names, and the one that was made in the data folder.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.conf import settings
from django.utils import timezone

from echoadmin.log.proof.models import SigningKey

Verdict = Literal["good", "bad", "unknown key"]


class BadSigningKey(ValueError):
    """ECHOADMIN_SIGNING_KEY, or one of ECHOADMIN_OLD_SIGNING_KEYS, can't be read; the message says what it takes."""


def public_key() -> bytes:
    """The 32 bytes of the public key in use. Raises BadSigningKey."""
    return _raw(_private(settings.SIGNING_KEY).public_key())


def key_id(public: bytes) -> str:
    """A key's name: the first 16 hex digits of the SHA-256 of its 32 public bytes."""
    return sha256(public).hexdigest()[:16]


def sign(document: bytes) -> tuple[str, bytes]:
    """The id of the key in use, and its signature (64 bytes). Raises BadSigningKey."""
    return key_id(public_key()), _private(settings.SIGNING_KEY).sign(document)


def note_key() -> None:
    """Puts the key in use among those that signed here; call it before rows that it signs."""
    key = public_key()
    SigningKey.objects.get_or_create(key_id=key_id(key), defaults={"public_key": key, "first_used_at": timezone.now()})


def judge(document: bytes, signed_by: str, signature: bytes) -> Verdict:
    """Whether `signature` is that of a trusted key over `document`. Raises BadSigningKey."""
    public = trusted().get(signed_by)
    if public is None:
        return "unknown key"
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, document)
    except InvalidSignature:
        return "bad"
    return "good"


def trusted() -> dict[str, bytes]:
    """The public keys that count, by their ids. Raises BadSigningKey."""
    return _trusted(settings.SIGNING_KEY, tuple(settings.OLD_SIGNING_KEYS), Path(settings.DATA) / "signing_key")


@lru_cache(maxsize=8)
def _trusted(current: str, old: tuple[str, ...], made: Path) -> dict[str, bytes]:
    keys = [_raw(_private(current).public_key()), *(_public(text) for text in old)]
    if made.exists():
        keys.append(_raw(_private(made.read_text(encoding="utf-8").strip()).public_key()))
    return {key_id(key): key for key in keys}


@lru_cache(maxsize=8)
def _private(text: str) -> Ed25519PrivateKey:
    """From PEM, or from the base64 of the 32 bytes of its seed."""
    try:
        if text.startswith("-----"):
            key = load_pem_private_key(text.replace("\\n", "\n").encode("ascii"), password=None)
        else:
            key = Ed25519PrivateKey.from_private_bytes(_32_bytes(text))
    except UnicodeEncodeError:
        raise BadSigningKey(f"ECHOADMIN_SIGNING_KEY has characters that no key has; {_WAYS}") from None
    except (ValueError, TypeError) as error:
        raise BadSigningKey(f"ECHOADMIN_SIGNING_KEY can't be read ({error}); {_WAYS}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSigningKey(f"ECHOADMIN_SIGNING_KEY holds a {type(key).__name__}; {_WAYS}")
    return key


_WAYS = (
    "give an Ed25519 private key: PEM as `openssl genpkey -algorithm ed25519` makes it, or the base64 of its 32 bytes"
)


def _public(text: str) -> bytes:
    try:
        return _32_bytes(text)
    except ValueError:
        raise BadSigningKey(
            f"ECHOADMIN_OLD_SIGNING_KEYS has {text[:60]!r}; give public keys as `manage.py checkpoint_log --keys` "
            "prints them: the base64 of 32 bytes, separated by commas"
        ) from None


def _32_bytes(text: str) -> bytes:
    raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    if len(raw) != 32:
        raise ValueError(f"{len(raw)} bytes where 32 belong")
    return raw


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
