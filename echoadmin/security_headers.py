"""What every answer tells the browser: load nothing from another host, frame nowhere, keep nothing that is personal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.http import HttpRequest
from django.http.response import HttpResponseBase

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # The admin's theme is made of Alpine expressions, which are evaluated; no page has an inline script.
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def content_security_policy(frames: Sequence[str] = ()) -> str:
    """The policy of a page that may frame these sources besides; without any it is every page's."""
    return "; ".join([CONTENT_SECURITY_POLICY, *([f"frame-src {' '.join(frames)}"] if frames else [])])


def permissions_policy(frames: Sequence[str] = (), *, microphone: bool = False) -> str:
    """The permissions of a page that may listen itself, and whose frames may ask for a camera and a microphone.

    A frame can be given only what its page has: where frames may ask, so may the page (W3C Permissions Policy, 5.7).
    """
    framed = " ".join(["self", *(f'"{source}"' for source in frames)]) if frames else ""
    listens = framed or ("self" if microphone else "")
    return f"camera=({framed}), microphone=({listens}), geolocation=()"


def security_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: the content security policy, and `no-store` where a view has not said how long its answer keeps."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", permissions_policy())
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer
