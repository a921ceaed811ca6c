"""The refusals that Tavus documents, word for word (docs.tavus.io, and its OpenAPI)."""

from typing import Any


class Refusal(Exception):
    """An answer other than success: the status and the JSON body to send."""

    def __init__(self, status: int, body: dict[str, Any] | None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Invalid(Refusal):
    """A body that does not validate: 400, its errors as a Python dict in a string, as the vendor writes them."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(400, {"error": f"Bad Request. {fields}"})


def unknown(what: str) -> Refusal:
    """An id that the vendor does not know; ``what`` is the field's name, such as ``persona_id``."""
    return Refusal(400, {"error": f"Invalid {what}"})


def unauthorised() -> Refusal:
    return Refusal(401, {"message": "Invalid access token"})


def out_of_credits() -> Refusal:
    return Refusal(402, {"message": "The user is out of conversational credits."})


def too_many_conversations() -> Refusal:
    return Refusal(400, {"message": "User has reached maximum concurrent conversations"})


def bad_patch() -> Refusal:
    return Refusal(422, {"message": "Invalid JSON patch format"})


def maker_changes() -> Refusal:
    message = "The PAL Maker holds unsaved changes. Send ?force=true to discard them."
    return Refusal(409, {"message": message, "conflict": "maker_changes"})
