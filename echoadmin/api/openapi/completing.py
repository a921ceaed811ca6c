"""The last step of the OpenAPI document: what all operations share, and an example wherever none was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from echoadmin.api.catalogue import ALL, REST
from echoadmin.api.openapi.answers import ERROR, HEADERS, example_of
from echoadmin.api.openapi.examples import example

METHODS = ("get", "post", "put", "patch", "delete")


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook."""
    components = result.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Error"] = ERROR
    components["headers"] = HEADERS
    components["examples"] = {
        code.name: {"summary": code.meaning, "value": example_of(code)} for code in ALL if code.where == REST
    }
    for schema in list(schemas.values()):
        _let_null_be_json(schema)
    components["responses"] = {}
    for operation in _operations(result):
        _share_errors(operation["responses"], components["responses"])
    for media_type, content in _bodies(result):
        if "example" in content or "examples" in content or "schema" not in content:
            continue
        if media_type.endswith("json") or media_type.startswith("multipart/"):
            value = example(content["schema"], schemas, binary=media_type.startswith("multipart/"))
            content["examples"] = {"example": {"value": value}}
            if any(one.get("type") == "array" for one in content["schema"].get("anyOf", ())):
                content["examples"]["several"] = {"value": [value]}
    return result


def _let_null_be_json(schema: dict[str, Any]) -> None:
    """Any JSON, or null, is any JSON: drf-spectacular says "one of the two", of which null would be both."""
    for inner in schema.get("properties", {}).values():
        if {} in inner.get("oneOf", ()):
            del inner["oneOf"]


def _share_errors(answers: dict[str, Any], shared: dict[str, Any]) -> None:
    """An error answer is written once for all operations with the same codes."""
    for status, answer in answers.items():
        if codes := answer.get("x-codes"):
            name = ".".join((status, *codes))
            shared[name] = answer
            answers[status] = {"$ref": f"#/components/responses/{name}"}


def _operations(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in result["paths"].values():
        yield from (path[method] for method in METHODS if method in path)


def _bodies(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for operation in _operations(result):
        yield from operation.get("requestBody", {}).get("content", {}).items()
        for answer in operation["responses"].values():
            yield from answer.get("content", {}).items()
