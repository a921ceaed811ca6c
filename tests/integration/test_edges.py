"""The console's outer edge: other sites' pages, other hosts' names, cookies and headers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from echoadmin import env
from tests import make
from tests.passwords import PASSWORD, QUICK
from tests.unit.test_checks import PRODUCTION, ROOT

pytestmark = pytest.mark.django_db
SITE = "https://app.example"
ASKED = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def test_no_other_sites_page_calls_the_api_unless_it_is_named() -> None:
    for method in ("options", "get", "post"):
        answer = getattr(Client(), method)("/api/v1/personas/", headers=ASKED)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.fixture
def site(settings: LazySettings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [SITE]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:2], "corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE[2:]]


def test_a_site_that_is_named_calls_the_api_with_a_key_and_never_with_a_cookie(site: None) -> None:
    asked = Client().options("/api/v1/personas/", headers=ASKED)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, SITE)
    allowed = asked.headers["Access-Control-Allow-Headers"]
    assert {"authorization", "idempotency-key", "if-none-match", "last-event-id"} <= set(allowed.split(", "))
    told = Client().get("/api/v1/personas/", headers={"Origin": SITE})
    assert told.status_code == 401, "it may read why"
    assert told.headers["Access-Control-Allow-Origin"] == SITE
    assert "Retry-After" in told.headers["Access-Control-Expose-Headers"]
    for answer in (asked, told):
        assert "Access-Control-Allow-Credentials" not in answer.headers


CLOSED = [("/api/v1/personas/", "https://evil.example"), ("/admin/", SITE), ("/metrics", SITE)]


@pytest.mark.parametrize(("path", "origin"), CLOSED)
def test_other_sites_and_other_addresses_stay_closed(site: None, path: str, origin: str) -> None:
    answer = Client().options(path, headers={**ASKED, "Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


NONE = ["*", "app.example", "https://app.example/", "https://app.example/a", "ftp://app.example"]


@pytest.mark.parametrize("wrong", NONE)
def test_what_is_no_origin_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("ECHOADMIN_CORS_ORIGINS", f"{SITE}, {wrong}")
    with pytest.raises(env.BadSetting, match="looks like"):
        env.origins("ECHOADMIN_CORS_ORIGINS")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:80@evil.example", ""])
def test_a_host_that_is_not_ours_is_not_answered(host: str) -> None:
    for path in ("/admin/login/", "/api/v1/personas/"):
        assert Client().get(path, HTTP_HOST=host).status_code == 400


def settings_of(data: Path, *names: str, **environment: str) -> Any:
    """The settings that a process with this environment has."""
    wanted = f"{{name: getattr(settings, name) for name in {names!r}}}"
    asked = f"import json; from echoadmin import settings; print(json.dumps({wanted}))"
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    own = {**kept, "ECHOADMIN_DATA": str(data), **environment}
    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, env=own, capture_output=True, check=True)
    return json.loads(told.stdout)


def test_behind_https_cookies_are_for_https_alone_and_browsers_are_told_to_stay(tmp_path: Path) -> None:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "CORS_ALLOWED_ORIGINS", "TOTP_ROLES")
    live = settings_of(tmp_path, *names, **PRODUCTION, ECHOADMIN_TOTP_ROLES="manager,admin")
    assert live == dict(zip(names, (True, True, 31_536_000, [], ["manager", "admin"]), strict=True))
    sandbox = settings_of(tmp_path, *names)
    assert sandbox == dict(zip(names, (False, False, 0, [], []), strict=True)), "over http nothing is in the way"


def test_an_answer_over_https_has_hsts_and_its_cookies_are_closed(settings: LazySettings) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    user = make.user("operator", "ana")
    user.password = QUICK
    user.save()
    client = Client()
    page = client.get("/admin/login/", secure=True)
    client.post("/admin/login/", {"username": "ana", "password": PASSWORD}, secure=True)
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    csrf, session = client.cookies[settings.CSRF_COOKIE_NAME], client.cookies[settings.SESSION_COOKIE_NAME]
    for cookie in (csrf, session):
        assert (cookie["secure"], cookie["samesite"]) == (True, "Lax")
    assert session["httponly"]
    plain = Client().get("/admin/login/")
    assert "Strict-Transport-Security" not in plain.headers


@pytest.mark.parametrize("path", ["/admin/login/", "/api/v1/personas/", "/admin/nothing", "/healthz"])
def test_every_answer_is_for_this_origin_alone(path: str) -> None:
    headers = Client().get(path).headers
    if path != "/healthz":
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'self'"):
            assert part in policy
        assert "script-src 'self' 'unsafe-eval';" in policy, "no inline script"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
