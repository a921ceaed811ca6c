"""Visitors of the console's pages, and an upstream for the pages that call one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.test import Client

from tests import make
from tests.twin_process import TwinProcess, running_twin


@pytest.fixture
def visitor(db: None) -> Callable[[str | None], Client]:
    """A signed-in browser of somebody with a role."""

    def sign_in(role: str | None = "admin") -> Client:
        client = Client()
        client.force_login(make.user(role))
        return client

    return sign_in


@pytest.fixture(scope="module")
def shared_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with running_twin(tmp_path_factory.mktemp("twin")) as started:
        yield started


@pytest.fixture
def twin(shared_twin: TwinProcess, settings: LazySettings) -> TwinProcess:
    shared_twin.request("DELETE", "/twin/faults")
    settings.TAVUS_API_URL = shared_twin.url
    settings.TAVUS_API_KEY = "tvsk-pages-0123456789"
    return shared_twin
