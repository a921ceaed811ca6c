"""The page where one sets up an authenticator, gets new codes on paper, and takes it away."""

from __future__ import annotations

from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from echoadmin.accounts import second_factor, throttling
from echoadmin.accounts.acting import actor, client_address
from echoadmin.accounts.models import SecondFactor
from echoadmin.pages import draw

TEMPLATE = "accounts/second_factor.html"


def second_factor_page(request: HttpRequest) -> HttpResponseBase:
    """GET: how it stands, with the QR code of one that is not confirmed yet. POST: confirm, renew or remove, by a
    code."""
    user = request.user
    assert isinstance(user, User)
    row = second_factor.of(user) or second_factor.begin(user)
    if request.method != "POST":
        return _drawn(request, row)
    try:
        attempt = throttling.begin(f"code of {user.get_username()}", client_address(request))
        codes = _do(request, row)
    except throttling.TooManyAttempts as refused:
        answer = _drawn(request, row, error=refused.message, status=429)
        answer.headers["Retry-After"] = str(refused.wait)
        return answer
    except ValidationError as error:
        return _drawn(request, row, error=" ".join(error.messages), status=400)
    attempt.succeeded()
    if codes is None:
        messages.success(request, "Your authenticator is removed.")
        return redirect("access:second_factor")
    return _drawn(request, row, codes=codes)


def _do(request: HttpRequest, row: SecondFactor) -> list[str] | None:
    """The codes on paper that came of it; None when it was removed. Raises ValidationError."""
    what, code, who = request.POST.get("do"), request.POST.get("code", ""), actor(request)
    if row.confirmed_at is None:
        return second_factor.confirm(row, code, actor=who)
    if not second_factor.takes(row, code, actor=who):
        raise ValidationError("This code is wrong, or was used already.")
    if what == "renew":
        return second_factor.renew_codes(row, actor=who)
    second_factor.remove(row, actor=who)
    return None


def _drawn(request: HttpRequest, row: SecondFactor, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {"title": "Authenticator", "row": row, "required": second_factor.role_needs_one(row.user), **more}
    if row.confirmed_at is None:
        qr = segno.make(second_factor.address_of(row), error="m").svg_data_uri(scale=5, border=2)
        seed = second_factor.seed_of(row)
        context |= {"qr": qr, "seed": " ".join(seed[at : at + 4] for at in range(0, len(seed), 4))}
    return draw(request, TEMPLATE, context, status)
