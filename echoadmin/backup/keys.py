"""The keys that a backup depends on: named by fingerprints, and in it only sealed with a passphrase.

A backup that holds the key beside what it unseals would be one secret; so without a passphrase the keys stay outside.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings

from echoadmin.backup.manifest import BadBackup
from echoadmin.log.proof import signing

NAME = "keys.sealed"
_SCRYPT = {"length": 32, "n": 2**15, "r": 8, "p": 1}


class OtherKeys(RuntimeError):
    """The keys here are not those of the backup; the message says the way out."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the file that it is made in, whether the environment gave it, and its name in public."""

    file: str
    variable: str
    value: str
    given: bool
    fingerprint: str


def in_use() -> list[Key]:
    """Those in use. Raises BadSigningKey."""
    secret = sha256(b"echoadmin backup\0" + settings.SECRET_KEY.encode()).hexdigest()[:16]
    signer = signing.key_id(signing.public_key())
    return [
        Key("secret_key", "ECHOADMIN_SECRET_KEY", settings.SECRET_KEY, settings.SECRET_KEY_GIVEN, secret),
        Key("signing_key", "ECHOADMIN_SIGNING_KEY", settings.SIGNING_KEY, settings.SIGNING_KEY_GIVEN, signer),
    ]


def seal_into(folder: Path, passphrase: str) -> None:
    """Put the keys in use into the folder, sealed."""
    salt = os.urandom(16)
    plain = json.dumps({key.file: key.value for key in in_use()}).encode()
    sealed = {"salt": salt.hex(), "token": _fernet(passphrase, salt).encrypt(plain).decode()}
    (folder / NAME).write_text(json.dumps(sealed), encoding="ascii")


def unseal_from(folder: Path, passphrase: str) -> dict[str, str]:
    """The keys by their files. Raises BadBackup."""
    try:
        sealed = json.loads((folder / NAME).read_text(encoding="ascii"))
        fernet = _fernet(passphrase, bytes.fromhex(sealed["salt"]))
        return dict(json.loads(fernet.decrypt(sealed["token"].encode())))
    except InvalidToken as error:
        raise BadBackup("ECHOADMIN_BACKUP_PASSPHRASE is not the one that sealed the keys of this backup") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadBackup(f"{folder / NAME} can't be read: {error!r}") from error


def bring_back(folder: Path, wanted: dict[str, str], passphrase: str) -> list[str]:
    """See that the keys here are the backup's, or put those that it holds into the data folder; returns which.

    wanted: fingerprints by file. Raises OtherKeys, BadBackup.
    """
    other = [key for key in in_use() if wanted.get(key.file) != key.fingerprint]
    if not other:
        return []
    sealed = unseal_from(folder, passphrase) if passphrase and (folder / NAME).exists() else {}
    for key in other:
        if key.given or key.file not in sealed:
            raise OtherKeys(_way_out(key, wanted.get(key.file, "?"), (folder / NAME).exists()))
    for key in other:
        _write(Path(settings.DATA) / key.file, sealed[key.file])
    return [key.file for key in other]


def _way_out(key: Key, wanted: str, sealed: bool) -> str:
    said = f"this backup was made with another {key.variable} (fingerprint {wanted}; here it is {key.fingerprint}). "
    if key.given:
        return said + f"Give the one it was made with, or unset {key.variable}"
    ways = f"Give it, or copy the old data folder's {key.file} to {Path(settings.DATA) / key.file}"
    return said + ways + (", or give ECHOADMIN_BACKUP_PASSPHRASE: the backup holds it, sealed" if sealed else "")


def _write(path: Path, value: str) -> None:
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(value)
    beside.replace(path)


def _fernet(passphrase: str, salt: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(Scrypt(salt=salt, **_SCRYPT).derive(passphrase.encode())))
