"""Tavus's HTTP API, version 2 (docs.tavus.io and its OpenAPI). As there, a body is validated before the key is."""

from aiohttp import web

from ..vocabulary import NEW, OLD
from . import conversations
from .access import VENDOR, go_wrong, refuse_in_json
from .personas import Personas
from .replicas import Replicas, trained

__all__ = ["VENDOR", "go_wrong", "refuse_in_json", "routes", "trained"]


def routes() -> list[web.RouteDef]:
    """Return every route of the API, in both vocabularies."""
    return [
        *Personas(OLD).routes("/v2/personas"),
        *Personas(NEW).routes("/v2/pals"),
        *Replicas(OLD).routes("/v2/replicas"),
        *Replicas(NEW).routes("/v2/faces"),
        *conversations.routes("/v2/conversations"),
    ]
