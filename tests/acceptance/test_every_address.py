"""Every address of the API, asked for what the OpenAPI document allows and for what it does not, with each role's key.

schemathesis makes the requests; a console and its twin answer them over real sockets. Whatever is asked: no 5xx, no
status, code or content type that is not documented, and no body that does not fit its schema. `make fuzz` does it for
longer, and with other requests each time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from tests.acceptance.seeding import Seeds, seeded
from tests.console_process import ConsoleProcess, running_console

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Requests of each kind to each operation; 0: few, and the same ones each time."""

pytestmark = [
    pytest.mark.own_database,
    pytest.mark.timeout(3600 if EXAMPLES else 120),
    pytest.mark.xdist_group("every-address"),
]
ROLES = (None, "auditor", "operator", "manager", "admin")
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
]


def document() -> dict[str, Any]:
    """As `/api/v1/schema/` has it."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {
    one.ok().label: one.ok()
    for one in SCHEMA.get_all_operations()
    if not one.ok().path.endswith("/stream/")  # never ends; tests/integration/api/test_event_streams.py has it
}


@dataclass
class Asking:
    """The console, what is in it, and a session for each role."""

    console: ConsoleProcess
    seeds: Seeds
    sessions: dict[str | None, requests.Session]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    settings_ = {
        "TWIN_SPEED": "1000",
        "RATE_LIMIT": "0",
        "WRONG_KEY_LIMIT": "0",
        "INTERRUPT_DEADLINE": "0.1",
        "DELIVER_TO_PRIVATE_ADDRESSES": "1",
        "ECHO_MAX_SECONDS": "5",
    }
    with running_console(tmp_path_factory.mktemp("console"), **settings_) as console:
        seeds = seeded(console)
        sessions = {role: _session(seeds.keys.get(role or "")) for role in ROLES}
        yield Asking(console, seeds, sessions)


def _session(key: str | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    if key:
        session.headers["Authorization"] = f"Bearer {key}"
    return session


@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_is_asked_the_answer_is_a_documented_one(asking: Asking, label: str) -> None:
    operation = OPERATIONS[label]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            _look(asking, strategy)
        except schemathesis.errors.SchemathesisError as error:
            if mode is GenerationMode.POSITIVE or "negat" not in str(error).lower():
                raise


def _look(asking: Asking, strategy: Any) -> None:
    @settings(
        max_examples=EXAMPLES or 3,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    )
    @given(case=strategy, real=st.integers(0, 3))
    def look(case: Any, real: int) -> None:
        if real:  # one in four asks for ids that are made up
            asking.seeds.put_into(case)
        for role in ROLES:
            _ask(asking, case, role)

    look()


def _ask(asking: Asking, case: Any, role: str | None) -> None:
    (case.headers or {}).pop("Authorization", None)  # made up, it would come instead of the role's
    response = case.call(base_url=asking.console.url, session=asking.sessions[role], timeout=30)
    shaped = {"fields", "expand"} & set(case.query or {})
    conforming = [] if shaped and response.status_code == 200 else [checks.response_schema_conformance]
    case.validate_response(response, checks=[*CHECKS, *conforming])
    assert role is None or response.status_code != 401
    if response.status_code >= 400 and response.content:
        _check_code(case, response, role)


def _check_code(case: Any, response: Any, role: str | None) -> None:
    """The code is one that the operation is documented with, and the request id is the header's."""
    error = response.json()["error"]
    answers = case.operation.definition.raw["responses"]
    documented = answers[str(response.status_code)]["$ref"].rpartition("/")[2].split(".")[1:]
    assert error["code"] in documented, f"{case.operation.label} as {role}: {response.status_code} {error}"
    if "idempotent-replayed" not in response.headers:  # that is the first request's answer, word for word
        assert error["request_id"] == response.headers["x-request-id"][0]
    if role is None:  # some is answered before anybody is asked who they are: no such address, another host's name
        assert response.status_code == 401 or re.search("There is nothing at|host name", error["message"])
