"""Signing in to the pages: password, a code where there is an authenticator, and not too many tries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from echoadmin.accounts import second_factor, throttling
from echoadmin.accounts.acting import actor, actor_of, client_address
from echoadmin.accounts.recording import record
from echoadmin.api.problems import Problem
from echoadmin.pages import told

REFUSED = "sign_in_refused"  # on the request: seconds to wait


class SignInForm(AuthenticationForm):
    """Name, password, and a code for who has an authenticator."""

    code = forms.CharField(
        label="Code",
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
        help_text="From your authenticator, or one on paper. Leave it empty if you have none.",
    )

    @property
    def asks_for_code(self) -> bool:
        """Whether anybody here has an authenticator."""
        return second_factor.any_in_use()

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError; what failed counts towards the next tries."""
        name = str(self.cleaned_data.get("username") or "")
        try:
            attempt = throttling.begin(name, client_address(self.request))
        except throttling.TooManyAttempts as refused:
            setattr(self.request, REFUSED, refused.wait)
            raise
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        if isinstance(user, User):
            self._check_code(user)
            attempt.succeeded()
        return cleaned

    def _check_code(self, user: User) -> None:
        row = second_factor.of(user)
        if row is None:
            return
        who = actor_of(user, None, source="page", request_id=getattr(self.request, "request_id", None))
        code = self.cleaned_data.get("code") or ""
        if code and second_factor.takes(row, code, actor=who):
            return
        self.user_cache = None
        facts = {"address": client_address(self.request), "known": True, "reason": "code"}
        record("sign_in_failed", who, facts, is_error=True)
        raise ValidationError(
            "This account asks for a code from its authenticator, one that was not used yet.", code="code"
        )


@never_cache
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """The admin's own page; 429 with Retry-After where no try is taken."""
    admin.site.login_form = SignInForm
    answer = admin.site.login(request)
    wait = getattr(request, REFUSED, None)
    if wait is not None:
        answer.status_code = 429
        answer.headers["Retry-After"] = str(wait)
    return answer


def change_password(request: HttpRequest) -> HttpResponseBase:
    """The admin's own page; the log says that it was done."""
    answer = admin.site.password_change(request)
    if request.method == "POST" and answer.status_code == 302 and request.user.is_authenticated:
        record("password.changed", actor(request), {"user": request.user.get_username()})
    return answer


OPEN = ("access:second_factor", "admin:logout", "admin:login", "admin:jsi18n")  # without an authenticator


def second_factor_required(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware, where ECHOADMIN_TOTP_ROLES is set: who is to have an authenticator gets no further without one."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if "HTTP_AUTHORIZATION" in request.META or request.path in {reverse(name) for name in OPEN}:
            return get_response(request)
        user = request.user
        missing = isinstance(user, User) and second_factor.is_missing(user)
        return _sent_to_enrol(request) if missing else get_response(request)

    return answer


def _sent_to_enrol(request: HttpRequest) -> HttpResponse:
    if request.method == "GET" and request.path.startswith("/admin/"):
        return redirect("access:second_factor")
    words, way_out = (
        "Your role needs an authenticator, and you have none yet.",
        "Set one up under /admin/second-factor/.",
    )
    if request.path.startswith("/admin/"):
        return told(request, 403, words, way_out, "second_factor_missing")
    problem = Problem(403, "second_factor_missing", f"{words} {way_out}")
    return JsonResponse(problem.body(getattr(request, "request_id", None)), status=403)
