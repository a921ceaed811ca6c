"""What tells one request with an Idempotency-Key from another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from echoadmin.accounts.models import ApiKey
from echoadmin.api.problems import refused

_KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")


@dataclass(frozen=True)
class Asked:
    """Whose key it is and where it was used, and what was asked with it."""

    place: dict[str, str]
    fingerprint: str


def asked_by(request: Any) -> Asked | None:
    """None without a key. Raises ApiError for one that can't be."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        words = "Is 1 to 255 printable ASCII characters, such as a UUID."
        raise refused(400, "invalid", f"Idempotency-Key: {words}", **{"Idempotency-Key": words})
    path = f"{request.path.rstrip('/')}/"  # the slash may be forgotten
    place = {"who": _who(request), "method": request.method, "path": path[:500], "key": key}
    return Asked(place, _fingerprint(request))


def _who(request: Any) -> str:
    return f"key:{request.auth.first_prefix}" if isinstance(request.auth, ApiKey) else f"user:{request.user.pk}"


def _fingerprint(request: Any) -> str:
    """Of the body, and of the query, whose order says nothing."""
    body = _of_parts(request) if request.content_type.startswith("multipart/") else sha256(request.body).hexdigest()
    query = sorted(request.query_params.lists())
    return sha256(f"{query} {body}".encode()).hexdigest() if query else body


def _of_parts(request: Any) -> str:
    """Of what a multipart body holds, since its boundary differs each time."""
    whole = sha256()
    for name, values in sorted(request.POST.lists()):
        whole.update(repr((name, values)).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            content = sha256()
            for block in file.chunks():
                content.update(block)
            file.seek(0)
            whole.update(repr((name, content.hexdigest())).encode())
    return whole.hexdigest()
