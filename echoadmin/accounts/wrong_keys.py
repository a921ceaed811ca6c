"""How many keys that open nothing one address may send: WRONG_KEY_LIMIT in RATE_WINDOW seconds; consoles that share a
Redis count together. Guessing is slowed by it, and so is a program that goes on with a key that was revoked.

A key that has opened something from an address still does, whatever else comes from there: programs share addresses,
and one with an old key is not to stop the others. Which those are is known to this process alone, by their hashes.
"""

from __future__ import annotations

import hashlib
import logging

from django.conf import settings

from echoadmin.accounts.keys import KeyRefused, open_with
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.throttling import network_of
from echoadmin.api.limits import Standing, count_of

logger = logging.getLogger(__name__)

MOST_KNOWN = 10_000  # of the keys that opened something, after which all are forgotten
_known: set[bytes] = set()


class WrongKey(KeyRefused):
    """It opens nothing; `standing` says how many more the address may send."""

    standing: Standing | None = None


def open_from(address: str, text: str) -> ApiKey:
    """As `open_with`, for a key that comes from an address. Raises WrongKey, or ApiError (429) unlooked at."""
    near = network_of(address)
    seen = hashlib.sha256(f"{near}\0{text}".encode()).digest()
    if seen not in _known:
        _check(near)
    try:
        api_key = open_with(text)
    except KeyRefused as refused:
        _known.discard(seen)
        wrong = WrongKey(str(refused))
        wrong.standing = _counted(near)
        raise wrong from None
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known.add(seen)
    return api_key


def _check(near: str) -> None:
    most = settings.WRONG_KEY_LIMIT
    if not most:
        return
    standing = _standing(near, 0)
    if standing.count.used >= most:
        raise standing.refusal(
            f"{most:,} keys that open nothing came from your address in {settings.RATE_WINDOW:g} s. Wait "
            f"{standing.wait} s, and send a key that is in use; keys that have worked from there go on."
        )


def _counted(near: str) -> Standing | None:
    most = settings.WRONG_KEY_LIMIT
    if not most:
        return None
    standing = _standing(near, 1)
    if standing.count.used == most:
        words = "%d keys that open nothing came from %s: no other one is looked at for %d s"
        logger.warning(words, most, near, standing.wait)
    return standing


def _standing(near: str, more: int) -> Standing:
    return Standing("wrong-keys", settings.WRONG_KEY_LIMIT, count_of(f"address:{near}", more))
