"""The pages for what a visitor may not do, what is not there, and what broke: each says the way out."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import bad_request as plain_bad_request

from echoadmin.api.problems import Problem
from echoadmin.pages import told


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, before any view is asked: an address of another host, a request that makes no sense."""
    if not _is_for_api(request):
        return plain_bad_request(request, exception)
    words = "The request can't be read."
    if isinstance(exception, DisallowedHost):
        words = "This console does not answer under this host name. Its ECHOADMIN_ALLOWED_HOSTS names those it has."
    return _as_problem(request, Problem(400, "invalid", words))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the role or the right is missing."""
    words = str(exception) or "You may not see this page."
    return told(request, 403, words, "" if str(exception) else "An admin can give you a role under Users.", "forbidden")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    words = str(exception.args[0]) if exception.args and isinstance(exception.args[0], str) else ""
    return told(
        request, 404, words or "There is no page at this address.", "Find it from the lists on the left.", "not_found"
    )


def broken(request: HttpRequest) -> HttpResponse:
    """500: nothing that could break again is used."""
    if _is_for_api(request):
        words = "Something here is broken, not your request. Tell whoever runs this console the request_id."
        return _as_problem(request, Problem(500, "internal", words))
    request_id = getattr(request, "request_id", "")
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Something broke</title>"
        "<body style='font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem'>"
        "<h1>Something broke in this console</h1>"
        "<p>Nothing that you did is lost if its own page shows it. Look there before you do it again.</p>"
        f"<p>The console's log has the details, under the request <code>{request_id}</code>.</p>"
        "<p><a href='/admin/'>Home</a></p>"
    )
    return HttpResponse(body, status=500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form was drawn before this sign-in, or on another address."""
    return told(
        request,
        403,
        "This form is no longer valid.",
        "Go back, reload the page and send it again; nothing was done.",
        "csrf",
    )


def _is_for_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _as_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    """What goes wrong outside of the API's views has its shape all the same."""
    return JsonResponse(problem.body(getattr(request, "request_id", None)), status=problem.status)
