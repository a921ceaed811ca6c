"""How drf-spectacular describes one operation: with all that every address of this API has in common."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from echoadmin.accounts.permissions import Auditor
from echoadmin.api.openapi.answers import ALWAYS, codes_of, error_responses, header_refs, takes_key
from echoadmin.api.parsing import ObjectsParser
from echoadmin.api.shaping import shape_of

ABOUT_IDS = {
    "any_id": "Ours, or Tavus's.",
    "inference_id": "The echo's inference_id.",
    "name": "Its name.",
}
VERBS = {"PATCH": "Change", "PUT": "Replace", "DELETE": "Delete"}


class Operations(AutoSchema):
    """Summary from the view's docstring, description from the method's; errors, headers and shaping from the view."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """None for what is left out of the document."""
        operation = super().get_operation(*args, **kwargs)
        if operation is not None and hasattr(self.view, "codes"):
            if self.method == "POST" and ObjectsParser in self.view.parser_classes:
                _tell_arrays(operation)
            self._tell_answers(operation)
        return operation

    def get_summary(self) -> str | None:
        """A line: of a list that POST adds to, its own half; of a change, with its verb."""
        words = _first_sentence(type(self.view).__doc__ or "")
        reads, _, posts = words.partition("; POST ")
        if self.method == "POST" and posts:
            return _capital(posts)
        if self.method in VERBS:
            return f"{VERBS[self.method]} {reads[:1].lower()}{reads[1:].partition(';')[0]}"
        return reads

    def get_description(self) -> str:  # type: ignore[override]
        """The class's words, then the method's, and who may."""
        own = getattr(type(self.view), self.method.lower(), None)
        told = [_unwrapped(type(self.view).__doc__), _unwrapped(getattr(own, "__doc__", None))]
        if hasattr(self.view, "roles"):
            told.append(f"For the role {_role(self.view, self.method)} and those above it.")
        return "\n\n".join(part for part in told if part)

    def get_override_parameters(self) -> list[Any]:
        """What every address takes, and what its kind does."""
        found: list[Any] = list(super().get_override_parameters())
        found.append(_header("X-Request-Id", "An id of your own for this request, 1 to 128 of `A-Za-z0-9._:-`."))
        if takes_key(self.view, self.method):
            found.append(_header("Idempotency-Key", "Send the same again with the same key, and it is done once."))
        if self.method == "GET" and (shape := shape_of(self.view)) is not None:
            found.append(_header("If-None-Match", "An ETag that you have: 304 without a body where it still holds."))
            found.append(_names("fields", shape.names, "Only these fields of each object."))
            if shape.expandable:
                words = "These whole: objects in place of their ids, and what a list leaves out."
                found.append(_names("expand", shape.expandable, words))
        return found

    def _resolve_path_parameters(self, variables: Any) -> Any:
        parameters = super()._resolve_path_parameters(variables)
        for one in parameters:
            one.setdefault("description", ABOUT_IDS.get(one["name"], "Its id."))
        return parameters

    def _tell_answers(self, operation: dict[str, Any]) -> None:
        codes = codes_of(self.view, self.method, ids="{" in self.path)
        answers = operation["responses"]
        for status, answer in answers.items():
            names = [*ALWAYS, *(["Idempotent-Replayed"] if takes_key(self.view, self.method) else [])]
            if self.method == "GET" and status == "200" and shape_of(self.view) is not None:
                names.append("ETag")
            answer["headers"] = {**header_refs(*names), **answer.get("headers", {})}
            answer["description"] = answer.get("description") or "Done."
        if self.method == "GET" and shape_of(self.view) is not None:
            unchanged = "Not modified: what you have under this ETag still holds."
            answers["304"] = {"description": unchanged, "headers": header_refs(*ALWAYS, "ETag")}
        answers.update(error_responses(codes))
        operation["responses"] = dict(sorted(answers.items()))


def _tell_arrays(operation: dict[str, Any]) -> None:
    """An array of objects does as well as one, and is answered by an array."""
    for holder in (operation["requestBody"], *operation["responses"].values()):
        if (content := holder.get("content", {}).get("application/json")) is not None:
            one = content["schema"]
            content["schema"] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _header(name: str, words: str) -> OpenApiParameter:
    schema: dict[str, Any] = {"type": "string", "maxLength": 255}
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=words)


def _names(name: str, known: Any, words: str) -> OpenApiParameter:
    known = list(known)
    return OpenApiParameter(
        name,
        {"type": "array", "items": {"type": "string", "enum": known}, "minItems": 1},
        description=f"{words} Separated by commas.",
        style="form",
        explode=False,
    )


def _role(view: Any, method: str) -> str:
    role: str = view.roles.get(method, Auditor).role
    return role


def _first_sentence(doc: str) -> str:
    words = _unwrapped(doc)
    return re.split(r"(?<=\.)\s", words, maxsplit=1)[0].rstrip(".")


def _unwrapped(doc: str | None) -> str:
    """Lines joined, paragraphs kept."""
    paragraphs = re.split(r"\n\s*\n", (doc or "").strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
