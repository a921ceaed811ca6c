"""The console's client for Python: `Client`, and `AsyncClient` for asyncio. It needs httpx, and nothing else of ours.

Each POST has an Idempotency-Key, so that it is sent again where no answer came, and done once.
"""

from echoadmin.client.asynchronous import AsyncClient
from echoadmin.client.errors import ApiError, ClientError, NoAnswer, TookTooLong
from echoadmin.client.synchronous import Client

__all__ = ["ApiError", "AsyncClient", "Client", "ClientError", "NoAnswer", "TookTooLong"]
