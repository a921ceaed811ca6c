"""ETags on reads: made of the answer's own bytes, so whatever changes in it changes the tag."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response

from echoadmin.accounts.models import ApiKey

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tag(request: Request, response: Response) -> None:
    """Once the answer is rendered, gives it its ETag; where the request's If-None-Match has it, makes it a 304.

    A program may keep what it read with its key, and ask whether it still holds; a browser that is signed in keeps
    nothing (`no-store`, see `echoadmin.security_headers`).
    """
    given = request.headers.get("If-None-Match", "")

    def conditional(rendered: Any) -> HttpResponse | None:
        etag = f'"{blake2b(rendered.content, digest_size=16).hexdigest()}"'
        rendered.headers["ETag"] = etag
        if isinstance(request.auth, ApiKey):
            rendered.headers["Cache-Control"] = "private, no-cache"
            patch_vary_headers(rendered, ("Authorization",))
        if not _matches(given, etag):
            return None
        kept = {name: value for name, value in rendered.items() if name not in ("Content-Type", "Content-Length")}
        unchanged = HttpResponse(status=304, headers=kept)
        del unchanged.headers["Content-Type"]
        return unchanged

    response.add_post_render_callback(conditional)


def _matches(given: str, etag: str) -> bool:
    """RFC 9110 §13.1.2: the weak comparison."""
    return given.strip() == "*" or etag in _TAG.findall(given)
