"""A line for each request: its route and never its path, so that no address tells a secret."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator

import pytest
from django.test import Client

from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM
from echoadmin.log_lines import FACTS, JsonLines
from tests import make

pytestmark = pytest.mark.django_db


class Kept(logging.Handler):
    """Formats each record as it comes, in the thread and context that it comes from."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.facts: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(JsonLines().format(record))
        self.facts.append(getattr(record, FACTS))


@pytest.fixture
def access() -> Iterator[Kept]:
    handler, logger = Kept(), logging.getLogger("echoadmin.access")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_it_says_who_asked_for_what_and_what_came(client: Client, access: Kept) -> None:
    _, key = create_key(user=make.user("auditor"), label="test", actor=SYSTEM, scopes=["read"])
    row = make.conversation()
    headers = {"authorization": f"Bearer {key}", "x-request-id": "r-7"}
    assert client.get(f"/api/v1/conversations/{row.public_id}/", headers=headers).status_code == 200
    [facts] = access.facts
    assert (facts["method"], facts["status"], facts["actor_kind"]) == ("GET", 200, "key")
    assert str(facts["route"]).startswith("api/v1/conversations/<")
    assert row.public_id not in str(facts["route"])
    assert '"request_id": "r-7"' in access.lines[0]
    assert f'"conversation": "{row.public_id}"' in access.lines[0]
    client.force_login(make.user("auditor"))
    client.get("/admin/")
    client.logout()
    client.get("/nowhere/")
    assert [one["actor_kind"] for one in access.facts[1:]] == ["user", "nobody"]
    assert access.facts[-1]["status"] == 404


def test_no_line_has_a_secret_of_an_address(client: Client, access: Kept) -> None:
    secret = secrets.token_urlsafe(24)
    client.post(f"/webhooks/tavus/{secret}/", "{}", content_type="application/json")
    client.get("/api/v1/conversations/", {"key": secret})
    assert len(access.lines) == 2
    assert not any(secret in line for line in access.lines)


def test_probes_are_not_told(client: Client, access: Kept) -> None:
    client.get("/healthz")
    assert access.lines == []
