"""`/api/v1/keys/`, rotating, and what the pages of keys do."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from echoadmin.accounts.keys import KeyRefused, create_key, open_with, revoke_key, rotate_key
from echoadmin.accounts.models import ApiKey, IdempotentRequest
from echoadmin.actors import Actor
from echoadmin.log.models import Entry
from tests import make

pytestmark = pytest.mark.django_db
SHELL = Actor("test")
DAY = timedelta(days=1)


@pytest.fixture
def admin(person: Callable[..., User]) -> APIClient:
    client = APIClient()
    client.force_login(person("admin", "root"))
    return client


def said(event_type: str) -> list[dict[str, Any]]:
    return [entry.body for entry in Entry.objects.filter(event_type=event_type)]  # type: ignore[misc]


def test_an_admin_makes_a_key_whose_text_is_told_once(admin: APIClient, person: Callable[..., User]) -> None:
    person("operator")
    persona = make.persona()
    until = (timezone.now() + DAY).isoformat()
    body = {"label": "tts", "user": "ana", "scopes": ["read", "speak"], "personas": [persona.upstream_id]}
    answer = admin.post("/api/v1/keys/", {**body, "expires_at": until, "reviewed": True}, format="json")
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    text = told.pop("key")
    row = open_with(text)
    assert (row.user.username, row.scopes, row.only_personas) == ("ana", ["read", "speak"], [persona.public_id])
    assert (told["id"], told["reviewed"], told["created_by"]) == (row.prefix, True, "root")
    listed = admin.get("/api/v1/keys/")
    again = admin.get(f"/api/v1/keys/{row.prefix}/")
    assert again.json() == listed.json()["results"][0] == {**told, "last_used_at": again.json()["last_used_at"]}
    for place in (listed.content.decode(), again.content.decode(), str(said("api_key.created"))):
        assert text.partition(".")[2] not in place
    assert not IdempotentRequest.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "label"),
        ({"label": "x" * 51}, "label"),
        ({"label": "tts", "scopes": []}, "scopes"),
        ({"label": "tts", "scopes": ["fly"]}, "scopes"),
        ({"label": "tts", "user": "nobody"}, "user"),
        ({"label": "tts", "personas": ["p_none"]}, "personas"),
        ({"label": "tts", "conversations": "all"}, "conversations"),
        ({"label": "tts", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"label": "tts", "expires_at": "soon"}, "expires_at"),
        ({"label": "tts", "reviewed": "yes"}, "reviewed"),
        ({"label": "tts", "limit": 3}, "limit"),
    ],
)
def test_a_key_that_can_not_be_is_refused_by_its_field(admin: APIClient, body: Any, field: str) -> None:
    answer = admin.post("/api/v1/keys/", body, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not ApiKey.objects.exists()


def test_no_key_makes_or_sees_keys_whoever_it_is_of(client_of: Callable[..., APIClient]) -> None:
    client = client_of("admin")
    assert client.get("/api/v1/keys/").status_code == 403
    assert client.post("/api/v1/keys/", {"label": "mine"}, format="json").status_code == 403


def test_a_rotated_key_has_an_heir_that_may_do_the_same_and_works_on_for_a_stated_time(
    admin: APIClient, person: Callable[..., User]
) -> None:
    conversation = make.room().conversation
    made = {"scopes": ["read"], "reviewed": True, "conversations": [conversation.public_id]}
    old, old_text = create_key(user=person("operator"), label="tts", actor=SHELL, **made)
    answer = admin.post(f"/api/v1/keys/{old.prefix}/rotate/", {"overlap": 3600}, format="json")
    assert answer.status_code == 201, answer.json()
    fresh = open_with(answer.json()["key"])
    assert open_with(old_text).pk == old.pk
    old.refresh_from_db()
    for name in ("name", "scopes", "reviewed", "only_conversations", "user_id", "expiry_date"):
        expected = None if name == "expiry_date" else getattr(old, name)
        assert getattr(fresh, name) == expected, name
    assert old.replaced_by == fresh.prefix
    assert abs(old.expiry_date - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
    [told] = said("api_key.rotated")
    assert old.prefix in told and fresh.prefix in told and answer.json()["key"] not in told
    ApiKey.objects.filter(pk=old.pk).update(expiry_date=timezone.now() - timedelta(seconds=1))
    with pytest.raises(KeyRefused, match="expired"):
        open_with(old_text)
    assert open_with(answer.json()["key"]).pk == fresh.pk


def test_a_key_is_rotated_once_and_no_longer_than_it_lives(person: Callable[..., User]) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    old, _ = create_key(user=person("operator"), label="tts", actor=SHELL, expires=soon)
    fresh, _ = rotate_key(old, overlap=DAY, actor=SHELL)
    old.refresh_from_db()
    assert old.expiry_date == soon
    assert timezone.now() < fresh.expiry_date < timezone.now() + timedelta(minutes=6)  # type: ignore[operator]
    with pytest.raises(ValidationError, match="rotated already"):
        rotate_key(old, overlap=DAY, actor=SHELL)
    revoke_key(fresh, actor=SHELL)
    with pytest.raises(ValidationError, match="revoked"):
        rotate_key(fresh, overlap=DAY, actor=SHELL)
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("overlap", [-1, 31 * 86_400, "x", 1.5, True])
def test_an_overlap_that_can_not_be_is_refused(admin: APIClient, person: Callable[..., User], overlap: Any) -> None:
    old, _ = create_key(user=person("operator"), label="tts", actor=SHELL)
    answer = admin.post(f"/api/v1/keys/{old.prefix}/rotate/", {"overlap": overlap}, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["overlap"]


def test_a_request_repeated_with_the_heir_is_answered_with_what_the_old_key_made(person: Callable[..., User]) -> None:
    conversation = make.room().conversation
    old, old_text = create_key(user=person("operator"), label="tts", actor=SHELL)
    _, text = rotate_key(old, overlap=DAY, actor=SHELL)
    answers = []
    for key in (old_text, text):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}", HTTP_IDEMPOTENCY_KEY="one")
        path = f"/api/v1/conversations/{conversation.public_id}/echoes/"
        answers.append(client.post(path, {"text": "Hello."}, format="json").json()["inference_id"])
    assert answers[0] == answers[1]


def test_revoking_by_rest_is_final_and_twice_is_once(admin: APIClient, person: Callable[..., User]) -> None:
    row, text = create_key(user=person("operator"), label="tts", actor=SHELL)
    for _ in range(2):
        answer = admin.post(f"/api/v1/keys/{row.prefix}/revoke/")
        assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    with pytest.raises(KeyRefused, match="revoked"):
        open_with(text)
    assert len(said("api_key.revoked")) == 1
    assert admin.post("/api/v1/keys/none/revoke/").status_code == 404


def test_a_key_is_limited_and_rotated_by_page(person: Callable[..., User]) -> None:
    browser, persona = Client(), make.persona()
    browser.force_login(person("operator", is_staff=True))
    form = {"label": "tts", "scopes": ["read"], "personas": persona.upstream_id, "days": "7"}
    wrong = browser.post("/admin/accounts/apikey/add/", form | {"personas": "p_none"})
    assert wrong.status_code == 400
    assert "p_none" in wrong.content.decode()
    assert browser.post("/admin/accounts/apikey/add/", form).status_code == 201
    row = ApiKey.objects.get()
    assert row.only_personas == [persona.public_id]
    detail = browser.get(f"/admin/accounts/apikey/{row.pk}/change/").content.decode()
    assert persona.public_id in detail and "Rotate" in detail
    page = browser.post(f"/admin/accounts/apikey/{row.pk}/change/rotate/", {"overlap": "3600"})
    assert page.status_code == 201
    assert open_with(page.context["key"]).only_personas == [persona.public_id]
    assert "works until" in page.content.decode()
    again = browser.post(f"/admin/accounts/apikey/{row.pk}/change/rotate/", {"overlap": "0"}, follow=True)
    assert "rotated already" in again.content.decode()
    assert ApiKey.objects.count() == 2


def test_the_command_makes_limited_keys(person: Callable[..., User]) -> None:
    person("operator")
    persona, out = make.persona(), io.StringIO()
    common = ("create_api_key", "--user", "ana", "--label", "tts", "--personas")
    call_command(*common, persona.public_id, stdout=out, stderr=io.StringIO())
    assert open_with(out.getvalue().strip()).only_personas == [persona.public_id]
    with pytest.raises(CommandError, match=r"--personas: There is no 'p_none' here"):
        call_command(*common, "p_none", stdout=out, stderr=io.StringIO())
