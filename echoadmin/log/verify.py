"""The short way to ask whether one stream is as it was written; echoadmin.log.proof has the whole."""

from __future__ import annotations

from echoadmin.log.proof.verifying import Scope, verify


def verify_stream(public_id: str) -> int | None:
    """The number of the first entry that was changed, removed, inserted or moved; None when all is as it was written.

    A number past the last entry's means that the end was cut off. Raises CannotVerify where there is no such stream.
    """
    found = verify(Scope(stream=public_id))
    return (found[0].n or 0) if found else None
