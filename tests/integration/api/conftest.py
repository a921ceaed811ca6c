"""People, their keys, and clients that speak for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.response import Response
from rest_framework.test import APIClient

from conversations.quickstart import SendAudioMessage
from echoadmin.accounts.keys import create_key
from echoadmin.actors import Actor
from echoadmin.api.catalogue import CODES
from echoadmin.api.openapi.answers import codes_of
from echoadmin.api.views import Nothing, View
from tests.passwords import QUICK
from tests.twin_process import TwinProcess, running_twin


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """Makes a user with a role: `person("operator")`."""

    def make(role: str | None = None, name: str = "ana", **more: Any) -> User:
        user = User(username=name, **more)
        user.password = QUICK
        user.save()
        if role:
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        return user

    return make


@pytest.fixture
def client_of(person: Callable[..., User]) -> Callable[..., APIClient]:
    """An API client with a key of a user of the given role, named after it: `client_of("operator")`."""

    def make(role: str, scopes: tuple[str, ...] = ("read", "speak", "manage")) -> APIClient:
        user = User.objects.filter(username=role).first() or person(role, role)
        _, text = create_key(user=user, label="test", actor=Actor("test"), scopes=scopes)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    return make


APART = (Nothing, SendAudioMessage)  # what is no address; the quickstart's, whose errors are its own


@pytest.fixture(autouse=True)
def _answers_are_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test here asks: an error's code is one that the OpenAPI document names for this operation."""
    finalize = View.finalize_response

    def checked(self: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = finalize(self, request, response, *args, **kwargs)
        if response.status_code >= 400 and isinstance(response, Response) and not isinstance(self, APART):
            code = response.data["error"]["code"]
            documented = codes_of(self, str(request.method), ids=bool(self.kwargs)) | {"method_not_allowed"}
            assert code in documented, f"{type(self).__name__} answers {code}, which its `codes` do not name"
            assert response.status_code == CODES[code].status
        return response

    monkeypatch.setattr(View, "finalize_response", checked)


@pytest.fixture(scope="module")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    """One for each test file."""
    with running_twin(tmp_path_factory.mktemp("twin")) as started:
        yield started


@pytest.fixture
def twin(shared_twin: TwinProcess, settings: Any) -> TwinProcess:
    """The same, its faults and limits taken back, as this process's upstream."""
    shared_twin.request("DELETE", "/twin/faults")
    shared_twin.request("PUT", "/twin/limits", {"concurrent_conversations": None, "credit_seconds": None})
    settings.TAVUS_API_URL = shared_twin.url
    settings.TAVUS_API_KEY = "tvsk-integration-0123456789"
    settings.PUBLIC_URL = "https://console.example"
    return shared_twin
