"""The OpenAPI document: whole, valid, and with examples that fit it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from echoadmin.api.catalogue import ALL, REST

METHODS = ("get", "post", "put", "patch", "delete")
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def answers(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in operation["responses"].items():
        reference = answer.get("$ref", "").rpartition("/")[2]
        yield status, document["components"]["responses"][reference] if reference else answer


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body that is sent or answered: where, its media type, and what is said of it."""
    for label, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{label} takes", kind, content
        for status, answer in answers(document, operation):
            for kind, content in answer.get("content", {}).items():
                yield f"{label} answers {status}", kind, content


def test_it_is_valid_openapi_3_1_without_a_warning() -> None:
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=out)
    assert '"openapi": "3.1.0"' in out.getvalue()


def test_each_operation_says_what_it_does_takes_and_answers(document: dict[str, Any]) -> None:
    lacking = []
    for label, operation in operations(document):
        lacking += [f"{label}: no {name}" for name in ("summary", "description", "security") if not operation.get(name)]
        for parameter in operation.get("parameters", ()):
            if not parameter.get("description"):
                lacking.append(f"{label}: {parameter['name']} has no description")
        told = dict(answers(document, operation))
        lacking += [
            f"{label}: no {status}" for status in ("400", "401", "403", "429", "500", "503") if status not in told
        ]
        for status, answer in told.items():
            lacking += [f"{label}: {status} has no description"] * (not answer.get("description"))
            lacking += [f"{label}: {status} has no headers"] * (not answer.get("headers"))
    assert lacking == []


def test_each_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    wrong = []
    for where, kind, content in bodies(document):
        examples = {
            name: document["components"]["examples"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
            for name, one in content.get("examples", {}).items()
        }
        if not examples and kind.endswith("json"):
            wrong.append(f"{where}: no example of {kind}")
        schema = {**content["schema"], "components": document["components"]}
        for name, example in examples.items():
            errors = Draft202012Validator(schema).iter_errors(example["value"])
            wrong += [f"{where}, {name}: {'.'.join(map(str, one.path))}: {one.message[:200]}" for one in errors]
    assert wrong == []


def test_each_error_of_the_catalogue_is_somewhere_in_it(document: dict[str, Any]) -> None:
    named = {code for answer in document["components"]["responses"].values() for code in answer["x-codes"]}
    # Two are about addresses and methods that there are not.
    assert {code.name for code in ALL if code.where == REST} - named == {"method_not_allowed"}


def test_reads_say_their_fields_and_creates_their_key(document: dict[str, Any]) -> None:
    def names(path: str, method: str) -> set[str]:
        return {parameter["name"] for parameter in document["paths"][path][method]["parameters"]}

    assert {"fields", "expand", "If-None-Match", "cursor", "limit"} <= names("/api/v1/conversations/", "get")
    assert "Idempotency-Key" in names("/api/v1/conversations/{any_id}/echoes/", "post")
    read = document["paths"]["/api/v1/conversations/{any_id}/"]["get"]["responses"]
    assert "ETag" in read["200"]["headers"]
    assert "304" in read


def test_its_address_gives_it_to_anybody_and_says_when_it_still_holds(client: Client, document: dict[str, Any]) -> None:
    response = client.get("/api/v1/schema/")
    assert response.headers["Content-Type"] == "application/vnd.oai.openapi+json"
    assert set(response.json()["paths"]) == set(document["paths"])
    again = client.get("/api/v1/schema/", HTTP_IF_NONE_MATCH=response["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_its_page_comes_from_this_host_alone(client: Client) -> None:
    response = client.get("/api/v1/docs/")
    page = response.content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert [source for source in sources if not source.startswith("/")] == []
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page) == []
    for source in sources:
        assert client.get(source).status_code in (200, 404)  # static files come from another layer
    assert "'unsafe-inline'" not in re.search(r"script-src([^;]*)", response["Content-Security-Policy"]).group(1)  # type: ignore[union-attr]
