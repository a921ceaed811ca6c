"""The OpenAPI document: what each operation takes and answers, told from the views and the catalogue of errors."""

from echoadmin.api.openapi.operations import Operations

__all__ = ["Operations"]
