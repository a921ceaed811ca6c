"""The manifest: what a backup holds, by size and digest, signed by the installation that made it.

It is written last: a folder without one is no whole backup.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

from echoadmin.log.proof import signing

FORMAT = 1
NAME, HEADS, SPOOL = "manifest.json", "heads.jsonl", "spool"
DATABASE = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


class BadBackup(RuntimeError):
    """The folder holds no whole backup, or one that was changed; the message names what."""


def write(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Digest every file of the folder, sign, and put the manifest beside them; returns it."""
    files = {str(path.relative_to(folder)): described(path) for path in files_of(folder)}
    manifest = {"format": FORMAT, **facts, "files": files}
    signed_by, signature = signing.sign(_document(manifest))
    manifest = {**manifest, "signed_by": signed_by, "signature": signature.hex()}
    making = folder / (NAME + ".new")
    with making.open("x", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    making.rename(folder / NAME)
    return manifest


def read(folder: Path) -> dict[str, Any]:
    """The manifest, once every file is as it says. Raises BadBackup."""
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files, signature = dict(manifest["files"]), bytes.fromhex(manifest["signature"])
    except FileNotFoundError as error:
        raise BadBackup(f"{folder} has no {NAME}: it is no backup, or one that was not finished") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadBackup(f"{folder / NAME} can't be read: {error!r}") from error
    if manifest.get("format") != FORMAT:
        raise BadBackup(f"{folder} has the format {manifest.get('format')}; this version reads {FORMAT}")
    _compare(folder, files)
    unsigned = {name: value for name, value in manifest.items() if name not in ("signed_by", "signature")}
    if signing.judge(_document(unsigned), manifest["signed_by"], signature) == "bad":
        raise BadBackup(f"{folder / NAME} was changed after it was signed")
    return dict(manifest)


def files_of(folder: Path) -> Iterator[Path]:
    """Every file but the manifest, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (NAME, NAME + ".new"):
            yield path


def described(path: Path) -> dict[str, Any]:
    """`{"bytes", "sha256"}`."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}


def _compare(folder: Path, files: dict[str, Any]) -> None:
    there = {str(path.relative_to(folder)): path for path in files_of(folder)}
    if missing := sorted(files.keys() - there.keys()):
        raise BadBackup(f"{folder} lacks {missing[0]}")
    if more := sorted(there.keys() - files.keys()):
        raise BadBackup(f"{folder} has {more[0]}, of which the manifest knows nothing; take it away")
    for name, described_as in files.items():
        if described(there[name]) != described_as:
            raise BadBackup(f"{name} is not as it was when the backup was made")


def _document(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode("ascii")
