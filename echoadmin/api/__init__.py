"""The REST API's frame: its errors, its pages, its parsers and the class that every view is made of."""

from echoadmin.api.errors import exception_handler

__all__ = ["exception_handler"]
